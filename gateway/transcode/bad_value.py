"""The one way in which a request's values are refused, with the place of the value."""

from __future__ import annotations


class BadValue(ValueError):
    """A value does not fit the field it is meant for.

    The path of the field grows outwards while the exception rises, so that the readers of valid values spend
    nothing on it. Values themselves are never part of the text, except short names that a caller mistyped.
    """

    def __init__(self, problem: str, *, whole: str = "the body") -> None:
        """`problem` completes the sentence that begins with the field's path: `must be a string`. Without a
        path it begins with `whole`, the part of the request that is wrong.
        """
        super().__init__(problem)
        self.problem = problem
        self.whole = whole
        self._path: list[str] = []

    def at(self, part: str | int) -> BadValue:
        """Puts a field name or a list index in front of the path."""
        self._path.append(f"[{part}]" if isinstance(part, int) else str(part))
        return self

    @property
    def field(self) -> str:
        """The path, outermost field first: `terms.lineItems[2].quantity`; empty for a part as a whole."""
        text = ""
        for part in reversed(self._path):
            text += part if not text or part.startswith("[") else f".{part}"
        return text
