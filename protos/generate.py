#!/usr/bin/env python3
"""Generates, lints and compares the contract: everything that is done with `protos/parley/**`.

    python protos/generate.py                   delete and rewrite `protos/gen/`
    python protos/generate.py --check           say which stubs differ from the protos; exit 1 if any does
    python protos/generate.py lint              `buf lint` on a descriptor image
    python protos/generate.py breaking          `buf breaking` against the last agreed state in git
    python protos/generate.py image --output F  all descriptors with their comments, for other tools

Nothing is vendored and nothing is downloaded. Google's protos come from the installed
`googleapis-common-protos`; `buf/validate/validate.proto` is not shipped as text by anybody, so its
descriptor is taken out of `protovalidate` and handed to protoc as a descriptor set. The stubs of
`buf.validate` are generated too, because the stubs of `parley` import them.
"""

from __future__ import annotations

import argparse
import contextlib
import filecmp
import io
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
GENERATED = HERE / "gen"
BUF_CONFIG = HERE / "buf.yaml"

# Stubs are compared byte by byte, so each tool that shapes them has exactly one allowed version.
TOOLCHAIN = {"grpcio-tools": "1.85.1", "mypy-protobuf": "5.1.0"}

VALIDATE_PROTO = "buf/validate/validate.proto"

# `parley` is ours and becomes a regular package, which no folder of the same name can shadow. `buf` and
# `google` belong to everybody and stay namespace packages, so that other distributions can add to them.
OWN_PACKAGE = "parley"


