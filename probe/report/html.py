"""The HTML report: one file that asks nothing of any network, for a browser, a phone and a printer."""

from __future__ import annotations

import base64
import functools
import hashlib
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

import msgspec
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from probe.model.result import CheckResult
from probe.model.words import Cause, Expect, Verdict
from probe.report import listeners, titles, unchecked, wording
from probe.report.answer import Answer, answer, headline, verdict_sentence
from probe.report.causes import MEANINGS, PAGE
from probe.report.findings import Finding, Sight, Weight, findings, overview, weight
from probe.report.sections import section_html
from probe.report.text import count, listed, name, percent, shorten
from probe.report.ways import ways
from probe.resources import folder
from probe.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from probe.model.check import Unchecked
    from probe.model.result import Report

LONGEST = 500  # characters of any one value
_MOST_SIGHTS = 12
_MOST_UNCHECKED, _MOST_UNNAMED = 500, 500
_ROLE = 28  # characters of a role's name in the map
_ANSWERS = {Answer.CONFORMS: Weight.PASS, Answer.DEVIATIONS: Weight.DEVIATION}


def render(report: Report) -> bytes:
    """The page, UTF-8. All that comes from the report is made printable and bounded in `_shown`, then escaped."""
    style, script = _asset("report.css"), _asset("report.js")
    told = findings(report)
    said, numbers = verdict_sentence(report)
    page = (
        _environment()
        .get_template("report.html")
        .render(
            report=report,
            policy="; ".join(
                (
                    "default-src 'none'",
                    f"style-src {_digest(style)}",
                    f"script-src {_digest(script)}",
                    "base-uri 'none'",
                    "form-action 'none'",
                )
            ),
            style=Markup(style),  # noqa: S704  (our own file)
            script=Markup(script),  # noqa: S704  (our own file)
            weight=_ANSWERS.get(answer(report), Weight.INCONCLUSIVE).name.lower(),
            said=said,
            numbers=numbers,
            headline=headline(report),
            counts=[
                (str(verdict), getattr(report.summary, "passed" if verdict is Verdict.PASS else verdict))
                for verdict in Verdict
            ],
            sections=_sections(told),
            causes=[cause for cause in Cause if any(one.example.cause is cause for one in told)],
            map=_map(report),
            legend=[
                (weight.name.lower(), wording.SYMBOLS[weight], wording.WEIGHTS[weight]) for weight in reversed(Weight)
            ],
            sources=_sources(report.checks),
            facts=_facts(report),
            gaps=_gaps(report),
            most_sights=_MOST_SIGHTS,
            most_unnamed=_MOST_UNNAMED,
            lost=sum(1 for host in report.hosts if host.problem),
        )
    )
    return page.encode("utf-8")


@functools.cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(folder("reports")),
        autoescape=True,
        finalize=_shown,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {"wording": wording, "titles": titles, "unchecked": unchecked, "listeners": listeners}
    environment.globals |= {"count": count, "listed": listed, "percent": percent, "lines": _lines}
    environment.globals |= {"meanings": MEANINGS, "page": PAGE, "section_html": section_html}
    return environment


def _shown(value: Any) -> Any:
    """What the template prints: text, made printable and bounded; autoescape does the rest. Our markup passes."""
    if value is None:
        return ""
    if isinstance(value, Markup) or not isinstance(value, str):
        return value
    return shorten(printable(value[: LONGEST + 1]), LONGEST)


def _asset(file: str) -> str:
    return (folder("reports") / file).read_text("utf-8")


