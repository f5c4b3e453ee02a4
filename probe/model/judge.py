"""Expectation and observations to a verdict: pure, and the only place that knows both.

The rule above all rules: what was not measured is `inconclusive`, never `pass`; a cause is given where the evidence
proves one, else it stays None.
"""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from probe.model.certificate import Certificate, complaints
from probe.model.check import Check
from probe.model.ends import Answer, Ends, Stuck
from probe.model.http import without_port
from probe.model.observation import Failure, Holder, Observation, Operation, PortUse, Proof, Receipts, TargetView
from probe.model.path import Path
from probe.model.result import Where
from probe.model.tls import HUNG_UP, NO_TLS
from probe.model.words import Cause, Expect, Listen, Phase, Protocol, State, Transport, Verdict

# Failures of which the source's own kernel knows that nothing was sent, and why.
_NOT_SENT = frozenset({Failure.NOT_PERMITTED, Failure.NO_ROUTE, Failure.HOST_UNREACHABLE})
_BROKEN_OFF = frozenset({Failure.TIMEOUT, Failure.RESET, Failure.CLOSED})
# Type and code, by family (RFC 792, RFC 4443).
_HOST_UNREACHABLE = {4: (3, 1), 6: (1, 3)}


class Situation(msgspec.Struct, frozen=True, kw_only=True):
    """Everything known about a run of ports of one check. `certificates` are those that the observation has, readable.

    `source_problem` and `target_problem` are NO_AGENT or AGENT_LOST where that agent cannot speak; `agentless` marks
    a target that has none on purpose. `alive` means that another source reached this very port in this run, `there`
    that somebody at its address answered on some port. `astray` says whose the address is to which the target's name
    leads on this source, where that is not the target's. `decoy`: at that address a port accepted where nothing
    listens. `holder` is what the process that has the port is to the protocol, `told` what the service answered, in
    words. `doubtful`: it worked, and the target did not see it come in. Addresses are those that belong to source and
    target; `source_carried` those that the source has beside its own of the
    inventory.
    """

    check: Check
    phase: Phase
    seen: Observation | None = None
    view: TargetView = TargetView()
    receipts: Receipts = Receipts()
    source_problem: Cause | None = None
    target_problem: Cause | None = None
    agentless: bool = False
    alive: bool = False
    there: bool = False
    ends: Ends | None = None
    path: Path | None = None
    large: bool | None = None
    astray: str = ""
    certificates: tuple[Certificate, ...] = ()
    now: datetime = datetime.max.replace(tzinfo=UTC)
    decoy: bool = False
    holder: Holder = Holder.UNKNOWN
    told: str = ""
    doubtful: bool = False
    source_addresses: frozenset[str] = frozenset()
    source_carried: frozenset[str] = frozenset()
    target_addresses: frozenset[str] = frozenset()


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    verdict: Verdict
    cause: Cause | None = None
    where: Where | None = None


def judge(situation: Situation) -> Judgement:
    """The verdict, with its cause and place where they are proven."""
    if situation.source_problem is not None and situation.seen is None:
        return _unknown(situation.source_problem)
    if situation.check.same_host:
        return _same_host(situation)
    if situation.view.use in (PortUse.DENIED, PortUse.OUTGOING):
        return _unknown(Cause.RESOURCES)
    if situation.check.expect is Expect.BLOCK:
        return _block(situation)
    if situation.phase is Phase.PRE_INSTALL:
        if situation.view.use is PortUse.LISTENER and not situation.check.shares_ports:
            return Judgement(verdict=Verdict.MISMATCH, cause=Cause.PORT_TAKEN)
        if situation.view.use is PortUse.UNKNOWN and not situation.agentless:
            return _unknown(situation.target_problem or Cause.NO_AGENT)
    if situation.astray and situation.seen is not None:
        return Judgement(verdict=Verdict.MISMATCH, cause=Cause.DNS)
    return _unmeasured(situation) or (
        _stand_in(situation) if situation.view.use is PortUse.STAND_IN else _service(situation)
    )


def http_healthy(status: int, wanted: tuple[int, ...]) -> bool:
    """Without a list of its own a service is healthy with any status below 500 but 400: a well-formed request that is
    called bad was read by something that expected another protocol (a TLS port asked in plain HTTP says so).
    """
    return status in wanted if wanted else status < 500 and status != 400


