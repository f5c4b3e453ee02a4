"""What changed, for a terminal and as JSON. Within a turn, what has one cause is one finding, as in a report."""

from __future__ import annotations

import textwrap
from collections import Counter
from typing import TYPE_CHECKING

import msgspec

from probe.encoding import encode
from probe.model.change import Turn
from probe.model.result import Report, summarise
from probe.model.words import Verdict
from probe.report.findings import Weight, findings, weight
from probe.report.grouping import Kind
from probe.report.page import STYLES, Page, cut
from probe.report.text import count, moment, name, sentence
from probe.report.titles import title
from probe.report.turnwords import TURNS
from probe.report.ways import ways
from probe.report.wording import SYMBOLS, advice, verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from probe.model.change import Change, Changes
    from probe.model.result import CheckResult, RunInfo
    from probe.report.findings import Finding

SCHEMA = "portcheck.diff/1"

_GOOD = frozenset({Turn.FIXED, Turn.MEASURED, Turn.GONE})
_MOST_FINDINGS, _MOST_WAYS = 20, 6
_ALL = "--json F has all"
_FATES = {Verdict.PASS: ("passes", "pass"), Verdict.INCONCLUSIVE: ("is not measured", "are not measured")}


def headline(changes: Changes) -> str:
    """`2 new, 1 fixed, 3 still there`; in checks."""
    if changes.old is None and not changes.changes:
        return "the first run"
    numbers = Counter(change.turn for change in changes.changes)
    said = [f"{numbers[turn]:,} {words.brief}" for turn, words in TURNS.items() if numbers[turn]]
    nothing = all(turn is Turn.STILL for turn in numbers)
    return ("nothing changed" if nothing else "") + (": " if nothing and said else "") + ", ".join(said)


def compared(changes: Changes) -> str:
    """`from hosts, run 6 of 2026-11-20 02:15 UTC to hosts, run 7 of 2026-11-21 02:15 UTC`."""
    (older, newer), old = changes.names, changes.old
    now = _run(newer, changes.new)
    return f"from {_run(older, old)} to {now}" if old else f"{now}; there is nothing to compare it with"


def _run(called: str, run: RunInfo) -> str:
    return f"{name(called, 160) if called else f'run {name(run.id)}'} of {moment(run.started)}"


def render(changes: Changes, *, width: int, color: bool) -> str:
    """As text that ends in a line feed. `width` in columns; below 40 it is taken as 40."""
    return _Changes(changes, width, color=color).text()


def render_json(changes: Changes) -> bytes:
    """UTF-8, one change a line; the schema is reports/diff.schema.json."""
    numbers = Counter(change.turn for change in changes.changes)
    summary = {turn.value: numbers[turn] for turn in Turn}
    head = {
        "schema": SCHEMA,
        "old": changes.old,
        "new": changes.new,
        "summary": {**summary, "appeared": changes.appeared, "vanished": changes.vanished},
    }
    lines = [f'"{key}": '.encode() + encode(value) for key, value in head.items()]
    rows = b",".join(
        b"\n" + encode({"id": change.row.id, "counts": change.counts, **msgspec.structs.asdict(change)})
        for change in changes.changes
    )
    return b"{\n" + b",\n".join([*lines, b'"changes": [' + rows + b"\n]"]) + b"\n}\n"


