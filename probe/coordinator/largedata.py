"""Whether large data passes where little does: a hole in path MTU discovery (RFC 2923) lets a handshake through, and
hangs the first full packet.

One port of each pair of hosts is asked for a large exchange. Only where that fails, each port of the pair is.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec

from probe.coordinator.link import AgentLost, AgentRefused
from probe.model.observation import Failure, PortUse, Proof
from probe.model.ports import PortSet
from probe.model.words import Protocol, Transport

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from probe.coordinator.agents import Agents
    from probe.coordinator.pieces import Errand, Piece
    from probe.wire.messages import Aim, Results, Walk

# Several full packets each way, on links with jumbo frames too for the greater part.
_BULK = 12_000
_DEADLINE, _MOST_PORTS = 60.0, 1000
_Way = tuple["Errand", "Piece", PortSet]


class LargeData:
    """`window` while the stand-ins are open: pieces that passed learn whether large data passes too, where it does not.

    `aim` makes an aim of an errand for this source, `walk` a walk without aims for it.
    """

    def __init__(self, agents: Agents, aim: Callable[[int, Errand, str], Aim], walk: Callable[[str], Walk]) -> None:
        self._agents = agents
        self._aim = aim
        self._walk = walk

    async def window(self, errands: Mapping[str, list[Errand]]) -> None:
        async with asyncio.TaskGroup() as group:
            for source, found in errands.items():
                group.create_task(self._source(source, found))

    async def _source(self, source: str, errands: Iterable[Errand]) -> None:
        pairs: dict[tuple[str, str], list[_Way]] = {}
        for errand in errands:
            for piece in errand.pieces:
                if _passed(errand, piece):
                    pairs.setdefault((errand.check.target, piece.address), []).append((errand, piece, piece.ports))
        samples = [_one_port(ways[0]) for ways in pairs.values()]
        held_up = {(way[0].check.target, way[1].address) for way, _ in await self._fail(source, samples, once=False)}
        again = [way for pair in held_up for way in pairs[pair]]
        for (errand, piece, _), ports in await self._fail(source, again, once=True):
            rest = piece.ports - ports
            made = [msgspec.structs.replace(piece, ports=ports, large=False)]
            errand.replace(piece, made + ([msgspec.structs.replace(piece, ports=rest)] if rest else []))

    async def _fail(self, source: str, ways: list[_Way], *, once: bool) -> list[tuple[_Way, PortSet]]:
        """Those over which a large exchange does not end, with the ports."""
        found = self._agents.link(source)
        if found is None or not ways:
            return []
        aims, left = [], _MOST_PORTS
        for number, (errand, piece, ports) in enumerate(ways):
            if left < len(ports):
                break
            left -= len(ports)
            aim = self._aim(number, errand, source)
            aims.append(
                msgspec.structs.replace(
                    aim, address=piece.address, ports=str(ports), protocol=Protocol.TCP, fingerprint="", bulk=_BULK
                )
            )
        failed: dict[int, PortSet] = {}

        def results(part: Results) -> None:
            for outcome in part.outcomes:
                # What does not even connect has another fault, or met a limit of ours.
                if outcome.seen.proof is Proof.ACCEPTED and outcome.seen.failure is Failure.TIMEOUT:
                    failed[outcome.task] = failed.get(outcome.task, PortSet()) | PortSet.parse(outcome.ports)

        try:
            await found[0].walk(
                lambda given: msgspec.structs.replace(
                    self._walk(source), id=given, aims=tuple(aims), once=once, deadline=_DEADLINE
                ),
                results,
                _DEADLINE + 20,
            )
        except (AgentLost, AgentRefused):
            return []
        return [(ways[number], ports & ways[number][2]) for number, ports in failed.items() if number < len(ways)]


def _passed(errand: Errand, piece: Piece) -> bool:
    return (
        errand.check.transport is Transport.TCP
        and errand.view.use is PortUse.STAND_IN
        and not errand.check.same_host
        and piece.seen is not None
        and piece.seen.proof is Proof.KEYED
    )


def _one_port(way: _Way) -> _Way:
    errand, piece, ports = way
    return errand, piece, PortSet([(ports.ranges[0][0], ports.ranges[0][0])])
