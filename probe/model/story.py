"""A judged situation in sentences: what was seen at each end, what it comes to, what to do. For reports; nothing here
decides anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from probe.model import amiss, bothends
from probe.model.certificate import told
from probe.model.ends import Answer, Stuck
from probe.model.icmp import named
from probe.model.judge import http_healthy
from probe.model.observation import Failure, Observation, Operation, PortUse, Proof
from probe.model.result import Evidence
from probe.model.tls import HUNG_UP
from probe.model.words import Cause, Expect, Protocol, State, Transport, Verdict
from probe.text import excerpt, printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from probe.model.judge import Judgement, Situation
    from probe.model.tls import TlsFacts


def evidence(situation: Situation) -> tuple[Evidence, ...]:
    """What each end saw, the source first."""
    sentences = []
    if situation.seen is not None:
        sentences.append(Evidence(at="source", what=_seen(situation, situation.seen)))
        sentences += [Evidence(at="source", what=what) for what in _tls(situation, situation.seen.tls)]
    if situation.astray:
        what = f"the name {situation.check.address} leads elsewhere here: {situation.astray}"
        sentences.append(Evidence(at="source", what=what))
    if situation.large is False:
        what = "an exchange of large data with the stand-in did not end, where a small one did"
        sentences.append(Evidence(at="source", what=what))
    target = _target(situation)
    if target and (situation.seen is not None or situation.view.use is not PortUse.STAND_IN):
        sentences.append(Evidence(at="target", what=target))
    connected = situation.seen is not None and situation.seen.state is State.OPEN
    sentences += bothends.sentences(situation.ends, situation.path, situation.check.transport, connected=connected)
    if situation.receipts.elsewhere:
        what = f"the stand-in of {situation.receipts.elsewhere} received what was meant for {situation.check.target}"
        sentences.append(Evidence(at="coordinator", what=what))
    return tuple(Evidence(at=sentence.at, what=printable(sentence.what)) for sentence in sentences)


def _seen(situation: Situation, seen: Observation) -> str:
    times = f"in {seen.attempts} attempts" if seen.attempts > 1 else "in 1 attempt"
    udp = situation.check.transport is Transport.UDP
    if seen.state is State.OPEN:
        return _open(situation, seen)
    if seen.icmp is not None:
        error = named(seen.icmp.type, seen.icmp.code, ipv6=seen.icmp.family == 6)
        return f"{error} from {seen.icmp.sender or 'an unknown sender'} {times}"
    match seen.failure:
        case Failure.TIMEOUT if seen.operation is Operation.RESOLVE:
            return f"the name {situation.check.address} could not be looked up here: {seen.text}"
        case Failure.TIMEOUT | Failure.KERNEL_TIMEOUT if seen.state is not State.ERROR:
            return f"no answer to {'datagrams' if udp else 'SYN'} {times}"
        case Failure.REFUSED:
            return f"{'ICMP port unreachable' if udp else 'RST'} {times}"
        case Failure.NO_ROUTE:
            return "this host has no route to the address"
        case Failure.HOST_UNREACHABLE if situation.ends is None or situation.ends.stuck is not Stuck.NEIGHBOUR:
            return f"this host's kernel says that the address is unreachable {times}"
        case Failure.HOST_UNREACHABLE:
            return f"the next machine on the way does not answer (host unreachable) {times}"
        case Failure.NOT_PERMITTED:
            return f"the kernel of this host refused to send (not permitted) {times}"
        case Failure.NOT_RESOLVED:
            return f"the name {situation.check.address} has no address here: {seen.text}"
        case Failure.RESOURCES:
            return f"this host ran out of something local ({seen.text}) {times}"
        case Failure.ADDRESS:
            return "this host cannot dial from the address it should have"
        case Failure.SELF_CONNECT:
            return "the socket met itself"
        case _:
            return seen.text or f"{seen.operation} failed"


def _open(situation: Situation, seen: Observation) -> str:
    way = "connected" if situation.check.transport is Transport.TCP else "answered"
    parts = []
    match seen.proof, seen.failure:
        case Proof.KEYED, _:
            parts.append("the stand-in gave the right answer to a fresh challenge")
        case _, None if seen.status is not None:
            parts.append(_answer(situation, seen) + (f" from {seen.text!r}" if seen.text else ""))
        case _, None if seen.operation is Operation.TLS:
            parts.append("shook hands in TLS")
        case _, Failure.TIMEOUT | Failure.CLOSED | Failure.RESET if seen.status is not None:
            parts.append(f"{_answer(situation, seen)}, but the rest of it did not come ({seen.text})")
        case _, Failure.UNHEALTHY:
            parts.append(f"{_answer(situation, seen)}{_less(situation, seen)}: {situation.told or seen.text}")
        case _, None:
            parts.append(_well(situation, seen))
        case _, Failure.BAD_ANSWER if seen.operation is Operation.TLS:
            less = "and" if amiss.asked_in_plain(situation) else "but no TLS of the right kind:"
            parts.append(f"{way}, {less} {seen.text}")
        case _, Failure.BAD_ANSWER:
            parts.append(f"{way}, but the answer was not the one expected: {seen.text or '(nothing readable)'}")
        case _, Failure.CLOSED | Failure.RESET:
            ended = "closed" if seen.failure is Failure.CLOSED else "reset"
            parts.append(f"{way}, then {ended} by the other side without an answer")
            parts += [seen.text] if seen.text == HUNG_UP else []
        case _, Failure.TIMEOUT:
            parts.append(f"{way}, but {_silence(seen)}")
        case _:
            parts.append(f"{way}, then failed: {seen.text or seen.failure}")
    if seen.seen_from:
        parts.append(f"the target saw it come from {seen.seen_from}, not {seen.local} (translated on the way)")
    if seen.answered_by:
        parts.append(f"it arrived at {seen.answered_by} (translated on the way)")
    return "; ".join(parts)


def _less(situation: Situation, seen: Observation) -> str:
    """Where the status says it all, the body is no second complaint."""
    if seen.status is None:
        return ", and not what a healthy service says"
    healthy = http_healthy(seen.status, situation.check.status)
    return ", and not in it what the matrix demands" if healthy else ""


def _answer(situation: Situation, seen: Observation) -> str:
    """`HTTP 302 to http://a.example/`, `HTTPS: HTTP 200 after a redirect to /login`."""
    if seen.status is None:
        return "answered"
    either = situation.check.protocol is Protocol.HTTP_OR_HTTPS
    which = ("HTTPS: " if seen.tls is not None else "without TLS: ") if either else ""
    where = ""
    if seen.location:
        where = f" to {seen.location}" if 300 <= seen.status < 400 else f" after a redirect to {seen.location}"
    return f"{which}HTTP {seen.status}{where}"


def _tls(situation: Situation, facts: TlsFacts | None) -> Iterator[str]:
    """What the handshake told, whatever came of it."""
    if facts is None:
        return
    if facts.version:
        yield f"TLS {facts.version}, {facts.cipher}"
    for number, certificate in enumerate(situation.certificates):
        who = "the certificate" if number == 0 else "sent with it"
        until = f", valid until {certificate.not_after:%Y-%m-%d %H:%M} UTC" if certificate.not_after else ""
        names = f", made out to {told(certificate.names)}" if number == 0 else ""
        what = certificate.problem or (
            f"{certificate.subject or '(no subject)'}, issued by {certificate.issuer or '(nobody)'}{names}{until}"
        )
        yield f"{who}: {what}, SHA-256 {certificate.fingerprint}"


def _well(situation: Situation, seen: Observation) -> str:
    if situation.check.dialogue is not None:
        answer = f': "{excerpt(seen.said)}"' if seen.said else ""
        words = situation.told or f"it answered as it should{answer}"
        return f"{words}; {seen.text}" if seen.text else words
    return "the connection was accepted" if situation.check.transport is Transport.TCP else "a datagram came back"


def _silence(seen: Observation) -> str:
    if seen.operation is Operation.SEND:
        return "the other side never confirmed the data that was sent"
    return f"no answer came to its end: {seen.text}" if seen.text else "no answer came"


def _target(situation: Situation) -> str:
    view, receipts = situation.view, situation.receipts
    bound = f" on {', '.join(view.bound)}" if view.bound else ""
    match view.use:
        case PortUse.STAND_IN:
            if situation.seen is None or situation.seen.state is State.ERROR:
                met = "the stand-in listened"  # and was not asked
            elif receipts.answered or situation.seen.proof is Proof.KEYED:
                met = "the stand-in received the challenge and answered it"
            elif receipts.arrived:
                met = "something of the source reached the stand-in, but no challenge"
            elif situation.ends is not None and situation.ends.answered is Answer.ACCEPT:
                met = "the stand-in listened, and no connection came about"
            else:
                met = "the stand-in listened and was not reached"
            return met + (f"; {view.detail}" if view.detail else "")
        case PortUse.LISTENER:
            return f"{view.by or 'a process'} listens{bound}"
        case PortUse.ELSEWHERE:
            return f"{view.by or 'a process'} listens only{bound}"
        case PortUse.FREE:
            return "nothing listens on this port"
        case PortUse.OUTGOING:
            return f"the port is held by an outgoing connection of {view.by or 'a process'}"
        case PortUse.DENIED:
            return view.detail
        case _:
            return ""


def detail(situation: Situation, judgement: Judgement, problem: str) -> str:
    """One sentence that sums it up. `problem` is why an agent cannot speak, where one cannot."""
    return printable(_detail(situation, judgement, problem))


def _detail(situation: Situation, judgement: Judgement, problem: str) -> str:
    check, cause = situation.check, judgement.cause
    match judgement.verdict:
        case Verdict.PASS:
            return _passed(situation)
        case Verdict.EXPOSED:
            if cause is Cause.STAND_IN:
                return f"{check.source} can reach this port of {check.target}, and no flow allows it; nothing listens there yet"
            holder = situation.view.by or "something"
            met = "can be reached by" if situation.seen and situation.seen.state is State.OPEN_FILTERED else "answers"
            return f"{holder} {met} {check.source} on this port of {check.target}, and no flow allows it"
        case Verdict.INCONCLUSIVE:
            return _inconclusive(situation, cause, problem)
        case Verdict.DOWN:
            if cause is Cause.BOUND_ELSEWHERE:
                return f"the service listens only on {', '.join(situation.view.bound)}"
            if cause is Cause.OVERLOAD:
                return f"it arrives at {check.target}, where the service's queue of connections is full"
            return "nothing listens on this port of the target"
        case _:
            if stopped := bothends.stopped(situation, judgement):
                return stopped
            if wrong := amiss.detail(situation, judgement):
                return wrong
            if situation.astray and cause is Cause.DNS:
                return f"the name of {check.target} leads to another machine on {check.source}: {situation.astray}"
            return _FAILED.get(cause, _FAILED_UNKNOWN.get(judgement.verdict, "")).format(
                by=situation.view.by or "a process that may not be named",
                bound=f" (on {', '.join(situation.view.bound)})" if situation.view.bound else "",
                source=check.source,
                target=check.target,
                status=situation.seen.status if situation.seen else "",
            )


def _passed(situation: Situation) -> str:
    check, seen = situation.check, situation.seen
    if check.same_host:
        match situation.view.use:
            case PortUse.STAND_IN:
                return "the port is free on this host"
            case PortUse.LISTENER:
                return "it listens on this host"
            case _:
                return "nothing listens on this host just now, and nothing has to"
    if check.expect is Expect.BLOCK and check.local and situation.view.use is PortUse.STAND_IN:
        return "the service is to be bound to loopback, and nothing else listens there"
    if check.expect is Expect.BLOCK:
        return "not reachable, as it should be"
    if seen is not None and (seen.seen_from or seen.answered_by):
        return "reached through address translation"
    return ""


def _inconclusive(situation: Situation, cause: Cause | None, problem: str) -> str:
    match cause:
        case Cause.NO_AGENT | Cause.AGENT_LOST:
            return problem or "no agent on the target can tell whether it was reached"
        case Cause.RESOURCES:
            if situation.receipts.starved:
                return f"the agent of {situation.check.target} met a limit of its host: too few open files (ulimit -n), or no processor"
            return situation.view.detail or "a local limit, not the network, kept this from being measured"
        case Cause.TIMEOUT if situation.seen is not None and situation.seen.operation is Operation.RESOLVE:
            return f"the name {situation.check.address} could not be looked up on {situation.check.source}"
        case Cause.TIMEOUT:
            return problem or "not measured before the time ran out"
        case Cause.CONFLICTING_EVIDENCE if contradiction := _contradiction(situation):
            return contradiction
        case _ if situation.astray:
            return f"the name {situation.check.address} leads to another machine on {situation.check.source}"
        case _ if situation.seen is not None and situation.seen.failure is Failure.NOT_RESOLVED:
            return f"the name {situation.check.address} has no address on {situation.check.source}"
        case Cause.CONFLICTING_EVIDENCE:
            return "something answers, yet the target's agent sees nothing listening there (a port published by NAT, or another machine in its place)"
        case _ if situation.check.transport is Transport.UDP and situation.view.use is PortUse.FREE:
            return "nothing listens there, and no refusal came back: whether the way is free is not known"
        case _ if situation.check.transport is Transport.UDP and situation.check.dialogue is not None:
            return amiss.unanswered(situation)
        case _ if situation.check.transport is Transport.UDP:
            return "a service need not answer a stranger's datagram: only a stand-in or its own protocol can tell"
        case _:
            return "nothing listens there now, and in phase live nothing is opened: use --phase auto to have a stand-in answer"


def _contradiction(situation: Situation) -> str:
    """Who may have answered in the target's place; empty where nothing tells."""
    target = situation.check.target
    if situation.receipts.elsewhere:
        return f"the stand-in of {situation.receipts.elsewhere} answered in the place of {target}"
    if situation.doubtful:
        return f"it worked, yet {target} saw nothing come in, and nobody could look again: who answered is not known"
    if situation.view.use is PortUse.STAND_IN:
        return f"something answers in the place of {target}: whether that itself can be reached is not known"
    return ""


