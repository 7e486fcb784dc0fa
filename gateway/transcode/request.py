"""HTTP request -> request message of one method: path, query, body and the headers that stand for fields."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qsl

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from gateway.transcode.bad_value import BadValue
from gateway.transcode.fields import field_named, message_of
from gateway.transcode.given_fields import GivenFields
from gateway.transcode.read_json import Fill, JsonReader
from gateway.transcode.template import EncodingError, Template, Variable, decode
from gateway.transcode.text_field import PutTexts, resolve, takes_text, text_putter
from parley.type.v1 import request_header_pb2

BODY_TYPE = "google.api.HttpBody"
"""The type of bodies that are bytes of a content type, in requests and in answers."""
WHOLE_BODY = "*"
QUERY_PARAMETERS_MAX = 200
IDEMPOTENCY_FIELD = "request_id"
ETAG_FIELD = "etag"


class BindingError(ValueError):
    """The annotation of a method contradicts its request message; found when the process starts."""


class RequestReader:
    """Builds request messages for one binding of one method."""

    def __init__(self, descriptor: Descriptor, template: Template, body: str, json: JsonReader) -> None:
        """Raises BindingError."""
        self.message_class: type[Message] = GetMessageClass(descriptor)
        self.descriptor = descriptor
        self._template = template
        self._body = body
        self._variables = [self._variable(variable) for variable in template.variables]
        self._read_body = self._body_reader(json)
        self._query: dict[str, PutTexts] = {}
        bound = {_dotted(fields) for _, fields, _ in self._variables}
        self.headers = {field.name: names for field in descriptor.fields if (names := _headers(field))}
        """The fields that headers fill, with those headers: the first one that a request has counts."""
        self._taken = bound | ({body} if body else set()) | set(self.headers)
        self._puts = [(variable, put, _dotted(fields)) for variable, fields, put in self._variables]
        self.idempotency = self._header_field(IDEMPOTENCY_FIELD)
        self.etag = self._etag_field()
        self._given = GivenFields.of(descriptor, self.body_field, etag=ETAG_FIELD)

    @property
    def takes_body(self) -> bool:
        """Whether the method reads a request body at all."""
        return bool(self._body)

    @property
    def takes_bytes(self) -> bool:
        """Whether the body is taken as it is, in one request."""
        field = self.body_field
        return field is not None and _is_raw(field)

    @property
    def body_field(self) -> FieldDescriptor | None:
        """The field that the body fills; `None` if it fills the whole message, or if there is no body."""
        return field_named(self.descriptor, self._body) if self._body not in ("", WHOLE_BODY) else None

    def read(self, raw_segments: list[str], query: str, body: Any = None) -> Any:
        """A filled request message; `body` is parsed JSON, or an HttpBody where that is taken; `None` where
        none came. Raises BadValue.
        """
        message = self.message_class()
        if body is not None and self._read_body is not None:
            try:
                self._read_body(message, body)
            except RecursionError:
                raise BadValue("is nested too deeply") from None
        if query:
            self._read_query(message, query)
        for variable, put, path in self._puts:
            self._read_variable(message, raw_segments, variable=variable, put=put, path=path)
        if self._given is not None and type(body) is dict:
            self._given.name(message, body)
        return message

    def query_fields(self) -> list[tuple[str, FieldDescriptor]]:
        """Every query parameter of the method, by JSON name (nested ones dotted), for its documentation."""
        if self._body == WHOLE_BODY:
            return []
        return list(self._leaves(self.descriptor, "", "", frozenset()))

    def _leaves(
        self, descriptor: Descriptor, path: str, shown: str, inside: frozenset[str]
    ) -> Sequence[tuple[str, FieldDescriptor]]:
        found: list[tuple[str, FieldDescriptor]] = []
        for field in descriptor.fields:
            here, label = f"{path}{field.name}", f"{shown}{field.json_name}"
            if here in self._taken:
                continue
            if takes_text(field):
                found.append((label, field))
            elif not field.is_repeated and (inner := message_of(field)).full_name not in inside:
                found.extend(self._leaves(inner, f"{here}.", f"{label}.", inside | {inner.full_name}))
        return found

    def _variable(self, variable: Variable) -> tuple[Variable, tuple[FieldDescriptor, ...], PutTexts]:
        fields = resolve(self.descriptor, variable.field_path)
        if fields is None or fields[-1].is_repeated or fields[-1].message_type is not None:
            owner = self.descriptor.full_name
            raise BindingError(f"{self._template.text}: {owner} has no scalar field {variable.field_path}")
        return variable, fields, text_putter(fields)

    def _read_variable(
        self, message: Any, raw_segments: list[str], *, variable: Variable, put: PutTexts, path: str
    ) -> None:
        try:
            text = self._template.capture(variable, raw_segments)
        except EncodingError as error:
            raise BadValue(str(error)).at(path) from None
        holder, name = _holder(message, path)
        before = getattr(holder, name)
        try:
            put(message, (text,))
            if before and getattr(holder, name) != before:
                raise BadValue("differs from the name in the path")
        except BadValue as error:
            raise error.at(path) from None

    def _body_reader(self, json: JsonReader) -> Fill | None:
        if not self._body:
            return None
        if self._body == WHOLE_BODY:
            return json.message(self.descriptor)
        field = self.descriptor.fields_by_name.get(self._body)
        if field is None:
            raise BindingError(
                f"{self._template.text}: {self.descriptor.full_name} has no field {self._body}"
            )
        if _is_raw(field):
            return lambda message, body: getattr(message, field.name).CopyFrom(body)
        return json.field(field)

    def _read_query(self, message: Any, query: str) -> None:
        given: dict[str, list[str]] = {}
        if "%" in query:
            _refuse_undecodable(query)
        try:
            pairs = parse_qsl(
                query, keep_blank_values=True, errors="strict", max_num_fields=QUERY_PARAMETERS_MAX
            )
        except ValueError:
            raise BadValue(f"has more than {QUERY_PARAMETERS_MAX} parameters", whole="the query") from None
        for key, text in pairs:
            given.setdefault(key, []).append(text)
        for key, texts in given.items():
            put = self._query.get(key) or self._query_putter(key)
            try:
                put(message, texts)
            except BadValue as error:
                raise error.at(key) from None

    def _query_putter(self, key: str) -> PutTexts:
        fields = resolve(self.descriptor, key) if self._body != WHOLE_BODY else None
        if fields is None or not takes_text(fields[-1]) or self._is_taken(fields):
            if not key:
                raise BadValue("has a parameter without a name", whole="the query")
            raise BadValue("is not a query parameter of this method").at(key[:80])
        put = text_putter(fields)
        # Only names that exist are kept, so a caller cannot make this grow.
        self._query[key] = put
        return put

    def _is_taken(self, fields: tuple[FieldDescriptor, ...]) -> bool:
        return any(_dotted(fields[:length]) in self._taken for length in range(1, len(fields) + 1))

    def _header_field(self, name: str) -> tuple[str, ...] | None:
        field = self.descriptor.fields_by_name.get(name)
        is_text = field is not None and field.type == FieldDescriptor.TYPE_STRING and not field.is_repeated
        return (name,) if is_text else None

    def _etag_field(self) -> tuple[str, ...] | None:
        """The request's own `etag`, else that of the resource in the body."""
        own = self._header_field(ETAG_FIELD)
        body = self.body_field
        if own is not None or body is None or body.message_type is None or body.is_repeated:
            return own
        return (body.name, ETAG_FIELD) if ETAG_FIELD in body.message_type.fields_by_name else None


