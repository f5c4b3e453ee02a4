"""What pages for a terminal are made of: lines that fit, in the colours of the reports."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from probe.report.findings import Weight

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

STYLES = {
    Weight.DEVIATION: "31;1",
    Weight.INCONCLUSIVE: "35",
    Weight.ADVICE: "33",
    Weight.WAIVED: "36",
    Weight.PASS: "32",
    Weight.NOTHING: "2",
}
_NARROWEST = 40
_LABEL = 10  # columns of a field's label, the gap included


class Page:
    """`width` in columns; below 40 it is taken as 40. Without `color` no escape sequence is written."""

    def __init__(self, width: int, *, color: bool) -> None:
        self.width, self.color = max(width, _NARROWEST), color

    def field(self, label: str, *values: str) -> Iterator[str]:
        """A label and its values, each wrapped beside it; nothing where there are none."""
        margin = " " * (_LABEL + 4)
        for place, value in enumerate(value for value in values if value):
            shown = label if place == 0 else ""
            first, *rest = textwrap.wrap(value, self.width - len(margin), break_on_hyphens=False) or [""]
            yield f"    {self.styled(f'{shown:<{_LABEL}}', '2')}{first}"
            yield from (f"{margin}{line}" for line in rest)

    def heading(self, text: str) -> str:
        return self.styled("\n".join(textwrap.wrap(text, self.width)), "1")

    def wrapped(self, text: str, margin: str = "", first: str | None = None) -> Iterator[str]:
        """Lines that fit, `margin` before each. `first`, before the first, takes as many columns, but may be styled."""
        for place, line in enumerate(textwrap.wrap(text, self.width - len(margin), break_on_hyphens=False)):
            yield (margin if first is None or place else first) + line

    def styled(self, text: str, style: str) -> str:
        return f"\x1b[{style}m{text}\x1b[0m" if self.color and text.strip() else text


def cut(lines: Iterable[str], limit: int, rest: str = "") -> list[str]:
    """At most `limit` of them and one more, which says how many are left out, and where the `rest` is."""
    every = list(lines)
    if len(every) <= limit + 1:
        return every
    return [*every[:limit], f"… and {len(every) - limit:,} more" + (f": {rest}" if rest else "")]
