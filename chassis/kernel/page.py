"""Keyset pages, free of any wire or storage format."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")

Cursor = tuple[str, ...]
"""The sort key of the last item of a page, as text."""


@dataclass(frozen=True, slots=True)
class PageRequest:
    """At most `size` items that follow `cursor`; from the beginning without one."""

    size: int
    cursor: Cursor | None = None


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some items, and where to go on; `next_cursor` is None on the last page."""

    items: tuple[T, ...]
    next_cursor: Cursor | None = None


def page_of(found: Sequence[T], request: PageRequest, key: Callable[[T], Cursor]) -> Page[T]:
    """A page from `size + 1` found items: the surplus one only proves that there is a next page."""
    items = tuple(found[: request.size])
    more = len(found) > request.size
    return Page(items, key(items[-1]) if more and items else None)
