"""What both ends saw of fresh attempts on one port, from the packets that passed their interfaces. Pure."""

from __future__ import annotations

from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING

import msgspec

from probe.model.ports import PortSet
from probe.model.sight import Sight
from probe.model.words import Transport

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence


class Answer(StrEnum):
    """What came back to an attempt."""

    NOTHING = "nothing"
    ACCEPT = "accept"  # a SYN-ACK, or a datagram
    RESET = "reset"
    ICMP = "icmp"


class Stuck(StrEnum):
    """Why a host cannot send to an address."""

    ROUTE = "route"  # there is none, or it refuses; or packets from there are taken for forged
    NEIGHBOUR = "neighbour"  # the next machine on the way does not answer


class Ends(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """In the order of events: it `left` the source's interface, `arrived` at the target's, the target `answered`, and
    that `returned` to the source's interface. None where that end could not look, or not surely.

    `ttl_sent` and `ttl_got` are those of the answer as it left and as it arrived. `icmp` is type and code of the error
    that the target sent. `seen_from` is the source as the target's interface saw it. `overflow`: the accept queue of
    the port was full, so that the target's kernel drops connections. `data_lost`: on a connection that was accepted,
    bytes of the source's left and did not arrive. `stuck`: why the source could not send there;
    `stuck_back`: why the target could not answer. `passed`: the target's own rules let the datagram in.
    `near`: the next machine after the source is known to be there.
    """

    left: bool | None = None
    arrived: bool | None = None
    answered: Answer | None = None
    returned: Answer | None = None
    ttl_sent: int | None = None
    ttl_got: int | None = None
    icmp: tuple[int, int] | None = None
    seen_from: str = ""
    overflow: bool = False
    data_lost: bool = False
    stuck: Stuck | None = None
    stuck_back: Stuck | None = None
    passed: bool | None = None
    near: bool = False


class Packets(msgspec.Struct, frozen=True, dict=True):
    """What one host's capture saw. `sure`: that a packet is not among them means that it did not pass. `full` are TCP
    ports whose accept queue was full, `stuck` the addresses that this host cannot send to, `near` those towards
    which the next machine is known to be there.
    """

    sights: tuple[Sight, ...]
    sure: bool
    full: PortSet = PortSet()
    stuck: dict[str, Stuck] = {}
    near: frozenset[str] = frozenset()

    def of(self, transport: Transport, port: int) -> Sequence[Sight]:
        """Those that have this port at either end."""
        return self._by_port.get((transport, port), ())

    @cached_property
    def _by_port(self) -> dict[tuple[Transport, int], list[Sight]]:
        found: dict[tuple[Transport, int], list[Sight]] = {}
        for sight in self.sights:
            for port in {sight.source_port, sight.target_port}:
                found.setdefault((sight.transport, port), []).append(sight)
        return found


def meet(
    source: Packets | None,
    target: Packets | None,
    *,
    transport: Transport,
    address: str,
    port: int,
    source_addresses: Iterable[str],
    others: Collection[str] = (),
    translated: bool = False,
) -> Ends:
    """The packets of attempts from one source on one port at the address that it dialled. None: no capture there.

    `others` are addresses of hosts that ask for themselves: what comes from any but them and the source may be the
    source's, translated on the way. `translated`: the target does not carry the address that is dialled.
    """
    stuck = source.stuck.get(address) if source is not None else None
    address = _bare(address)
    here = source.of(transport, port) if source is not None else ()
    asked = [sight for sight in here if sight.out and sight.opens and sight.target == address]
    there = target.of(transport, port) if target is not None else ()
    arrivals = [sight for sight in there if not sight.out and sight.opens and (translated or sight.target == address)]
    own = {_bare(own) for own in source_addresses}
    came = [sight for sight in arrivals if _is_ours(sight, asked, own)]
    doubtful = not came and any(
        _may_be_ours(sight, asked) for sight in arrivals if sight.source in own or sight.source not in others
    )
    answered = _answer(there, came, out=True) if came else None
    returned = _answer(here, asked, out=False) if asked else None
    accepted = returned is not None and returned[0] is Answer.ACCEPT
    data_came = _told(_has_data(there, came, out=False), target) if came else None
    sent, got = answered[1] if answered else None, returned[1] if returned else None
    return Ends(
        left=_told(bool(asked or came), source),
        arrived=None if doubtful else _told(bool(came), target),
        answered=_sure(answered, target),
        returned=_sure(returned, source),
        ttl_sent=sent.ttl if sent is not None else None,
        ttl_got=got.ttl if got is not None else None,
        icmp=sent.icmp if sent is not None else None,
        seen_from=came[0].source if came else "",
        data_lost=accepted and _has_data(here, asked, out=True) and data_came is False,
        stuck=stuck,
        stuck_back=target.stuck.get(came[0].source) if came and target is not None else None,
        near=source is not None and address in source.near,
        overflow=target is not None and transport is Transport.TCP and port in target.full,
    )


def _bare(address: str) -> str:
    """Without the zone of a link-local address (RFC 4007): that is no part of what packets carry."""
    return address.partition("%")[0]


def _is_ours(sight: Sight, asked: Sequence[Sight], addresses: set[str]) -> bool:
    """Translation on the way changes addresses, ports at times, and leaves the sequence number; a firewall that chooses
    sequence numbers of its own leaves the addresses. A datagram has its port and its size.
    """
    if not asked:
        return sight.source in addresses
    if sight.transport is Transport.TCP and any(sight.seq == one.seq for one in asked):
        return True
    known = sight.source in addresses
    return any(
        sight.source_port == one.source_port
        and (known or (sight.transport is Transport.UDP and sight.size == one.size))
        for one in asked
    )


def _may_be_ours(sight: Sight, asked: Sequence[Sight]) -> bool:
    """Whether this arrival, which nothing proves to be ours, may be so all the same."""
    if not asked:
        return True
    if sight.transport is Transport.UDP:
        return any(sight.size == one.size for one in asked)
    return any(sight.source_port == one.source_port for one in asked)


def _answer(sights: Sequence[Sight], asked: Sequence[Sight], *, out: bool) -> tuple[Answer, Sight | None]:
    """The strongest answer to these packets that passed in this direction."""
    ways = {(one.source, one.source_port, one.target_port) for one in asked}
    found: dict[Answer, Sight] = {}
    for sight in sights:
        if sight.out is not out:
            continue
        if sight.icmp is not None:
            if (sight.source, sight.source_port, sight.target_port) in ways:
                found.setdefault(Answer.ICMP, sight)
        elif (sight.target, sight.target_port, sight.source_port) in ways:
            found.setdefault(Answer.RESET if "R" in sight.flags else Answer.ACCEPT, sight)
    for answer in (Answer.ACCEPT, Answer.RESET, Answer.ICMP):
        if answer in found:
            return answer, found[answer]
    return Answer.NOTHING, None


def _has_data(sights: Sequence[Sight], asked: Sequence[Sight], *, out: bool) -> bool:
    """Whether bytes followed these first packets, in their direction."""
    ways = {(one.source, one.source_port, one.target_port) for one in asked}
    return any(
        sight.size
        and sight.out is out
        and sight.icmp is None
        and not sight.opens
        and (sight.source, sight.source_port, sight.target_port) in ways
        for sight in sights
    )


def _told(seen: bool, packets: Packets | None) -> bool | None:
    """That something was seen is always true; that it was not, only of a capture that missed nothing."""
    if packets is None:
        return None
    return True if seen else (False if packets.sure else None)


def _sure(answer: tuple[Answer, Sight | None] | None, packets: Packets | None) -> Answer | None:
    if answer is None or packets is None:
        return None
    return answer[0] if answer[0] is not Answer.NOTHING or packets.sure else None