_FAILED: dict[Cause | None, str] = {
    Cause.PORT_TAKEN: "before the installation {by} already listens there{bound}",
    Cause.INTERCEPTED: "something on the way to {target} answers in its place",
    Cause.WRONG_SERVICE: "what is there does not speak the protocol",
    Cause.UNHEALTHY: "the service is there, and not well",
    Cause.TLS: "what answers does not speak TLS as it should",
    Cause.HTTP_STATUS: "the service answers HTTP {status}",
    Cause.DNS: "the name of {target} has no address on {source}",
    Cause.NO_ROUTE: "{source} has no route to {target}",
    Cause.RETURN_PATH: "it reaches {target}, and the answer does not come back",
    Cause.PAYLOAD: "the connection is made, but data does not pass",
    Cause.MTU: "little data passes, and large data does not",
}
_FAILED_UNKNOWN: dict[Verdict, str] = {
    Verdict.BLOCKED: "something between the two drops or rejects it; which device is not proven",
    Verdict.MISMATCH: "something accepts the connection, but does not answer as the service should",
}

_ADVICE: dict[Cause | None, str] = {
    Cause.SOURCE_FIREWALL: "Allow it in the outgoing rules of {source}: {what}.",
    Cause.NO_ROUTE: "Give {source} a route to {address}, or correct the address of {target} in the inventory.",
    Cause.NETWORK: "Ask the owner of {where} to allow {what}.",
    Cause.MTU: "Let ICMP 'fragmentation needed' (IPv6: 'packet too big') pass between {source} and {target}, or give all links on the way one MTU.",
    Cause.OVERLOAD: "Let {service} on {target} take connections faster, or give it a longer queue (its listen backlog, net.core.somaxconn).",
    Cause.TARGET_FIREWALL: "Allow it in the incoming rules of {target}: {what}.",
    Cause.RETURN_PATH: "Look at the way back: the answer of {target} to {source} is lost; check routes and stateful rules for {what}.",
    Cause.PAYLOAD: "Look for a device that inspects content between {source} and {target}: the handshake passes, data does not.",
    Cause.NOT_LISTENING: "Start {service} on {target}, or look into its log for why it does not listen on port {ports}.",
    Cause.BOUND_ELSEWHERE: "Make {service} on {target} listen on {address} too.",
    Cause.PORT_TAKEN: "Stop what holds port {ports} on {target}, or move it, before the installation.",
    Cause.WRONG_SERVICE: "Find out what listens on port {ports} of {target}: it is not {service}.",
    Cause.TLS: "Look at the TLS settings of {service} on {target}.",
    Cause.HTTP_STATUS: "Look into the log of {service} on {target}.",
    Cause.UNHEALTHY: "Look into the log of {service} on {target}: it runs and is reached, and says of itself that it is not well.",
    Cause.INTERCEPTED: "Look for NAT, a redirect, a proxy or a second machine with the address {address} between {source} and {target}.",
    Cause.DNS: "Correct the name resolution of {source}, or give {target} a numeric portcheck_address.",
    Cause.STAND_IN: "Close it in the firewall before something listens there, or add a flow if it is meant: {what}.",
    Cause.LISTENING: "Close it in the firewall or bind the service elsewhere, or add a flow if it is meant: {what}.",
    Cause.NO_AGENT: "Make the agent of that host reachable (portcheck inventory show says how it is reached), then run again.",
    Cause.AGENT_LOST: "Find out why the agent ended (its own log, memory, the connection to it), then run again.",
    Cause.RESOURCES: "Remove the local limit that the evidence names, then run again.",
    Cause.TIMEOUT: "Run again, with --only for this part if time is short.",
    Cause.CONFLICTING_EVIDENCE: "Find out what answers: if the port is published by NAT on {target} itself this is as it should be.",
}
_ADVICE_UNKNOWN: dict[Verdict, str] = {
    Verdict.BLOCKED: "Ask those who run the firewalls between the two to allow {what}.",
    Verdict.MISMATCH: "Look at {service} on {target}: does it run, and does something stand before it?",
    Verdict.EXPOSED: "Find out what answers on {target}, and close it if it is not meant: {what}.",
    Verdict.DOWN: "Start {service} on {target}.",
    Verdict.INCONCLUSIVE: "Run with --phase auto, or before the installation with --phase pre-install, to have stand-ins answer.",
}


