"""Every port of the targets, asked by one source of each kind: at most one source at a target at a time, at most one
target at a source.

UDP is settled by the target's witness where it may look: datagrams that carry a mark of this sweep either arrive there
or do not, whatever comes back.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from probe.coordinator.link import AgentLost, AgentRefused
from probe.model.exposed import Sweeping, is_numeric
from probe.model.ports import PortError, PortSet
from probe.model.sight import Flow
from probe.model.words import State, Transport
from probe.sweep import belief
from probe.wire import mark
from probe.wire.messages import Sweep, SweepTarget, Tallied, Tally
from probe.wire.messages import Sweeping as Word

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from probe.coordinator.agents import Agents
    from probe.model.sight import Arrived
    from probe.model.swept import Swept
    from probe.plan.beyond import Task
    from probe.wire.messages import Walk

# Seconds that one order may take: at the gentle pace all ports of UDP take nine minutes, once. Without a witness they
# are asked again below the target's limit on ICMP errors, and what is then not known is said to be so.
_TCP, _UDP, _UDP_BLIND = 3500.0, 1800.0, 1200.0
_ORDER = 20.0
_MOST_ROUNDS = 8
# Of those that arrived, so many are sent again with each round: it is them that tell what gets lost.
_KNOWN = 500


class Job:
    """What one source has to sweep at one target. `done` and `problem` are the outcome."""

    def __init__(self, source: str, target: str) -> None:
        self.source = source
        self.target = target
        self.tasks: list[Task] = []
        self.done: dict[Task, Sweeping] = {}
        self.problem = ""

    def problem_of(self, task: Task) -> str:
        """Why this task has no result."""
        if not is_numeric(task.place[0]):
            return "a name is not swept: give the host a numeric portcheck_address"
        return self.problem


class Sweeps:
    """`run` once. `walk` is a walk without aims for a source: a sweep has its rate, patience, seed and address to send
    from. `tell` takes words on what is under way.
    """

    def __init__(self, agents: Agents, walk: Callable[[str], Walk], tell: Callable[[str], None]) -> None:
        self._agents = agents
        self._walk = walk
        self._tell = tell
        self.jobs: list[Job] = []

    async def run(self, tasks: Iterable[Task]) -> None:
        by_pair: dict[tuple[str, str], Job] = {}
        for task in tasks:
            pair = (task.source, task.target)
            if pair not in by_pair:
                by_pair[pair] = Job(*pair)
                self.jobs.append(by_pair[pair])
            by_pair[pair].tasks.append(task)
        waiting = list(self.jobs)
        busy: set[str] = set()
        running: dict[asyncio.Task[None], Job] = {}
        try:
            while waiting or running:
                for job in list(waiting):
                    # A host is swept by one, and sweeps one: as a target it is `> name`.
                    ends = {job.source, f"> {job.target}"}
                    # Without a rate it is gentle: a single sweep fills most of the connection table of a small
                    # firewall, and they may all lead through one.
                    alone = not self._walk(job.source).rate
                    if not ends & busy and not (alone and running):
                        busy |= ends
                        waiting.remove(job)
                        running[asyncio.create_task(self._sweep(job))] = job
                done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                for ended in done:
                    job = running.pop(ended)
                    busy -= {job.source, f"> {job.target}"}
                    ended.result()
        finally:
            for sweeping in running:
                sweeping.cancel()
            if running:
                await asyncio.wait(running, timeout=10)

    async def _sweep(self, job: Job) -> None:
        tasks = [task for task in job.tasks if is_numeric(task.place[0])]
        try:
            await self._tcp(job, [task for task in tasks if task.place[1] is Transport.TCP])
            udp = [task for task in tasks if task.place[1] is Transport.UDP]
            await self._datagrams(job, udp)
        except AgentLost as error:
            job.problem = str(error)
        except AgentRefused as error:
            job.problem = f"it refused to sweep: {error}"
        except (TimeoutError, PortError) as error:
            job.problem = str(error) or "not ended in time"

    async def _datagrams(self, job: Job, tasks: list[Task]) -> None:
        witness = self._agents.link(job.target)
        if witness is None or "raw" not in witness[1].capabilities:
            await self._ask(job, tasks, _UDP_BLIND)
            return
        for task in tasks:
            await self._udp(job, task)

    async def _tcp(self, job: Job, tasks: list[Task]) -> None:
        await self._ask(job, tasks, _TCP)

    async def _ask(self, job: Job, tasks: list[Task], deadline: float) -> None:
        found = await self._order(job, [(task, task.ports) for task in tasks], deadline)
        for task, swept in zip(tasks, found, strict=True):
            job.done[task] = _told(task, swept)

    async def _order(
        self, job: Job, asked: list[tuple[Task, PortSet]], deadline: float, *, marked: bytes = b"", rounds: int = 0
    ) -> tuple[Swept, ...]:
        if not asked:
            return ()
        link = self._agents.link(job.source)
        if link is None:
            raise AgentLost(self._agents.words(job.source) or "no agent", known=True)
        transport = asked[0][0].place[1]
        walk = self._walk(job.source)

        def order(number: int) -> Sweep:
            return Sweep(
                id=number,
                targets=tuple(SweepTarget(address=task.place[0], ports=str(ports)) for task, ports in asked),
                transport=transport,
                rate=walk.rate,
                timeout=walk.timeout,
                deadline=deadline,
                seed=walk.seed,
                bind=walk.bind,
                mark=marked,
                rounds=rounds,
            )

        def progress(word: Word) -> None:
            share = f"{word.settled / word.asked:.0%}" if word.asked else ""
            self._tell(f"sweeping {job.target} from {job.source}: {transport} {share}")

        return await link[0].sweep(order, progress, deadline + _ORDER)

    # --- UDP, with a witness ------------------------------------------------------------------------------------------

    async def _udp(self, job: Job, task: Task) -> None:
        """Rounds, until what was lost in them leaves no room for a port that lets datagrams through."""
        # `let_in`: past the target's own rules too.
        left, known, let_in = task.ports, PortSet(), PortSet()
        rounds: list[tuple[PortSet, PortSet]] = []
        last: Swept | None = None
        sent = answers = 0
        seconds = 0.0
        states: dict[State, PortSet] = {}
        translated: dict[int, PortSet] = {}
        measured: list[belief.Round] = []
        while left and len(rounds) < _MOST_ROUNDS:
            asked = left | _some(known, _KNOWN)
            try:
                tallied, swept = await self._marked(job, task, asked, mark.fresh())
            except _Blind:
                await self._ask(job, [task], _UDP_BLIND)
                return
            came = _ports(tallied.arrived) & asked
            let_in |= PortSet() if tallied.surely_passed else came
            for row in tallied.passed:
                inside = PortSet.parse(row.ports) & asked
                let_in |= inside
                if row.onto:
                    translated[row.onto] = translated.get(row.onto, PortSet()) | inside
            last = swept
            sent, answers, seconds = sent + swept.sent, answers + swept.answers, seconds + swept.seconds
            for state, ports in swept.states.items():
                states[state] = states.get(state, PortSet()) | PortSet.parse(ports)
            rounds.append((asked, came))
            known |= came
            left -= came
            measured = [_measure(each, known) for each in rounds]
            if swept.problem or belief.believed(measured, len(known)):
                break
        if last is None:
            return
        job.done[task] = Sweeping(
            source=task.source,
            target=task.target,
            address=task.place[0],
            transport=Transport.UDP,
            ports=str(task.ports),
            states=_settled(task.ports, let_in, states, complete=not last.problem),
            rejections=last.rejections,
            arrived=str(known),
            translated={port: str(ports) for port, ports in translated.items() if ports},
            sent=sent,
            answers=answers,
            loss=belief.loss(measured),
            residual=belief.residual(measured) if left else 0.0,
            seconds=seconds,
            engine=last.engine,
            problem=last.problem,
        )

    async def _marked(self, job: Job, task: Task, ports: PortSet, marked: bytes) -> tuple[Tallied, Swept]:
        """One round, and what the witness saw of it. Raises _Blind where it did not look, or missed something."""
        witness = self._agents.link(job.target)
        if witness is None:
            raise _Blind
        flow = Flow(Transport.UDP, "", str(ports))
        try:
            number = await witness[0].tally(
                lambda given: Tally(id=given, flows=(flow,), seconds=_UDP + _ORDER, mark=marked, inside=True), _ORDER
            )
        except (AgentLost, AgentRefused):
            raise _Blind from None
        (swept,) = await self._order(job, [(task, ports)], _UDP, marked=marked, rounds=1)
        try:
            tallied = await witness[0].tallied(number, _ORDER)
        except (AgentLost, AgentRefused):
            raise _Blind from None
        # The target refuses what arrived: if the witness did not see that, it does not see ours.
        refused = swept.states.get(State.CLOSED, "")
        if not tallied.sure or (refused and PortSet.parse(refused) - _ports(tallied.arrived)):
            raise _Blind
        return tallied, swept


class _Blind(Exception):
    """The target's witness does not help."""


