"""The way that packets for one port take, device by device, as a trace found it."""

from __future__ import annotations

import msgspec

from probe.model.observation import Failure


class Hop(msgspec.Struct, frozen=True, omit_defaults=True):
    """One place on the way, `ttl` devices from the source (0: the source itself, with its own rules or because nobody
    on the link answers for the next device).

    `addresses` are those that answered for this place: several where packets take several ways (ECMP), none where
    nobody said a word. An empty address is a device that the kernel does not name (TCP before Linux 5.8). `icmp` is the
    type and code of a rejection; None where the device only said that the packet had come as far as that. `rtt_ms` is
    measured by the kernel; None where it does not tell, as for a RST.
    """

    ttl: int
    addresses: tuple[str, ...] = ()
    rtt_ms: float | None = None
    icmp: tuple[int, int] | None = None


class Way(msgspec.Struct, frozen=True, omit_defaults=True):
    """The devices that one or more flows (source ports) came by, from the first on; "" is one that was silent.

    `reached`: the target answered these flows; `flows`: how many there were. Where ways over different devices differ
    in `reached`, one of several next hops is at fault. Where they share their devices, it is loss or a rate limit.
    """

    addresses: tuple[str, ...] = ()
    reached: bool = False
    flows: int = 1


class ByFlow(msgspec.Struct, frozen=True, omit_defaults=True):
    """Source ports that were tried again and again: from so many every attempt or nearly every one got through, from so
    many none ever did, from so many some did.
    """

    through: int = 0
    lost: int = 0
    mixed: int = 0

    @property
    def bad_hop(self) -> bool:
        """Whether one of several next hops is at fault. By chance it looks otherwise: loss and limits mix."""
        return min(self.through, self.lost) > 1 and self.mixed <= (self.through + self.lost) / 3


class Path(msgspec.Struct, frozen=True, omit_defaults=True):
    """What attempts on the port itself showed of the way to it.

    `hops` count from 1 to the target or the device that rejected; where neither answered, to the silent place after
    the last device that did. `reached`: an answer came from the target's address: SYN-ACK, RST, datagram or ICMP; a
    device on the way can send a RST in its name, and does so at a smaller `distance` than that of a known-good port
    (the last device on the way at the same). `distance` is the lowest TTL at which it came.

    `rejected` is the device that refused by ICMP, at its own place where it also said that a packet came so far, else
    at the TTL of the refusal. That of a closed UDP port is none.

    `ways` tells flows apart where several were tried; none where routers spread the packets of one flow. `by_flow`
    sorts them by whether they get through, where that was asked. `loops`: a
    flow met a device twice with another between. `failure`: this host could not send, so what is missing means nothing.
    """

    hops: tuple[Hop, ...] = ()
    reached: bool = False
    rejected: Hop | None = None
    distance: int | None = None
    ways: tuple[Way, ...] = ()
    by_flow: ByFlow = ByFlow()
    loops: bool = False
    failure: Failure | None = None

    @property
    def last(self) -> Hop | None:
        """The farthest device that the packets are known to have come to.

        A router looks at the TTL before its forward rules and after its prerouting rules. So what is lost after `last`
        was dropped by its own forward rules, on the wire behind it, or by the next device (the target's input rules,
        if that is the target): from the source these look alike. Where one of several ways fails, it is of that one.
        """
        lost = next((way for way in self.ways if not way.reached), None)
        if lost is not None and any(way.reached for way in self.ways):
            named = [(ttl, address) for ttl, address in enumerate(lost.addresses, 1) if address]
            return Hop(named[-1][0], (named[-1][1],)) if named else None
        for hop in reversed(self.hops):
            if hop.addresses and hop.icmp is None and (self.distance is None or hop.ttl < self.distance):
                return hop
        return None

    @property
    def passed(self) -> bool:
        """Whether the target answered, whichever way the attempts took."""
        return self.reached and all(way.reached for way in self.ways)

    @property
    def forked(self) -> bool:
        """Whether the flows that did not reach the target came by a device that none of the others did, which came by
        another at its place.
        """
        reached = [way.addresses for way in self.ways if way.reached]
        lost = [way.addresses for way in self.ways if not way.reached]
        for place in range(max(map(len, lost), default=0)):
            bad = {way[place] for way in lost if place < len(way)} - {""}
            good = {way[place] for way in reached if place < len(way)} - {""}
            if bad and good and bad.isdisjoint(good):
                return True
        return False

    @property
    def several(self) -> bool:
        """Whether packets take several ways: some place has more than one device."""
        return any(len(hop.addresses) > 1 for hop in self.hops)
