"""What the person at the terminal is told when a command cannot do its work."""

from __future__ import annotations


class StackError(Exception):
    """A command failed for a reason that its user can act on.

    `message` says what is wrong, `hint` what to do about it; both are whole sentences without a stack trace.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message if not hint else f"{message}\n{hint}")
        self.message = message
        self.hint = hint
