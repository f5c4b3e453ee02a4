"""Whether what a service answered was answered by its host: which connections and datagrams of a walk came in at the
target, and were let in by its own rules.

A device that accepts in a service's place looks like the service from the source. Where the target's agent may look at
packets it notes at which ports the sources came in, while they walk; a way that worked and did not come in is in doubt,
and the diagnosis looks at it packet by packet. Nobody is asked more often for it.
"""

from __future__ import annotations

import asyncio
from ipaddress import ip_address
from typing import TYPE_CHECKING

import msgspec

from probe.coordinator.link import AgentLost, AgentRefused
from probe.model.observation import PortUse
from probe.model.ports import PortError, PortSet
from probe.model.sight import Flow
from probe.model.words import Expect, State
from probe.wire.messages import Tally

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from probe.coordinator.agents import Agents
    from probe.coordinator.pieces import Errand, Piece
    from probe.model.inventory import Host
    from probe.model.sight import Arrived
    from probe.model.words import Transport
    from probe.wire.messages import Tallied

_ORDER = 20.0
_MOST_PEERS = 128
_Place = tuple[str, "Transport"]


class Comings:
    """`begin` before a window's walk, `end` after it: the pieces in doubt are marked."""

    def __init__(self, agents: Agents, hosts: Mapping[str, Host]) -> None:
        self._agents = agents
        self._hosts = hosts
        self._tallies: dict[str, int] = {}

    async def begin(self, errands: Mapping[str, list[Errand]], seconds: float) -> None:
        """For so many seconds at the longest."""
        self._tallies = {}
        asked: dict[str, dict[_Place, PortSet]] = {}
        peers: dict[str, set[str]] = {}
        for source, found in errands.items():
            for errand in filter(_asks_a_service, found):
                check = errand.check
                place = (
                    "" if errand.view.translated or not _is_numeric(check.address) else check.address,
                    check.transport,
                )
                ports = asked.setdefault(check.target, {})
                ports[place] = ports.get(place, PortSet()) | errand.ports
                peers.setdefault(check.target, set()).update(self._hosts[source].addresses)
        async with asyncio.TaskGroup() as group:
            for target, ports in asked.items():
                flows = tuple(
                    Flow(transport, address, str(wanted), _peers(peers[target]))
                    for (address, transport), wanted in ports.items()
                )
                group.create_task(self._begin(target, flows, seconds))

    async def _begin(self, target: str, flows: tuple[Flow, ...], seconds: float) -> None:
        found = self._agents.link(target)
        if found is None or "raw" not in found[1].capabilities:
            return

        def order(number: int) -> Tally:
            return Tally(id=number, flows=flows, seconds=seconds, inside=True)

        try:
            self._tallies[target] = await found[0].tally(order, _ORDER)
        except (AgentLost, AgentRefused):
            pass  # without it there is no doubt, and no proof

    async def end(self, errands: Mapping[str, list[Errand]]) -> None:
        tallied: dict[str, Tallied] = {}

        async def ask(target: str, number: int) -> None:
            found = self._agents.link(target)
            if found is None:
                return
            try:
                tallied[target] = await found[0].tallied(number, _ORDER)
            except (AgentLost, AgentRefused):
                pass

        async with asyncio.TaskGroup() as group:
            for target, number in self._tallies.items():
                group.create_task(ask(target, number))
        for source, found in errands.items():
            own = frozenset(self._hosts[source].addresses)
            for errand in filter(_asks_a_service, found):
                told = tallied.get(errand.check.target)
                if told is not None:
                    for piece in list(errand.pieces):
                        _mark(errand, piece, told, own)


def _mark(errand: Errand, piece: Piece, told: Tallied, own: frozenset[str]) -> None:
    """Cut off the ports that worked, though the source did not come in there or was not let in."""
    seen = piece.seen
    if seen is None or seen.state is not State.OPEN:
        return
    addresses = own | {seen.local}
    transport = errand.check.transport
    doubtful = PortSet()
    for arrived, sure in ((told.arrived, told.sure), (told.passed, told.surely_passed)):
        if sure:
            doubtful |= piece.ports - PortSet(_spans(arrived, addresses, transport))
    if doubtful:
        rest = piece.ports - doubtful
        made = [msgspec.structs.replace(piece, ports=doubtful, doubtful=True)]
        errand.replace(piece, made + ([msgspec.structs.replace(piece, ports=rest)] if rest else []))


def _spans(arrived: Iterable[Arrived], addresses: frozenset[str], transport: Transport) -> Iterator[tuple[int, int]]:
    for one in arrived:
        if one.peer in addresses and one.transport is transport:
            try:
                yield from PortSet.parse(one.ports).ranges
            except PortError:
                continue  # additional evidence: what makes no sense is none


def _asks_a_service(errand: Errand) -> bool:
    check, use = errand.check, errand.view.use
    asks = use not in (PortUse.STAND_IN, PortUse.DENIED, PortUse.OUTGOING)
    return asks and check.expect is Expect.REACH and not check.same_host


def _peers(addresses: set[str]) -> tuple[str, ...]:
    """Theirs alone, so that the service's own customers are not noted; anybody's where that is not to be said."""
    if len(addresses) > _MOST_PEERS or not all(map(_is_numeric, addresses)):
        return ()
    return tuple(sorted(addresses))


def _is_numeric(address: str) -> bool:
    try:
        ip_address(address)
    except ValueError:
        return False
    return True
