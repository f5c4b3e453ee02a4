"""What of a run is news, given what was told before. Pure."""

from __future__ import annotations

import hashlib
from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

from probe.history.compare import line
from probe.history.trends import WINDOW
from probe.model.change import Turn
from probe.model.result import CheckResult
from probe.model.waiver import WaiverState, WaiverUse
from probe.model.words import Verdict
from probe.report import waivers

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from probe.audit.values import Ended
    from probe.model.change import Change
    from probe.model.result import Report

_MOST_REMEMBERED = 500


class Word(StrEnum):
    """What an alert may be about: `on` in its table."""

    NEW = "new"
    CHANGED = "changed"
    FIXED = "fixed"
    UNMEASURED = "unmeasured"
    MEASURED = "measured"
    GONE = "gone"
    FLAPPING = "flapping"  # that it begins, and that it is over
    WAIVER = "waiver"  # one has expired, or fits nothing
    PROBLEM = "problem"  # of the audit itself, and that it is over


class Least(StrEnum):
    """The least that is told of rows."""

    DEVIATION = "deviation"
    ADVICE = "advice"


STEADY = "steady"


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to tell. `turn` is a Turn or STEADY; `row` is the one that shows what was or is wrong; `counts`: it
    fails, or failed, a run.
    """

    turn: str
    row: CheckResult
    counts: bool
    since: str | None = None


class Flap(msgspec.Struct, frozen=True, kw_only=True):
    """The number of the run in which a line of checks was last seen to flap, how it fails when it does, and whether
    that counts.
    """

    run: int
    row: CheckResult
    counts: bool


class Memory(msgspec.Struct, frozen=True, kw_only=True):
    """What was told of one audit and must not be told again: the last finished run, by its id; what flaps, by its
    line; which waivers are stale, and how.
    """

    run: str = ""
    flapping: dict[str, Flap] = {}
    waivers: tuple[str, ...] = ()


class News(msgspec.Struct, frozen=True, kw_only=True):
    items: tuple[Item, ...] = ()
    waivers: tuple[WaiverUse, ...] = ()


def news(ended: Ended, memory: Memory) -> tuple[News, Memory]:
    """Everything that is new, whatever an alert wants of it, and what to remember."""
    report, changes = ended.report, ended.changes
    if report is None or changes is None:
        return News(), memory
    items: list[Item] = []
    flapping: dict[str, Flap] = {}
    for change in changes.of(Turn.FLAPPING):
        key, item = _key(change.row, change.ports), _item(change)
        known = memory.flapping.get(key)
        if known is None:
            items.append(item)
        if known is not None and item.row.verdict is Verdict.PASS:  # it passed in both runs, and flapped before
            flapping.setdefault(key, msgspec.structs.replace(known, run=ended.run.number))
        else:
            flapping[key] = Flap(run=ended.run.number, row=_bare(item.row), counts=item.counts)
    plain = [
        change
        for change in changes.changes
        if change.turn not in (Turn.FLAPPING, Turn.STILL) and not _closes(change, memory.flapping)
    ]
    items += map(_item, plain)
    ended_flaps, going_on = _settled(memory, flapping, plain, ended)
    items += ended_flaps
    kept = dict([*going_on.items(), *flapping.items()][-_MOST_REMEMBERED:])
    # One that comes and goes with what it excuses is told once, and not at each turn.
    there = {_of(use, state) for use in report.waivers for state in WaiverState}
    told = tuple(key for key in memory.waivers if key in there)
    fresh = {key: use for use in stale(report) if (key := _of(use, use.state)) not in told}
    remembered = Memory(run=ended.run.id, flapping=kept, waivers=(*told, *fresh))
    return News(items=tuple(items), waivers=tuple(fresh.values())), remembered


def _settled(
    memory: Memory, flapping: Mapping[str, Flap], plain: Sequence[Change], ended: Ended
) -> tuple[list[Item], dict[str, Flap]]:
    """Of what flapped and does not in this run: what is steady now and was not told by another turn, and what is not
    known to be.
    """
    assert ended.report is not None  # noqa: S101  (the only caller has one)
    quiet = {key: flap for key, flap in memory.flapping.items() if key not in flapping}
    rows: dict[str, list[CheckResult]] = {key: [] for key in quiet}
    for row in ended.report.checks if quiet else ():
        if (key := _key(row, row.ports)) in rows:
            rows[key].append(row)
    told = {_key(change.row, change.ports) for change in plain}
    items, going_on = [], {}
    for key, flap in quiet.items():
        over = ended.run.number - flap.run >= WINDOW
        # What came to rest unmeasured was not told when it did.
        at_rest = over and flap.row.verdict is Verdict.INCONCLUSIVE
        unknown = any(row.verdict is Verdict.INCONCLUSIVE for row in rows[key]) and not at_rest
        closed = flap.row.undeclared and not rows[key]  # what no service names has no row then
        if unknown or (closed and not over):
            going_on[key] = flap
        elif key not in told and (rows[key] or closed):
            row = max(rows[key], key=lambda row: row.verdict is not Verdict.PASS, default=flap.row)
            items.append(Item(turn=STEADY, row=row, counts=flap.counts))
    return items, going_on


def _key(row: CheckResult, ports: str) -> str:
    """What flaps: a line of checks, as the history compares them, or a port of those that no service names."""
    return f"{line(row)} {ports}" if row.undeclared else line(row)


def _closes(change: Change, flapping: Mapping[str, Flap]) -> bool:
    """Whether it is the flapping that was told of: what no service names has no row while it is closed, and so comes
    here as fixed or gone.
    """
    row = change.row
    return change.now is None and row.undeclared and _key(row, change.ports) in flapping


def _item(change: Change) -> Item:
    return Item(turn=change.turn.value, row=change.failed, counts=change.counts, since=change.since)


def _bare(row: CheckResult) -> CheckResult:
    """Small enough to be kept."""
    return msgspec.structs.replace(row, evidence=(), detail="", advice="", tls=msgspec.UNSET)


def wanted(found: News, on: frozenset[Word], least: Least) -> News:
    """Those of the news that an alert asks for. What somebody has accepted is not told."""
    return News(
        items=tuple(
            item
            for item in found.items
            if _word(item.turn) in on and not item.row.waived and (item.counts or least is Least.ADVICE)
        ),
        waivers=found.waivers if Word.WAIVER in on else (),
    )


def _word(turn: str) -> str:
    return Word.FLAPPING if turn == STEADY else turn


def failing(rows: Iterable[CheckResult], least: Least) -> Iterator[CheckResult]:
    """Rows of a run that are to be told of while they are so."""
    for row in rows:
        counts = row.deviates or row.unsettled or least is Least.ADVICE
        if row.verdict is not Verdict.PASS and not row.waived and counts:
            yield row


def digest(*words: str) -> str:
    return hashlib.sha256("\0".join(words).encode(errors="backslashreplace")).hexdigest()[:16]


def stale(report: Report) -> tuple[WaiverUse, ...]:
    """The waivers that somebody has to look at. One that could not be measured may be needed still."""
    return tuple(use for use in waivers.stale(report) if not use.unmeasured)


def _of(use: WaiverUse, state: WaiverState) -> str:
    """A waiver, wherever in its file it stands, and what became of it."""
    return digest(state, use.matches, use.owner, use.until)