def _refuse_undecodable(query: str) -> None:
    """Raises BadValue that names the parameter, or counts it where its name is what cannot be read."""
    for number, parameter in enumerate(query.split("&"), 1):
        name, _, value = parameter.partition("=")
        try:
            key = decode(name.replace("+", " "))
        except EncodingError as error:
            raise BadValue(f"{error}, in the name of parameter {number}", whole="the query") from None
        try:
            decode(value)
        except EncodingError as error:
            raise BadValue(str(error), whole="the query").at(key[:80]) from None


def _is_raw(field: FieldDescriptor) -> bool:
    kind = field.message_type
    return kind is not None and not field.is_repeated and kind.full_name == BODY_TYPE


def _headers(field: FieldDescriptor) -> tuple[str, ...]:
    names = tuple(field.GetOptions().Extensions[request_header_pb2.request_headers])
    if names and (field.type != FieldDescriptor.TYPE_STRING or field.is_repeated):
        raise BindingError(f"{field.full_name}: a header fills a field of text only")
    return names


def set_from_header(message: Any, path: tuple[str, ...], value: str, *, header: str) -> None:
    """Puts a header's value into a text field; raises BadValue if the request already says something else."""
    dotted = ".".join(path)
    holder, name = _holder(message, dotted)
    before = getattr(holder, name)
    if before and before != value:
        raise BadValue(f"differs from the header {header}").at(dotted)
    setattr(holder, name, value)


def _holder(message: Any, path: str) -> tuple[Any, str]:
    *parents, name = path.split(".")
    for parent in parents:
        message = getattr(message, parent)
    return message, name


def _dotted(fields: tuple[FieldDescriptor, ...]) -> str:
    return ".".join(field.name for field in fields)