def _ports(rows: Iterable[Arrived]) -> PortSet:
    return PortSet(span for row in rows for span in PortSet.parse(row.ports).ranges)


def _some(ports: PortSet, most: int) -> PortSet:
    every = list(ports)
    return PortSet.of(every[:: max(1, len(every) // most)][:most])


def _measure(each: tuple[PortSet, PortSet], known: PortSet) -> belief.Round:
    asked, came = each
    measured = belief.Round()
    measured.hits = len(came & known)
    measured.misses = len((asked - came) & known)
    return measured


def _settled(ports: PortSet, let_in: PortSet, states: Mapping[State, PortSet], *, complete: bool) -> dict[State, str]:
    """What is neither answered nor refused: `open|filtered` where the target let it in, `filtered` elsewhere."""
    found: dict[State, PortSet] = {}
    left = ports
    for state in (State.OPEN, State.CLOSED, State.REJECTED, State.UNREACHABLE):
        part = states.get(state, PortSet()) & left
        if part:
            found[state] = part
            left -= part
    found[State.OPEN_FILTERED] = left & let_in
    found[State.FILTERED if complete else State.ERROR] = left - let_in
    return {state: str(part) for state, part in found.items() if part}


def _told(task: Task, swept: Swept) -> Sweeping:
    return Sweeping(
        source=task.source,
        target=task.target,
        address=task.place[0],
        transport=task.place[1],
        ports=str(task.ports),
        states=swept.states,
        rejections=swept.rejections,
        sometimes=swept.sometimes,
        everything=swept.everything,
        sent=swept.sent,
        answers=swept.answers,
        loss=swept.loss,
        residual=swept.residual,
        seconds=swept.seconds,
        engine=swept.engine,
        problem=swept.problem,
    )