def tls_complaints(situation: Situation) -> tuple[str, ...]:
    """What of a handshake does not meet the matrix's demands."""
    check, seen = situation.check, situation.seen
    if check.tls is None or seen is None or seen.tls is None:
        return ()
    host = check.http.host if check.http is not None else ""
    name = check.tls.server_name or without_port(host) or check.address
    return complaints(check.tls, seen.tls, situation.certificates, name, situation.now)


def _mismatch(cause: Cause | None) -> Judgement:
    return Judgement(verdict=Verdict.MISMATCH, cause=cause)


def _unknown(cause: Cause | None) -> Judgement:
    return Judgement(verdict=Verdict.INCONCLUSIVE, cause=cause)


def _unmeasured(situation: Situation) -> Judgement | None:
    """Attempts that never became an observation of the port; None if there is one."""
    seen = situation.seen
    if seen is None:
        return _unknown(situation.target_problem or Cause.TIMEOUT)
    if seen.state is not State.ERROR:
        return None
    match seen.failure:
        case Failure.NOT_RESOLVED:
            return Judgement(verdict=Verdict.MISMATCH, cause=Cause.DNS)
        case Failure.TIMEOUT | None:
            return _unknown(Cause.TIMEOUT)
        case _:
            return _unknown(Cause.RESOURCES)


def _same_host(situation: Situation) -> Judgement:
    """A host and itself: there is a listener or there is not; no firewall is judged."""
    live = situation.phase is not Phase.PRE_INSTALL
    match situation.view.use:
        case PortUse.STAND_IN:
            return Judgement(verdict=Verdict.PASS)
        case PortUse.LISTENER if live or situation.check.shares_ports:
            return Judgement(verdict=Verdict.PASS)
        case PortUse.LISTENER:
            return Judgement(verdict=Verdict.MISMATCH, cause=Cause.PORT_TAKEN)
        case PortUse.FREE | PortUse.ELSEWHERE if situation.check.listen not in (Listen.ALL, Listen.ACTIVE):
            return Judgement(verdict=Verdict.PASS)
        case PortUse.FREE:
            return Judgement(verdict=Verdict.DOWN, cause=Cause.NOT_LISTENING)
        case PortUse.ELSEWHERE:
            return Judgement(verdict=Verdict.DOWN, cause=Cause.BOUND_ELSEWHERE)
        case PortUse.DENIED | PortUse.OUTGOING:
            return _unknown(Cause.RESOURCES)
        case _:
            return _unknown(situation.target_problem or Cause.TIMEOUT)


def _stand_in(situation: Situation) -> Judgement:
    """A stand-in listens: whatever is not its keyed answer is somebody else's doing."""
    seen, receipts = situation.seen, situation.receipts
    assert seen is not None  # noqa: S101  (judge asked _unmeasured first)
    if seen.proof is Proof.KEYED:
        if situation.large is False:
            return _blocked(Cause.MTU, None)
        return _passes(situation)
    if situation.target_problem is not None:
        return _unknown(situation.target_problem)
    if receipts.elsewhere:
        # Another target's stand-in got what was meant for this one: whatever came back, it went astray.
        return Judgement(verdict=Verdict.MISMATCH, cause=Cause.INTERCEPTED)
    if receipts.starved and not receipts.answered:
        return _unknown(Cause.RESOURCES)
    if seen.state is not State.OPEN:
        return _not_open(situation, seen)
    if seen.failure is not Failure.BAD_ANSWER and (receipts.answered or receipts.arrived):
        return Judgement(verdict=Verdict.BLOCKED, cause=Cause.PAYLOAD)
    return Judgement(verdict=Verdict.MISMATCH, cause=Cause.INTERCEPTED)