def advice(situation: Situation, judgement: Judgement, ports: str) -> str:
    """What to do, for whoever reads the row; empty for a pass."""
    if judgement.verdict is Verdict.PASS:
        return ""
    check, place = situation.check, judgement.where
    where = place.address if place is not None and place.address else "the network"
    if place is not None and place.side == "after":
        where = f"{where}, or of the device behind it,"
    sources = situation.seen.local if situation.seen and situation.seen.local else check.source
    text = _template(situation, judgement).format(
        source=check.source,
        target=check.target,
        address=check.address,
        service=check.service,
        ports=ports,
        by=situation.view.by or "what listens",
        where=where,
        what=f"{check.transport} {ports} from {check.source}{'' if sources == check.source else f' ({sources})'} to {check.target} ({check.address})",
    )
    return printable(f"{check.remedy} {text}" if check.remedy else text)


def _nobody_there(situation: Situation) -> bool:
    """What a router says of a host that does not answer it (RFC 1812, RFC 4443), and a firewall may say of one that does."""
    icmp = situation.seen.icmp if situation.seen is not None else None
    return icmp is not None and (icmp.family, icmp.type, icmp.code) in ((4, 3, 1), (6, 1, 3))


def _template(situation: Situation, judgement: Judgement) -> str:
    cause, place, ends, path = judgement.cause, judgement.where, situation.ends, situation.path
    match cause:
        case Cause.NO_AGENT if situation.agentless:
            return "Look whether {target} is there, and from its side (its log, its own rules), or try again from a host that reaches it."
        case _ if better := amiss.advice(situation, judgement):
            return better
        case Cause.NETWORK if ends is not None and ends.stuck is Stuck.NEIGHBOUR:
            return "Find out why the next machine from {source} towards {address} does not answer: it is off, or the route leads to the wrong one."
        case Cause.NETWORK if place is not None and place.side == "at" and _nobody_there(situation):
            return "Look whether {target} is on and has the address {address}: {where} finds nobody there. If it has, ask the owner of {where} to let {what} pass."
        case Cause.NETWORK if path is not None and path.by_flow.bad_hop:
            return "Ask the owner of {where} to look at its next hops: some connections by them are lost, those of {what} among them."
        case Cause.SOURCE_FIREWALL if bothends.answer_is_dropped(ends):
            return "Allow the answer in the incoming rules of {source}: {what}."
        case Cause.TARGET_FIREWALL if ends is not None and ends.answered is Answer.NOTHING:
            if situation.receipts.answered:
                return "Allow the answer in the outgoing rules of {target}: {what}."
            return "Allow it in the incoming rules of {target}, and its answer in the outgoing ones: {what}."
        case None if judgement.verdict is Verdict.INCONCLUSIVE and situation.view.use is PortUse.LISTENER:
            # No stand-in is opened in its place.
            asked = "" if situation.check.dialogue is not None else " Give it a protocol or a dialogue in the matrix."
            return (
                "Look whether {service} on {target} is well and serves {source}, and into the rules of {target}."
                + asked
            )
        case _ if cause in _ADVICE:
            return _ADVICE[cause]
        case _:
            return _ADVICE_UNKNOWN[judgement.verdict]
