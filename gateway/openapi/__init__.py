"""The contract as OpenAPI 3.1, generated from descriptors."""

from gateway.openapi.comments import Comments, load_comments, parse_comments
from gateway.openapi.document import openapi_document

__all__ = ["Comments", "load_comments", "openapi_document", "parse_comments"]
