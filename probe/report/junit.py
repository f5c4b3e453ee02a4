"""The JUnit report: one test case for each planned check, so that names hold while outcomes change."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from probe.model.words import Verdict
from probe.report import titles, unchecked, waivers, wording
from probe.report.answer import Answer, answer, headline
from probe.report.causes import MEANINGS, section
from probe.report.findings import Weight, findings, weight
from probe.report.text import count, name, sentence
from probe.report.ways import ports
from probe.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from probe.model.check import Unchecked
    from probe.model.result import CheckResult, Report
    from probe.model.waiver import WaiverUse
    from probe.report.findings import Finding

_LONGEST = 4000
_NAME = 255  # a host name's greatest length: two names cut to the same text would be one test


def render(report: Report) -> bytes:
    """UTF-8 XML: a suite for each matrix, a case for each planned check, and a skipped one for what cannot be checked.
    Of several outcomes the worst counts.
    """
    suites: defaultdict[str, list[ET.Element]] = defaultdict(list)
    shared: dict[int, str] = {}
    for finding in findings(report):
        if len(finding.members) > 1:
            shared |= dict.fromkeys(map(id, finding.members), _one_of(finding))
    for rows in _planned(report.checks):
        suites[rows[0].matrix].append(_case(rows, shared))
    for named, gaps in _alike(report.not_checkable).items():
        suites[gaps[0].matrix].append(_skipped(named, gaps))
    for use in waivers.stale(report):
        suites["waivers"].append(_waiver(use))
    run = _run_case(report)
    if run is not None:
        suites["run"].append(run)
    root = ET.Element(
        "testsuites", {"name": "portcheck"} | _counts([case for cases in suites.values() for case in cases])
    )
    for matrix, cases in suites.items():
        suite = ET.SubElement(root, "testsuite", {"name": f"portcheck.{_text(name(matrix))}"} | _counts(cases))
        suite.set("time", f"{_seconds(report):.3f}")
        suite.set("timestamp", _text(report.run.started))
        properties = ET.SubElement(suite, "properties")
        for key, value in _facts(report):
            ET.SubElement(properties, "property", {"name": key, "value": _text(value)})
        suite.extend(cases)
    ET.indent(root, " ")
    return b'<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode").encode() + b"\n"


def _planned(checks: Iterable[CheckResult]) -> Iterable[list[CheckResult]]:
    """The rows of each check as it was planned."""
    groups: defaultdict[str, list[CheckResult]] = defaultdict(list)
    for check in checks:
        groups[check.id].append(check)
    return groups.values()


def _one_of(finding: Finding) -> str:
    return f"one of {count(len(finding.members), 'check')} with this cause: {titles.title(finding)}"


def _case(rows: Sequence[CheckResult], shared: Mapping[int, str]) -> ET.Element:
    """`shared` are the findings that rows have in common with others, by the row's identity."""
    worst = max(rows, key=weight)
    several_addresses = len({row.address for row in rows}) > 1
    place = ".".join(name(part, _NAME) for part in (worst.matrix, worst.source_role, worst.target_role))
    spent = sum(row.elapsed_ms or 0 for row in rows) / 1000
    pair = f"{name(worst.source, _NAME)} -> {name(worst.target, _NAME)}"
    # What is left of a sweep differs from run to run, and a test has one name.
    rest = worst.undeclared and not (worst.ports.isdecimal() and len({row.ports for row in rows}) == 1)
    named = f"{pair} {name(worst.service)} {worst.transport}/{'rest' if rest else ports(rows)}"
    case = ET.Element(
        "testcase", {"classname": _text(f"portcheck.{place}"), "name": _text(named), "time": f"{spent:.3f}"}
    )
    if worst.severity:
        properties = ET.SubElement(case, "properties")
        ET.SubElement(properties, "property", {"name": "severity", "value": worst.severity})
    told = [row for row in rows if row.verdict is not Verdict.PASS]
    if not told:
        return case
    if weight(worst) is Weight.WAIVED:
        # Neither red nor green: it fails, and nobody has to wait for it.
        accepted = "; ".join(f"waived {line}" for line in wording.waived(told))
        ET.SubElement(case, "skipped", {"message": _text(f"{accepted}. It is: {_message(worst)}")})
        return case
    body = "\n\n".join(_story(row, several_addresses, shared.get(id(row), "")) for row in told)
    if worst.deviates:
        # Consumers sort failures by type: the verdict, so that what is blocked is told from what is exposed.
        _add(case, "failure", worst.verdict, _message(worst), body)
    elif any(row.unsettled for row in rows):
        _add(case, "error", Verdict.INCONCLUSIVE, _message(worst), body)
    else:
        ET.SubElement(case, "system-out").text = _text(f"advice, does not fail the run: {_message(worst)}\n\n{body}")
    return case