class Failure(Exception):
    """Something the reader has to act on; the text is the whole message."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command of the module's docstring and returns the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, prog="protos/generate.py"
    )
    parser.add_argument(
        "command", nargs="?", choices=("generate", "lint", "breaking", "image"), default="generate"
    )
    parser.add_argument("--check", action="store_true", help="only compare gen/ with the protos")
    parser.add_argument("--against", metavar="REF", help="git revision that `breaking` compares with")
    parser.add_argument("--sources", type=Path, default=HERE, help="folder that holds parley/**.proto")
    parser.add_argument(
        "--output", type=Path, default=None, help="folder of the stubs (SOURCES/gen), or file of the image"
    )
    options = parser.parse_args(arguments)
    sources: Path = options.sources.resolve()
    output: Path = (options.output or sources / GENERATED.name).resolve()
    try:
        require_toolchain()
        match options.command:
            case "lint":
                return lint(sources)
            case "breaking":
                return breaking(sources, options.against)
            case "image":
                if options.output is None:
                    raise Failure("image needs --output FILE")
                image(sources, output)
                return 0
            case _:
                return check(sources, output) if options.check else generate(sources, output)
    except Failure as failure:
        print(f"protos: {failure}", file=sys.stderr)
        return 1


def require_toolchain() -> None:
    """Raises Failure unless exactly the pinned generators are installed."""
    wrong = []
    for name, pinned in TOOLCHAIN.items():
        try:
            installed = metadata.version(name)
        except metadata.PackageNotFoundError:
            installed = "missing"
        if installed != pinned:
            wrong.append(f"{name} is {installed}, pinned is {pinned}")
    if wrong:
        raise Failure("; ".join(wrong) + " (make protos installs the right ones)")


# ---------------------------------------------------------------------------------------------- stubs


def generate(sources: Path, output: Path) -> int:
    """Replaces `output` with fresh stubs; it is untouched when protoc refuses the protos."""
    with fresh_stubs(sources) as stubs:
        if output.exists():
            shutil.rmtree(output)
        shutil.copytree(stubs, output)
    count = sum(1 for _ in output.rglob("*.py*"))
    print(f"protos: wrote {count} files to {shown(output)}")
    return 0


def check(sources: Path, output: Path) -> int:
    """Prints every stub that is not what the protos say; 1 if there is one."""
    with fresh_stubs(sources) as stubs:
        differences = list(drift(fresh=stubs, kept=output))
    for line in differences:
        print(f"  {line}")
    if differences:
        print(
            f"protos: {len(differences)} files in {shown(output)} differ; `make protos` regenerates",
            file=sys.stderr,
        )
        return 1
    print(f"protos: {shown(output)} is what the protos say")
    return 0


def drift(*, fresh: Path, kept: Path) -> Iterator[str]:
    """One line for each file that is missing, changed or left over in `kept`."""
    wanted, found = stub_files(fresh), stub_files(kept)
    for path in sorted(wanted | found):
        if path not in found:
            yield f"missing    {path}"
        elif path not in wanted:
            yield f"left over  {path}"
        elif not filecmp.cmp(fresh / path, kept / path, shallow=False):
            yield f"changed    {path}"


def stub_files(folder: Path) -> set[str]:
    """Relative paths of what belongs to the stubs; caches and packaging residue do not."""
    return {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and ".egg-info" not in path.as_posix()
    }


@contextlib.contextmanager
def fresh_stubs(sources: Path) -> Iterator[Path]:
    """A temporary folder with the stubs of everything in `sources`."""
    with tempfile.TemporaryDirectory(prefix="parley-protos-") as folder:
        stubs = Path(folder, "gen")
        stubs.mkdir()
        protos = proto_files(sources)
        compiled = [
            f"--python_out={stubs}",
            f"--mypy_out=quiet:{stubs}",
            *(f"--plugin={name}={plugin(name)}" for name in ("protoc-gen-mypy", "protoc-gen-mypy_grpc")),
        ]
        protoc(sources, folder, [*compiled, *protos, VALIDATE_PROTO])
        services = [name for name in protos if "\nservice " in (sources / name).read_text(encoding="utf-8")]
        if services:
            protoc(
                sources,
                folder,
                [f"--grpc_python_out={stubs}", f"--mypy_grpc_out=quiet:{stubs}", *compiled[2:], *services],
            )
        if protos and (stubs / OWN_PACKAGE).is_dir():
            # The stubs carry no comments; whoever documents the API reads them from here.
            described = stubs / OWN_PACKAGE / "descriptors.binpb"
            protoc(sources, folder, [f"--descriptor_set_out={described}", "--include_source_info", *protos])
        mark_packages(stubs)
        yield stubs


def mark_packages(stubs: Path) -> None:
    """Adds `py.typed` to each top package and `__init__.py` to the one that is ours."""
    for top in stubs.iterdir():
        # PEP 561 markers of namespace packages sit in the deepest folder, those of regular ones at the top.
        if top.name == OWN_PACKAGE:
            (top / "py.typed").touch()
            for folder in (top, *(path for path in top.rglob("*") if path.is_dir())):
                (folder / "__init__.py").touch()
        else:
            for folder in {path.parent for path in top.rglob("*.pyi")}:
                (folder / "py.typed").touch()


# -------------------------------------------------------------------------------- lint and evolution


def lint(sources: Path) -> int:
    """`buf lint` with the rules of `buf.yaml`, limited to our own protos."""
    with tempfile.TemporaryDirectory(prefix="parley-protos-") as folder:
        picture = image(sources, Path(folder, "protos.binpb"))
        code = buf("lint", str(picture), "--config", str(BUF_CONFIG), "--path", OWN_PACKAGE)
    print(
        "protos: lint " + ("found nothing" if code == 0 else "failed"),
        file=sys.stderr if code else sys.stdout,
    )
    return 1 if code else 0


def breaking(sources: Path, against: str | None) -> int:
    """`buf breaking` against a revision of this repository; passes when there is nothing to compare with."""
    revision = against or agreed_revision()
    if revision is None:
        print("protos: breaking: no commit to compare with yet")
        return 0
    with tempfile.TemporaryDirectory(prefix="parley-protos-") as folder:
        before = Path(folder, "before")
        checkout(revision, before)
        if not (before / OWN_PACKAGE).is_dir():
            print(f"protos: breaking: {revision} has no protos yet")
            return 0
        then = image(before, Path(folder, "before.binpb"))
        now = image(sources, Path(folder, "now.binpb"))
        code = buf(
            "breaking", str(now), "--against", str(then), "--config", str(BUF_CONFIG), "--path", OWN_PACKAGE
        )
    verdict = "changes break callers of" if code else "nothing breaks callers of"
    print(f"protos: breaking: {verdict} {revision}", file=sys.stderr if code else sys.stdout)
    return 1 if code else 0


def agreed_revision() -> str | None:
    """What callers may rely on: where this work left the shared main branch, else the last commit."""
    branch = git("rev-parse", "--abbrev-ref", "HEAD")
    for shared in ("origin/main", "main"):
        if shared != branch and (base := git("merge-base", "HEAD", shared)):
            return base[:12]
    head = git("rev-parse", "--verify", "HEAD")
    return head[:12] if head else None


def checkout(revision: str, folder: Path) -> None:
    """Writes the protos of `revision` into `folder`, without touching the work tree."""
    folder.mkdir()
    if not git("rev-parse", "--verify", f"{revision}^{{commit}}"):
        raise Failure(f"git does not know {revision}")
    if not git("ls-tree", revision, f"{HERE.name}/{OWN_PACKAGE}"):
        return
    archive = subprocess.run(
        ["git", "archive", revision, f"{HERE.name}/{OWN_PACKAGE}"], cwd=ROOT, check=True, capture_output=True
    ).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        for member in tar.getmembers():
            content = tar.extractfile(member)
            if content is not None and member.name.endswith(".proto"):
                target = folder / Path(member.name).relative_to(HERE.name)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content.read())


def git(*arguments: str) -> str:
    """Output of a git command in the repository, empty if it fails or git is absent."""
    try:
        result = subprocess.run(["git", *arguments], cwd=ROOT, check=False, capture_output=True, text=True)
    except FileNotFoundError:
        return ""
    return result.stdout.strip() if result.returncode == 0 else ""


# --------------------------------------------------------------------------------------------- tools


def proto_files(sources: Path) -> list[str]:
    """Our protos as import paths, sorted; Failure if there is none."""
    found = sorted(path.relative_to(sources).as_posix() for path in (sources / OWN_PACKAGE).rglob("*.proto"))
    if not found:
        raise Failure(f"no .proto file below {shown(sources / OWN_PACKAGE)}")
    return found


def image(sources: Path, target: Path) -> Path:
    """Writes the descriptors of our protos and of all they import, with comments, to `target`."""
    flags = [f"--descriptor_set_out={target}", "--include_imports", "--include_source_info"]
    protoc(sources, target.parent, [*flags, *proto_files(sources)])
    return target


def protoc(sources: Path, scratch: Path | str, arguments: list[str]) -> None:
    """Runs the protoc inside grpcio-tools; Failure with its messages (already printed) if it refuses."""
    import grpc_tools
    from google import api
    from grpc_tools import protoc as compiler

    well_known = Path(grpc_tools.__file__).parent / "_proto"
    google_root = Path(next(iter(api.__path__))).parent.parent
    validate = Path(scratch, "validate.binpb")
    if not validate.exists():
        validate.write_bytes(validate_descriptors())
    command = [
        "protoc",
        f"--proto_path={sources}",
        f"--proto_path={well_known}",
        f"--proto_path={google_root}",
        f"--descriptor_set_in={validate}",
        *arguments,
    ]
    if compiler.main(command) != 0:
        raise Failure("protoc refused the protos, see above")


def validate_descriptors() -> bytes:
    """A FileDescriptorSet with the one file `buf/validate/validate.proto`."""
    from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
    from protovalidate._gen.buf.validate import validate_pb

    # protovalidate has no public access to its own descriptor; `_DESC.proto` belongs to its generated code.
    file = FileDescriptorProto.FromString(validate_pb._DESC.proto.to_binary())
    if file.name != VALIDATE_PROTO:
        raise Failure(f"protovalidate's descriptor is {file.name}, not {VALIDATE_PROTO}")
    return FileDescriptorSet(file=[file]).SerializeToString()


def buf(*arguments: str) -> int:
    """Runs buf, which needs no network for images, and returns its exit code."""
    environment = {**os.environ, "BUF_CACHE_DIR": tempfile.gettempdir()}
    return subprocess.run([plugin("buf"), *arguments], cwd=HERE, check=False, env=environment).returncode


def plugin(name: str) -> str:
    """Path of a program that was installed next to this interpreter."""
    path = Path(sys.executable).parent / name
    if not path.exists():
        raise Failure(f"{name} is not installed beside {sys.executable}")
    return str(path)


def shown(path: Path) -> str:
    """The path as a reader in the repository would write it."""
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)


if __name__ == "__main__":
    sys.exit(main())
