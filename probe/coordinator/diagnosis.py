"""Why a way failed: fresh attempts while both ends look at their interfaces, and the path of what never arrived.

It runs while the stand-ins are open. Each failing port is tried a few times more, a range by some of its ports.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec

from probe.coordinator.largedata import LargeData
from probe.coordinator.link import AgentLost, AgentRefused
from probe.coordinator.nexthops import NextHops
from probe.coordinator.paths import Failed, Paths, Place
from probe.coordinator.suspects import Look, Suspect, better, lost_among_others, says_more, suspects_of, tell
from probe.model.account import Account, of_one_way
from probe.model.ends import Ends, Packets, meet
from probe.model.ports import PortError, PortSet
from probe.model.sight import Flow
from probe.wire.messages import Unwatch, Walk, Watch, Watched, Watching

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from probe.coordinator.agents import Agents
    from probe.coordinator.pieces import Errand
    from probe.model.inventory import Host
    from probe.model.path import Path
    from probe.wire.messages import Aim, Outcome, Results

# So many fresh attempts at each port: one may be lost, and what is lost by chance has no culprit.
_ATTEMPTS = 3
# Attempts a second, as long as all of them take no longer than so many seconds.
_PACE, _LONGEST = 100.0, 6.0
_ORDER, _CONFIRM = 20.0, 60.0


class Diagnosis:
    """`window` once for each window of ports, while its stand-ins are open. Afterwards the pieces of the errands have
    what was found, and looked at `closely` the `accounts` too.
    """

    def __init__(
        self,
        agents: Agents,
        hosts: Mapping[str, Host],
        aim: Callable[[int, Errand, str], Aim],
        walk: Callable[[str], Walk],
        *,
        closely: bool = False,
    ) -> None:
        """`aim` makes an aim of an errand for this source, `walk` a walk without aims for it. `closely`: whatever was
        tried is looked at, also what passed.
        """
        self._agents = agents
        self._hosts = hosts
        self._aim = aim
        self._walk = walk
        self._everybody = frozenset(address for host in hosts.values() for address in host.addresses)
        self._closely = closely
        self._large = LargeData(agents, aim, walk)
        self._hops = NextHops(agents, aim, walk)
        self.paths = Paths(agents, aim, walk)
        self.accounts: list[Account] = []

    async def window(self, errands: Mapping[str, list[Errand]]) -> None:
        await self._large.window(errands)
        await self._failures(errands)
        # Last: what failed may have passed meanwhile.
        await self._hops.window(errands)

    async def _failures(self, errands: Mapping[str, list[Errand]]) -> None:
        suspects = {source: suspects_of(source, found, closely=self._closely) for source, found in errands.items()}
        suspects = {source: found for source, found in suspects.items() if found and self._agents.link(source)}
        if not suspects:
            return
        looks, packets = await self._look(suspects, dict.fromkeys(suspects, _PACE))
        if not self._closely:
            await self._look_again(suspects, looks)
        async with asyncio.TaskGroup() as group:
            for source, found in suspects.items():
                group.create_task(self._conclude(source, found, looks[source], packets))

    async def _look_again(self, suspects: Mapping[str, list[Suspect]], looks: dict[str, Look]) -> None:
        """Slower, at what may have met a limit on the way."""
        lost: dict[str, list[Suspect]] = {}
        pace: dict[str, float] = {}
        for source, found in suspects.items():
            again, part = lost_among_others(found, looks[source])
            if part:
                lost[source], pace[source] = again, _rate(found, _PACE) * part / _ATTEMPTS / 2
        if lost:
            found_again, _ = await self._look(lost, pace)
            for source, look in found_again.items():
                looks[source] = better(looks[source], look)

    async def _look(
        self, suspects: Mapping[str, list[Suspect]], pace: Mapping[str, float]
    ) -> tuple[dict[str, Look], dict[str, Packets]]:
        """Fresh attempts, so many a second of each source, while both ends look."""
        watches = await self._watch(suspects)
        outcomes: dict[str, dict[tuple[int, int], Outcome]] = {}
        try:
            async with asyncio.TaskGroup() as group:
                for source, found in suspects.items():
                    group.create_task(self._confirm(source, found, outcomes.setdefault(source, {}), pace[source]))
        finally:
            packets = await self._unwatch(watches)
        looks = {
            source: Look(
                ends={
                    (task, port): self._ends(suspect, port, packets)
                    for task, suspect in enumerate(found)
                    for port in suspect.ports
                },
                outcomes=outcomes[source],
            )
            for source, found in suspects.items()
        }
        return looks, packets

    async def _conclude(self, source: str, suspects: list[Suspect], look: Look, packets: Mapping[str, Packets]) -> None:
        paths = await self._follow(source, suspects, look)
        if self._closely:
            self._account(suspects, look.ends, paths, packets)
        for task, suspect in enumerate(suspects):
            tell(suspect, task, look, paths)

    # --- both ends look -----------------------------------------------------------------------------------------------

    async def _watch(self, suspects: Mapping[str, list[Suspect]]) -> dict[str, int]:
        """The hosts that look, and the number of their order."""
        flows: dict[str, dict[tuple[object, ...], PortSet]] = {}
        for source, found in suspects.items():
            for suspect in found:
                if not suspect.ports:
                    continue
                check = suspect.errand.check
                here = (check.transport, "", (suspect.piece.address,))
                # Where the address is translated, what arrives is for another.
                own = "" if suspect.errand.view.translated else suspect.piece.address
                there = (check.transport, own, ())
                for host, key in ((source, here), (check.target, there)):
                    of_host = flows.setdefault(host, {})
                    of_host[key] = of_host.get(key, PortSet()) | suspect.ports
        watches: dict[str, int] = {}

        async def begin(host: str, wanted: tuple[Flow, ...]) -> None:
            found = self._agents.link(host)
            if found is None or "raw" not in found[1].capabilities:
                return
            number = 0

            def order(given: int) -> Watch:
                nonlocal number
                number = given
                return Watch(id=given, flows=wanted, seconds=_CONFIRM + _ORDER)

            try:
                answer = await found[0].ask(order, Watching, _ORDER)
            except (AgentLost, AgentRefused):
                return
            if not answer.problem:
                watches[host] = number

        async with asyncio.TaskGroup() as group:
            for host, of_host in flows.items():
                wanted = tuple(
                    Flow(transport, address, str(ports), peers)  # type: ignore[arg-type]
                    for (transport, address, peers), ports in of_host.items()
                )
                group.create_task(begin(host, wanted))
        return watches

    async def _unwatch(self, watches: Mapping[str, int]) -> dict[str, Packets]:
        packets: dict[str, Packets] = {}

        async def end(host: str, number: int) -> None:
            found = self._agents.link(host)
            if found is None:
                return
            try:
                seen = await found[0].ask(lambda given: Unwatch(id=given, watch=number), Watched, _ORDER)
            except (AgentLost, AgentRefused):
                return
            packets[host] = Packets(seen.sights, seen.sure, _ports_of(seen.full), seen.stuck, frozenset(seen.near))

        async with asyncio.TaskGroup() as group:
            for host, number in watches.items():
                group.create_task(end(host, number))
        return packets

    async def _confirm(
        self, source: str, suspects: list[Suspect], outcomes: dict[tuple[int, int], Outcome], pace: float
    ) -> None:
        found = self._agents.link(source)
        if found is None:
            return
        aims = tuple(
            msgspec.structs.replace(
                self._aim(task * _ATTEMPTS + attempt, suspect.errand, source),
                address=suspect.piece.address,
                ports=str(suspect.ports),
            )
            for task, suspect in enumerate(suspects)
            if suspect.ports
            for attempt in range(_ATTEMPTS)
        )

        def order(number: int) -> Walk:
            walk = self._walk(source)
            # A burst would meet limits on new connections, and blame whoever has them.
            rate = _rate(suspects, pace)
            rate = min(walk.rate or rate, rate)
            return msgspec.structs.replace(walk, id=number, aims=aims, once=True, deadline=_CONFIRM, rate=rate)

        def results(part: Results) -> None:
            for outcome in part.outcomes:
                task = outcome.task // _ATTEMPTS
                if 0 <= task < len(suspects):
                    for port in PortSet.parse(outcome.ports) & suspects[task].ports:
                        known = outcomes.get((task, port))
                        if known is None or says_more(outcome, known, suspects[task].piece):
                            outcomes[task, port] = outcome

        try:
            await found[0].walk(order, results, _CONFIRM + _ORDER)
        except (AgentLost, AgentRefused):
            pass  # what is not confirmed is told without a cause

    def _ends(self, suspect: Suspect, port: int, packets: Mapping[str, Packets]) -> Ends:
        check = suspect.errand.check
        return meet(
            packets.get(suspect.source),
            packets.get(check.target),
            transport=check.transport,
            address=suspect.piece.address,
            port=port,
            source_addresses=self._source_addresses(suspect),
            others=self._everybody,
            translated=suspect.errand.view.translated,
        )

    def _source_addresses(self, suspect: Suspect) -> set[str]:
        local = suspect.piece.seen.local if suspect.piece.seen is not None else ""
        found = self._agents.link(suspect.source)
        carried = found[1].addresses if found is not None else ()
        return {*self._hosts[suspect.source].addresses, *carried, local} - {""}

    def _account(
        self,
        suspects: Iterable[Suspect],
        ends: Mapping[tuple[int, int], Ends],
        paths: Mapping[tuple[int, int], Path],
        packets: Mapping[str, Packets],
    ) -> None:
        """Keep what was seen of each way, for whoever wants to read it packet by packet."""
        for task, suspect in enumerate(suspects):
            check, address = suspect.errand.check, suspect.piece.address
            for port in suspect.ports:
                here, there = of_one_way(
                    packets.get(suspect.source),
                    packets.get(check.target),
                    transport=check.transport,
                    address=address,
                    port=port,
                    source_addresses=self._source_addresses(suspect),
                    translated=suspect.errand.view.translated,
                )
                self.accounts += [
                    Account(
                        id=errand.check.id,
                        address=address,
                        port=port,
                        source=here,
                        target=there,
                        ends=ends[task, port],
                        path=paths.get((task, port)),
                    )
                    for errand in (suspect.errand, *suspect.errand.followers)
                    if port in errand.ports
                ]

    async def _follow(
        self,
        source: str,
        suspects: list[Suspect],
        look: Look,
    ) -> dict[tuple[int, int], Path]:
        """The paths of the failures that a path can place."""
        failed: dict[tuple[int, int], Failed] = {}
        for (task, port), met in look.ends.items():
            outcome = look.outcomes.get((task, port))
            if outcome is None or not (self._closely or _is_placed_by_a_path(outcome, met)):
                continue
            suspect = suspects[task]
            place = Place(suspect.errand.check.transport, suspect.piece.address, port)
            kind = (outcome.seen.failure, met.arrived)
            failed[task, port] = Failed(place, kind, met.left is True, suspect.errand)
        found = await self.paths.of(source, failed.values(), closely=self._closely)
        return {way: found[one.place] for way, one in failed.items() if one.place in found}


def _rate(suspects: Iterable[Suspect], pace: float) -> float:
    """Attempts a second."""
    return max(pace, sum(len(suspect.ports) for suspect in suspects) * _ATTEMPTS / _LONGEST)


def _is_placed_by_a_path(outcome: Outcome, met: Ends) -> bool:
    """Whether a path says more of where it failed than is known already."""
    if outcome.seen.failure is None or outcome.seen.icmp is not None:
        return False
    return not met.arrived and met.left is not False


def _ports_of(text: str) -> PortSet:
    """What an agent says, or nothing where that makes no sense: it is additional evidence."""
    try:
        return PortSet.parse(text) if text else PortSet()
    except PortError:
        return PortSet()
