"""A summary in Markdown, for the page of a CI job or a merge request: the answer, the numbers, what to do.

Such pages cut or refuse what is long: whatever the run found, this stays under 60 kB, and says what it leaves out. The
Markdown is GitHub's and GitLab's; everything from the report is shown as text in both.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from probe.model.words import Verdict
from probe.report import listeners, titles, unchecked, waivers, wording
from probe.report.answer import answer, verdict_sentence
from probe.report.causes import MEANINGS, section
from probe.report.findings import Weight, agents_wanted, failed_hosts, findings
from probe.report.grouping import Kind
from probe.report.page import cut
from probe.report.text import count, listed, name, percent, sentence
from probe.report.ways import ways

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from probe.model.result import Report
    from probe.report.findings import Finding, Sight

LARGEST = 60_000  # bytes; GitHub takes 65,536 characters in a comment, and 1 MiB on the page of a job
_ANSWERS = {"conforms": "✅", "deviations": "❌"}
_HEADINGS = {
    Weight.DEVIATION: "What deviates",
    Weight.INCONCLUSIVE: "What could not be measured",
    Weight.ADVICE: "Advice: it does not fail the run",
    Weight.WAIVED: "Waived: accepted for a time",
}
_MOST_LINES, _MOST_SIGHTS, _MOST_EVIDENCE = 6, 3, 4
_MOST_ROWS = (20, 6, 1)  # lines of a part: as many as leave room for findings
_SENTENCE = 240
# What begins markup inside a line; bare links, mentions and pictures are known by `://`, `www.`, `@` and `:word:`.
_MARKUP = re.compile(r"[\\`*_\[\]<>#|~&@$]|:(?=//|[\w+-]+:)|(?<=[wW]{3})\.")
_BLOCK = re.compile(r"[-+=]|(?<=\d)[.)](?=\s|\Z)")  # what begins a list or underlines a heading
_NUMBER = re.compile(r"\d*")


def text(value: str) -> str:
    """Shown as it is, whatever it says, also where it begins a line: each of these marks may be escaped."""
    escaped = _MARKUP.sub(r"\\\g<0>", value.strip())
    first = _NUMBER.match(escaped)
    at = first.end() if first else 0
    return f"{escaped[:at]}\\{escaped[at:]}" if _BLOCK.match(escaped, at) else escaped


def render(report: Report) -> bytes:
    """UTF-8, at most LARGEST bytes."""
    told = findings(report)
    head, tail = list(_head(report)), _tail_that_fits(report)
    room = LARGEST - size(head) - size(tail) - 200
    body: list[str] = []
    shown = 0
    for number, finding in enumerate(told, 1):
        first = number == 1 or told[number - 2].weight is not finding.weight
        piece = [f"## {_HEADINGS[finding.weight]}", ""] if first else []
        piece += list(_finding(number, finding))
        room -= size(piece)
        if room < 0:
            break
        body += piece
        shown = number
    if shown < len(told):
        left = told[shown:]
        rows = sum(len(finding.members) for finding in left)
        said = f"{count(len(left), 'more finding')} with {count(rows, 'check')} left out of this summary"
        body += [f"… and {said}: the JSON and the HTML report have them all.", ""]
    return ("\n".join([*head, *body, *tail]).rstrip() + "\n").encode("utf-8", "backslashreplace")


def size(lines: Iterable[str]) -> int:
    """In bytes, with their line feeds."""
    return sum(len(line.encode("utf-8", "backslashreplace")) + 1 for line in lines)


def _head(report: Report) -> Iterator[str]:
    run, numbers = report.run, report.summary
    said, why = verdict_sentence(report)
    yield f"# {_ANSWERS.get(answer(report).value, '❔')} {text(said)}"
    yield from ("", text(why), "")
    counts = {verdict: getattr(numbers, "passed" if verdict is Verdict.PASS else verdict) for verdict in Verdict}
    columns = {str(verdict): f"{number:,}" for verdict, number in counts.items()}
    columns |= {"waived": f"{numbers.waived:,}"} if numbers.waived else {}
    columns |= {"measured": percent(numbers.coverage)} if numbers.checks else {}
    yield f"| {' | '.join(columns)} |"
    yield f"|{' ---: |' * len(columns)}"
    yield f"| {' | '.join(columns.values())} |"
    matrices = listed(map(name, run.matrix), 4) or "no matrix"
    facts = f"{run.phase}, {matrices}, {wording.population(report)}, {name(run.inventory, 120)}, {name(run.started)}"
    yield from ("", f"Run {text(name(run.id))}: {text(facts)}.", "")


def _finding(number: int, finding: Finding) -> Iterator[str]:
    one = finding.example
    several = len(finding.members) > 1 and finding.kind not in (Kind.AGENTS, Kind.RUN)
    checks = f" ({count(len(finding.members), 'check')})" if several else ""
    yield from (f"### {number}. {text(sentence(titles.title(finding)))}{checks}", "")
    severity = f", severity {finding.severity}" if finding.severity else ""
    yield f"- **{one.verdict}**{severity}: {text(_meaning(finding))}"
    yield from _items("accepted", wording.waived(finding.members))
    if finding.weight is Weight.WAIVED:
        yield ""
        return
    yield from _items("expected", wording.expected(finding))
    yield from _items("where", [wording.places(finding)])
    if finding.about_hosts:
        yield from _items("who", [wording.hosts(finding)])
    if not finding.side_note:
        for sight in finding.sights[:_MOST_SIGHTS]:
            yield from _sight(finding, sight)
        if finding.sights[_MOST_SIGHTS:]:
            rows = sum(len(sight.members) for sight in finding.sights[_MOST_SIGHTS:])
            yield f"- and {count(rows, 'more check')} that saw something else again"
    yield ""


def _meaning(finding: Finding) -> str:
    one = finding.example
    more = section(one.verdict, one.cause)
    return f"{one.cause}. {MEANINGS[one.cause].sentence} ({more})" if one.cause else f"no cause is proven ({more})"


def _sight(finding: Finding, sight: Sight) -> Iterator[str]:
    one = sight.example
    if not finding.about_hosts:
        yield from _items("who", [way.text() for way in ways(sight.members)])
    yield from _items("seen", [wording.seen(one, _SENTENCE)])
    evidence = [f"{name(piece.at)}: {sentence(piece.what, _SENTENCE)}" for piece in one.evidence]
    yield from _items("evidence", evidence, _MOST_EVIDENCE)
    yield from _items("instead", [sentence(one.instead)])
    yield from _items("what to do", [sentence(wording.advice(sight.members))])


def _items(label: str, values: Sequence[str], most: int = _MOST_LINES) -> Iterator[str]:
    """One value beside its label, several below it."""
    known = cut([value for value in values if value], most)
    if len(known) == 1:
        yield f"- **{label}**: {text(known[0])}"
    elif known:
        yield f"- **{label}**:"
        yield from (f"  - {text(value)}" for value in known)


def _tail_that_fits(report: Report) -> list[str]:
    """At most a third of the page, so that findings have room."""
    tails = (list(_tail(report, most)) for most in _MOST_ROWS)
    return next((tail for tail in tails if size(tail) <= LARGEST // 3), [])


def _tail(report: Report, most: int) -> Iterator[str]:
    """What is no finding: parts of at most so many lines."""
    uses = waivers.stale(report)
    told = [f"{waivers.told(use)}. {waivers.advice(use)}" for use in uses]
    yield from _part(f"Waivers to look at: {len(uses):,} of {len(report.waivers):,}", told, most)
    unreached = [listeners.unnamed(one) for one in listeners.unreached(report.exposure)] if report.exposure else []
    yield from _part("Listens, is in no row of the matrix, and nobody reached it", unreached, most)
    reasons = unchecked.by_reason(report.not_checkable)
    gaps = [
        f"{sentence(reason, _SENTENCE)}: {listed((unchecked.what(row) for row in rows), 3)}"
        for reason, rows in reasons.items()
    ]
    yield from _part(unchecked.heading(report.not_checkable), gaps, most)
    failed = failed_hosts(report)
    lost = [f"{name(host)}: {sentence(problem, _SENTENCE)}" for host, problem in failed]
    yield from _part(f"Hosts whose agent failed: {len(failed):,} of {agents_wanted(report):,}", lost, most)
    yield from _part("Notes", [sentence(note, _SENTENCE) for note in report.notes], most)


def _part(heading: str, lines: Sequence[str], most: int) -> Iterator[str]:
    if lines:
        yield from (f"## {text(heading)}", "")
        yield from (f"- {text(line)}" for line in cut([sentence(line, 2 * _SENTENCE) for line in lines], most))
        yield ""
