"""HTTP and JSON to gRPC and back, from descriptors alone: nothing here names a method or a message."""

from gateway.transcode.bad_value import BadValue
from gateway.transcode.endpoint import Endpoint, contract_services, find_endpoints, index_of
from gateway.transcode.index import RouteConflict, RouteIndex
from gateway.transcode.read_json import JsonReader, NotJson, loads
from gateway.transcode.request import BindingError, RequestReader, set_from_header
from gateway.transcode.template import Template, TemplateError, parse_template
from gateway.transcode.write_json import JsonWriter, dumps

__all__ = [
    "BadValue",
    "BindingError",
    "Endpoint",
    "JsonReader",
    "JsonWriter",
    "NotJson",
    "RequestReader",
    "RouteConflict",
    "RouteIndex",
    "Template",
    "TemplateError",
    "contract_services",
    "dumps",
    "find_endpoints",
    "index_of",
    "loads",
    "parse_template",
    "set_from_header",
]