def _service(situation: Situation) -> Judgement:
    """The service itself was asked."""
    seen, use, check = situation.seen, situation.view.use, situation.check
    assert seen is not None  # noqa: S101
    if seen.state is State.OPEN:
        return _answered(situation, seen)
    if use is PortUse.UNKNOWN and not situation.alive:
        return _unattended(situation, seen)
    if seen.state is State.OPEN_FILTERED:
        # A stranger's datagram need not be answered; but where it did not arrive, no service was asked, and where it
        # was answered, that was lost.
        ends = situation.ends
        told = ends is not None and (False in (ends.left, ends.arrived) or ends.answered is Answer.ACCEPT)
        if told:
            return _by_both_ends(situation, seen) or _unknown(None)
        # Whatever became of the datagram, no service of the kind could have had it.
        other = use is PortUse.LISTENER and situation.holder is Holder.ANOTHER
        return _mismatch(Cause.WRONG_SERVICE) if other else _unknown(None)
    if situation.target_problem is Cause.AGENT_LOST:
        return _unknown(Cause.AGENT_LOST)
    if seen.state is State.CLOSED and _refused_by_another(situation.ends):
        return _not_open(situation, seen)
    if seen.state is State.CLOSED and use is PortUse.ELSEWHERE:
        return Judgement(verdict=Verdict.DOWN, cause=Cause.BOUND_ELSEWHERE)
    if seen.state is State.CLOSED and use is PortUse.FREE:
        if check.listen is Listen.ALL:
            return Judgement(verdict=Verdict.DOWN, cause=Cause.NOT_LISTENING)
        return _unknown(None)  # a refusal where nothing listens does not tell the target's from a firewall's
    return _not_open(situation, seen)


def _unattended(situation: Situation, seen: Observation) -> Judgement:
    """Nothing on the target speaks for it: only who says that it rejects can be believed, the target included, and the
    source of what it did not send.

    What could not be delivered meets no rule. The target may be off, and of that devices tell late, seldom or not at
    all: so it says no more than silence, unless somebody is known to be there.
    """
    rejected = seen.icmp is not None and bool(seen.icmp.sender) and seen.state is not State.CLOSED
    undelivered = _nobody_near(situation) or (seen.state is State.UNREACHABLE and _icmp_from_between(situation, seen))
    not_sent = _kept_in(situation.ends, seen) or seen.failure in (Failure.NO_ROUTE, Failure.NOT_PERMITTED)
    if situation.there if undelivered and not not_sent else rejected or not_sent:
        return _not_open(situation, seen)
    return _unknown(situation.target_problem or Cause.NO_AGENT)


def _answered(situation: Situation, seen: Observation) -> Judgement:
    check, ends = situation.check, situation.ends
    if situation.receipts.elsewhere:
        return _unknown(Cause.CONFLICTING_EVIDENCE)  # it was another host's stand-in
    if ends is not None and ends.arrived is False:
        return Judgement(verdict=Verdict.MISMATCH, cause=Cause.INTERCEPTED)
    if ends is not None and ends.arrived and ends.answered in (Answer.NOTHING, Answer.RESET, Answer.ICMP):
        # Who answers first for the target asks the target too, and that does not answer.
        return _by_both_ends(situation, seen) or _unknown(Cause.CONFLICTING_EVIDENCE)
    if seen.failure in _BROKEN_OFF and ends is not None and ends.data_lost:
        return _blocked(Cause.PAYLOAD, None)
    if tls_complaints(situation):
        return _mismatch(Cause.TLS)
    if seen.failure is not None and seen.operation is Operation.TLS:
        return _mismatch(_no_session(situation, seen))
    if seen.failure is Failure.BAD_ANSWER:
        return _mismatch(Cause.WRONG_SERVICE)
    if check.dialogue is not None:
        return _told_wrongly(situation, seen) or _there(situation)
    if seen.status is not None and not http_healthy(seen.status, check.status):
        # It says so of itself: not now (RFC 9110, section 15.6.4).
        return _mismatch(Cause.UNHEALTHY if seen.status == 503 else Cause.HTTP_STATUS)
    if seen.failure is not None:
        return _mismatch(Cause.UNHEALTHY if seen.failure is Failure.UNHEALTHY else _silent(situation, seen))
    if check.tls is not None and seen.tls is None and check.protocol is not Protocol.HTTP_OR_HTTPS:
        return _unknown(None)  # what is demanded of a handshake was not measured
    return _there(situation)


def _there(situation: Situation) -> Judgement:
    """Something answers as the service should."""
    if situation.view.use in (PortUse.FREE, PortUse.ELSEWHERE):
        return _unknown(Cause.CONFLICTING_EVIDENCE)  # and the target's table knows of nothing
    return _passes(situation)


def _passes(situation: Situation) -> Judgement:
    """It got through; and so would every other connection, unless one of several next hops loses them."""
    path = situation.path
    if situation.doubtful and situation.ends is None:
        return _unknown(Cause.CONFLICTING_EVIDENCE)  # and nobody could look again
    if path is not None and path.by_flow.bad_hop:
        # Flows that came by the same devices may be lost on the way back just as well.
        return _blocked(Cause.NETWORK, _stopped(situation)) if path.forked else _blocked(None, None)
    return Judgement(verdict=Verdict.PASS)


