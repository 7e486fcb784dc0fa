"""The reference for people: one self-contained HTML page, rendered from the OpenAPI document."""

from gateway.docs.page import reference_page

__all__ = ["reference_page"]
