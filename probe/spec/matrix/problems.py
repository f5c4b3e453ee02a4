"""Where a problem is, and the list of them for one file."""

from __future__ import annotations

import re
from typing import NamedTuple

from probe.spec.diagnostics import Diagnostic, Severity

# A file can be wrong in every line; nobody reads more.
MAX_PROBLEMS = 100
# What YAML's own positions count as the end of a line.
_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")


class Place(NamedTuple):
    """Both count from 1; line 0 means the file as a whole."""

    line: int
    column: int


WHOLE_FILE = Place(0, 0)


class Problems:
    """Collects what is wrong in one file, each with the line it stands in."""

    def __init__(self, file: str, text: str = "") -> None:
        self.file = file
        self.found: list[Diagnostic] = []
        self._lines = _BREAK.split(text)

    @property
    def full(self) -> bool:
        """Whether looking for more is a waste of time."""
        return len(self.found) >= MAX_PROBLEMS

    def add(self, place: Place, message: str, hint: str = "", severity: Severity = Severity.ERROR) -> None:
        if self.full:
            return
        if len(self.found) == MAX_PROBLEMS - 1:
            place, message, hint = WHOLE_FILE, f"more than {MAX_PROBLEMS - 1} problems: the rest is not shown", ""
        self.found.append(
            Diagnostic(
                file=self.file,
                line=place.line,
                column=place.column,
                severity=severity,
                message=message,
                hint=hint,
                text=self.line(place.line),
            )
        )

    def at(self, place: Place) -> bool:
        """Whether something is known to be wrong there."""
        return any((found.line, found.column) == place for found in self.found)

    def line(self, number: int) -> str:
        return self._lines[number - 1] if 0 < number <= len(self._lines) else ""

    def where(self, place: Place) -> str:
        """The place as other messages name it."""
        return f"{self.file}:{place.line}:{place.column}"


def quoted(text: str) -> str:
    """Text from a file as a message shows it: in quotes, with control characters escaped, and not without end."""
    return repr(text if len(text) <= 60 else text[:59] + "…")
