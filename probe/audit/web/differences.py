"""What changed between two runs, ready to be shown: by turn, and within it by what is to blame."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from probe.audit.web import told
from probe.model.change import Change, Changes, Turn
from probe.model.result import Report, Summary
from probe.report import turns
from probe.report.findings import findings
from probe.report.titles import title
from probe.report.turnwords import TURNS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from probe.history.values import RunRecord, Tally

_MOST_GROUPS, _MOST_ROWS = 100, 50  # of one turn, and of one group

_MEANINGS = {
    Turn.NEW: "fails now, and did not",
    Turn.CHANGED: "failed before too",
    Turn.FLAPPING: "passes and fails, or is measured and is not, by turns",
    Turn.UNMEASURED: "could be measured before",
    Turn.FIXED: "failed, and passes",
    Turn.MEASURED: "could not be measured before",
    Turn.GONE: "failed, or could not be measured",
    Turn.STILL: "fails as before",
}
_TONES = {Turn.FIXED: "pass", Turn.MEASURED: "pass", Turn.UNMEASURED: "inconclusive", Turn.GONE: "nothing"}


class Group(msgspec.Struct, frozen=True):
    """Changes with the same to blame; `hidden` more are not shown."""

    title: str
    tone: str
    number: int
    changes: tuple[Change, ...]

    @property
    def hidden(self) -> int:
        return self.number - len(self.changes)


class Section(msgspec.Struct, frozen=True):
    """All of one turn."""

    turn: Turn
    heading: str
    meaning: str
    number: int
    groups: tuple[Group, ...]
    hidden: int


def sections(changes: Changes) -> tuple[Section, ...]:
    made = []
    for turn, words in TURNS.items():
        if found := changes.of(turn):
            groups = _groups(changes, turn, found)
            made.append(
                Section(
                    turn,
                    words.title,
                    _MEANINGS[turn],
                    len(found),
                    groups[:_MOST_GROUPS],
                    max(len(groups) - _MOST_GROUPS, 0),
                )
            )
    return tuple(made)


def _groups(changes: Changes, turn: Turn, found: Sequence[Change]) -> tuple[Group, ...]:
    """Grouped as the reports group findings: a fixed row by what it was."""
    rows = tuple(change.failed for change in found)
    # Several changes may be of one row, each of other ports; `failed` is a row of each one's own.
    by_row = {id(row): change for row, change in zip(rows, found, strict=True)}
    groups = []
    for finding in findings(Report(run=changes.new, summary=Summary(), checks=rows)):
        members = [by_row[id(row)] for row in finding.members]
        worst = told.colour(finding.example)
        groups.append(Group(title(finding), _TONES.get(turn, worst), len(members), tuple(members[:_MOST_ROWS])))
    return tuple(groups)


def sentence(changes: Changes, old: RunRecord | None) -> tuple[str, str]:
    """The class and the one sentence, in the words of the report: `2 new deviations, 1 fixed since run 7.`"""
    said = turns.sentence(changes)
    if old is not None:
        said = said.replace("since the run before", f"since run {old.number:,}")
    return turns.tone(changes) or "pass", said


def words(tally: Tally | None) -> list[tuple[str, str]]:
    """What changed in one run as (words, class), counted as in `sentence`; what goes on as before is no change."""
    if tally is None:
        return [("compare", "nothing")]
    if tally.first:
        return [("the first run", "nothing")]
    counting = any(tally.counting.get(turn) for turn in turns.NEWS)
    numbers = tally.counting if counting else tally.turns
    found = [
        (f"{number:,} {one.brief}", "advice" if one.tone == "deviation" and not counting else one.tone)
        for turn, one in TURNS.items()
        if turn is not Turn.STILL and (number := numbers.get(turn))
    ]
    return found or [("nothing", "nothing")]
