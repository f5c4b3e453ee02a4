"""What is open that the plan does not speak of.

    [sweep every port] → what listens at the targets → one source of each kind tries it → the others of its kind, where
    it got through

It runs after the plan's own checks, when no stand-in is open any more; nothing is opened for it.
"""

from __future__ import annotations

import asyncio
import random
from itertools import islice
from typing import TYPE_CHECKING

import msgspec

from probe.coordinator.link import AgentLost, AgentRefused
from probe.coordinator.sweeps import Sweeps
from probe.model.exposed import Sockets, with_survey
from probe.model.observation import PortUse
from probe.model.ports import PortError, PortSet
from probe.model.words import Exposure, State, Transport
from probe.plan.beyond import EVERY_PORT, Beyond, Task

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator

    from probe.coordinator.agents import Agents
    from probe.coordinator.pieces import Piece
    from probe.model.check import Check
    from probe.plan.beyond import Place
    from probe.plan.plan import Plan
    from probe.wire.messages import Walk

_SURVEY = 60.0
# Ports that one source tries at one address because something listens there or answered: more are no list of services.
_MOST = 2000
# Below the ephemeral ports: nobody comes to listen there by chance.
_DECOYS = range(1024, 32768)


def exposing(
    plan: Plan,
    agents: Agents,
    walk: Callable[[str], Walk],
    probe: Callable[[list[Check]], Awaitable[int]],
    pieces: dict[str, list[Piece]],
    tell: Callable[[str], None],
) -> Exposing | None:
    """None where the plan looks for nothing beyond itself. `walk` is a walk without aims for a source. `probe` has
    checks tried and judged like those of the plan, nothing opened for them, and returns how many attempts that took;
    `pieces` is where their evidence comes to, by their id. `tell` takes words on what is under way.
    """
    if plan.wishes.exposure is Exposure.KNOWN:
        return None
    return Exposing(Beyond(plan), agents, Sweeps(agents, walk, tell), probe, pieces)


