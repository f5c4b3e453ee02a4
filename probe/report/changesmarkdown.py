"""What changed, in Markdown: for the page of a CI job or a merge request. As bounded and as escaped as a run's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from probe.model.change import Turn
from probe.model.result import Report, Summary
from probe.model.words import Verdict
from probe.report import titles, turns, wording
from probe.report.changes import compared
from probe.report.findings import anchor, findings
from probe.report.markdown import LARGEST, size, text
from probe.report.text import count, moment, sentence
from probe.report.turnwords import TURNS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from probe.model.change import Changes
    from probe.model.result import CheckResult
    from probe.report.turns import Group, Turned

_SIGNS = {"deviation": "❌", "inconclusive": "❔", "pass": "✅"}
_TO_MEND = frozenset({Turn.NEW, Turn.CHANGED, Turn.UNMEASURED})


def render(changes: Changes) -> bytes:
    """UTF-8, at most LARGEST bytes."""
    page = list(_head(changes))
    room, left = LARGEST - size(page) - 200, 0
    for turned, titled in _turns(changes):
        counting = sum(change.counts for change in changes.of(turned.turn))
        required = f", {counting:,} required" if 0 < counting < turned.number else ""
        heading = [f"## {turned.heading}: {count(turned.number, 'check')}{required}", ""]
        left += turned.left_out
        for group in turned.groups:
            piece = [*heading, *_group(turned, group, titled.advice.get(group.anchor, ""))]
            if size(piece) > room:
                left += group.number
                continue
            page += piece
            room -= size(piece)
            heading = []
        page.append("")
    if left:
        page += [
            f"… and {count(left, 'more check')} left out of this summary: the JSON of the comparison has them all."
        ]
    return ("\n".join(page).rstrip() + "\n").encode("utf-8", "backslashreplace")


def _turns(changes: Changes) -> Iterator[tuple[Turned, _Titled]]:
    """Each turn by itself, so that what is new is not told with what was there before."""
    for turn in TURNS:
        alone = msgspec.structs.replace(changes, changes=changes.of(turn))
        titled = _Titled(alone)
        for turned in turns.turned(alone, titled.title):
            yield turned, titled


def _head(changes: Changes) -> Iterator[str]:
    yield f"# {_SIGNS.get(turns.tone(changes), '✅')} {text(turns.sentence(changes))}"
    yield ""
    said = compared(changes)
    yield text(f"{said[0].upper() if changes.old else said[0]}{said[1:]}.")
    yield ""
    if changes.old is not None and (changes.appeared or changes.vanished):
        said = f"{changes.appeared:,} new and {changes.vanished:,} no longer there"
        yield from (f"The plan is another: {said} of all checks, whatever became of them.", "")


def _group(turned: Turned, group: Group, advice: str) -> Iterator[str]:
    several = f" ({count(group.number, 'check')})" if group.number > 1 else ""
    yield f"- **{text(sentence(group.title))}**{several}: {text(group.outcome)}"
    if turned.turn is Turn.STILL:
        since = f"since {moment(group.since)}" if group.since else ""
        yield from (f"  - {text(said)}" for said in (since,) if said)
        return
    yield from (f"  - {text(line)}" for line in group.lines)
    if group.more:
        yield f"  - and {count(group.more, 'more way')}"
    if group.often and turned.turn is Turn.FLAPPING:
        yield f"  - {text(group.often)}"
    if advice and turned.turn in _TO_MEND:
        yield f"  - **what to do**: {text(advice)}"


class _Titled:
    """What the rows of the newer run have in common, as the reports tell it; `advice` by the finding's anchor."""

    def __init__(self, changes: Changes) -> None:
        rows = {_key(one.now): one.now for one in changes.changes if one.now and one.now.verdict is not Verdict.PASS}
        self.advice: dict[str, str] = {}
        self._titles: dict[tuple[str, str, str], tuple[str, str]] = {}
        for finding in findings(Report(run=changes.new, summary=Summary(), checks=tuple(rows.values()))):
            place = anchor(finding)
            self.advice[place] = sentence(wording.advice(finding.sights[0].members))
            self._titles |= {_key(row): (titles.title(finding), place) for row in finding.members}

    def title(self, row: CheckResult) -> tuple[str, str]:
        return self._titles.get(_key(row), ("", ""))


def _key(row: CheckResult) -> tuple[str, str, str]:
    return row.id, row.address, row.ports
