"""Whether one of several next hops is bad (ECMP, RFC 2992): some connections get through and others never do, by their
ports. A port that was tried until it passed does not show it.

It is looked for between two hosts where something passed only later, and where so few ports were tried that chance may
have hidden it; there a few more connections are made. A path that tells flows apart then proves it, or nothing is said.
"""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING

import msgspec

from probe.coordinator.link import AgentLost, AgentRefused
from probe.coordinator.suspects import evenly
from probe.model.observation import PortUse, Proof
from probe.model.words import Expect, Transport
from probe.wire.messages import Trace, Traced

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from probe.coordinator.agents import Agents
    from probe.coordinator.pieces import Errand, Piece
    from probe.model.path import Path
    from probe.wire.messages import Aim, Results, Walk

# So many connections from fresh ports all pass by the good ones of two next hops once in 60,000 times.
_FLOWS = 16
_FOLLOWED, _TRIES, _HOP = 4, 3, 0.5
_MOST, _LATE = 24, 3  # paths that one source follows, and those of one pair that passed late
_WALK, _TRACE = 30.0, 100.0
_Pair = tuple[str, str, Transport]
"""Target, the address that was dialled, transport."""
_Way = tuple["Errand", "Piece"]


class NextHops:
    """`window` while the stand-ins are open. `aim` and `walk` as in Diagnosis."""

    def __init__(self, agents: Agents, aim: Callable[[int, Errand, str], Aim], walk: Callable[[str], Walk]) -> None:
        self._agents = agents
        self._aim = aim
        self._walk = walk
        self._fine: set[tuple[str, _Pair]] = set()

    async def window(self, errands: Mapping[str, list[Errand]]) -> None:
        async with asyncio.TaskGroup() as group:
            for source, found in errands.items():
                group.create_task(self._source(source, found))

    async def _source(self, source: str, errands: Iterable[Errand]) -> None:
        pairs: dict[_Pair, list[_Way]] = {}
        for errand in errands:
            for piece in errand.pieces:
                if _passed(errand, piece):
                    pair = (errand.check.target, piece.address, errand.check.transport)
                    pairs.setdefault(pair, []).append((errand, piece))
        suspicious = {pair for pair, ways in pairs.items() if any(_late(piece) for _, piece in ways)}
        few = [pair for pair, ways in pairs.items() if pair not in suspicious and self._few(source, pair, ways)]
        suspicious |= await self._try_again(source, {pair: pairs[pair] for pair in few})
        self._fine |= {(source, pair) for pair in pairs.keys() - suspicious}
        await self._prove(source, {pair: pairs[pair] for pair in pairs if pair in suspicious})

    def _few(self, source: str, pair: _Pair, ways: Iterable[_Way]) -> bool:
        own = [(errand, piece) for errand, piece in ways if errand.view.use is PortUse.STAND_IN]
        return bool(own) and (source, pair) not in self._fine and sum(len(piece.ports) for _, piece in own) < _FLOWS

    async def _try_again(self, source: str, pairs: Mapping[_Pair, list[_Way]]) -> set[_Pair]:
        """Those of which one fresh attempt failed."""
        found = self._agents.link(source)
        tries = [
            (pair, way) for pair, ways in pairs.items() for way in ways for _ in range(math.ceil(_FLOWS / len(ways)))
        ]
        if found is None or not tries:
            return set()
        aims = tuple(self._aim_at(number, source, *way) for number, (_, way) in enumerate(tries))
        failed: set[_Pair] = set()

        def results(part: Results) -> None:
            failed.update(
                tries[outcome.task][0]
                for outcome in part.outcomes
                if outcome.seen.failure is not None and 0 <= outcome.task < len(tries)
            )

        def order(given: int) -> Walk:
            return msgspec.structs.replace(self._walk(source), id=given, aims=aims, once=True, deadline=_WALK)

        try:
            await found[0].walk(order, results, _WALK + 20)
        except (AgentLost, AgentRefused):
            return set()
        return failed

    async def _prove(self, source: str, pairs: Mapping[_Pair, list[_Way]]) -> None:
        """Pieces by one of their ports, and pairs by some of their pieces: which next hop a connection takes is no
        matter of what listens there.
        """
        found = self._agents.link(source)
        chosen = evenly([(pair, errand, piece) for pair in pairs for errand, piece in _some(pairs[pair])], _MOST)
        if found is None or not chosen:
            return
        aims = tuple(self._aim_at(number, source, errand, piece) for number, (_, errand, piece) in enumerate(chosen))
        walk = self._walk(source)

        def order(given: int) -> Trace:
            flows = {"timeout": _HOP, "tries": _TRIES, "flows": _FOLLOWED, "sorting": True}
            return Trace(id=given, number=walk.number, aims=aims, bind=walk.bind, **flows)  # type: ignore[arg-type]

        try:
            traced = await found[0].ask(order, Traced, _TRACE)
        except (AgentLost, AgentRefused):
            return
        paths: dict[_Pair, dict[int, Path]] = {}
        for number, path in traced.paths.items():
            if 0 <= number < len(chosen):
                pair, _, piece = chosen[number]
                paths.setdefault(pair, {})[id(piece)] = path
        bad = {pair[:2] for pair, own in paths.items() if any(map(_proves, own.values())) or _is_tcp(pair, own)}
        for pair, own in paths.items():
            if pair[:2] in bad:
                _tell(pairs[pair], own)

    def _aim_at(self, task: int, source: str, errand: Errand, piece: Piece) -> Aim:
        port = piece.ports.ranges[0][0]
        return msgspec.structs.replace(self._aim(task, errand, source), address=piece.address, ports=str(port))


def _proves(path: Path) -> bool:
    return path.by_flow.bad_hop and path.forked


def _is_tcp(pair: _Pair, own: Mapping[int, Path]) -> bool:
    """Whether flows alone prove it. A stateful limit lets datagrams through for good once it has let one: then the
    devices must tell, or what TCP met on the same way.
    """
    return pair[2] is Transport.TCP and any(path.by_flow.bad_hop for path in own.values())


def _some(ways: list[_Way]) -> list[_Way]:
    """Some that had to be tried more than once, and one that had not: it speaks for the rest."""
    late = [way for way in ways if _late(way[1])]
    return late[:_LATE] + [way for way in ways if not _late(way[1])][:1]


def _tell(ways: Iterable[_Way], own: Mapping[int, Path]) -> None:
    """`own`: the paths of those that were followed. All share a bad next hop if all of one's flows got through for none
    of these: else it is a matter of the port. They share the path that tells most of it, too: devices answer only so
    often, and what one path knows another may lack.
    """
    bad = [path for path in own.values() if path.by_flow.bad_hop]
    free = any(path.by_flow.through and not path.by_flow.lost for path in own.values())
    of_all = max(bad, key=_told_of_it) if bad and not free else None
    for errand, piece in ways:
        path = of_all or own.get(id(piece))
        if path is not None and path.by_flow.bad_hop:
            errand.replace(piece, [msgspec.structs.replace(piece, path=path)])


def _told_of_it(path: Path) -> tuple[bool, bool, int, int]:
    """How much of the way to the fault devices have told."""
    return path.rejected is not None, path.forked, path.last.ttl if path.last is not None else -1, len(path.hops)


def _passed(errand: Errand, piece: Piece) -> bool:
    seen = piece.seen
    return (
        errand.check.expect is Expect.REACH
        and not errand.check.same_host
        and seen is not None
        and seen.failure is None
        and seen.proof is not Proof.NONE
    )


def _late(piece: Piece) -> bool:
    return piece.seen is not None and piece.seen.attempts > 1
