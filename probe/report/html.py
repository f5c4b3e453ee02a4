"""The HTML report: one file that asks nothing of any network, for a browser, a phone and a printer.

What a reader needs is in the page itself and is read without script. All rows are in it once more, packed; the script
opens the map down to the pairs of hosts, filters, and shows each check.
"""

from __future__ import annotations

import base64
import functools
import hashlib
from typing import TYPE_CHECKING, Any

import msgspec
from markupsafe import Markup, escape

from probe.model.words import Cause, Verdict
from probe.report import listeners, titles, turns, unchecked, waivers, whom, wording
from probe.report.answer import Answer, answer, headline, verdict_sentence
from probe.report.causes import MEANINGS, PAGE
from probe.report.findings import Finding, Sight, Weight, anchor, findings, overview, weight
from probe.report.packed import pack
from probe.report.route import route
from probe.report.sections import section_html
from probe.report.templating import environment, shown
from probe.report.text import count, listed, moment, name, percent
from probe.report.ways import ways
from probe.resources import folder

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from jinja2 import Environment

    from probe.model.change import Changes
    from probe.model.check import Unchecked
    from probe.model.result import CheckResult, Report

_MOST_SIGHTS, _MOST_LINES, _OPEN, _GLANCE = 8, 60, 12, 7
_MOST_TOLD = 400_000  # bytes of findings told whole
_MOST_NAMED = 1_000  # findings of which more than their number is told
_MOST_UNCHECKED, _MOST_UNNAMED, _MOST_HOSTS, _MOST_WAIVERS = 500, 500, 2_000, 500
_MOST_ROLES = 60
_ROLE = 28  # characters of a role's name in the map
_ANSWERS = {Answer.CONFORMS: Weight.PASS, Answer.DEVIATIONS: Weight.DEVIATION}
_HEADINGS = {
    "deviation": "What deviates",
    "inconclusive": "What could not be measured",
    "advice": "Advice: it does not fail the run",
    "waived": "Waived: accepted for a time, it does not fail the run",
}


def render(report: Report, changes: Changes | None = None) -> bytes:
    """The page, UTF-8. With `changes` it answers first what changed since the older run. All that comes from the report
    is made printable and bounded in `shown` and by `pack`, then escaped.
    """
    if changes is not None and changes.old is None:
        changes = None  # the first run: all of it is new, and that is no answer
    told = _named(findings(report))
    packed = pack(report, [(one.anchor, one.finding) for one in told])
    said, numbers = verdict_sentence(report)
    cells = overview(report)
    page = (
        _environment()
        .get_template("report.html")
        .render(
            report=report,
            policy=policy(),
            style=Markup(_asset("report.css")),  # noqa: S704  (our own file)
            script=Markup(_script()),  # noqa: S704  (our own file)
            weight=_ANSWERS.get(answer(report), Weight.INCONCLUSIVE).name.lower(),
            said=said,
            numbers=numbers,
            headline=headline(report),
            counts=_counts(report),
            changes=changes,
            turned=turns.turned(changes, _finder(told)) if changes is not None else (),
            sections=_sections(told),
            glance=[one for one in told if one.finding.weight >= Weight.INCONCLUSIVE][:_GLANCE],
            packed=packed,
            data=Markup(packed.data),  # noqa: S704  (without any <)
            causes=[cause for cause in Cause if any(one.finding.example.cause is cause for one in told)],
            map=_map(cells),
            legend=[(worth.name.lower(), wording.SYMBOLS[worth], wording.WEIGHTS[worth]) for worth in reversed(Weight)],
            facts=_facts(report),
            gaps=_gaps(report),
            waivers=waivers.stale(report),
            roles={role for pair in cells for role in pair},
            most_hosts=_MOST_HOSTS,
            most_unnamed=_MOST_UNNAMED,
            most_waivers=_MOST_WAIVERS,
            lost=sum(1 for host in report.hosts if host.problem),
        )
    )
    return page.encode("utf-8")


@functools.cache
def policy() -> str:
    """The content security policy of the page, which allows nothing but its own style and script; whoever serves it
    adds `frame-ancestors`, which a page cannot say of itself.
    """
    style, script = _digest(_asset("report.css")), _digest(_script())
    return f"default-src 'none'; style-src {style}; script-src {script}; base-uri 'none'; form-action 'none'"


@functools.cache
def _environment() -> Environment:
    made = environment(folder("reports"))
    modules = {"wording": wording, "unchecked": unchecked, "listeners": listeners, "turns": turns, "stale": waivers}
    words = {"count": count, "listed": listed, "percent": percent, "name": name, "moment": moment, "shown": shown}
    causes = {"meanings": MEANINGS, "page": PAGE, "section_html": section_html}
    parts = {"lines": _lines, "route": route, "whom": whom.whom, "ends": _ends}
    bounds = {"most_sights": _MOST_SIGHTS, "most_lines": _MOST_LINES}
    made.globals |= modules | words | causes | parts | bounds
    return made


