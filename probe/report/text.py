"""Text that is safe and short enough to show, whoever wrote it."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from probe.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

NAME, SENTENCE = 64, 400
_NUMBERED = re.compile(r"(.*?)([0-9]{1,9})([^0-9]*)\Z", re.DOTALL)


def shorten(text: str, limit: int) -> str:
    """At most `limit` characters, the last of them an ellipsis where something was left out."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def name(text: str, limit: int = NAME) -> str:
    """A name of a host, role, service or file: one line, every character visible; a dash where there is none."""
    return shorten(printable(text[: limit + 1]), limit) or "-"


def sentence(text: str, limit: int = SENTENCE) -> str:
    """Prose: line breaks become spaces, everything else that would steer a terminal is shown instead."""
    return shorten(printable(" ".join(text[: 4 * limit].split())), limit)


def moment(text: str) -> str:
    """`2026-11-21 09:26 UTC`; what is no time, as it is."""
    try:
        return datetime.fromisoformat(text).astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
    except (ValueError, OverflowError):
        return name(text)


def count(number: int, noun: str) -> str:
    """`1 check`, `2 checks`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def percent(share: float) -> str:
    """`99.4 %`; never 100 % for less than all, never 0 % for more than nothing."""
    if share in (0.0, 1.0):
        return f"{share:.0%}".replace("%", " %")
    return f"{min(max(100 * share, 0.1), 99.9):.1f} %"


def listed(words: Iterable[str], limit: int = 8) -> str:
    """`a, b, c`, and how many more there are beyond `limit`."""
    known = list(words)
    # "1 more" would take the room of the one that it hides.
    shown = known if len(known) <= limit + 1 else known[:limit]
    return ", ".join(shown) + (f", … ({len(known) - len(shown):,} more)" if len(shown) < len(known) else "")


def folded(names: Iterable[str]) -> list[str]:
    """Names in order, three or more that count up written as Ansible does: `engine-[1:40]`, `db[01:03].example`."""
    found: list[str] = []
    for run in _runs(set(names)):
        if len(run) < 3:
            found += [name(text) for text, *_ in run]
        else:
            (_, stem, tail, width, first), last = run[0], run[-1][-1]
            found.append(f"{printable(stem[:NAME])}[{first:0{width}d}:{last:0{width}d}]{printable(tail[:NAME])}")
    return found


_Numbered = tuple[str, str, str, int, int]


def _runs(names: set[str]) -> Iterator[Sequence[_Numbered]]:
    """Names cut into runs that go up by one, each as (text, stem, tail, width if padded with zeros else 0, number)."""
    parts = {text: match.groups() for text in names if (match := _NUMBERED.match(text))}
    padded = {
        (stem, tail, len(digits)) for stem, digits, tail in parts.values() if len(digits) > 1 and digits[0] == "0"
    }
    numbered: list[_Numbered] = [(text, text, "", 0, -1) for text in names - parts.keys()]
    for text, (stem, digits, tail) in parts.items():
        width = len(digits) if (stem, tail, len(digits)) in padded else 0
        numbered.append((text, stem, tail, width, int(digits)))
    run: list[_Numbered] = []
    for item in sorted(numbered, key=lambda item: item[1:]):
        if run and (item[1:4] != run[-1][1:4] or item[4] != run[-1][4] + 1):
            yield run
            run = []
        run.append(item)
    if run:
        yield run
