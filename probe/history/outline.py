"""Two runs without their rows: enough to know which rows have to be read to tell what changed."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import msgspec

from probe.history.documents import PASSES
from probe.history.trends import WINDOW

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from probe.history.database import Row, Session


class Outline(msgspec.Struct, frozen=True, kw_only=True):
    """`old` and `new` are the intervals of either run of whose lines there may be something to tell, in the order of
    their rows: something did not pass, or may go to and fro (those lines are `restless`). All others pass in both.
    `appeared` and `vanished` count checks that only the newer or only the older run has. `lines` are those of all
    checks of the audit, by their number.
    """

    old: tuple[int, ...]
    new: tuple[int, ...]
    restless: frozenset[str]
    appeared: int
    vanished: int
    lines: dict[int, str]


def outline(session: Session, audit: int, old: int | None, finished: Sequence[int]) -> Outline:
    """Of run `old` and the last of the `finished` ones."""
    known = session.rows("SELECT number, id, line FROM checks WHERE audit = ?", audit)
    ids = {check: id_ for check, id_, _ in known}
    lines = {check: line for check, _, line in known}
    lately, new = finished[-WINDOW:][0], finished[-1]
    recent = _intervals(session, audit, lately, new)
    ours = [one for one in recent if one[3] <= new <= one[4]]
    if old is None:
        theirs = []
    elif lately <= old <= new:
        theirs = [one for one in recent if one[3] <= old <= one[4]]
    else:
        theirs = _intervals(session, audit, old, old)
    # They failed more than once, or were not measured more than once.
    times = Counter((lines[check], kind) for check, _, kind, _, _ in recent if kind != PASSES)
    restless = frozenset(line for (line, _), number in times.items() if number > 1)
    telling = restless.union(lines[check] for run in (theirs, ours) for check, _, kind, _, _ in run if kind != PASSES)
    checks = {check for check, line in lines.items() if line in telling}
    return Outline(
        old=_of(theirs, checks),
        new=_of(ours, checks),
        restless=restless,
        appeared=_more(ours, theirs, ids),
        vanished=_more(theirs, ours, ids),
        lines=lines,
    )


def _intervals(session: Session, audit: int, first: int, last: int) -> list[Row]:
    """Check, number, kind, first and last run of those that any of these runs has."""
    return session.rows(
        "SELECT checked, number, kind, first, last FROM intervals WHERE audit = ? AND first <= ? AND last >= ?",
        audit,
        last,
        first,
    )


def _of(intervals: Iterable[Row], checks: set[int]) -> tuple[int, ...]:
    return tuple(one[1] for one in sorted(one for one in intervals if one[0] in checks))


def _more(ours: Iterable[Row], theirs: Iterable[Row], ids: Mapping[int, str]) -> int:
    """How many ids only we have. One may be of several checks."""
    mine, others = ({one[0] for one in run} for run in (ours, theirs))
    more = {ids[check] for check in mine - others}
    return len(more.difference(ids[check] for check in others)) if more else 0
