"""The life of one check as a drawing: bars from left to right in time, one lane for each of its ranges of ports."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from probe.audit.web import told
from probe.model.instant import stamp

if TYPE_CHECKING:
    from collections.abc import Sequence

    from probe.history.values import Interval

_MOST_LANES, _TICKS = 24, 5
_LEAST = 0.4  # percent of the width: what was short is seen as well
LANE, BAR, LABEL = 40, 18, 16  # pixels: a lane, its bar, and the text above it


class Bar(msgspec.Struct, frozen=True):
    """`left` and `width` in percent, `top` in pixels."""

    left: float
    width: float
    top: int
    tone: str
    words: str


class Timeline(msgspec.Struct, frozen=True):
    """`lanes` are ports with the top of each in pixels; `ticks` are (percent, text). `hidden` lanes are left out."""

    height: int
    lanes: tuple[tuple[int, str], ...]
    bars: tuple[Bar, ...]
    ticks: tuple[tuple[float, str], ...]
    hidden: int


def draw(intervals: Sequence[Interval]) -> Timeline | None:
    """Intervals in any order; None where there is nothing to draw."""
    known = sorted(intervals, key=lambda one: (one.row.ports, one.first))
    if not known:
        return None
    begin, end = min(stamp(one.since) for one in known), max(stamp(one.until) for one in known)
    length = max(end - begin, 1.0)
    ports = list(dict.fromkeys(one.row.ports for one in sorted(known, key=lambda one: _first_port(one.row.ports))))
    tops = {text: place * LANE for place, text in enumerate(ports[:_MOST_LANES])}
    bars = []
    for place, one in enumerate(known):
        if one.row.ports not in tops:
            continue
        after = known[place + 1] if place + 1 < len(known) else None
        # From one run to the next it was as it was seen last.
        goes_on = after is not None and after.row.ports == one.row.ports and after.first == one.last + 1
        until = stamp(after.since) if after is not None and goes_on else stamp(one.until)
        left = 100 * (stamp(one.since) - begin) / length
        width = max(100 * (until - stamp(one.since)) / length, _LEAST)
        cause = f" ({one.row.cause})" if one.row.cause else ""
        bars.append(
            Bar(
                round(min(left, 100 - _LEAST), 3),
                round(min(width, 100), 3),
                tops[one.row.ports] + LABEL,
                told.colour(one.row),
                f"{one.row.verdict}{cause}, runs {one.first:,} to {one.last:,}"
                if one.last > one.first
                else f"{one.row.verdict}{cause}, run {one.first:,}",
            )
        )
    height = len(tops) * LANE
    return Timeline(
        height,
        tuple((top, text) for text, top in tops.items()),
        tuple(bars),
        _ticks(begin, end),
        len(ports) - len(tops),
    )


def _ticks(begin: float, end: float) -> tuple[tuple[float, str], ...]:
    days = (end - begin) / 86_400
    form = "%b %Y" if days > 300 else "%d %b" if days > 4 else "%d %b %H:%M"
    if end - begin < 1:
        return ((0.0, datetime.fromtimestamp(begin, UTC).strftime(form)),)
    return tuple(
        (
            100 * place / (_TICKS - 1),
            datetime.fromtimestamp(begin + (end - begin) * place / (_TICKS - 1), UTC).strftime(form),
        )
        for place in range(_TICKS)
    )


def _first_port(ports: str) -> int:
    digits = ports.partition(",")[0].partition("-")[0]
    return int(digits) if digits.isascii() and digits.isdigit() else 0
