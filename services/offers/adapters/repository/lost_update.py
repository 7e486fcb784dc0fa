"""The one thing that must never happen to a row."""

from __future__ import annotations


class LostUpdate(Exception):
    """A row is not at the version that was locked: a defect, because the lock forbids it."""
