"""Whether large data passes where little does: a hole in path MTU discovery (RFC 2923) lets a handshake through, and
hangs the first full packet.

One port of each pair of hosts is asked for a large exchange. Only where that hangs, the others of the pair are, a range
by some of its ports.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec

from probe.coordinator.link import AgentLost, AgentRefused
from probe.coordinator.suspects import SAMPLES, some
from probe.model.observation import Failure, PortUse, Proof
from probe.model.ports import PortSet
from probe.model.words import Protocol, Transport

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from probe.coordinator.agents import Agents
    from probe.coordinator.pieces import Errand, Piece
    from probe.model.observation import Observation
    from probe.wire.messages import Aim, Results, Walk

# Several full packets each way, on links with jumbo frames too for the greater part.
_BULK = 12_000
_DEADLINE = 60.0
_Way = tuple["Errand", "Piece", PortSet]
_Pair = tuple[str, str, str]
"""Source, target, and the address that was dialled."""


class LargeData:
    """`window` while the stand-ins are open: pieces that passed learn whether large data passes too, where it does not.

    `aim` makes an aim of an errand for this source, `walk` a walk without aims for it.
    """

    def __init__(self, agents: Agents, aim: Callable[[int, Errand, str], Aim], walk: Callable[[str], Walk]) -> None:
        self._agents = agents
        self._aim = aim
        self._walk = walk
        # Pairs over which large data passes: later windows of ports need not ask again.
        self._fine: set[_Pair] = set()

    async def window(self, errands: Mapping[str, list[Errand]]) -> None:
        async with asyncio.TaskGroup() as group:
            for source, found in errands.items():
                group.create_task(self._source(source, found))

    async def _source(self, source: str, errands: Iterable[Errand]) -> None:
        pairs: dict[_Pair, list[_Way]] = {}
        for errand in errands:
            for piece in errand.pieces:
                pair = (source, errand.check.target, piece.address)
                if pair not in self._fine and _passed(errand, piece):
                    pairs.setdefault(pair, []).append((errand, piece, piece.ports))
        samples = [_one_port(ways[0]) for ways in pairs.values()]
        seen = await self._ask(source, samples, once=False)
        held_up = [pair for number, pair in enumerate(pairs) if _hangs(seen, number)]
        self._fine |= {pair for number, pair in enumerate(pairs) if _passes(seen, number)}
        again = [(errand, piece, some(ports, SAMPLES)) for pair in held_up for errand, piece, ports in pairs[pair]]
        seen = await self._ask(source, again, once=True)
        for number, (errand, piece, asked) in enumerate(again):
            _tell(errand, piece, asked, _passes(seen, number))

    async def _ask(self, source: str, ways: list[_Way], *, once: bool) -> list[tuple[int, PortSet, Observation]]:
        """What a large exchange over each of these ways came to: its number, ports, and what was seen there."""
        found = self._agents.link(source)
        if found is None or not ways:
            return []
        aims = tuple(
            msgspec.structs.replace(
                self._aim(number, errand, source),
                address=piece.address,
                ports=str(ports),
                protocol=Protocol.TCP,
                fingerprint="",
                bulk=_BULK,
            )
            for number, (errand, piece, ports) in enumerate(ways)
        )
        seen: list[tuple[int, PortSet, Observation]] = []

        def results(part: Results) -> None:
            seen.extend((outcome.task, PortSet.parse(outcome.ports), outcome.seen) for outcome in part.outcomes)

        try:
            await found[0].walk(
                lambda given: msgspec.structs.replace(
                    self._walk(source), id=given, aims=aims, once=once, deadline=_DEADLINE
                ),
                results,
                _DEADLINE + 20,
            )
        except (AgentLost, AgentRefused):
            pass  # what is not known of a way that hangs is taken from its pair
        return seen


def _passes(seen: list[tuple[int, PortSet, Observation]], number: int) -> PortSet:
    """The ports of this way where a large exchange ended as it should."""
    return PortSet(
        part
        for task, ports, what in seen
        if task == number and what.failure is None and what.proof is Proof.KEYED
        for part in ports.ranges
    )


def _hangs(seen: list[tuple[int, PortSet, Observation]], number: int) -> bool:
    """Whether it began and did not end; what does not even connect has another fault, or met a limit of ours."""
    return any(
        task == number and what.proof is Proof.ACCEPTED and what.failure is Failure.TIMEOUT for task, _, what in seen
    )


def _tell(errand: Errand, piece: Piece, asked: PortSet, passes: PortSet) -> None:
    """On a pair where large data is held up, what was not asked shares what the others of its piece agree on: only a
    large exchange that ended clears a port.
    """
    held_up = asked - passes
    if not held_up:
        return
    if not asked & passes:
        held_up = piece.ports
    rest = piece.ports - held_up
    made = [msgspec.structs.replace(piece, ports=held_up, large=False)]
    errand.replace(piece, made + ([msgspec.structs.replace(piece, ports=rest)] if rest else []))


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
