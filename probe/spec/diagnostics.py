"""Problems in a file: all of them at once, each with its place, the line, a caret and a hint."""

from __future__ import annotations

import difflib
from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

from probe.errors import UserError
from probe.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class Severity(StrEnum):
    ERROR = "error"
    WARNING = "warning"


class Diagnostic(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """`line` and `column` count from 1; 0 means that the file as a whole is meant."""

    file: str
    line: int = 0
    column: int = 0
    severity: Severity = Severity.ERROR
    message: str
    hint: str = ""
    text: str = ""

    def render(self) -> str:
        """`file:line:column: message`, then the line with a caret under the column, then the hint."""
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        level = "" if self.severity is Severity.ERROR else f"{self.severity}: "
        lines = [printable(f"{place}: {level}{self.message}")]
        if self.line and self.text:
            # Of a very long line, what stands round the caret.
            start = max(0, self.column - 80) if len(self.text) > 160 else 0
            shown = printable(self.text[start : start + 160].expandtabs(1))
            before = printable(self.text[start : self.column - 1].expandtabs(1))
            lines += [f"  {shown}", f"  {' ' * len(before)}^"]
        if self.hint:
            lines.append(printable(f"  hint: {self.hint}"))
        return "\n".join(lines)


class SpecError(UserError):
    """A file that cannot be used. Carries every problem that was found."""

    def __init__(self, diagnostics: Iterable[Diagnostic]) -> None:
        self.diagnostics = tuple(sorted(diagnostics))
        super().__init__("\n".join(diagnostic.render() for diagnostic in self.diagnostics))


def nearest(word: str, known: Iterable[str]) -> str:
    """A hint that names the known word closest to this one, or lists what there is; empty if there is nothing."""
    words: Sequence[str] = sorted(set(known))
    close = difflib.get_close_matches(word, words, n=1, cutoff=0.6)
    if close:
        return f"did you mean {close[0]!r}?"
    if not words:
        return ""
    listed = ", ".join(words[:12]) + (", …" if len(words) > 12 else "")
    return f"there is: {listed}"