@functools.cache
def _asset(file: str) -> str:
    return (folder("reports") / file).read_text("utf-8")


def _script() -> str:
    return _asset("report.rows.js") + _asset("report.js")


def _digest(text: str) -> str:
    """The source expression of a content security policy for one inline element."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


# --- findings ---------------------------------------------------------------------------------------------------------


class Named(msgspec.Struct, frozen=True):
    """A finding and where it is in the page."""

    finding: Finding
    anchor: str
    title: str


def _named(told: Iterable[Finding]) -> list[Named]:
    return [Named(finding, anchor(finding), titles.title(finding)) for finding in told]


def _finder(told: Iterable[Named]) -> Any:
    """Title and anchor of the finding that a row is in: by what names a row, for history makes its rows anew."""
    places = {(row.id, row.address, row.ports): one for one in told for row in one.finding.members}

    def find(row: CheckResult) -> tuple[str, str]:
        found = places.get((row.id, row.address, row.ports))
        return (found.title, found.anchor) if found is not None else ("", "")

    return find


class Section(msgspec.Struct, frozen=True):
    """Findings of one weight under one heading: those that are told whole, then those of which the title must do, and
    how many there are beyond.
    """

    key: str
    heading: str
    whole: tuple[Markup, ...]
    brief: tuple[Named, ...]
    beyond: int


def _sections(told: Sequence[Named]) -> list[Section]:
    groups: dict[str, list[Named]] = {key: [] for key in _HEADINGS}
    for one in told:
        groups[one.finding.weight.name.lower()].append(one)
    template = _environment().get_template("report.finding.html")
    made: list[Section] = []
    left, named, number = _MOST_TOLD, _MOST_NAMED, 0
    for key, group in groups.items():
        whole: list[Markup] = []
        for one in group:
            if left <= 0:
                break
            number += 1
            opened = number <= _OPEN and not one.finding.side_note
            whole.append(Markup(template.render(one=one, opened=opened)))  # noqa: S704  (escaped by the template)
            left -= len(whole[-1])
        rest = group[len(whole) :]
        brief = rest[: max(named, 0)]
        named -= len(brief)
        if group:
            made.append(Section(key, _HEADINGS[key], tuple(whole), tuple(brief), len(rest) - len(brief)))
    return made


def _lines(sights: Iterable[Sight]) -> list[Markup]:
    """Everybody: made printable where the lines are made, and not cut as other values are."""
    members = [member for sight in sights for member in sight.members]
    return [escape(line) for way in ways(members) for line in way.lines()]


def _ends(row: CheckResult) -> list[tuple[str, str, list[str]]]:
    """The evidence by who saw it: both ends, named, then others."""
    seen: dict[str, list[str]] = {"source": [], "target": []}
    for piece in row.evidence[:20]:
        seen.setdefault(piece.at, []).append(piece.what)
    called = {"source": row.source, "target": row.target}
    return [(at, called.get(at, ""), told) for at, told in seen.items() if told or at in called]


# --- numbers and tables -----------------------------------------------------------------------------------------------


class Count(msgspec.Struct, frozen=True):
    """How many rows have a verdict, and the worst weight that one of them has."""

    verdict: str
    number: int
    key: str


def _counts(report: Report) -> list[Count]:
    worst = dict.fromkeys(Verdict, Weight.NOTHING)
    for row in report.checks:
        worst[row.verdict] = max(worst[row.verdict], weight(row))
    return [
        Count(verdict, getattr(report.summary, "passed" if verdict is Verdict.PASS else verdict), key.name.lower())
        for verdict, key in worst.items()
    ]


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


class Cell(msgspec.Struct, frozen=True):
    """One pair of roles: its worst weight, how many rows have it, and all in words."""

    key: str
    symbol: str
    number: int
    words: str


class Map(msgspec.Struct, frozen=True):
    """Target roles, each source role with its cells, and how many roles there was no room for."""

    targets: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Cell | None, ...]], ...]
    left_out: int


def _map(cells: Mapping[tuple[str, str], dict[Weight, int]]) -> Map:
    sources, targets = (sorted({pair[end] for pair in cells}) for end in (0, 1))
    rows = tuple(
        (
            name(source, _ROLE),
            tuple(
                _cell(cells[source, target]) if (source, target) in cells else None for target in targets[:_MOST_ROLES]
            ),
        )
        for source in sources[:_MOST_ROLES]
    )
    left_out = max(0, len(sources) - _MOST_ROLES) + max(0, len(targets) - _MOST_ROLES)
    return Map(tuple(name(target, _ROLE) for target in targets[:_MOST_ROLES]), rows, left_out)


def _cell(weights: dict[Weight, int]) -> Cell:
    worst = max(weights)
    words = ", ".join(wording.tally(worth, weights[worth]) for worth in sorted(weights, reverse=True))
    return Cell(worst.name.lower(), wording.SYMBOLS[worst], weights[worst], words)
