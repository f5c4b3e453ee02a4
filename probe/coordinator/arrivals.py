"""What the target's side saw of attempts that should not get through: whether they came to its interface, and whether
its own rules let them in. So a service that need not answer (UDP) is known to be reached, and one that seems to answer
is known to be asked.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec

from probe.coordinator.link import AgentLost, AgentRefused
from probe.model.ends import Ends
from probe.model.observation import PortUse
from probe.model.ports import PortError, PortSet
from probe.model.sight import Arrived, Flow
from probe.model.words import Expect
from probe.wire.messages import Tallied, Tally

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from probe.coordinator.agents import Agents
    from probe.coordinator.pieces import Errand, Piece
    from probe.model.inventory import Host
    from probe.model.words import Transport

_ORDER, _LONGEST = 20.0, 1800.0


class Arrivals:
    """`begin` before the attempts of these errands, `end` after them: their pieces then know what arrived."""

    def __init__(self, agents: Agents, hosts: Mapping[str, Host]) -> None:
        self._agents = agents
        self._hosts = hosts
        self._everybody = frozenset(address for host in hosts.values() for address in host.addresses)
        self._tallies: dict[str, int] = {}

    async def begin(self, errands: Mapping[str, list[Errand]]) -> None:
        ports: dict[str, dict[tuple[Transport, str], PortSet]] = {}
        for found in errands.values():
            for errand in filter(_of_interest, found):
                check = errand.check
                at = ports.setdefault(check.target, {})
                key = (check.transport, "" if errand.view.translated else check.address)
                at[key] = at.get(key, PortSet()) | errand.ports

        async def start(target: str, flows: tuple[Flow, ...]) -> None:
            found = self._agents.link(target)
            if found is None or "raw" not in found[1].capabilities:
                return
            try:
                self._tallies[target] = await found[0].tally(
                    lambda number: Tally(id=number, flows=flows, seconds=_LONGEST, inside=True), _ORDER
                )
            except (AgentLost, AgentRefused):
                pass  # what cannot be seen is told without

        async with asyncio.TaskGroup() as group:
            for target, wanted in ports.items():
                flows = tuple(Flow(transport, address, str(part)) for (transport, address), part in wanted.items())
                group.create_task(start(target, flows))

    async def end(self, errands: Mapping[str, list[Errand]]) -> None:
        told: dict[str, Tallied] = {}

        async def stop(target: str, number: int) -> None:
            found = self._agents.link(target)
            if found is None:
                return
            try:
                told[target] = await found[0].tallied(number, _ORDER)
            except (AgentLost, AgentRefused):
                pass

        async with asyncio.TaskGroup() as group:
            for target, number in self._tallies.items():
                group.create_task(stop(target, number))
        self._tallies = {}
        seen = {target: _Seen(tallied) for target, tallied in told.items()}
        for source, found in errands.items():
            for errand in filter(_of_interest, found):
                at = seen.get(errand.check.target)
                for piece in list(errand.pieces) if at is not None else ():
                    if piece.seen is not None and piece.ends is None:
                        assert at is not None  # noqa: S101  (else there is nothing to go through)
                        errand.replace(piece, self._split(piece, self._own(source, piece), errand, at))

    def _own(self, source: str, piece: Piece) -> frozenset[str]:
        local = piece.seen.local if piece.seen is not None else ""
        return frozenset({*self._hosts[source].addresses, local} - {""})

    def _split(self, piece: Piece, own: frozenset[str], errand: Errand, at: _Seen) -> list[Piece]:
        """The piece by what became of its ports."""
        check = errand.check
        address = "" if errand.view.translated else piece.address
        groups: dict[tuple[bool | None, bool | None], list[int]] = {}
        for port in piece.ports:
            arrived = at.arrived(check.transport, address, port, own, self._everybody)
            passed = at.passed(check.transport, address, port, own, self._everybody)
            groups.setdefault((arrived, passed), []).append(port)
        return [
            msgspec.structs.replace(
                piece,
                ports=PortSet.of(ports),
                ends=Ends(arrived=arrived, passed=passed) if (arrived, passed) != (None, None) else None,
            )
            for (arrived, passed), ports in groups.items()
        ]


class _Seen:
    """One target's tally. Where something in it makes no sense, nothing is sure."""

    def __init__(self, tallied: Tallied) -> None:
        self._arrived = list(_readable(tallied.arrived))
        self._passed = list(_readable(tallied.passed))
        self._sure = tallied.sure and len(self._arrived) == len(tallied.arrived)
        self._surely_passed = tallied.surely_passed and len(self._passed) == len(tallied.passed)

    def arrived(
        self, transport: Transport, address: str, port: int, own: frozenset[str], others: frozenset[str]
    ) -> bool | None:
        return _told(self._arrived, self._sure, (transport, address, port), own, others)

    def passed(
        self, transport: Transport, address: str, port: int, own: frozenset[str], others: frozenset[str]
    ) -> bool | None:
        return _told(self._passed, self._surely_passed, (transport, address, port), own, others)


def _told(
    rows: Iterable[tuple[Arrived, PortSet]],
    sure: bool,
    place: tuple[Transport, str, int],
    own: frozenset[str],
    others: frozenset[str],
) -> bool | None:
    """What came from the source's own addresses is its. What came from an address that nobody of the run has may be
    its too, translated on the way: then nobody knows.
    """
    transport, address, port = place
    peers = {
        row.peer
        for row, ports in rows
        if row.transport is transport and (not address or row.address == address) and port in ports
    }
    if peers & own:
        return True
    return None if peers - others or not sure else False


def _readable(rows: Iterable[Arrived]) -> Iterable[tuple[Arrived, PortSet]]:
    for row in rows:
        try:
            yield row, PortSet.parse(row.ports)
        except PortError:
            continue


def _of_interest(errand: Errand) -> bool:
    """Somebody listens, and it should not be reached from there."""
    return errand.check.expect is Expect.BLOCK and errand.view.use is PortUse.LISTENER and not errand.check.same_host
