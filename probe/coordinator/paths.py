"""Where on the way failures happen: paths that a source followed during its walk, those that it is asked for
afterwards, and the failures that share one.

A router answers few of the packets that run out at it, so only some ways are followed. Others that failed alike share
what these agree on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from probe.coordinator.link import AgentLost, AgentRefused
from probe.coordinator.suspects import evenly
from probe.wire.messages import Trace, Traced

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Hashable, Iterable, Mapping

    from probe.coordinator.agents import Agents
    from probe.coordinator.pieces import Errand
    from probe.model.path import Path
    from probe.model.words import Transport
    from probe.wire.messages import Aim, Followed, Walk

_HOP = 0.5  # seconds that a device on the way gets to answer
_MOST = 40  # ways that one source follows by order
_DEADLINE = 100.0
_TRIES, _FLOWS = 3, 6  # of a way that is looked at closely


class Place(NamedTuple):
    """What a path is followed to."""

    transport: Transport
    address: str
    port: int

    @property
    def ipv6(self) -> bool:
        return ":" in self.address


class Failed(NamedTuple):
    """A way that a path can place. `kind`: how it failed; only what failed alike shares a path, and nothing that is not
    known to have left its source.
    """

    place: Place
    kind: Hashable
    shares: bool
    errand: Errand

    @property
    def service(self) -> Hashable:
        """What one rule of a firewall may well be about, at addresses that one route may lead to."""
        return self.place.transport, self.place.ipv6, self.errand.check.ports.ranges


class Paths:
    """`keep` what the walks followed, then ask for the paths `of` what failed. `aim` and `walk` as in Diagnosis."""

    def __init__(self, agents: Agents, aim: Callable[[int, Errand, str], Aim], walk: Callable[[str], Walk]) -> None:
        self._agents = agents
        self._aim = aim
        self._walk = walk
        self._known: dict[str, dict[Place, Path]] = {}

    def keep(self, source: str, errands: Mapping[int, Errand], followed: Iterable[Followed]) -> None:
        """By the task of each errand. What was not ordered is left out."""
        known = self._known.setdefault(source, {})
        for found in followed:
            errand = errands.get(found.task)
            if errand is not None and found.port in errand.ports:
                known[Place(errand.check.transport, found.address, found.port)] = found.path

    async def of(self, source: str, failed: Collection[Failed], *, closely: bool) -> dict[Place, Path]:
        """The paths of those that have one. `closely`: each is followed anew, with all its ways."""
        if closely:
            return await self._ask(source, _spread(list(failed)), closely=True)
        known = {one.place: path for one in failed if (path := self._told(source, one))}
        again = [one for one in failed if one.place not in shared(failed, known)] + in_doubt(failed, known)
        for place, path in (await self._ask(source, _spread(again), closely=False) if again else {}).items():
            known[place] = _farther(known.get(place), path)
        return shared(failed, known)

    def _told(self, source: str, one: Failed) -> Path | None:
        return self._known.get(source, {}).get(one.place)

    async def _ask(self, source: str, chosen: list[Failed], *, closely: bool) -> dict[Place, Path]:
        found = self._agents.link(source)
        if found is None:
            return {}
        aims = tuple(
            msgspec.structs.replace(
                self._aim(number, one.errand, source), address=one.place.address, ports=str(one.place.port)
            )
            for number, one in enumerate(chosen)
        )
        walk = self._walk(source)
        how = {"timeout": _HOP, "tries": _TRIES, "flows": _FLOWS, "rationed": not closely}

        def order(given: int) -> Trace:
            return Trace(id=given, number=walk.number, aims=aims, bind=walk.bind, **how)  # type: ignore[arg-type]

        try:
            traced = await found[0].ask(order, Traced, _DEADLINE)
        except (AgentLost, AgentRefused):
            return {}
        return {chosen[number].place: path for number, path in traced.paths.items() if 0 <= number < len(chosen)}


def shared(failed: Collection[Failed], known: Mapping[Place, Path]) -> dict[Place, Path]:
    """Each one's own path; for a service at one address the one that its paths agree on, at other addresses if those of
    several addresses do; and one for all services if each has one, and these agree. IPv4 and IPv6 go ways of their
    own. Pure.
    """
    found = {one.place: known[one.place] for one in failed if one.place in known}
    for level, least in ((_at_one_address, 1), (_of_one_service, 2), (_of_one_family, 2)):
        groups: dict[Hashable, list[Failed]] = {}
        for one in failed:
            groups.setdefault((one.kind, level(one)), []).append(one)
        for members in groups.values():
            own = [known[one.place] for one in members if one.place in known]
            addresses = {one.place.address for one in members if one.place in known}
            agree = len(addresses) >= least and len({_end(path) for path in own}) == 1
            followed = {one.service for one in members if one.place in found}
            if agree and followed == {one.service for one in members}:
                one_for_all = max(own, key=lambda path: len(path.hops))
                found |= {one.place: one_for_all for one in members if one.shares}
    return found


def _at_one_address(one: Failed) -> Hashable:
    return one.service, one.place.address


def _of_one_service(one: Failed) -> Hashable:
    return one.service


def _of_one_family(one: Failed) -> Hashable:
    return one.place.ipv6


def in_doubt(failed: Iterable[Failed], known: Mapping[Place, Path]) -> list[Failed]:
    """Those whose path ends nearer than that of another port of their service: a device's answer may have been lost."""
    groups: dict[Hashable, list[Failed]] = {}
    for one in failed:
        if one.place in known:
            groups.setdefault((one.kind, one.service), []).append(one)
    found = []
    for members in groups.values():
        farthest = max(_reach(known[one.place]) for one in members)
        found += [one for one in members if _reach(known[one.place]) < farthest]
    return found


def _farther(first: Path | None, second: Path) -> Path:
    return second if first is None or _reach(second) >= _reach(first) else first


def _reach(path: Path) -> int:
    """How many devices away something answered last."""
    last = path.last.ttl if path.last is not None else 0
    return max(last, path.distance or 0, path.rejected.ttl if path.rejected is not None else 0)


def _end(path: Path) -> Hashable:
    """Where it ends, whatever is known of the way there."""
    last, rejected = path.last, path.rejected
    return (
        (last.ttl, last.addresses) if last is not None else None,
        (rejected.ttl, rejected.addresses, rejected.icmp) if rejected is not None else None,
        path.distance,
        path.passed,
    )


def _spread(missing: list[Failed]) -> list[Failed]:
    """Of each kind and service as many as of the others, as far as it has them."""
    groups: dict[Hashable, list[Failed]] = {}
    for one in missing:
        groups.setdefault((one.kind, one.service), []).append(one)
    chosen: list[Failed] = []
    for waiting, group in zip(range(len(groups), 0, -1), sorted(groups.values(), key=len), strict=True):
        chosen += evenly(group, (_MOST - len(chosen)) // waiting)
    return chosen
