"""What a seller saved, version by version."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final

from services.gating.domain.settings import OrderSettings

_NOT_CHOSEN: Final = frozenset({"seller", "version", "create_time", "update_time"})
"""Fields that follow from a save instead of being chosen by it."""


@dataclass(frozen=True, slots=True)
class SettingsVersion:
    """One save. `author` is `users/{user}`, empty where it was not kept; `changed_paths` as the wire names
    them.
    """

    settings: OrderSettings
    author: str
    changed_paths: tuple[str, ...]


def changed_paths(before: OrderSettings, after: OrderSettings) -> tuple[str, ...]:
    """The paths that differ, in the order of the fields; of the scope its parts."""
    return tuple(path for path, one, other in _pairs(before, after) if one != other)


def history(saves: Sequence[tuple[OrderSettings, str]]) -> tuple[SettingsVersion, ...]:
    """Consecutive saves with their authors, newest first, each compared with the one that follows it here.

    The last one is compared with the defaults: it is meant to be version 1, or left out by the caller.
    """
    befores = [settings for settings, _ in saves[1:]]
    if saves:
        befores.append(OrderSettings(saves[-1][0].seller))
    return tuple(
        SettingsVersion(settings, author, changed_paths(before, settings))
        for (settings, author), before in zip(saves, befores, strict=True)
    )


def _pairs(before: OrderSettings, after: OrderSettings) -> Iterator[tuple[str, Any, Any]]:
    for field in fields(OrderSettings):
        if field.name == "scope":
            for part in fields(before.scope):
                path = f"scope.{part.name}"
                yield path, getattr(before.scope, part.name), getattr(after.scope, part.name)
        elif field.name not in _NOT_CHOSEN:
            yield field.name, getattr(before, field.name), getattr(after, field.name)