class Exposing:
    """`execute` once. `hosts` are those whose agents it needs. Afterwards `checks` are what was tried, `sweeps` and
    `surveys` what was found, `sent` the attempts.
    """

    def __init__(
        self,
        beyond: Beyond,
        agents: Agents,
        sweeps: Sweeps,
        probe: Callable[[list[Check]], Awaitable[int]],
        pieces: dict[str, list[Piece]],
    ) -> None:
        self.beyond = beyond
        self._agents = agents
        self._probe = probe
        self._pieces = pieces
        self.hosts = {*beyond.targets, *beyond.sources} if beyond.targets else set()
        self.sweeps = sweeps
        self.surveys: dict[str, Sockets] = {}
        self.checks: list[Check] = []
        self.notes: list[str] = []
        self.sent = 0

    async def execute(self) -> None:
        if not self.beyond.targets:
            return
        if self.beyond.scope is Exposure.ALL:
            await self.sweeps.run(self._every_port())
        await self._survey()
        for job in self.sweeps.jobs:
            if job.target in self.surveys:
                sockets = self.surveys[job.target]
                job.done = {task: with_survey(found, sockets) for task, found in job.done.items()}
        self._note_unknown()
        tried = await self._try(list(self._first()))
        again = [
            other
            for task in tried
            if (hits := self._hits(task))
            for other in self.beyond.others(msgspec.structs.replace(task, ports=hits))
        ]
        await self._try(again)

    def alive(self, name: str) -> bool:
        return self._agents.link(name) is not None

    # --- what there is to try -----------------------------------------------------------------------------------------

    def _every_port(self) -> Iterator[Task]:
        for target in self.beyond.targets:
            for place in self.beyond.places(target):
                for _, task in self.beyond.samples(target, place, EVERY_PORT, alive=self.alive):
                    yield task

    async def _survey(self) -> None:
        async def ask(target: str) -> None:
            found = self._agents.link(target)
            if found is None:
                return
            try:
                told = await found[0].survey(_SURVEY)
                sockets = Sockets(told.sockets)
            except AgentRefused as error:
                self._agents.blame(target, f"it refused to say what listens there: {error}")
                return
            except PortError as error:
                found[0].give_up(f"what it says that listens there makes no sense: {error}")
                return
            except AgentLost:
                return
            if not told.complete:
                self.notes.append(f"{target}: more listens there than its agent could tell")
            self.surveys[target] = sockets
            ours = [ports for row, ports in sockets.rows if row.agent and row.transport is Transport.TCP]
            self.beyond.know_agent(target, PortSet(span for ports in ours for span in ports.ranges))

        async with asyncio.TaskGroup() as group:
            for target in self.beyond.targets:
                group.create_task(ask(target))

    def _note_unknown(self) -> None:
        """Where nobody can say what listens, and no sweep was made, it stays unknown."""
        if self.beyond.scope is Exposure.ALL:
            return
        on_purpose = []
        for target in self.beyond.targets:
            if self._agents.agentless(target):
                on_purpose.append(target)
            elif target not in self.surveys:
                for place in self.beyond.places(target):
                    for _, task in self.beyond.samples(target, place, EVERY_PORT, alive=self.alive):
                        self.checks.append(self.beyond.whole(task))
        if on_purpose:
            names = ", ".join(on_purpose)
            self.notes.append(f"{names}: without an agent nobody knows what else listens there; --exposure all asks")

    def _first(self) -> Iterator[Task]:
        """What listens at each target, and what a sweep found open there, from one host of each kind."""
        opened = self._opened()
        for target in self.beyond.targets:
            sockets = self.surveys.get(target)
            for place in self.beyond.places(target):
                ports = opened.get((target, place), PortSet())
                if sockets is not None:
                    ports |= sockets.ports(*place)
                for _, task in self.beyond.samples(target, place, ports, alive=self.alive):
                    if len(task.ports) > _MOST:
                        self.notes.append(
                            f"{task.source} tried {_MOST:,} of the {len(task.ports):,} ports that something listens on "
                            f"at {target} ({place[0]}, {place[1]})"
                        )
                    yield msgspec.structs.replace(task, ports=PortSet.of(islice(task.ports, _MOST)))

    def _opened(self) -> dict[tuple[str, Place], PortSet]:
        """By target and place: what a sweep found open, unless everything there seems to be. What is open by
        translation to another port of the target is settled: its own port would be asked in vain.
        """
        found: dict[tuple[str, Place], PortSet] = {}
        for job in self.sweeps.jobs:
            for task, swept in job.done.items():
                text = "" if swept.everything else swept.states.get(State.OPEN, "")
                if text:
                    key = (task.target, task.place)
                    translated = PortSet(
                        span for ports in swept.translated.values() for span in PortSet.parse(ports).ranges
                    )
                    found[key] = found.get(key, PortSet()) | (PortSet.parse(text) - translated)
        return found

    # --- trying it ----------------------------------------------------------------------------------------------------

    async def _try(self, tasks: list[Task]) -> list[Task]:
        """The tasks, tried, without ports that nothing listens on any more."""
        checks = {task: list(self.beyond.checks(task)) for task in tasks}
        made = [check for found in checks.values() for check in found]
        self.checks += made
        decoys = self._decoys(tasks)
        self.sent += await self._probe([*made, *decoys.values()])
        for (source, target, address), decoy in decoys.items():
            if any(map(_accepted, self._pieces.get(decoy.id, ()))):
                for check in made:
                    if (check.source, check.target, check.address) == (source, target, address):
                        self._answered_for(check)
        for check in made:
            if check.transport is Transport.UDP:
                self._doubt_silence(check)
        gone = {check.id for check in made if self._is_gone(check)}
        self.checks = [check for check in self.checks if check.id not in gone]
        return tasks

    def _decoys(self, tasks: Iterable[Task]) -> dict[tuple[str, str, str], Check]:
        """For each way one TCP port on which nothing listens: if that opens, something on the way answers for all."""
        found: dict[tuple[str, str, str], Check] = {}
        for task in tasks:
            way = (task.source, task.target, task.place[0])
            sockets = self.surveys.get(task.target)
            if sockets is None or way in found or task.place[1] is not Transport.TCP:
                continue
            taken = PortSet(span for row, ports in sockets.rows for span in ports.ranges if row.transport == "tcp")
            some = PortSet.of(random.Random(f"{task.source}/{task.target}").sample(_DECOYS, 50)) - taken
            free = self.beyond.forbidden(task.source, task.target, task.place, some)
            if free:
                one = msgspec.structs.replace(task, ports=PortSet.of(islice(free, 1)))
                (found[way],) = self.beyond.checks(one)
        return found

    def _answered_for(self, check: Check) -> None:
        pieces = self._pieces.get(check.id, [])
        pieces[:] = [msgspec.structs.replace(piece, decoy=True) for piece in pieces]

    def _doubt_silence(self, check: Check) -> None:
        """What the host let in need not come to a socket that listens to another interface."""
        sockets = self.surveys.get(check.target)
        pieces = self._pieces.get(check.id, [])
        if sockets is not None and sockets.elsewhere(check.address, check.transport, next(iter(check.ports))):
            pieces[:] = [
                msgspec.structs.replace(piece, ends=msgspec.structs.replace(piece.ends, passed=None))
                if piece.ends is not None and piece.ends.passed
                else piece
                for piece in pieces
            ]

    def _is_gone(self, check: Check) -> bool:
        """Whether what listened there has ended meanwhile; what a sweep found open stays."""
        opened = self._opened().get((check.target, (check.address, check.transport)), PortSet())
        pieces = self._pieces.get(check.id, ())
        return (
            bool(pieces)
            and not check.ports & opened
            and all(piece.view.use in _NOBODY and not _accepted(piece) for piece in pieces)
        )

    def _hits(self, task: Task) -> PortSet:
        """Those of its ports where it got through."""
        kept = {check.id for check in self.checks}
        return PortSet.of(
            port
            for check in self.beyond.checks(task)
            if check.id in kept and any(map(_through, self._pieces.get(check.id, ())))
            for port in check.ports
        )


_NOBODY = (PortUse.FREE, PortUse.ELSEWHERE, PortUse.OUTGOING)


def _accepted(piece: Piece) -> bool:
    return piece.seen is not None and piece.seen.state is State.OPEN


def _through(piece: Piece) -> bool:
    """Whether the target was reached, as far as a piece can tell."""
    passed = piece.ends is not None and piece.ends.passed is True and piece.view.use is PortUse.LISTENER
    return not piece.decoy and (_accepted(piece) or passed)