def _told_wrongly(situation: Situation, seen: Observation) -> Judgement | None:
    """What is amiss with a service that was asked in its own protocol; None if nothing is."""
    if seen.failure is Failure.UNHEALTHY:
        return _mismatch(Cause.UNHEALTHY)
    if seen.failure is None:
        # What is demanded of TLS is demanded of all that is said.
        return _mismatch(Cause.TLS) if situation.check.tls is not None and seen.tls is None else None
    if seen.failure is Failure.TIMEOUT and seen.operation is Operation.SEND:
        # The connection was made, and the target's kernel never confirmed the data: no service was slow.
        if situation.ends is not None and situation.ends.overflow:
            target = Where(address=situation.check.address, side="at")
            return Judgement(verdict=Verdict.DOWN, cause=Cause.OVERLOAD, where=target)
        return _blocked(Cause.PAYLOAD, None)
    return _mismatch(_silent(situation, seen))


def _no_session(situation: Situation, seen: Observation) -> Cause | None:
    """What it means that a handshake for TLS came to nothing."""
    if seen.text in (NO_TLS, HUNG_UP) and situation.holder is Holder.ANOTHER:
        return Cause.WRONG_SERVICE
    if seen.text == HUNG_UP:
        # A device on the way may have done that: only what came to the target is the service's doing.
        return Cause.TLS if situation.ends is not None and situation.ends.arrived else None
    # Who had agreed to shake hands, or said what he does not like, speaks TLS, or should. In a dialogue so does who is
    # silent: a service without TLS may wait for the end of a line. Whoever stands before it may be ill.
    told = seen.failure is Failure.BAD_ANSWER or seen.proof is Proof.ANSWERED
    waits = situation.check.dialogue is not None and seen.failure is Failure.TIMEOUT
    own = situation.holder in (Holder.SPEAKER, Holder.UNKNOWN)
    return Cause.TLS if told or (waits and own) else _silent(situation, seen)


def _silent(situation: Situation, seen: Observation) -> Cause | None:
    """What ails a process that took a request, or had to speak first, and said nothing: that depends on what it is."""
    match situation.holder:
        case Holder.SPEAKER | Holder.RELAY:
            return Cause.UNHEALTHY
        case Holder.BALANCER:
            # One with a dead back end hangs up. One that waits may wait for HTTP, if that is not what it was asked, or
            # for a back end that hangs.
            waits = seen.failure is Failure.TIMEOUT and situation.check.dialogue is not None
            return None if waits else Cause.UNHEALTHY
        case Holder.ANOTHER:
            return Cause.WRONG_SERVICE
        case _:
            return None


def _not_open(situation: Situation, seen: Observation) -> Judgement:
    """A listener is there, and the source did not reach it."""
    return _by_both_ends(situation, seen) or _by_the_source(situation, seen)


def _by_both_ends(situation: Situation, seen: Observation) -> Judgement | None:
    """Where the packets of a fresh attempt stopped; None where the interfaces do not prove it."""
    ends = situation.ends
    if ends is not None and ends.stuck is not None and ends.left is False:
        here = _at_the_source(situation, seen)
        if ends.stuck is Stuck.ROUTE:
            return _blocked(Cause.NO_ROUTE, here)
        return _blocked(Cause.NETWORK, msgspec.structs.replace(here, side="after"))
    # The source's own kernel says why it did not send, and an ICMP error names its sender: better than any guess.
    if ends is None or seen.failure in _NOT_SENT or _icmp_from_between(situation, seen):
        return None
    if ends.left is False:
        return _blocked(Cause.SOURCE_FIREWALL, _at_the_source(situation, seen))
    if ends.arrived is False:
        return _blocked(Cause.NETWORK, _stopped(situation)) if _has_left(situation) else None
    refused = seen.failure is Failure.REFUSED
    if ends.returned is Answer.ACCEPT and ends.answered in (Answer.ACCEPT, None) and not refused:
        return _blocked(Cause.SOURCE_FIREWALL, _at_the_source(situation, seen))
    if not ends.arrived or ends.answered is None:
        return None
    if refused and _refused_by_another(ends):
        return _blocked(Cause.NETWORK, _stopped(situation))
    return _by_the_target(situation, seen, ends)


