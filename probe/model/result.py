"""What a run found. The shape of the JSON report (DESIGN: files), in values.

Rows and their parts have no way back to themselves: thousands of them need not be searched for cycles (gc=False).
"""

from __future__ import annotations

import msgspec

from probe.model.certificate import TlsSeen
from probe.model.check import Unchecked
from probe.model.exposed import Exposed, Listener
from probe.model.waiver import Waived, WaiverUse
from probe.model.words import (
    Cause,
    Expect,
    Need,
    Phase,
    Policy,
    Protocol,
    Severity,
    State,
    Transport,
    Verdict,
    Zone,
)


class Where(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The device that rejected (`side` "at"), or the last one known to have passed the packet on ("after"). `hop`
    counts from the source, 0 being the source itself; None where it was not measured.
    """

    address: str | None = None
    hop: int | None = None
    side: str | None = None


class Evidence(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """`at` is `source`, `target` or `coordinator`; `what` is one sentence, with text from the network already made
    printable.
    """

    at: str
    what: str


class CheckResult(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A run of ports of one check that had one outcome. `advice` is what to do, the matrix's own remedy first; empty
    for a pass. `application` is the matrix's word for what is spoken where `protocol` does not say it. `tls` is there
    if a handshake told something. `instead` says why nothing is lost although this failed, such as another way that
    the matrix says is enough: then it fails no run. Of what is exposed, `listener` is who takes it, where the target
    said so, `allowed` are the roles from which a flow leads there, and `undeclared` that no service has the port.
    `waived`: it fails no run, for somebody has accepted it.
    """

    id: str
    source: str
    target: str
    source_role: str
    target_role: str
    address: str
    transport: Transport
    ports: str
    protocol: Protocol
    service: str
    matrix: str
    rule: str
    also: tuple[str, ...]
    cite: str
    expect: Expect
    policy: Policy
    need: Need
    state: State | None
    verdict: Verdict
    cause: Cause | None = None
    where: Where | None = None
    evidence: tuple[Evidence, ...] = ()
    elapsed_ms: float | None = None
    rtt_ms: float | None = None
    detail: str = ""
    advice: str = ""
    application: str = ""
    severity: Severity | None = None
    tls: TlsSeen | msgspec.UnsetType = msgspec.UNSET  # most rows have none
    instead: str = ""
    listener: Listener | None = None
    allowed: tuple[str, ...] = ()
    undeclared: bool = False
    waived: Waived | msgspec.UnsetType = msgspec.UNSET

    @property
    def deviates(self) -> bool:
        """Whether this row moves the exit code to 1."""
        return self._counts and self.verdict not in (Verdict.PASS, Verdict.INCONCLUSIVE)

    @property
    def unsettled(self) -> bool:
        """Whether this row moves the exit code to 6."""
        return self._counts and self.verdict is Verdict.INCONCLUSIVE

    @property
    def _counts(self) -> bool:
        required = self.policy is Policy.ENFORCE and self.need is Need.REQUIRED
        return required and not self.instead and not self.waived


class AgentInfo(msgspec.Struct, frozen=True, kw_only=True):
    version: str
    capabilities: tuple[str, ...] = ()
    channel: str = ""


class HostResult(msgspec.Struct, frozen=True, kw_only=True):
    """`agent` is None where none answered; `problem` then says why and what to do. `external`: not of the inventory, a
    place that the matrix names.
    """

    name: str
    addresses: tuple[str, ...]
    roles: tuple[str, ...] = ()
    zone: Zone = Zone.INSIDE
    agent: AgentInfo | None = None
    problem: str = ""
    external: bool = False


class RunInfo(msgspec.Struct, frozen=True, kw_only=True):
    """`started` and `finished` are RFC 3339. `interrupted`: the report is partial."""

    id: str
    started: str
    finished: str
    phase: Phase
    matrix: tuple[str, ...]
    inventory: str
    seed: int
    version: str
    interrupted: bool = False


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """Rows counted by ports: a range of 1,001 ports is one check in the plan and counts once for each run of equal
    outcome.

    `coverage` is the share of rows that were measured (1.0: nothing is inconclusive). `deviations` are the rows that
    moved the exit code, `waived` those that somebody has accepted, `advice` the other failing rows that did not.
    `not_checkable` are rows of the matrix, not of hosts.
    """

    checks: int = 0
    passed: int = msgspec.field(default=0, name="pass")
    blocked: int = 0
    down: int = 0
    mismatch: int = 0
    exposed: int = 0
    inconclusive: int = 0
    coverage: float = 0.0
    deviations: int = 0
    advice: int = 0
    not_checkable: int = 0
    waived: int = 0


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a report may show. `not_checkable` is what the matrix asks for and cannot be probed. `notes` are
    sentences about the run as a whole (groups that no matrix knows, hosts without an address). `exposure`: how ports
    that no service names were looked for; None where they were not. `waivers`: those that were laid over the rows.
    """

    schema: str = "portcheck.report/1"
    run: RunInfo
    summary: Summary
    hosts: tuple[HostResult, ...] = ()
    checks: tuple[CheckResult, ...] = ()
    not_checkable: tuple[Unchecked, ...] = ()
    notes: tuple[str, ...] = ()
    exposure: Exposed | None = None
    waivers: tuple[WaiverUse, ...] = ()


def summarise(checks: tuple[CheckResult, ...], not_checkable: int = 0) -> Summary:
    counts = dict.fromkeys(Verdict, 0)
    deviations = advice = waived = 0
    for check in checks:
        counts[check.verdict] += 1
        deviations += check.deviates
        waived += bool(check.waived)
        passing = check.verdict is Verdict.PASS
        advice += not (passing or check.deviates or check.unsettled or check.waived)
    return Summary(
        checks=len(checks),
        passed=counts[Verdict.PASS],
        blocked=counts[Verdict.BLOCKED],
        down=counts[Verdict.DOWN],
        mismatch=counts[Verdict.MISMATCH],
        exposed=counts[Verdict.EXPOSED],
        inconclusive=counts[Verdict.INCONCLUSIVE],
        coverage=round(1 - counts[Verdict.INCONCLUSIVE] / len(checks), 4) if checks else 0.0,
        deviations=deviations,
        advice=advice,
        not_checkable=not_checkable,
        waived=waived,
    )
