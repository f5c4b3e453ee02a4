"""The sentences about a finding, the same in every format."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from probe.model.words import Expect, Need
from probe.report.causes import MEANINGS
from probe.report.findings import Weight, weight
from probe.report.grouping import Kind, service, unclaimed
from probe.report.text import SENTENCE, count, folded, listed, name, sentence
from probe.report.ways import ports

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from probe.model.result import CheckResult, Report, Where
    from probe.report.findings import Finding

WEIGHTS = {
    Weight.DEVIATION: "deviation",
    Weight.INCONCLUSIVE: "inconclusive",
    Weight.ADVICE: "advice",
    Weight.WAIVED: "waived",
    Weight.PASS: "pass",
    Weight.NOTHING: "nothing to check",
}
SYMBOLS = {
    Weight.DEVIATION: "✗",
    Weight.INCONCLUSIVE: "?",
    Weight.ADVICE: "!",
    Weight.WAIVED: "~",
    Weight.PASS: "✓",
    Weight.NOTHING: "·",
}


def tally(worth: Weight, number: int) -> str:
    """`3 deviations`, `1 pass`."""
    return f"{number:,} {WEIGHTS[worth]}{'s' if worth is Weight.DEVIATION and number != 1 else ''}"


def target(check: CheckResult) -> str:
    """The service as the matrix calls it, with its role where that adds something: `postgresql on db`."""
    role, service = name(check.target_role), name(check.service)
    return service if role in service else f"{service} on {role}"


def verdict(check: CheckResult) -> str:
    """`blocked · network: by a device on the way`."""
    return f"{check.verdict} · {why(check)}" if check.cause else check.verdict


def why(check: CheckResult) -> str:
    """`network: by a device on the way`; where nothing proves a cause, says so."""
    return f"{check.cause}: {MEANINGS[check.cause].brief}" if check.cause else "no cause is proven"


def aside(check: CheckResult) -> str:
    """`waived` or `advice` of what fails no run though it fails; empty for all else."""
    worth = weight(check)
    return WEIGHTS[worth] if worth in (Weight.ADVICE, Weight.WAIVED) else ""


def advice(members: tuple[CheckResult, ...]) -> str:
    """What to do about the first of these, which stands for all."""
    text = members[0].advice
    others = len(members) - 1
    if not text or not others:
        return text
    return f"{text} The same for the other {f'{others:,} checks' if others > 1 else 'check'}."


def waived(members: Iterable[CheckResult]) -> list[str]:
    """Who accepted these rows, until when, and why: a line for each waiver."""
    given = dict.fromkeys(row.waived for row in members if row.waived)
    return [f"{until(one.until)} by {name(one.owner)}: {sentence(one.reason)}" for one in given]


def until(day: str) -> str:
    """`until 2026-12-31`."""
    return f"until {name(day, 20)}" if day else "for good"


def expected(finding: Finding) -> list[str]:
    """What the matrix asks of these rows, and where it says so: a line for each service."""
    if finding.about_hosts:
        reach = sum(check.expect is Expect.REACH for check in finding.members)
        parts = {"to be reachable": reach, "not to be reachable": len(finding.members) - reach}
        return [", ".join(f"{number:,} {what}" for what, number in parts.items() if number)]
    asked: defaultdict[object, list[CheckResult]] = defaultdict(list)
    for check in finding.members:
        asked[service(check)].append(check)
    lines = []
    for rows in asked.values():
        line = demand(rows)
        if finding.kind is not Kind.SERVICE and not line.startswith(f"{target(rows[0])},"):
            line = f"{target(rows[0])}: {line}"
        if rows[0].severity and len(asked) > 1:
            line += f", severity {rows[0].severity}"
        lines.append(line)
    return lines


def demand(rows: Sequence[CheckResult]) -> str:
    """What is asked of these rows, which are alike in it."""
    one = rows[0]
    verb, worth = ("must", "") if one.need is Need.REQUIRED else ("should", f" ({one.need})")
    if one.expect is Expect.BLOCK:
        reason = "no flow allows it" if unclaimed(one) else "the matrix forbids it"
        said = f"{verb} not be reachable{worth}: {reason}"
    else:
        said = f"{verb} be reachable{worth}"
    return f"{spoken(one, name(ports(rows), 80))} {said} ({rules(rows)})"


def spoken(check: CheckResult, numbers: str) -> str:
    """Transport and ports, after what is spoken on them where that is known: `postgresql, tcp 5432`."""
    way = f"{check.transport} {numbers}"
    protocol = check.application or check.protocol.value
    return way if protocol == check.transport.value else f"{name(protocol)}, {way}"


def rules(rows: Sequence[CheckResult]) -> str:
    """`aiware flows[3], flows[7], cites ports`."""
    named = sorted({name(rule) for check in rows for rule in (check.rule, *check.also)})
    cites = sorted({name(check.cite) for check in rows if check.cite})
    said = f"{name(rows[0].matrix)} {listed(named, 4)}"
    return f"{said}, cites {listed(cites, 3)}" if cites else said


def seen(check: CheckResult, limit: int = SENTENCE) -> str:
    """The state as the source saw it, and what more is known."""
    detail = sentence(check.detail, limit)
    return ": ".join(part for part in (str(check.state or ""), detail) if part) or "not measured"


def where(place: Where | None) -> str:
    """`at 10.0.0.254, hop 1`; empty where nothing is known."""
    if place is None or (place.address is None and place.hop is None):
        return ""
    if place.hop == 0:
        return "right behind the source" if place.side == "after" else "on the source itself"
    device = name(place.address) if place.address else "a device without a known address"
    hop = "" if place.hop is None else f", hop {place.hop}"
    if place.side == "after":
        return f"after {device}{hop} (the last device that it is known to have come to)"
    return f"at {device}{hop}"


def places(finding: Finding) -> str:
    """Where all of it happens: the place that its rows have in common, or the devices that are to blame."""
    if finding.where is not None or not finding.devices:
        return where(finding.where)
    addresses = listed((name(address) for known in finding.devices.values() for address in known), 24)
    one = finding.example.where
    if one is not None and one.side == "after":
        return f"after {addresses} (the last devices that it is known to have come to)"
    return f"at {addresses}"


def population(report: Report) -> str:
    """`11 hosts`, `11 hosts, 2 external`."""
    beyond = sum(host.external for host in report.hosts)
    return count(len(report.hosts) - beyond, "host") + (f", {beyond:,} external" if beyond else "")


def hosts(finding: Finding) -> str:
    """For a finding about agents: how many rows and hosts it touches."""
    touched = {check.source for check in finding.members} | {check.target for check in finding.members}
    return f"{count(len(finding.members), 'check')} between {listed(folded(touched))}"
