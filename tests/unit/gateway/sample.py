"""A contract of its own for the tests of the gateway: `sample.proto`, compiled when it is first needed."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path
from typing import Any

import google.api
import grpc_tools
from buf.validate import validate_pb2
from google.api import annotations_pb2, field_behavior_pb2, httpbody_pb2
from google.protobuf import any_pb2, descriptor_pool, duration_pb2, field_mask_pb2, struct_pb2, wrappers_pb2
from google.protobuf.descriptor import Descriptor, ServiceDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from google.protobuf.message_factory import GetMessageClass
from google.type import money_pb2
from grpc_tools import protoc

from gateway.transcode import Endpoint, find_endpoints
from parley.type.v1 import authorization_pb2, request_header_pb2

PACKAGE = "parley.sample.v1"
FILE = "sample.proto"

# Imported so that the default pool knows the files that the sample imports.
IMPORTED = (
    annotations_pb2, any_pb2, authorization_pb2, duration_pb2, field_behavior_pb2, field_mask_pb2,
    httpbody_pb2, money_pb2, request_header_pb2, struct_pb2, validate_pb2, wrappers_pb2,
)  # fmt: skip


@functools.cache
def descriptor_set() -> bytes:
    """The compiled sample with its comments."""
    here = Path(__file__).parent
    protos = here.parents[2] / "protos"
    google_root = Path(next(iter(google.api.__path__))).parent.parent
    well_known = Path(grpc_tools.__file__).parent / "_proto"
    with tempfile.TemporaryDirectory() as folder:
        validate, target = Path(folder, "validate.binpb"), Path(folder, "sample.binpb")
        file = FileDescriptorProto.FromString(validate_pb2.DESCRIPTOR.serialized_pb)
        validate.write_bytes(FileDescriptorSet(file=[file]).SerializeToString())
        paths = [f"--proto_path={path}" for path in (here, protos, well_known, google_root)]
        flags = [f"--descriptor_set_in={validate}", f"--descriptor_set_out={target}", "--include_source_info"]
        assert protoc.main(["protoc", *paths, *flags, FILE]) == 0
        return target.read_bytes()


@functools.cache
def service() -> ServiceDescriptor:
    """The service of the sample."""
    pool: Any = descriptor_pool.Default()
    for file in FileDescriptorSet.FromString(descriptor_set()).file:
        pool.AddSerializedFile(file.SerializeToString())
    found: ServiceDescriptor = pool.FindServiceByName(f"{PACKAGE}.SampleService")
    return found


def descriptor(name: str) -> Descriptor:
    """A message type of the sample."""
    return service().file.message_types_by_name[name]


def new(name: str, **fields: Any) -> Any:
    """A message of the sample."""
    kind: Any = GetMessageClass(descriptor(name))
    return kind(**fields)


@functools.cache
def endpoints() -> list[Endpoint]:
    """All endpoints of the sample."""
    return find_endpoints([service()])


def endpoint(rpc: str) -> Endpoint:
    """The first endpoint of a method."""
    return next(each for each in endpoints() if each.rpc.name == rpc)
