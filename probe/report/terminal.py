"""The report on a terminal: the answer, an overview by role, then what is wrong and what to do."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from probe.model.words import Verdict
from probe.report import listeners, waivers, wording
from probe.report.answer import Answer, answer, headline
from probe.report.causes import MEANINGS, section
from probe.report.findings import Finding, Sight, Weight, agents_wanted, failed_hosts, findings, overview
from probe.report.grouping import Kind
from probe.report.overview import tables
from probe.report.page import STYLES, Page, cut
from probe.report.text import count, listed, name, percent, sentence
from probe.report.titles import title
from probe.report.unchecked import by_reason, heading, parties, source, what
from probe.report.ways import ways
from probe.report.wording import (
    SYMBOLS,
    WEIGHTS,
    advice,
    expected,
    hosts,
    places,
    population,
    seen,
    target,
    verdict,
    where,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from probe.model.result import CheckResult, Report
    from probe.model.words import Cause

_ANSWERS = {Answer.CONFORMS: Weight.PASS, Answer.DEVIATIONS: Weight.DEVIATION}
_EVIDENCE = 240
_MOST_FINDINGS, _MOST_LINES, _MOST_SIGHTS, _MOST_NOTES, _MOST_ADVICE = 40, 8, 3, 20, 6
_MOST_REASONS, _MOST_ROWS, _MOST_SERVICES = 20, 5, 6
_ALL = "--json F or --html F has all"


def render(report: Report, *, width: int, color: bool) -> str:
    """The report as text that ends in a line feed. `width` in columns; below 40 it is taken as 40."""
    return _Report(report, width, color=color).text()


class _Report(Page):
    """The parts in their order; each yields lines."""

    def __init__(self, report: Report, width: int, *, color: bool) -> None:
        super().__init__(width, color=color)
        self.report, self.findings = report, findings(report)
        self.explained: set[tuple[Verdict, Cause | None]] = set()

    def text(self) -> str:
        accepted = [finding for finding in self.findings if finding.weight is Weight.WAIVED]
        told = [finding for finding in self.findings if not finding.side_note and finding.weight > Weight.WAIVED]
        noted = [finding for finding in self.findings if finding.side_note]
        blocks = [self.answer(), self.overview()]
        blocks += [self.finding(number, one) for number, one in enumerate(told[:_MOST_FINDINGS], 1)]
        if len(told) > _MOST_FINDINGS:
            blocks.append(
                iter([f"… and {count(len(told) - _MOST_FINDINGS, 'more finding')}: --json F or --html F tells each"])
            )
        blocks += [self.side_notes(noted), self.waived(accepted), self.stale(), self.exposure(), self.not_checkable()]
        blocks += [self.hosts(), self.notes()]
        whole = [list(block) for block in blocks]
        return "\n\n".join("\n".join(lines) for lines in whole if lines) + "\n"

    def answer(self) -> Iterator[str]:
        run, numbers = self.report.run, self.report.summary
        matrices = ", ".join(name(matrix) for matrix in run.matrix) or "no matrix"
        particulars = f"({run.phase}, {matrices}, {population(self.report)})"
        style = STYLES[_ANSWERS.get(answer(self.report), Weight.INCONCLUSIVE)]
        first, *rest = textwrap.wrap(f"{headline(self.report)} {particulars}", self.width)
        yield self.styled(first, f"{style};1")
        yield from rest
        counts = {verdict: getattr(numbers, "passed" if verdict is Verdict.PASS else verdict) for verdict in Verdict}
        said = [f"{number:,} {verdict}" for verdict, number in counts.items() if number]
        if numbers.waived:
            said.append(f"{numbers.waived:,} of them waived")
        if numbers.inconclusive:
            said.append(f"{percent(numbers.coverage)} measured")
        yield from self.wrapped(" · ".join(said))

    def overview(self) -> Iterator[str]:
        cells = overview(self.report)
        if not cells:
            return
        yield self.heading("Overview: from the role of the row to the role of the column")
        worst = {pair: max(weights) for pair, weights in cells.items()}
        yield from tables(
            worst, self.width, {weight: self.styled(SYMBOLS[weight], STYLES[weight]) for weight in Weight}
        )
        legend = "   ".join(f"{SYMBOLS[weight]} {WEIGHTS[weight]}" for weight in reversed(Weight))
        yield from self.wrapped(legend, "  ")

    def finding(self, number: int, finding: Finding) -> Iterator[str]:
        if number == 1:
            yield self.heading("Findings")
        symbol = self.styled(SYMBOLS[finding.weight], STYLES[finding.weight])
        several = len(finding.members) > 1 and finding.kind not in (Kind.AGENTS, Kind.RUN)
        head = f"{number}. {title(finding)}" + (f": {count(len(finding.members), 'check')}" if several else "")
        lines = textwrap.wrap(head, self.width - 4, break_on_hyphens=False) or [head]
        yield f"{symbol} {self.styled(lines[0], '1')}"
        yield from (f"  {self.styled(line, '1')}" for line in lines[1:])
        yield from self.field("verdict", verdict(finding.example))
        yield from self.field("meaning", *self.meaning(finding.example))
        yield from self.field("severity", finding.severity or "")
        yield from self.field("expected", *cut(expected(finding), _MOST_SERVICES, _ALL))
        yield from self.field("where", places(finding))
        if finding.about_hosts:
            yield from self.field("who", hosts(finding))
        for sight in finding.sights[:_MOST_SIGHTS]:
            yield from self.sight(finding, sight)
        hidden = finding.sights[_MOST_SIGHTS:]
        if hidden:
            rows = count(sum(len(sight.members) for sight in hidden), "more check")
            yield from self.field("also", f"{rows} that saw something else again: {_ALL}")

    def meaning(self, one: CheckResult) -> list[str]:
        """The sentence of its cause and where to read on, the first time that it comes up."""
        if (one.verdict, one.cause) in self.explained:
            return []
        self.explained.add((one.verdict, one.cause))
        more = section(one.verdict, one.cause)
        if one.cause is None:
            return [f"no cause is proven: {more} says when that is so"]
        return [MEANINGS[one.cause].sentence, more]

    def sight(self, finding: Finding, sight: Sight) -> Iterator[str]:
        one = sight.example
        if not finding.about_hosts:
            rows = [way.text() for way in ways(sight.members)]
            yield from self.field("who", *cut(rows, _MOST_LINES, _ALL))
        # The title of a listener's finding says it for all rows.
        yield from self.field("seen", str(one.state or "") if finding.kind is Kind.LISTENER else seen(one, _EVIDENCE))
        evidence = [f"{name(piece.at)}: {sentence(piece.what, _EVIDENCE)}" for piece in one.evidence]
        if evidence and len(sight.members) > 1 and not finding.about_hosts:
            evidence.insert(0, f"of {name(one.source)} → {name(one.target)}, for one:")
        yield from self.field("evidence", *cut(evidence, 6))
        yield from self.field("where", "" if places(finding) else where(sight.where))
        yield from self.field("instead", sentence(one.instead))
        yield from self.field("do", sentence(advice(sight.members)))

    def side_notes(self, noted: Sequence[Finding]) -> Iterator[str]:
        if not noted:
            return
        total = sum(len(finding.members) for finding in noted)
        yield self.heading(f"Advice: {count(total, 'way')} open that no flow allows")
        for finding in noted[:_MOST_ADVICE]:
            roles = listed(sorted({name(check.source_role) for check in finding.members}), 4)
            one = finding.example
            rows = count(len(finding.members), "check") + (f" ({one.cause})" if one.cause else "")
            rows += f", severity {one.severity}" if one.severity else ""
            line = f"{target(one)} {one.transport} {name(one.ports, 40)}, from {roles}: {rows}"
            if finding.kind is Kind.LISTENER:
                line = f"{title(finding)}: {rows}"
            yield from self.wrapped(line, "  ", f"{self.styled(SYMBOLS[Weight.ADVICE], STYLES[Weight.ADVICE])} ")
        if len(noted) > _MOST_ADVICE:
            yield f"  … and {count(len(noted) - _MOST_ADVICE, 'more service')}"
        yield from self.wrapped(
            "They do not move the exit code; --strict makes them count. --json F or --html F lists each.", "  ", "  "
        )

    def waived(self, accepted: Sequence[Finding]) -> Iterator[str]:
        if not accepted:
            return
        total = sum(len(finding.members) for finding in accepted)
        yield self.heading(f"Waived: {count(total, 'check')} that somebody has accepted")
        symbol = self.styled(SYMBOLS[Weight.WAIVED], STYLES[Weight.WAIVED])
        for finding in accepted[:_MOST_FINDINGS]:
            yield from self.wrapped(f"{title(finding)}: {count(len(finding.members), 'check')}", "  ", f"{symbol} ")
            yield from self.field("verdict", verdict(finding.example))
            yield from self.field("waived", *cut(wording.waived(finding.members), _MOST_LINES, _ALL))
        if len(accepted) > _MOST_FINDINGS:
            yield f"  … and {count(len(accepted) - _MOST_FINDINGS, 'more finding')}: {_ALL}"

    def stale(self) -> Iterator[str]:
        found = waivers.stale(self.report)
        if not found:
            return
        yield self.heading(f"Waivers to look at: {len(found):,} of {len(self.report.waivers):,}")
        for use in found[:_MOST_NOTES]:
            symbol = self.styled(SYMBOLS[Weight.ADVICE], STYLES[Weight.ADVICE])
            yield from self.wrapped(waivers.told(use), "  ", f"{symbol} ")
            yield from self.field("do", waivers.advice(use))
        if len(found) > _MOST_NOTES:
            yield f"  … and {count(len(found) - _MOST_NOTES, 'more waiver')}: {_ALL}"

    def exposure(self) -> Iterator[str]:
        """How ports beyond the matrix were looked for, and what of it is no row."""
        found = self.report.exposure
        if found is None or not found.kinds:
            return
        yield self.heading("Beyond the matrix")
        yield from self.wrapped(listeners.searched(found), "  ", "- ")
        yield from self.wrapped(f"always allowed: {listeners.allowed(found.standing)}", "  ", "- ")
        for line in cut([listeners.swept(one) for one in found.sweeps], _MOST_LINES, _ALL):
            yield from self.wrapped(f"swept {line}", "  ", "- ")
        unreached = [listeners.unnamed(one) for one in listeners.unreached(found)]
        if unreached:
            yield from self.wrapped("listens, is in no row of the matrix, and nobody reached it:", "  ", "- ")
            for line in cut(unreached, _MOST_LINES, _ALL):
                yield from self.wrapped(line, "      ", "    ")
        if number := listeners.untried(found):
            said = f"{count(number, 'more port')} without a row nobody had to try: loopback, always allowed, or ignored"
            yield from self.wrapped(said, "  ", "- ")

    def not_checkable(self) -> Iterator[str]:
        rows = self.report.not_checkable
        if not rows:
            return
        yield self.heading(heading(rows))
        reasons = by_reason(rows)
        for reason in list(reasons)[:_MOST_REASONS]:
            yield from self.wrapped(sentence(reason), "  ", "- ")
            told = [
                f"{parties(row.sources)} → {parties(row.targets)}: {what(row)} ({source(row)})"
                for row in reasons[reason]
            ]
            for line in cut(told, _MOST_ROWS):
                yield from self.wrapped(line, "      ", "    ")
        if len(reasons) > _MOST_REASONS:
            yield f"  … and {count(len(reasons) - _MOST_REASONS, 'more reason')}: --json F or --html F has each"

    def hosts(self) -> Iterator[str]:
        failed = failed_hosts(self.report)
        if not failed:
            return
        yield self.heading(f"Hosts whose agent failed: {len(failed):,} of {agents_wanted(self.report):,}")
        for host, problem in failed[:_MOST_NOTES]:
            yield from self.wrapped(f"{name(host)}: {sentence(problem)}", "    ", "  ")
        if len(failed) > _MOST_NOTES:
            yield f"  … and {len(failed) - _MOST_NOTES:,} more"

    def notes(self) -> Iterator[str]:
        notes = self.report.notes
        if not notes:
            return
        yield self.heading("Notes")
        for note in cut([sentence(note) for note in notes], _MOST_NOTES):
            yield from self.wrapped(note, "  ", "- ")