def _by_the_target(situation: Situation, seen: Observation, ends: Ends) -> Judgement | None:
    """What became of a fresh attempt that arrived, and whose answer is known."""
    target = Where(address=situation.check.address, side="at")
    if ends.answered is Answer.NOTHING and ends.overflow and situation.check.transport is Transport.TCP:
        # Arrived, and nobody had room for it: no firewall.
        if situation.view.use is PortUse.STAND_IN:
            return _unknown(Cause.RESOURCES)
        return Judgement(verdict=Verdict.DOWN, cause=Cause.OVERLOAD, where=target)
    if ends.answered is Answer.NOTHING and ends.stuck_back is not None:
        return _blocked(Cause.RETURN_PATH, target)
    if ends.answered is Answer.RESET and situation.view.use in (PortUse.FREE, PortUse.ELSEWHERE):
        return _refusal_lost(situation, seen, ends)
    if ends.answered in (Answer.NOTHING, Answer.RESET, Answer.ICMP):
        return _blocked(Cause.TARGET_FIREWALL, target)
    if ends.returned is Answer.NOTHING:
        return _blocked(Cause.RETURN_PATH, None)
    return None


def _nobody_near(situation: Situation) -> bool:
    """Whether the next machine on the way, perhaps the target, is gone."""
    ends = situation.ends
    return ends is not None and ends.left is False and ends.stuck is Stuck.NEIGHBOUR


def _kept_in(ends: Ends | None, seen: Observation) -> bool:
    """Whether nothing left the source, and not because the next machine on the way is gone. The source's kernel says of
    its own rules what it says of that one.
    """
    if ends is None or ends.left is not False or ends.stuck is Stuck.NEIGHBOUR:
        return False
    return seen.failure is not Failure.HOST_UNREACHABLE and (seen.state is not State.UNREACHABLE or ends.near)


def _refusal_lost(situation: Situation, seen: Observation, ends: Ends) -> Judgement | None:
    """Nothing listens there, so the target's kernel refuses of itself: who keeps that from the source?"""
    if seen.state is not State.FILTERED:
        return None  # the source was answered, by somebody else
    if ends.returned is Answer.RESET:
        return _blocked(Cause.SOURCE_FIREWALL, _at_the_source(situation, seen))
    return _blocked(Cause.RETURN_PATH, None) if ends.returned is Answer.NOTHING else None


def _refused_by_another(ends: Ends | None) -> bool:
    """Whether a refusal that the source got was not the target's: it was not asked, said nothing, or accepted."""
    return ends is not None and (ends.arrived is False or ends.answered in (Answer.NOTHING, Answer.ACCEPT))


def _has_left(situation: Situation) -> bool:
    """Whether the attempts are known to have come as far as the network."""
    ends, path = situation.ends, situation.path
    return bool(ends and ends.left) or (path is not None and path.last is not None)


def _at_the_source(situation: Situation, seen: Observation) -> Where:
    """Its address of the family that was dialled."""
    is_ipv6 = ":" in situation.check.address
    own = sorted(address for address in situation.source_addresses if (":" in address) is is_ipv6)
    return Where(address=seen.local or next(iter(own), None), hop=0, side="at")


def _stopped(situation: Situation) -> Where | None:
    """The device that answered in the target's place, or the last one known to have passed it on."""
    path, seen = situation.path, situation.seen
    if path is None or (path.passed and seen is not None and seen.failure is not Failure.REFUSED):
        return None  # what stopped the others let the trace through
    device = path.rejected or path.last
    if device is None or not device.addresses:
        return None
    return Where(address=device.addresses[0], hop=device.ttl, side="at" if path.rejected else "after")


def _blocked(cause: Cause | None, where: Where | None) -> Judgement:
    return Judgement(verdict=Verdict.BLOCKED, cause=cause, where=where)


