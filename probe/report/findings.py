"""Many rows to few findings: what has the same verdict, cause and target is told once, with its members."""

from __future__ import annotations

import re
from collections import defaultdict
from enum import IntEnum
from typing import TYPE_CHECKING

import msgspec

from probe.model.result import CheckResult
from probe.model.words import Cause, Severity, Verdict, Zone
from probe.report.text import folded, listed, name

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from probe.model.result import Report

# One silent agent takes part in every service: telling it by service would be the same news forty times.
_ABOUT_A_HOST = frozenset({Cause.NO_AGENT, Cause.AGENT_LOST})
_ORDER = {verdict: place for place, verdict in enumerate(Verdict)}
# Where the matrix says nothing, it is neither played up nor down.
_GRAVITY: dict[Severity | None, int] = {
    severity: place
    for place, severity in enumerate(
        (Severity.CRITICAL, Severity.HIGH, Severity.MEDIUM, None, Severity.LOW, Severity.INFO)
    )
}
_UNCLAIMED = frozenset(f"policy.{zone}" for zone in Zone)


class Weight(IntEnum):
    """What a row is worth, the worst highest."""

    NOTHING = 0
    PASS = 1
    ADVICE = 2
    INCONCLUSIVE = 3
    DEVIATION = 4


def weight(check: CheckResult) -> Weight:
    """A row that another stands in for is advice, whatever became of it: nobody has to wait for it."""
    if check.deviates:
        return Weight.DEVIATION
    if check.instead:
        return Weight.ADVICE
    if check.verdict is Verdict.INCONCLUSIVE:
        return Weight.INCONCLUSIVE
    return Weight.PASS if check.verdict is Verdict.PASS else Weight.ADVICE


def unclaimed(check: CheckResult) -> bool:
    """Whether it must be blocked because no row of the matrix allows it, rather than because one forbids it."""
    return check.rule in _UNCLAIMED


class Sight(msgspec.Struct, frozen=True):
    """Members of a finding that saw the same but for numbers. The first speaks for the others."""

    members: tuple[CheckResult, ...]

    @property
    def example(self) -> CheckResult:
        return self.members[0]


class Finding(msgspec.Struct, frozen=True):
    """Rows of one weight, severity, verdict, cause, expectation and target service; `sights` has the most frequent
    first.
    """

    weight: Weight
    members: tuple[CheckResult, ...]
    sights: tuple[Sight, ...]

    @property
    def example(self) -> CheckResult:
        return self.members[0]

    @property
    def about_hosts(self) -> bool:
        """Whether its cause is a host's agent, not a service."""
        return self.example.cause in _ABOUT_A_HOST

    @property
    def severity(self) -> Severity | None:
        """What the matrix says of its service; None also where no service is to blame."""
        return None if self.about_hosts else self.example.severity

    @property
    def side_note(self) -> bool:
        """An exposure that policy only advises on: summarised, not told one by one."""
        one = self.example
        return one.verdict is Verdict.EXPOSED and self.weight is Weight.ADVICE and unclaimed(one)


def findings(report: Report) -> tuple[Finding, ...]:
    """Everything that is no pass, worst first: by weight, then severity; the largest group first among equals."""
    groups: defaultdict[object, list[CheckResult]] = defaultdict(list)
    for check in report.checks:
        worth = weight(check)
        if worth is Weight.PASS:
            continue
        what: object = ()
        if check.cause not in _ABOUT_A_HOST:
            service = (check.matrix, check.target_role, check.service)
            spoken = (check.transport, check.protocol, check.application)
            what = (check.expect, check.need, check.severity, unclaimed(check), bool(check.instead), service, spoken)
        groups[(worth, check.verdict, check.cause, what)].append(check)
    made = [Finding(weight(members[0]), tuple(members), _sights(members)) for members in groups.values()]
    return tuple(sorted(made, key=_rank))


