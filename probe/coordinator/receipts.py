"""What the stand-ins of a run say they received, by source."""

from __future__ import annotations

from typing import TYPE_CHECKING

from probe.model.observation import Receipts
from probe.model.ports import PortSet
from probe.wire.challenge import canonical

if TYPE_CHECKING:
    from probe.coordinator.targets import Place
    from probe.model.words import Transport
    from probe.wire.messages import Closed


class Ledger:
    """Filled with each window's receipts; asked once all are in."""

    def __init__(self) -> None:
        self._answered: dict[tuple[str, Place, int], PortSet] = {}
        self._foreign: dict[tuple[int, str, Transport], list[tuple[str, PortSet]]] = {}
        self._arrived: dict[tuple[str, Place, int], set[str]] = {}
        self._visitors: dict[tuple[Transport, int], dict[str, str]] = {}
        self._starved: set[str] = set()

    def add(self, target: str, closed: Closed) -> None:
        """Raises PortError for receipts that name no ports."""
        for receipt in closed.receipts:
            if receipt.answered:
                key = (target, (receipt.address, receipt.transport), receipt.number)
                self._answered[key] = self._answered.get(key, PortSet()) | PortSet.parse(receipt.answered)
            if receipt.foreign:
                foreign = self._foreign.setdefault((receipt.number, receipt.meant, receipt.transport), [])
                foreign.append((target, PortSet.parse(receipt.foreign)))
        if closed.starved:
            self._starved.add(target)
        for arrival in closed.arrivals:
            place = (arrival.address, arrival.transport)
            self._arrived.setdefault((target, place, arrival.port), set()).add(arrival.peer)
            self._visitors.setdefault((arrival.transport, arrival.port), {})[arrival.peer] = target

    def split(
        self, target: str, place: Place, number: int, ports: PortSet, sources: frozenset[str], dialled: str
    ) -> list[tuple[PortSet, Receipts]]:
        """These ports by what the target received on them, at this address, from the source of this number and these
        addresses. `dialled` is the numeric address that it tried, or a name that has none.
        """
        try:
            meant = canonical(dialled)
        except OSError:
            meant = ""
        answered = ports & self._answered.get((target, place, number), PortSet())
        found = [(answered, Receipts(answered=True))] if answered else []
        groups: dict[Receipts, list[int]] = {}
        for port in ports - answered:
            arrived = not sources.isdisjoint(self._arrived.get((target, place, port), ()))
            elsewhere = self._elsewhere(target, (number, meant, place[1]), port)
            receipts = Receipts(arrived=arrived, elsewhere=elsewhere, starved=target in self._starved)
            groups.setdefault(receipts, []).append(port)
        return found + [(PortSet.of(group), receipts) for receipts, group in groups.items()]

    def visited(self, transport: Transport, port: int, sources: frozenset[str]) -> str:
        """The host whose stand-in was reached on this port from these addresses, without a challenge."""
        visitors = self._visitors.get((transport, port), {})
        return next((visitors[source] for source in sorted(sources) if source in visitors), "")

    def _elsewhere(self, target: str, asked: tuple[int, str, Transport], port: int) -> str:
        foreign = self._foreign.get(asked, ())
        return next((host for host, ports in foreign if host != target and port in ports), "")
