"""Many rows to few findings: what has one cause is told once, with its members."""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from enum import IntEnum
from typing import TYPE_CHECKING

import msgspec

from probe.model.result import CheckResult, Where
from probe.model.words import Severity, Verdict
from probe.report.grouping import Kind, listened, together, unclaimed

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Mapping, Sequence

    from probe.model.result import Report

_ORDER = {verdict: place for place, verdict in enumerate(Verdict)}
# Where the matrix says nothing, it is neither played up nor down.
_GRAVITY: dict[Severity | None, int] = {
    severity: place
    for place, severity in enumerate(
        (Severity.CRITICAL, Severity.HIGH, Severity.MEDIUM, None, Severity.LOW, Severity.INFO)
    )
}


class Weight(IntEnum):
    """What a row is worth, the worst highest."""

    NOTHING = 0
    PASS = 1
    WAIVED = 2
    ADVICE = 3
    INCONCLUSIVE = 4
    DEVIATION = 5


def weight(check: CheckResult) -> Weight:
    """A row that another stands in for is advice, whatever became of it: nobody has to wait for it."""
    if check.waived:
        return Weight.WAIVED
    if check.instead:
        return Weight.ADVICE
    if check.verdict is Verdict.PASS:
        return Weight.PASS
    if check.deviates:
        return Weight.DEVIATION
    return Weight.INCONCLUSIVE if check.verdict is Verdict.INCONCLUSIVE else Weight.ADVICE


class Sight(msgspec.Struct, frozen=True):
    """Members of a finding that saw the same but for numbers. The first speaks for the others."""

    members: tuple[CheckResult, ...]

    @property
    def example(self) -> CheckResult:
        return self.members[0]

    @property
    def where(self) -> Where | None:
        return _common_place(self.members)


class Finding(msgspec.Struct, frozen=True):
    """Rows of one weight, verdict and cause that have the same to blame. `sights` has the most frequent first.
    `devices` are those on the way that are to blame, with the addresses by which they are known; one without a name is
    called by its address.
    """

    weight: Weight
    kind: Kind
    members: tuple[CheckResult, ...]
    sights: tuple[Sight, ...]
    devices: dict[str, tuple[str, ...]] = {}

    @property
    def example(self) -> CheckResult:
        return self.members[0]

    @property
    def about_hosts(self) -> bool:
        """Whether its cause is a host's agent, not a service."""
        return self.kind is Kind.AGENTS

    @property
    def severity(self) -> Severity | None:
        """The worst that the matrix says of its services; None also where no service is to blame."""
        return None if self.about_hosts else min((row.severity for row in self.members), key=_GRAVITY.__getitem__)

    @property
    def where(self) -> Where | None:
        """The place that all members name, without the hop where they are not equally far from it."""
        return _common_place(self.members)

    @property
    def side_note(self) -> bool:
        """An exposure that policy only advises on: summarised, not told one by one."""
        one = self.example
        return one.verdict is Verdict.EXPOSED and self.weight is Weight.ADVICE and unclaimed(one)


def findings(report: Report) -> tuple[Finding, ...]:
    """Everything that is no pass, worst first: by weight, then severity; the largest group first among equals."""
    names = {address: host.name for host in report.hosts for address in host.addresses}
    by_weight: defaultdict[Weight, list[CheckResult]] = defaultdict(list)
    weighed = [(worth, check) for check in report.checks if (worth := weight(check)) is not Weight.PASS]
    heaviest = _listeners(weighed)
    for worth, check in weighed:
        by_weight[worth if worth is Weight.WAIVED else heaviest.get(listened(check), worth)].append(check)
    made = [
        Finding(worth, kind, members, _sights(kind, members), _devices(members, names) if kind is Kind.DEVICE else {})
        for worth, rows in by_weight.items()
        for kind, members in together(rows, names)
    ]
    return tuple(sorted(made, key=_rank))


def anchor(finding: Finding) -> str:
    """Where a finding is in the page; the same in every page in which it has the same rows."""
    digest = hashlib.blake2s(digest_size=6)
    for row in sorted({f"{row.id} {row.address} {row.ports} {row.verdict} {row.cause}" for row in finding.members}):
        digest.update(row.encode("utf-8", "backslashreplace") + b"\0")
    return f"finding-{digest.hexdigest()}"


def _devices(members: Iterable[CheckResult], names: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    devices: dict[str, tuple[str, ...]] = {}
    for address in dict.fromkeys(row.where.address or "" for row in members if row.where is not None):
        called = names.get(address, address)
        devices[called] = (*devices.get(called, ()), address)
    return devices


def _listeners(weighed: Iterable[tuple[Weight, CheckResult]]) -> dict[Hashable, Weight]:
    """A program that is exposed is one finding, and worth what its worst row is: to some it may be a deviation, to
    others advice.
    """
    found: dict[Hashable, Weight] = {}
    for worth, check in weighed:
        if (what := listened(check)) is not None:
            found[what] = max(found.get(what, Weight.NOTHING), worth)
    return found


def _rank(finding: Finding) -> tuple[object, ...]:
    one = finding.example
    gravity = _GRAVITY[finding.severity]
    kind = (_ORDER[one.verdict], one.cause or "", -len(finding.members))
    return (-finding.weight, gravity, *kind, one.target_role, one.service)


def _common_place(members: Sequence[CheckResult]) -> Where | None:
    one = members[0].where
    if one is None or any(row.where is None for row in members):
        return None
    places = {row.where for row in members if row.where is not None}
    if len({(place.address, place.side) for place in places}) > 1:
        return None
    return one if len(places) == 1 else Where(address=one.address, side=one.side)


_WORD, _DIGITS = re.compile(r"[^\s,;()]+"), re.compile(r"\d+")
_BETWEEN = re.compile(r"[\s,;()]+")
_NUMERIC = re.compile(r"(?=.*[\d:])[0-9a-fA-F.:/]+")  # a number, or an address of either family


def _sights(kind: Kind, members: Iterable[CheckResult]) -> tuple[Sight, ...]:
    groups: defaultdict[object, list[CheckResult]] = defaultdict(list)
    for check in members:
        told = "\0".join((check.detail, check.advice, *(f"{piece.at} {piece.what}" for piece in check.evidence)))
        essence = _essence(told, {check.source, check.target, check.address})
        place = None if kind is Kind.DEVICE else _relative(check)  # the finding names it
        groups[(check.state, place, check.instead, essence)].append(check)
    return tuple(Sight(tuple(group)) for group in sorted(groups.values(), key=len, reverse=True))


def _relative(check: CheckResult) -> object:
    """The place as each pair would name it: however far away, and one's own without its address."""
    if check.where is None:
        return None
    own = check.where.hop == 0 or check.where.address == check.address
    return check.where.side, "" if own else check.where.address


def _essence(told: str, names: set[str]) -> str:
    """The text without this pair's names, addresses and numbers, and how many of them there are: pairs that saw the
    same compare equal.
    """

    def kept(word: re.Match[str]) -> str:
        text = word[0].strip(".:'\"")
        return "" if text in names or _NUMERIC.fullmatch(text) else text

    return _BETWEEN.sub(" ", _DIGITS.sub("", _WORD.sub(kept, told)))


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