def _by_the_source(situation: Situation, seen: Observation) -> Judgement:
    """What the source alone can tell."""
    here = _at_the_source(situation, seen)
    cause, where = None, None
    if seen.icmp is not None:
        sender = seen.icmp.sender
        where = Where(address=sender or None, side="at")
        own = situation.source_addresses | situation.source_carried | {seen.local}
        if sender and sender in own:
            # It also says so, unasked, where the next machine on the way does not answer.
            unreachable = (seen.icmp.type, seen.icmp.code) == _HOST_UNREACHABLE[seen.icmp.family]
            kept = situation.ends is not None and situation.ends.left is False and situation.ends.near
            cause = Cause.SOURCE_FIREWALL if kept or not unreachable else None
            where = Where(address=sender, hop=0, side="at")
        elif sender in situation.target_addresses:
            # An address that the host does not carry is somebody else's on the way: who rejected is not proven. Nor is
            # it where nobody can tell.
            carried = not situation.view.translated and situation.view.use is not PortUse.UNKNOWN
            cause = Cause.TARGET_FIREWALL if carried else None
        elif sender:
            cause = Cause.NETWORK
    elif seen.failure is Failure.NOT_PERMITTED:
        cause, where = Cause.SOURCE_FIREWALL, here
    elif seen.failure is Failure.NO_ROUTE:
        cause, where = Cause.NO_ROUTE, here
    elif seen.failure is Failure.TIMEOUT and situation.receipts.answered:
        cause = Cause.RETURN_PATH
    return Judgement(verdict=Verdict.BLOCKED, cause=cause, where=where)


def _icmp_from_between(situation: Situation, seen: Observation) -> bool:
    return seen.icmp is not None and bool(seen.icmp.sender) and seen.icmp.sender not in situation.target_addresses


def _block(situation: Situation) -> Judgement:
    """Nothing may come through. A pass needs evidence that somebody was there to be reached, or that nobody is."""
    seen, use, receipts = situation.seen, situation.view.use, situation.receipts
    if situation.check.local and use is PortUse.STAND_IN:
        # The way does not count: the service will be bound to loopback. That nothing else answers there does.
        return Judgement(verdict=Verdict.PASS)
    if receipts.answered:
        return Judgement(verdict=Verdict.EXPOSED, cause=Cause.STAND_IN)
    # A name that means nothing to this source, or another machine, keeps it from measuring, not from reaching the host.
    if situation.astray:
        return _unknown(None)
    unmeasured = _unmeasured(situation)
    if unmeasured is not None or seen is None:
        return unmeasured if unmeasured and unmeasured.cause is not Cause.DNS else _unknown(None)
    if seen.proof is Proof.KEYED:
        return Judgement(verdict=Verdict.EXPOSED, cause=Cause.STAND_IN)
    if receipts.elsewhere:
        return _unknown(Cause.CONFLICTING_EVIDENCE)
    if receipts.starved:
        return _unknown(Cause.RESOURCES)
    if seen.state is State.OPEN:
        return _exposed(situation, use, receipts)
    if situation.target_problem is Cause.AGENT_LOST:
        return _unknown(Cause.AGENT_LOST)
    # A refusal says that the port is not open now; before the installation that is not the question.
    refused = seen.state is State.CLOSED and situation.phase is not Phase.PRE_INSTALL
    if use is PortUse.UNKNOWN and not refused and not situation.alive:
        return _unknown(Cause.NO_AGENT)
    if use is PortUse.LISTENER and situation.check.transport is Transport.UDP and seen.state is State.OPEN_FILTERED:
        return _silent_listener(situation.ends)
    return Judgement(verdict=Verdict.PASS)


def _silent_listener(ends: Ends | None) -> Judgement:
    """A UDP service that need not answer: it is reached by what its host lets in."""
    if ends is None:
        return _unknown(None)
    if ends.passed:
        return (
            _unknown(Cause.CONFLICTING_EVIDENCE)
            if ends.arrived is False
            else Judgement(verdict=Verdict.EXPOSED, cause=Cause.LISTENING)
        )
    return Judgement(verdict=Verdict.PASS) if False in (ends.arrived, ends.passed) else _unknown(None)


def _exposed(situation: Situation, use: PortUse, receipts: Receipts) -> Judgement:
    """Somebody accepted, and nobody should have been reached."""
    ends = situation.ends
    arrived = ends.arrived if ends is not None else None
    if (arrived is False and use is PortUse.LISTENER) or (situation.decoy and not arrived):
        return _unknown(Cause.CONFLICTING_EVIDENCE)  # something on the way answers, whoever listens
    if use is PortUse.STAND_IN and not receipts.arrived:
        return _unknown(Cause.CONFLICTING_EVIDENCE)  # somebody answered in the target's place
    if use is PortUse.STAND_IN:
        return Judgement(verdict=Verdict.EXPOSED, cause=Cause.STAND_IN)
    known = use in (PortUse.LISTENER, PortUse.UNKNOWN)
    return Judgement(verdict=Verdict.EXPOSED, cause=Cause.LISTENING if known else None)