class _Changes(Page):
    def __init__(self, changes: Changes, width: int, *, color: bool) -> None:
        super().__init__(width, color=color)
        self.changes = changes

    def text(self) -> str:
        blocks = [self.head(), *(self.turn(turn, self.changes.of(turn)) for turn in TURNS), self.plan()]
        whole = [list(block) for block in blocks]
        return "\n\n".join("\n".join(lines) for lines in whole if lines) + "\n"

    def head(self) -> Iterator[str]:
        worst = Weight.PASS
        if any(change.turn not in _GOOD for change in self.changes.changes):
            worst = max(weight(change.row) for change in self.changes.changes if change.turn not in _GOOD)
        first, *rest = textwrap.wrap(headline(self.changes), self.width)
        yield self.styled(first, f"{STYLES[worst]};1")
        yield from rest
        yield from self.wrapped(compared(self.changes))

    def turn(self, turn: Turn, changes: Sequence[Change]) -> Iterator[str]:
        if not changes:
            return
        mattering = sum(change.counts for change in changes)
        told = f"{TURNS[turn].title}: {count(len(changes), 'check')}"
        if mattering < len(changes) and turn not in _GOOD:
            told += f", {mattering:,} of {'it' if len(changes) == 1 else 'them'} required"
        yield self.heading(told)
        rows = [(change.failed, change) for change in changes]
        # A row of a finding is one that was put in, so that it leads back to its change.
        known = {id(row): change for row, change in rows}
        found = findings(self._report(row for row, _ in rows))
        # What policy only advises on is told when it is news; after that it is summed up.
        known_ways = [finding for finding in found if finding.side_note] if turn is Turn.STILL else []
        found = tuple(finding for finding in found if not (finding.side_note and turn is Turn.STILL))
        for finding in found[:_MOST_FINDINGS]:
            yield from self.finding(turn, finding, [known[id(row)] for row in finding.members])
        if len(found) > _MOST_FINDINGS:
            yield f"  … and {count(len(found) - _MOST_FINDINGS, 'more finding')}: {_ALL}"
        if known_ways:
            said = f"{count(sum(len(one.members) for one in known_ways), 'way')} open that no flow allows: {_ALL}"
            yield from self.wrapped(said, "  ", f"{self.styled(SYMBOLS[Weight.ADVICE], STYLES[Weight.ADVICE])} ")
        quiet = [
            f"{way.text()}: passes now, failed {_often([change])}"
            for row, change in rows
            if row.verdict is Verdict.PASS
            for way in ways([row])
        ]
        for line in cut(quiet, _MOST_FINDINGS, _ALL):
            yield from self.wrapped(line, "  ", f"{self.styled(SYMBOLS[Weight.PASS], STYLES[Weight.PASS])} ")

    def finding(self, turn: Turn, finding: Finding, changes: Sequence[Change]) -> Iterator[str]:
        # What goes to and fro is no good news even where it passes just now.
        worth = Weight.PASS if turn in (Turn.FIXED, Turn.MEASURED) else finding.weight
        several = len(finding.members) > 1 and finding.kind not in (Kind.AGENTS, Kind.RUN)
        head = title(finding) + (f": {count(len(finding.members), 'check')}" if several else "")
        lines = textwrap.wrap(head, self.width - 2, break_on_hyphens=False) or [head]
        yield f"{self.styled(SYMBOLS[worth], STYLES[worth])} {self.styled(lines[0], '1')}"
        yield from (f"  {self.styled(line, '1')}" for line in lines[1:])
        passing = sum(change.now is not None and change.now.verdict is Verdict.PASS for change in changes)
        over = turn in _GOOD or (turn is Turn.FLAPPING and passing == len(changes))
        yield from self.field("was" if over else "verdict", verdict(finding.example))
        if turn is Turn.CHANGED:
            yield from self.field("was", *cut(_before(changes), 3))
        yield from self.field("since", _since(changes))
        if turn is Turn.FLAPPING:
            yield from self.field("failed", _often(changes))
            yield from self.field("now", _just_now(changes))
        if turn is not Turn.STILL:
            yield from self.field("who", *cut([way.text() for way in ways(finding.members)], _MOST_WAYS, _ALL))
        if turn in (Turn.NEW, Turn.CHANGED, Turn.UNMEASURED):
            yield from self.field("do", sentence(advice(finding.sights[0].members)))

    def plan(self) -> Iterator[str]:
        """Checks that only one of the runs has: then it is another plan."""
        appeared, vanished = self.changes.appeared, self.changes.vanished
        if self.changes.old is not None and (appeared or vanished):
            said = [f"{appeared:,} new"] if appeared else []
            said += [f"{vanished:,} no longer there"] if vanished else []
            yield from self.wrapped(
                f"The plan is another: {' and '.join(said)} of all checks, whatever became of them."
            )

    def _report(self, rows: Iterable[CheckResult]) -> Report:
        checks = tuple(rows)
        return Report(run=self.changes.new, summary=summarise(checks), checks=checks)


def _before(changes: Iterable[Change]) -> list[str]:
    """What they were, the most frequent first."""
    numbers: Counter[str] = Counter()
    for change in changes:
        if change.before is not None and change.now is not None:
            was = verdict(change.before)
            if was == verdict(change.now):
                was = "it did not count" if change.now.deviates else "it counted"
            numbers[was] += 1
    return [was for was, _ in numbers.most_common()]


def _since(changes: Sequence[Change]) -> str:
    """Since when they fail, where a history tells: the oldest, and whether the others do as long."""
    known = sorted((change.since_run, change.since or "") for change in changes if change.since_run is not None)
    if not known:
        return ""
    number, when = known[0]
    others = " for the first of them" if known[-1][0] != number else ""
    return f"run {number}, {moment(when)}{others}"


def _often(changes: Sequence[Change]) -> str:
    """`4 of the last 10 runs`."""
    numbers = sorted({change.failing for change in changes})
    failed = f"{numbers[0]}" if len(numbers) == 1 else f"{numbers[0]} to {numbers[-1]}"
    unmeasured = max(change.unmeasured for change in changes)
    most = "" if len({change.unmeasured for change in changes}) == 1 else "up to "
    aside = f", not measured in {most}{unmeasured}" if unmeasured else ""
    return f"in {failed} of the last {changes[0].runs} runs{aside}"


def _just_now(changes: Sequence[Change]) -> str:
    """Of what goes to and fro."""
    verdicts = [change.now.verdict for change in changes if change.now is not None]
    numbers = Counter(_FATES.get(verdict, ("fails", "fail")) for verdict in verdicts)
    if len(numbers) == 1:
        return next(iter(numbers))[0]
    return ", ".join(f"{number:,} of {len(changes):,} {words}" for (_, words), number in numbers.most_common())
