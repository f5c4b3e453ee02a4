"""What the target's side holds in one window of ports: stand-ins opened, listeners found."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from probe.model.observation import PortUse, TargetView
from probe.model.ports import PortSet
from probe.model.words import Transport
from probe.wire.messages import Endpoint

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from probe.model.check import Check
    from probe.wire.messages import Held

Place = tuple[str, Transport]
"""An address of a target and a transport."""

# Where two sockets stand for one address (all of IPv4, all of IPv6), the view that says more wins.
_RANK = [
    PortUse.LISTENER,
    PortUse.DENIED,
    PortUse.OUTGOING,
    PortUse.STAND_IN,
    PortUse.ELSEWHERE,
    PortUse.FREE,
    PortUse.UNKNOWN,
]


class Window(msgspec.Struct, frozen=True):
    """The ports of one target that are looked at together. `web`: those that some check asks in HTTP or TLS."""

    ports: dict[Place, PortSet]
    web: dict[Place, PortSet]

    def endpoints(self) -> tuple[Endpoint, ...]:
        found = []
        for (address, transport), ports in self.ports.items():
            web = self.web.get((address, transport), PortSet()) & ports
            for part, is_web in ((ports - web, False), (web, True)):
                if part:
                    found.append(Endpoint(address=address, transport=transport, ports=str(part), web=is_web))
        return tuple(found)


def windows(checks: Iterable[Check], capacity: int) -> list[Window]:
    """The ports that these checks name on their target, cut into windows of at most `capacity` sockets."""
    named: dict[Place, PortSet] = {}
    web: dict[Place, PortSet] = {}
    for check in checks:
        place = (check.address, check.transport)
        named[place] = named.get(place, PortSet()) | check.ports
        if check.protocol.is_http or check.protocol.may_be_tls:
            web[place] = web.get(place, PortSet()) | check.ports
    cut: list[dict[Place, PortSet]] = [{}]
    room = capacity
    for place, ports in named.items():
        left = ports
        while left:
            if not room:
                cut.append({})
                room = capacity
            part = _first(left, room)
            cut[-1][place] = part
            left -= part
            room -= len(part)
    return [Window(ports, web) for ports in cut if ports]


def _first(ports: PortSet, count: int) -> PortSet:
    if len(ports) <= count:
        return ports
    taken = []
    for low, high in ports.ranges:
        size = min(count, high - low + 1)
        if size:
            taken.append((low, low + size - 1))
            count -= size
    return PortSet(taken)


class Views:
    """Who holds each port of one target. Ports nobody spoke of are UNKNOWN."""

    def __init__(self) -> None:
        self._held: dict[Place, list[tuple[PortSet, TargetView]]] = {}

    def add(self, held: Iterable[Held]) -> None:
        for item in held:
            self._held.setdefault((item.address, item.transport), []).append((PortSet.parse(item.ports), item.view))

    def split(self, place: Place, ports: PortSet) -> Iterator[tuple[PortSet, TargetView]]:
        """These ports, by what holds them."""
        left = ports
        for part, view in sorted(self._held.get(place, ()), key=lambda pair: _RANK.index(pair[1].use)):
            both = left & part
            if both:
                yield both, view
                left -= both
        if left:
            yield left, TargetView()