def _digest(text: str) -> str:
    """The source expression of a content security policy for one inline element."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _lines(sights: Iterable[Sight]) -> list[Markup]:
    """Everybody: made printable where the lines are made, and not cut as other values are."""
    members = [member for sight in sights for member in sight.members]
    return [escape(line) for way in ways(members) for line in way.lines()]


def _facts(report: Report) -> list[tuple[str, str]]:
    run = report.run
    return [
        ("Phase", str(run.phase)),
        ("Matrix", listed(run.matrix)),
        ("Inventory", run.inventory),
        ("Started", run.started),
        ("Finished", run.finished + (", interrupted" if run.interrupted else "")),
        ("Seed", str(run.seed)),
        ("portcheck", run.version),
        ("Run", run.id),
        ("Report format", report.schema),
    ]


def _gaps(report: Report) -> list[Unchecked]:
    """What cannot be checked, what has the same reason together."""
    rows = [row for group in unchecked.by_reason(report.not_checkable).values() for row in group]
    return rows[:_MOST_UNCHECKED]


class Section(msgspec.Struct, frozen=True):
    """Findings of one weight under one heading."""

    key: str
    heading: str
    findings: tuple[Finding, ...]


def _sections(told: Iterable[Finding]) -> list[Section]:
    groups: dict[Weight, list[Finding]] = {weight: [] for weight in reversed(Weight) if weight > Weight.PASS}
    for finding in told:
        groups[finding.weight].append(finding)
    headings = {
        Weight.DEVIATION: "What deviates",
        Weight.INCONCLUSIVE: "What could not be measured",
        Weight.ADVICE: "Advice: it does not fail the run",
        Weight.WAIVED: "Waived: accepted for a time, it does not fail the run",
    }
    return [Section(weight.name.lower(), headings[weight], tuple(group)) for weight, group in groups.items() if group]


class Cell(msgspec.Struct, frozen=True):
    """One pair of roles: its worst weight, how many rows have it, and all in words."""

    key: str
    symbol: str
    number: int
    words: str


def _map(report: Report) -> tuple[list[str], list[tuple[str, list[Cell | None]]]]:
    """Target roles, and for each source role its cells."""
    cells = overview(report)
    targets = sorted({target for _, target in cells})
    rows = []
    for source in sorted({source for source, _ in cells}):
        row = [_cell(cells[source, target]) if (source, target) in cells else None for target in targets]
        rows.append((name(source, _ROLE), row))
    return [name(target, _ROLE) for target in targets], rows


def _cell(weights: dict[Weight, int]) -> Cell:
    worst = max(weights)
    words = ", ".join(wording.tally(worth, weights[worth]) for worth in sorted(weights, reverse=True))
    return Cell(worst.name.lower(), wording.SYMBOLS[worst], weights[worst], words)


class Pair(msgspec.Struct, frozen=True):
    """All checks from one host to another: what is no pass row by row, passes as lists of services and ports."""

    target: str
    worst: str
    counts: tuple[tuple[str, str], ...]
    failing: tuple[tuple[str, CheckResult], ...]
    passing: tuple[tuple[str, tuple[str, ...]], ...]


class SourceChecks(msgspec.Struct, frozen=True):
    """All checks of one source host."""

    source: str
    counts: tuple[tuple[str, str], ...]
    pairs: tuple[Pair, ...]


def _sources(checks: Iterable[CheckResult]) -> list[SourceChecks]:
    """Checks by source and target host, in the order of the names."""
    pairs: defaultdict[str, defaultdict[str, list[CheckResult]]] = defaultdict(lambda: defaultdict(list))
    for check in checks:
        pairs[check.source][check.target].append(check)
    return [
        SourceChecks(
            source,
            _counts(Counter(weight(check) for rows in targets.values() for check in rows)),
            tuple(_pair(target, rows) for target, rows in sorted(targets.items())),
        )
        for source, targets in sorted(pairs.items())
    ]


def _counts(weights: Counter[Weight]) -> tuple[tuple[str, str], ...]:
    """The weights, worst first, with symbol, number and word."""
    return tuple(
        (worth.name.lower(), f"{wording.SYMBOLS[worth]} {wording.tally(worth, weights[worth])}")
        for worth in sorted(weights, reverse=True)
    )


def _pair(target: str, rows: list[CheckResult]) -> Pair:
    weights = Counter(weight(check) for check in rows)
    failing = tuple((weight(check).name.lower(), check) for check in rows if check.verdict is not Verdict.PASS)
    passed = [check for check in rows if check.verdict is Verdict.PASS]
    lists = []
    for expect, words in ((Expect.REACH, "reached"), (Expect.BLOCK, "closed, as it must be")):
        told = tuple(f"{check.service} {check.transport} {check.ports}" for check in passed if check.expect is expect)
        if told:
            lists.append((words, told))
    return Pair(target, max(weights).name.lower(), _counts(weights), failing, tuple(lists))
