"""What the ports of a sweep come to that have no check of their own: a row for each state. Pure.

As everywhere, a pass needs evidence: an answer that refuses, or silence at a target that is known to be there. Whatever
was not measured, or was answered by something that answers for all, is inconclusive.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from probe.model.ports import PortSet
from probe.model.result import CheckResult, Evidence
from probe.model.words import Cause, State, Verdict
from probe.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from probe.model.check import Check
    from probe.model.exposed import Sweeping

_REFUSED = (State.CLOSED, State.REJECTED)
_SILENT = (State.FILTERED, State.UNREACHABLE, State.OPEN_FILTERED)


def rows(check: Check, found: Sweeping, ports: PortSet, *, surveyed: bool) -> Iterator[CheckResult]:
    """`ports` are those that are still to be told. `surveyed`: the target said what listens there, and none of these
    ports is among it.
    """
    if found.everything:
        yield _row(check, found, ports, State.OPEN, (Verdict.INCONCLUSIVE, Cause.CONFLICTING_EVIDENCE))
        return
    alive = surveyed or State.CLOSED in found.states or State.OPEN in found.states
    for state, text in found.states.items():
        part = PortSet.parse(text) & ports if text else PortSet()
        if part:
            yield _row(check, found, part, state, _verdict(state, found, surveyed=surveyed, alive=alive))


def unmeasured(check: Check, ports: PortSet, cause: Cause, problem: str) -> CheckResult:
    """For a sweep that did not come to an end."""
    return _made(check, ports, None, (Verdict.INCONCLUSIVE, cause), (), problem)


def _verdict(state: State, found: Sweeping, *, surveyed: bool, alive: bool) -> tuple[Verdict, Cause | None]:
    if state is State.ERROR:
        return Verdict.INCONCLUSIVE, Cause.TIMEOUT
    if state is State.OPEN:
        return Verdict.EXPOSED, None
    if state in _REFUSED or surveyed:
        return Verdict.PASS, None
    if state is State.OPEN_FILTERED:
        return Verdict.INCONCLUSIVE, None
    return (Verdict.PASS, None) if alive else (Verdict.INCONCLUSIVE, Cause.NO_AGENT)


def _row(
    check: Check, found: Sweeping, ports: PortSet, state: State, verdict: tuple[Verdict, Cause | None]
) -> CheckResult:
    return _made(check, ports, state, verdict, tuple(_evidence(found)), _detail(check, found, ports, state, verdict[0]))


def _detail(check: Check, found: Sweeping, ports: PortSet, state: State, verdict: Verdict) -> str:
    if found.everything:
        return (
            f"something answers {check.source} on every port of {check.address}, also where nobody listens: what of "
            f"{check.target} can be reached is not known"
        )
    onto = [str(port) for port, translated in found.translated.items() if PortSet.parse(translated) & ports]
    match state, verdict:
        case State.OPEN, _ if onto:
            return (
                f"{check.source} reaches udp {', '.join(onto)} of {check.target} by this port (translated on the way), "
                "and somebody listens there; no flow allows it"
            )
        case State.OPEN, _:
            return f"it answers {check.source}, and no flow allows it"
        case State.ERROR, _:
            return found.problem or "not measured before the time ran out"
        case State.CLOSED, _ if found.arrived is not None:
            return "it arrives, and nothing listens there"
        case State.OPEN_FILTERED, Verdict.INCONCLUSIVE:
            return "no answer and no refusal: a UDP service need not answer a stranger's datagram"
        case _, Verdict.INCONCLUSIVE:
            return f"nothing at all of {check.target} answered: whether it is there is not known"
        case _:
            return "not open, as it should be"


def _evidence(found: Sweeping) -> Iterator[Evidence]:
    counts = ", ".join(f"{len(PortSet.parse(ports)):,} {state}" for state, ports in found.states.items() if ports)
    packets = f"{found.sent:,} packets in {found.seconds:.1f} s"
    doubt = f"; a silent port would have answered with a probability of {found.residual:.0e}" if found.residual else ""
    yield Evidence(at="source", what=f"a sweep with {packets}: {counts or 'nothing'}{doubt}")
    for one in found.rejections[:3]:
        sender = printable(one.sender) or "an unknown sender"
        number = len(PortSet.parse(one.ports)) if one.ports else 0
        yield Evidence(at="source", what=f"ICMP type {one.type}, code {one.code} from {sender} for {number:,} ports")
    if found.arrived is not None:
        number = len(PortSet.parse(found.arrived)) if found.arrived else 0
        yield Evidence(at="target", what=f"datagrams for {number:,} of these ports arrived at the interface")


def _made(
    check: Check,
    ports: PortSet,
    state: State | None,
    verdict: tuple[Verdict, Cause | None],
    evidence: tuple[Evidence, ...],
    detail: str,
) -> CheckResult:
    return CheckResult(
        id=check.id,
        source=check.source,
        target=check.target,
        source_role=check.source_role,
        target_role=check.target_role,
        address=check.address,
        transport=check.transport,
        ports=str(ports),
        protocol=check.protocol,
        service=check.service,
        matrix=check.matrix,
        rule=check.rule,
        also=check.also,
        cite=check.cite,
        expect=check.expect,
        policy=check.policy,
        need=check.need,
        state=state,
        verdict=verdict[0],
        cause=verdict[1],
        evidence=evidence,
        detail=printable(detail),
        advice=_ADVICE.get(verdict, ""),
        undeclared=check.undeclared,
    )


_ADVICE: dict[tuple[Verdict, Cause | None], str] = {
    (Verdict.EXPOSED, None): "Find out what answers there, and close it if it is not meant.",
    (Verdict.INCONCLUSIVE, Cause.CONFLICTING_EVIDENCE): (
        "Find out what answers in the target's place (a SYN proxy, a balancer), and look from behind it."
    ),
    (Verdict.INCONCLUSIVE, Cause.TIMEOUT): "Run again with a higher --max-rate, or with --only for a part.",
    (Verdict.INCONCLUSIVE, Cause.AGENT_LOST): "Find out why the agent ended (its own log, memory), then run again.",
    (Verdict.INCONCLUSIVE, Cause.NO_AGENT): "Look from the side of the target, or give it an agent.",
    (Verdict.INCONCLUSIVE, Cause.RESOURCES): "Remove what the evidence names, then run again.",
    (Verdict.INCONCLUSIVE, None): "Give the target an agent that may look at its interfaces (CAP_NET_RAW).",
}
