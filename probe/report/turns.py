"""What changed since another run, for the page: one sentence, and each turn's rows by what they have in common."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

import msgspec

from probe.model.change import Change, Changes, Turn
from probe.report import wording
from probe.report.text import name
from probe.report.turnwords import TURNS, counted
from probe.report.ways import ways

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from probe.model.result import CheckResult

NEWS = (Turn.NEW, Turn.CHANGED, Turn.FLAPPING, Turn.UNMEASURED, Turn.FIXED)
MOST_GROUPS, _MOST_LINES = 60, 6


class Group(msgspec.Struct, frozen=True):
    """Changes of one turn that belong together. `anchor` is that of the finding they are in, empty where they are in
    none (any more); `since` is when the oldest of them began, `often` how many of the last runs the worst of them
    failed in.
    """

    title: str
    anchor: str
    outcome: str
    number: int
    lines: tuple[str, ...]
    more: int
    since: str
    often: str


class Turned(msgspec.Struct, frozen=True):
    """All changes of one turn, the largest groups first, `left_out` of them not told."""

    turn: Turn
    heading: str
    tone: str
    number: int
    groups: tuple[Group, ...]
    left_out: int


def sentence(changes: Changes) -> str:
    """`2 new deviations, 1 fixed since the last run.`; what fails no run is not counted where something does."""
    if changes.old is None:
        return "The first run: there is nothing to compare it with yet."
    what = changes.of(*NEWS)
    counting = [change for change in what if change.counts]
    if not what:
        return "Nothing changed."
    numbers = Counter(change.turn for change in counting or what)
    words = [counted(turn, numbers[turn], deviations=bool(counting)) for turn in NEWS if numbers[turn]]
    aside = "" if counting else ", none of which fails a run"
    return f"{', '.join(words)} since the run before{aside}."


def tone(changes: Changes) -> str:
    """The colour of the answer: the worst thing that counts."""
    turns = {change.turn for change in changes.changes if change.counts}
    return next((words.tone for turn, words in TURNS.items() if turn in turns and words.tone != "nothing"), "")


def turned(changes: Changes, title: Callable[[CheckResult], tuple[str, str]]) -> tuple[Turned, ...]:
    """Each turn that was taken. `title` gives the finding that a row is in, and its anchor; both empty for none."""
    return tuple(
        _turned(turn, changes.of(turn), title) for turn in TURNS if any(one.turn is turn for one in changes.changes)
    )


def _turned(turn: Turn, changes: tuple[Change, ...], title: Callable[[CheckResult], tuple[str, str]]) -> Turned:
    groups: defaultdict[Hashable, list[Change]] = defaultdict(list)
    titles: dict[Hashable, tuple[str, str]] = {}
    for change in changes:
        row = change.row
        called, anchor = title(change.now) if change.now is not None else ("", "")
        if not called:
            roles = f"{name(row.source_role)} → {wording.target(row)}"
            called = f"{roles} {row.transport} {name(change.ports, 40)}"
        key = (called, anchor, _outcome(change))
        titles[key] = (called, anchor)
        groups[key].append(change)
    made = [_group(*titles[key], found) for key, found in groups.items()]
    made.sort(key=lambda group: -group.number)
    shown = tuple(made[:MOST_GROUPS])
    left_out = sum(group.number for group in made[MOST_GROUPS:])
    tone = TURNS[turn].tone
    if tone == "deviation" and not any(change.counts for change in changes):
        tone = "advice"  # red is for what fails a run
    return Turned(turn, TURNS[turn].title, tone, len(changes), shown, left_out)


def _group(title: str, anchor: str, changes: list[Change]) -> Group:
    rows = [msgspec.structs.replace(change.row, ports=change.ports) for change in changes]
    lines = [way.text() for way in ways(rows)]
    since = min((change.since for change in changes if change.since), default="")
    worst = max(changes, key=lambda change: (change.failing, change.unmeasured, change.runs))
    aside = f", {worst.unmeasured} did not measure it" if worst.unmeasured else ""
    often = f"{worst.failing} of the last {worst.runs} runs failed{aside}" if worst.runs else ""
    return Group(
        title,
        anchor,
        _outcome(changes[0]),
        len(changes),
        tuple(lines[:_MOST_LINES]),
        max(0, len(lines) - _MOST_LINES),
        since,
        often if len(changes) == 1 or not often else f"{often} (the worst)",
    )


def _outcome(change: Change) -> str:
    """`pass → blocked · network`, `blocked · network → blocked · network · waived`, `was blocked · network`."""
    then, now = (_told(row) if row is not None else "" for row in (change.before, change.now))
    if change.turn is Turn.STILL or then == now:
        return now
    if change.now is None:
        return f"was {then}"
    return f"{then} → {now}" if then else f"{now}, and was not checked before"


def _told(row: CheckResult) -> str:
    return " · ".join(filter(None, (row.verdict, row.cause, wording.aside(row))))
