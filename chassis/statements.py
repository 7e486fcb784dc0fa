"""SQLAlchemy Core statements, executed by asyncpg without SQLAlchemy's connection in between.

Core builds, types and caches the SQL; asyncpg prepares and runs it. Skipping the engine halves the
processor time of a small transaction (docs/performance.md). This is the only file that touches the
compiler's internals, which the locked SQLAlchemy version and ``tests/integration/chassis/test_database.py``
hold still.

Not supported, and refused loudly: Python-side column defaults (give every value, or use a server default).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

import asyncpg
from sqlalchemy.dialects.postgresql import asyncpg as postgresql_asyncpg
from sqlalchemy.engine import IteratorResult, Row
from sqlalchemy.engine.result import SimpleResultMetaData
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.expression import Executable
from sqlalchemy.util import LRUCache

Parameters = Mapping[str, Any] | Sequence[Mapping[str, Any]] | None
"""Values for the bind parameters or columns of a statement; a sequence runs it once for each element."""

DIALECT: Final = postgresql_asyncpg.dialect()  # type: ignore[no-untyped-call]
_CACHE_SIZE: Final = 1024
_AFFECTED = re.compile(r"(?:INSERT 0|UPDATE|DELETE|MERGE) (\d+)")

_compiled_statements: Any = LRUCache(_CACHE_SIZE)
_row_makers: dict[tuple[str, ...], _Columns] = {}


class Result(IteratorResult[Any]):
    """What a statement answered: SQLAlchemy's result, all rows at hand. `rowcount` counts affected rows, or
    the returned ones where the statement returns rows.
    """

    rowcount: int


class _Columns:
    """How the raw records of one statement become rows."""

    __slots__ = ("make", "metadata")

    def __init__(
        self,
        keys: Sequence[str],
        extra: Sequence[tuple[Any, ...]] | None = None,
        processors: Sequence[Any] | None = None,
    ) -> None:
        used = list(processors) if processors and any(processors) else None
        self.metadata = SimpleResultMetaData(keys, extra=extra, _processors=used)
        self.make: Callable[[Any], Row[Any]] = partial(
            Row,
            self.metadata,
            self.metadata._effective_processors,  # noqa: SLF001
            self.metadata._key_to_index,  # noqa: SLF001
        )


class _Compiled:
    """A compiled statement and what it takes to run it."""

    __slots__ = ("columns", "compiler", "is_text", "processors")

    def __init__(self, compiler: SQLCompiler) -> None:
        if compiler.insert_prefetch or compiler.update_prefetch:
            names = sorted({column.name for column in (*compiler.insert_prefetch, *compiler.update_prefetch)})
            raise TypeError(f"Python-side defaults are not supported; give a value for {', '.join(names)}")
        self.compiler = compiler
        self.is_text = compiler.isplaintext
        self.processors: Mapping[str, Any] = compiler._bind_processors  # noqa: SLF001
        self.columns = self._result_columns()

    def _result_columns(self) -> _Columns | None:
        entries = self.compiler._result_columns  # noqa: SLF001
        if not entries:
            return None
        processors = [entry.type._cached_result_processor(DIALECT, None) for entry in entries]  # noqa: SLF001
        # A column may be asked for by name or by its Column object, as with SQLAlchemy's own results.
        extra = [tuple(item for item in entry.objects if item != entry.keyname) for entry in entries]
        return _Columns([entry.keyname for entry in entries], extra, processors)


async def run(connection: Any, statement: Executable, parameters: Parameters = None) -> Result:
    """Executes a Core statement (or ``text()``) on an asyncpg connection."""
    if parameters is not None and not isinstance(parameters, Mapping):
        columns, records, count = await _run_many(connection, statement, parameters)
    else:
        columns, records, count = await _run(connection, statement, parameters)
    result = Result(columns.metadata, iter(records))
    result.rowcount = count
    return result


async def rows(
    connection: Any, statement: Executable, parameters: Mapping[str, Any] | None = None
) -> list[Row[Any]]:
    """Every row that a statement answers."""
    columns, records, _ = await _run(connection, statement, parameters)
    make = columns.make
    return [make(record) for record in records]


async def _run(
    connection: Any, statement: Executable, parameters: Mapping[str, Any] | None
) -> tuple[_Columns, Sequence[Any], int]:
    keys = sorted(parameters) if parameters else []
    compiled, extracted, collected = _compile(statement, keys, many=False)
    text, arguments = _bind(compiled, parameters, extracted, collected)
    if compiled.columns is None and not compiled.is_text:
        return _columns_of(()), (), _affected(await connection.execute(text, *arguments))
    records = await connection.fetch(text, *arguments)
    columns = compiled.columns or _columns_of(tuple(records[0].keys()) if records else ())
    return columns, records, len(records)


async def count_answers(
    connection: Any, statement: Executable, parameters: Sequence[Mapping[str, Any]]
) -> int:
    """How many rows a statement answers that runs once for each of `parameters`, all in one round trip."""
    compiled, extracted, collected = _compile(statement, sorted(parameters[0]), many=False)
    bound = [_bind(compiled, each, extracted, collected) for each in parameters]
    return len(await connection.fetchmany(bound[0][0], [arguments for _, arguments in bound]))


async def _run_many(
    connection: Any, statement: Executable, parameters: Sequence[Mapping[str, Any]]
) -> tuple[_Columns, Sequence[Any], int]:
    if parameters:
        compiled, extracted, collected = _compile(statement, sorted(parameters[0]), many=True)
        bound = [_bind(compiled, each, extracted, collected) for each in parameters]
        await connection.executemany(bound[0][0], [arguments for _, arguments in bound])
    return _columns_of(()), (), len(parameters)


def _compile(statement: Executable, keys: list[str], *, many: bool) -> tuple[_Compiled, Any, Any]:
    compiler: Any
    compiler, extracted, collected, _ = statement._compile_w_cache(  # noqa: SLF001
        DIALECT, compiled_cache=_compiled_statements, column_keys=keys, for_executemany=many
    )
    found: _Compiled | None = getattr(compiler, "parley", None)
    if found is None:
        found = _Compiled(compiler)
        compiler.parley = found
    return found, extracted, collected


def _bind(
    compiled: _Compiled, parameters: Mapping[str, Any] | None, extracted: Any, collected: Any
) -> tuple[str, list[Any]]:
    compiler = compiled.compiler
    values = compiler.construct_params(
        parameters,
        extracted_parameters=extracted,
        escape_names=False,
        _collected_params=collected,
    )
    text, processors = compiler.string, compiled.processors
    names: Sequence[str] = compiler.positiontup or ()
    if compiler.literal_execute_params or compiler.post_compile_params:
        expanded = compiler._process_parameters_for_postcompile(values)  # noqa: SLF001
        text, names = expanded.statement, expanded.positiontup or ()
        processors = {**processors, **expanded.processors}
    return text, [processors[name](values[name]) if name in processors else values[name] for name in names]


def bound(statement: Executable, parameters: Mapping[str, Any]) -> tuple[str, list[Any]]:
    """The text of a Core statement, with places from $1 on, and the arguments for them."""
    compiled, extracted, collected = _compile(statement, sorted(parameters), many=False)
    return _bind(compiled, parameters, extracted, collected)


def _columns_of(keys: tuple[str, ...]) -> _Columns:
    found = _row_makers.get(keys)
    if found is None:
        found = _row_makers[keys] = _Columns(keys)
    return found


def _affected(status: str) -> int:
    match = _AFFECTED.match(status)
    return int(match[1]) if match else -1


async def prepare_connection(connection: asyncpg.Connection[Any]) -> None:
    """Teaches a fresh connection arrays, and the JSON types in the encoding that Core's own expect."""
    for name, prefix in (("json", b""), ("jsonb", b"\x01")):
        await connection.set_type_codec(
            name,
            schema="pg_catalog",
            format="binary",
            encoder=lambda text, prefix=prefix: prefix + text.encode(),
            decoder=lambda data, prefix=prefix: json.loads(data[len(prefix) :]),
        )
    # The driver asks the server what an array is when it first meets one, which takes 10 ms: now, rather than
    # in the middle of the first commands.
    await connection.prepare("SELECT $1::bigint[], $2::timestamptz[], $3::bytea[]")
