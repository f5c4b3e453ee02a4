"""What both ends' interfaces saw, and the path between them, in sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

from probe.model.ends import Answer, Stuck
from probe.model.icmp import named
from probe.model.result import Evidence
from probe.model.words import Cause, State, Transport

if TYPE_CHECKING:
    from collections.abc import Iterator

    from probe.model.ends import Ends
    from probe.model.judge import Judgement, Situation
    from probe.model.path import Path

_MOST_HOPS = 12


def sentences(
    ends: Ends | None, path: Path | None, transport: Transport, *, connected: bool = False
) -> Iterator[Evidence]:
    """In the order of events. `connected`: the source got the answer to its first packet."""
    if ends is not None:
        yield from _source(ends, transport)
        yield from _target(ends, transport)
        yield from _back(ends, connected=connected)
    if path is not None and path.hops:
        yield Evidence(at="source", what=way(path))
    if path is not None and path.by_flow.bad_hop:
        yield Evidence(at="source", what=_by_flow(path))


def stopped(situation: Situation, judgement: Judgement) -> str:
    """Where it stopped, in one sentence; empty for causes that say it themselves."""
    check, ends, seen = situation.check, situation.ends, situation.seen
    sender = f" ({seen.icmp.sender})" if seen is not None and seen.icmp is not None and seen.icmp.sender else ""
    match judgement.cause:
        case Cause.SOURCE_FIREWALL if answer_is_dropped(ends):
            return f"the answer comes back to {check.source}, whose own rules drop it"
        case Cause.SOURCE_FIREWALL:
            return f"{check.source}'s own rules keep it from leaving"
        case Cause.TARGET_FIREWALL if ends is not None and ends.answered is Answer.NOTHING:
            return f"it arrives at {check.target}, whose own rules drop it"
        case Cause.TARGET_FIREWALL:
            return f"it arrives at {check.target}, whose own rules reject it{sender}"
        case Cause.NETWORK if ends is not None and ends.stuck is not None:
            return f"the next machine on the way does not answer {check.source}"
        case Cause.RETURN_PATH if ends is not None and ends.stuck_back is Stuck.NEIGHBOUR:
            return f"it reaches {check.target}, and the next machine on the way back does not answer"
        case Cause.RETURN_PATH if ends is not None and ends.stuck_back is not None:
            return f"it reaches {check.target}, which has no route for the answer, or takes the packet for forged"
        case Cause.NETWORK | None if situation.path is not None and situation.path.by_flow.bad_hop:
            place = judgement.where.address if judgement.where is not None else ""
            lost = f"what comes by {place or 'one of several next hops, there or back,'} is lost"
            return f"some connections get through and some never do: {lost}"
        case Cause.NETWORK if sender:
            undelivered = seen is not None and seen.state is State.UNREACHABLE
            return f"a device on the way {'does not deliver' if undelivered else 'rejects'} it{sender}"
        case Cause.NETWORK:
            where = judgement.where
            place = f", at {where.address} or behind it" if where is not None and where.address else ""
            refused = seen is not None and seen.state is State.CLOSED
            return (
                f"a device on the way {'refuses it in the name of ' + check.target if refused else 'drops it'}{place}"
            )
        case _:
            return ""


def answer_is_dropped(ends: Ends | None) -> bool:
    """Of a source whose own rules are the cause: whether they keep the answer out, and not the question in."""
    return ends is not None and ends.returned in (Answer.ACCEPT, Answer.RESET)


def way(path: Path) -> str:
    """`the path: 10.0.0.1, 10.0.1.1 or 10.0.1.2, then silence`."""
    shown = []
    for hop in path.hops[:_MOST_HOPS]:
        names = [address or "a device that is not named" for address in hop.addresses]
        shown.append(" or ".join(names) or "silence")
        if hop.icmp is not None:
            shown[-1] += f" (rejects: {named(*hop.icmp, ipv6=any(':' in address for address in hop.addresses))})"
    if len(path.hops) > _MOST_HOPS:
        shown.append(f"{len(path.hops) - _MOST_HOPS} more")
    end = "; packets go round in a circle" if path.loops else ""
    if path.reached and path.distance is not None:
        away = "1 device" if path.distance == 1 else f"{path.distance} devices"
        end += f"; an answer in the target's name came from {away} away"
    return f"the path, device by device: {', '.join(shown)}{end}"


def _by_flow(path: Path) -> str:
    lost, through = path.by_flow.lost, path.by_flow.through
    return f"from {lost} source ports no attempt ever got through, from {through} others every one or nearly so"


def _source(ends: Ends, transport: Transport) -> Iterator[Evidence]:
    packet = "SYN" if transport is Transport.TCP else "datagram"
    if ends.left is False:
        yield Evidence(at="source", what=f"the {packet} of a fresh attempt did not leave the interface")
    elif ends.left:
        yield Evidence(at="source", what=f"the {packet} of a fresh attempt left the interface")


def _target(ends: Ends, transport: Transport) -> Iterator[Evidence]:
    packet = "SYN" if transport is Transport.TCP else "datagram"
    if ends.arrived is False:
        yield Evidence(at="target", what=f"the {packet} did not arrive at the interface")
    if not ends.arrived:
        return
    came = f"the {packet} arrived at the interface" + (f" from {ends.seen_from}" if ends.seen_from else "")
    match ends.answered:
        case Answer.NOTHING:
            answer = ", and no answer left it"
        case Answer.RESET:
            answer = f", and a RST left it (TTL {ends.ttl_sent})"
        case Answer.ICMP:
            error = named(*ends.icmp, ipv6=":" in ends.seen_from) if ends.icmp is not None else "an ICMP error"
            answer = f", and {error} left it"
        case Answer.ACCEPT:
            answer = ", and an answer left it"
        case _ if ends.passed is not None:
            answer = f", and this host's own rules {'let it in' if ends.passed else 'did not let it in'}"
        case _:
            answer = ""
    yield Evidence(at="target", what=came + answer)


def _back(ends: Ends, *, connected: bool) -> Iterator[Evidence]:
    if ends.data_lost:
        yield Evidence(at="target", what="the data that the source sent then did not arrive at the interface")
    if ends.answered is Answer.RESET and ends.returned is Answer.NOTHING:
        yield Evidence(at="source", what="no answer arrived at the interface")
    if ends.answered is not Answer.ACCEPT:
        if ends.returned is Answer.RESET and ends.arrived is False:
            yield Evidence(
                at="source", what=f"a RST arrived at the interface (TTL {ends.ttl_got}), from a device between"
            )
        return
    if ends.returned is Answer.NOTHING:
        yield Evidence(at="source", what="no answer arrived at the interface")
    elif ends.returned is Answer.ACCEPT and not connected:
        yield Evidence(at="source", what="the answer arrived at the interface, and went no further")