def _add(case: ET.Element, tag: str, kind: str, message: str, body: str) -> None:
    ET.SubElement(case, tag, {"type": _text(kind), "message": _text(message)}).text = _text(body)


def _alike(rows: Iterable[Unchecked]) -> dict[tuple[str, str], list[Unchecked]]:
    """By class and name of their test: hosts may have reasons of their own, and a test has one name."""
    groups: defaultdict[tuple[str, str], list[Unchecked]] = defaultdict(list)
    for row in rows:
        ends = f"{unchecked.parties(row.sources)} -> {unchecked.parties(row.targets)}"
        named = f"{name(row.rule)}: {ends} {name(row.service)} {unchecked.asked(row)}"
        groups[_text(f"portcheck.{name(row.matrix)}.not-checkable"), _text(named)].append(row)
    return groups


def _skipped(named: tuple[str, str], rows: Sequence[Unchecked]) -> ET.Element:
    case = ET.Element("testcase", {"classname": named[0], "name": named[1], "time": "0.000"})
    reasons = "; ".join(sentence(reason) for reason in unchecked.by_reason(rows))
    ET.SubElement(case, "skipped", {"message": _text(reasons)})
    return case


def _waiver(use: WaiverUse) -> ET.Element:
    case = ET.Element("testcase", {"classname": "portcheck.waivers", "name": _text(use.place), "time": "0.000"})
    told = f"advice, does not fail the run: {waivers.told(use)}\n\nwhat to do: {waivers.advice(use)}"
    ET.SubElement(case, "system-out").text = _text(told)
    return case


def _run_case(report: Report) -> ET.Element | None:
    """A case that errs for a run that must not look green although no check of its own says so."""
    said = answer(report)
    incomplete = said in (Answer.INTERRUPTED, Answer.NOTHING)
    if not incomplete and not (said is Answer.INCONCLUSIVE and not any(check.unsettled for check in report.checks)):
        return None
    case = ET.Element("testcase", {"classname": "portcheck.run", "name": "the run is complete", "time": "0.000"})
    _add(case, "error", said.value, headline(report), headline(report))
    return case


def _message(check: CheckResult) -> str:
    """`network: no answer, and nothing arrived`."""
    return ": ".join(part for part in (check.cause or "", sentence(check.detail)) if part) or check.verdict


def _story(check: CheckResult, several_addresses: bool, shared: str) -> str:
    address = f" at {name(check.address)}" if several_addresses or check.address != check.target else ""
    lines = [
        f"{wording.verdict(check)}",
        *(f"waived {line}" for line in wording.waived([check])),
        *([MEANINGS[check.cause].sentence] if check.cause else []),
        *([shared] if shared else []),
        *([f"severity: {check.severity}"] if check.severity else []),
        f"check: {check.id} ({name(check.rule)})",
        f"expected: {check.expect} {wording.spoken(check, name(check.ports))}{address}",
        f"seen: {wording.seen(check)}",
        *(f"{name(piece.at)}: {sentence(piece.what)}" for piece in check.evidence),
    ]
    place = wording.where(check.where)
    lines += [f"where: {place}"] if place else []
    lines += [f"instead: {sentence(check.instead)}"] if check.instead else []
    lines += [f"what to do: {sentence(check.advice)}"] if check.advice else []
    lines.append(f"more: {section(check.verdict, check.cause)}")
    return "\n".join(lines)


def _counts(cases: Iterable[ET.Element]) -> dict[str, str]:
    every = list(cases)
    failures = sum(case.find("failure") is not None for case in every)
    errors = sum(case.find("error") is not None for case in every)
    skipped = sum(case.find("skipped") is not None for case in every)
    return {
        "tests": str(len(every)),
        "failures": str(failures),
        "errors": str(errors),
        "skipped": str(skipped),
    }


def _facts(report: Report) -> list[tuple[str, str]]:
    run = report.run
    return [
        ("phase", run.phase),
        ("inventory", run.inventory),
        ("seed", str(run.seed)),
        ("version", run.version),
        ("run", run.id),
    ]


def _seconds(report: Report) -> float:
    """Wall time of the run, 0 where its times say nothing."""
    try:
        spent = datetime.fromisoformat(report.run.finished) - datetime.fromisoformat(report.run.started)
    except (ValueError, TypeError):
        return 0.0
    return max(spent.total_seconds(), 0.0)


def _text(value: str) -> str:
    """Bounded; what XML cannot hold (controls, surrogates, non-characters) is shown escaped. Line feeds stay."""
    return "\n".join(printable(line) for line in value[:_LONGEST].split("\n"))
