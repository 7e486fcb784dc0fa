"""Every HTTP binding of every annotated method, found in the descriptors of the contract."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from google.api import annotations_pb2, http_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor, ServiceDescriptor
from google.protobuf.message_factory import GetMessageClass

from gateway.transcode.fields import field_named
from gateway.transcode.index import RouteIndex
from gateway.transcode.read_json import JsonReader
from gateway.transcode.request import BODY_TYPE, ETAG_FIELD, BindingError, RequestReader
from gateway.transcode.template import Template, parse_template
from gateway.transcode.write_json import JsonWriter

SAFE_METHODS = frozenset({"GET", "HEAD"})


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One HTTP method and path template that reach one RPC. A method with additional bindings has several."""

    rpc: MethodDescriptor
    http_method: str
    template: Template
    request: RequestReader
    encode: Callable[[Any], Any]
    """Response message -> value for `dumps`."""
    response_field: FieldDescriptor | None
    """The part of the response that is the HTTP body; `None` for all of it."""
    etag_path: tuple[str, ...]
    """Where the answer carries an etag; empty where it has none."""
    is_primary: bool
    """False for additional bindings."""

    @property
    def path(self) -> str:
        """The path of the method on the wire: `/parley.offers.v1.OffersService/GetOffer`."""
        return f"/{self.rpc.containing_service.full_name}/{self.rpc.name}"

    @property
    def response_class(self) -> Any:
        """The class of the response message."""
        return GetMessageClass(self.rpc.output_type)

    @property
    def is_download(self) -> bool:
        """Whether the answer is a file instead of a message."""
        return bool(self.rpc.output_type.full_name == BODY_TYPE)

    @property
    def is_upload(self) -> bool:
        """Whether the body is taken as it is, in as many requests as it needs."""
        return self.rpc.client_streaming

    @property
    def is_safe(self) -> bool:
        """Whether HTTP promises that the call changes nothing, so that it may be repeated."""
        return self.http_method in SAFE_METHODS


def contract_services(package: str = "parley") -> list[ServiceDescriptor]:
    """The services of all stubs below an importable package, by full name."""
    root = importlib.import_module(package)
    found: dict[str, ServiceDescriptor] = {}
    for module in pkgutil.walk_packages(root.__path__, f"{package}."):
        if module.name.endswith("_pb2"):
            file = importlib.import_module(module.name).DESCRIPTOR
            found.update((service.full_name, service) for service in file.services_by_name.values())
    return [found[name] for name in sorted(found)]


def find_endpoints(services: Iterable[ServiceDescriptor]) -> list[Endpoint]:
    """The endpoints of all annotated methods, in the order of the contract.

    Raises TemplateError or BindingError if an annotation is wrong.
    """
    reader, writer = JsonReader(), JsonWriter()
    return [
        _endpoint(rpc, rule, is_primary=number == 0, reader=reader, writer=writer)
        for service in services
        for rpc in service.methods
        for number, rule in enumerate(_rules(rpc))
    ]


def index_of(endpoints: Iterable[Endpoint]) -> RouteIndex[Endpoint]:
    """The index over the endpoints; raises RouteConflict."""
    return RouteIndex((endpoint.template, endpoint.http_method, endpoint) for endpoint in endpoints)


def _rules(rpc: MethodDescriptor) -> Iterator[http_pb2.HttpRule]:
    # googleapis-common-protos declares its extensions untyped.
    extension: Any = annotations_pb2.http
    options = rpc.GetOptions()
    if options.HasExtension(extension):
        rule: http_pb2.HttpRule = options.Extensions[extension]
        yield rule
        yield from rule.additional_bindings


def _endpoint(
    rpc: MethodDescriptor,
    rule: http_pb2.HttpRule,
    *,
    is_primary: bool,
    reader: JsonReader,
    writer: JsonWriter,
) -> Endpoint:
    http_method, text = _pattern(rpc, rule)
    template = parse_template(text)
    if http_method == "GET" and rule.body:
        raise BindingError(f"{rpc.full_name}: GET has no body")
    if rpc.client_streaming:
        _refuse_strange_upload(rpc, rule)
    field = _response_field(rpc, rule)
    return Endpoint(
        rpc=rpc,
        http_method=http_method,
        template=template,
        request=RequestReader(rpc.input_type, template, rule.body, reader),
        encode=_encoder(rpc.output_type, field, writer),
        response_field=field,
        etag_path=() if rpc.server_streaming else _etag_path(rpc.output_type, field),
        is_primary=is_primary,
    )


def _refuse_strange_upload(rpc: MethodDescriptor, rule: http_pb2.HttpRule) -> None:
    """A stream of requests is one body of bytes that comes in pieces; no other one has a form in HTTP."""
    field = rpc.input_type.fields_by_name.get(rule.body)
    if field is None or field.type != FieldDescriptor.TYPE_BYTES or field.is_repeated:
        raise BindingError(f"{rpc.full_name}: the body of a stream of requests must be a field of bytes")
    if rpc.server_streaming:
        raise BindingError(f"{rpc.full_name}: streams in both directions cannot be transcoded")


def _pattern(rpc: MethodDescriptor, rule: http_pb2.HttpRule) -> tuple[str, str]:
    kind = rule.WhichOneof("pattern")
    if kind is None:
        raise BindingError(f"{rpc.full_name}: the annotation names no HTTP method")
    if kind == "custom":
        return rule.custom.kind.upper(), rule.custom.path
    return kind.upper(), getattr(rule, kind)


def _response_field(rpc: MethodDescriptor, rule: http_pb2.HttpRule) -> FieldDescriptor | None:
    if not rule.response_body:
        return None
    field = rpc.output_type.fields_by_name.get(rule.response_body)
    if field is None:
        raise BindingError(f"{rpc.full_name}: {rpc.output_type.full_name} has no field {rule.response_body}")
    return field


def _encoder(
    descriptor: Descriptor, field: FieldDescriptor | None, writer: JsonWriter
) -> Callable[[Any], Any]:
    if field is None:
        return writer.message(descriptor)
    name, convert = field.name, writer.field(field)
    return lambda message: convert(getattr(message, name))


def _etag_path(descriptor: Descriptor, field: FieldDescriptor | None) -> tuple[str, ...]:
    """The answer's own etag, or that of the one resource that it carries."""
    if field is None and field_named(descriptor, ETAG_FIELD) is not None:
        return (ETAG_FIELD,)
    carriers = [
        candidate
        for candidate in ([field] if field is not None else descriptor.fields)
        if not candidate.is_repeated
        and candidate.message_type is not None
        and ETAG_FIELD in candidate.message_type.fields_by_name
    ]
    return (carriers[0].name, ETAG_FIELD) if len(carriers) == 1 else ()