def _rank(finding: Finding) -> tuple[object, ...]:
    one = finding.example
    gravity = _GRAVITY[finding.severity]
    kind = (_ORDER[one.verdict], one.cause or "", -len(finding.members))
    return (-finding.weight, gravity, *kind, one.target_role, one.service)


_WORD, _DIGITS = re.compile(r"[^\s,;()]+"), re.compile(r"\d+")
_NUMERIC = re.compile(r"(?=.*[\d:])[0-9a-fA-F.:/]+")  # a number, or an address of either family


def _sights(members: Iterable[CheckResult]) -> tuple[Sight, ...]:
    groups: defaultdict[object, list[CheckResult]] = defaultdict(list)
    for check in members:
        told = "\0".join((check.detail, check.advice, *(f"{piece.at} {piece.what}" for piece in check.evidence)))
        essence = _essence(told, {check.source, check.target, check.address})
        groups[(check.state, check.where, check.instead, essence)].append(check)
    return tuple(Sight(tuple(group)) for group in sorted(groups.values(), key=len, reverse=True))


def _essence(told: str, names: set[str]) -> str:
    """The text without this pair's names, addresses and numbers: pairs that saw the same compare equal."""

    def kept(word: re.Match[str]) -> str:
        text = word[0].strip(".:'\"")
        return "" if text in names or _NUMERIC.fullmatch(text) else text

    return _DIGITS.sub("", _WORD.sub(kept, told))


class Ways(msgspec.Struct, frozen=True):
    """All pairs of these sources and targets, for the same ports. No sources: each target to itself."""

    sources: tuple[str, ...]
    targets: tuple[tuple[str, str], ...]
    transport: str
    ports: str

    def text(self, limit: int = 8) -> str:
        """`svc-[1:2] → db-1 (10.0.0.8) tcp 5432`; addresses only where they are few."""
        few = len(self.targets) <= 2
        # A party outside the inventory has no name but its address.
        named = [
            name(target) if target == address else f"{name(target)} ({name(address)})"
            for target, address in self.targets
        ]
        targets = ", ".join(named) if few else listed(folded(target for target, _ in self.targets), limit)
        sources = listed(folded(self.sources), limit)
        way = f"{sources} → {targets}" if sources else f"{targets} to itself"
        return f"{way}  {self.transport} {name(self.ports)}"


def ways(members: Sequence[CheckResult]) -> tuple[Ways, ...]:
    """The members' pairs in as few rows as equal ports and equal sets of sources allow."""
    # A target's check of itself has no source, and stays apart from those that come from elsewhere.
    pairs: defaultdict[tuple[str, str, str, str, bool], set[str]] = defaultdict(set)
    for check in members:
        itself = check.source == check.target
        pairs[check.target, check.address, check.transport, check.ports, itself] |= set() if itself else {check.source}
    rows: defaultdict[tuple[tuple[str, ...], str, str], list[tuple[str, str]]] = defaultdict(list)
    for (target, address, transport, text, _), sources in pairs.items():
        rows[tuple(sorted(sources)), transport, text].append((target, address))
    return tuple(Ways(sources, tuple(sorted(targets)), *kind) for (sources, *kind), targets in rows.items())


def overview(report: Report) -> dict[tuple[str, str], dict[Weight, int]]:
    """Source role and target role to how many rows of each weight there are."""
    cells: defaultdict[tuple[str, str], defaultdict[Weight, int]] = defaultdict(lambda: defaultdict(int))
    for check in report.checks:
        cells[check.source_role, check.target_role][weight(check)] += 1
    return {key: dict(cells[key]) for key in sorted(cells)}


def failed_hosts(report: Report) -> tuple[tuple[str, str], ...]:
    """Names of hosts whose agent failed, and the problem."""
    return tuple((host.name, host.problem) for host in report.hosts if host.problem)


def agents_wanted(report: Report) -> int:
    """How many hosts should have had an agent: not those without one on purpose, nor parties outside the inventory."""
    return sum(host.agent is not None or bool(host.problem) for host in report.hosts)
