"""The story of a run.

    reach every agent → for each window of ports: targets open stand-ins or look, sources walk, targets close → what is
    open beyond the plan → judge → report

One agent that fails costs its own rows. An interruption costs what was not measured yet; what was is reported.
"""

from __future__ import annotations

import asyncio
import os
import ssl
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from probe import __version__
from probe.coordinator.agents import Agents
from probe.coordinator.aiming import Aiming
from probe.coordinator.arrivals import Arrivals
from probe.coordinator.comings import Comings
from probe.coordinator.diagnosis import Diagnosis
from probe.coordinator.exposed import Told
from probe.coordinator.exposing import exposing
from probe.coordinator.link import AgentLost, AgentRefused
from probe.coordinator.names import Names
from probe.coordinator.pieces import Errand, Piece, share
from probe.coordinator.receipts import Ledger
from probe.coordinator.targets import Views, Window, windows
from probe.model.observation import PortUse
from probe.model.ports import PortSet
from probe.model.result import HostResult, Report, RunInfo, summarise
from probe.model.words import Expect, Need, Phase, Policy
from probe.wire.frames import WireError
from probe.wire.messages import Look, Open, Results, Walk

if TYPE_CHECKING:
    from collections.abc import Callable

    from probe.model.account import Account
    from probe.model.check import Check
    from probe.model.inventory import Host
    from probe.plan import Plan

_LOOKING = 60.0
_TALLIED = 300.0  # seconds of a walk in which it is noted who comes in
# A walk's deadline: this, and the time that its ports take at the slowest pace worth waiting for (ports a second).
_WALKING, _WALKING_PACE = 300.0, 50.0
# Of the files that an agent may open, so many are for stand-ins, so many for its own connections, and as many for its
# guests; the rest is for whatever else a process needs.
_STAND_INS, _CONNECTIONS = 0.5, 0.2
_WINDOW, _MOST, _PER_TARGET = 1024, 4096, 1024
_FOLLOWED = 4  # ways that fail at first, each source, in the time that silence takes to be believed


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """How a run is made. `rate`: attempts a second for each source, 0 for no limit; `timeout` of a first attempt in
    seconds. `closely`: what passes is diagnosed too, and `accounts` tell what was seen.
    """

    phase: Phase = Phase.AUTO
    seed: int = 0
    rate: float = 0.0
    timeout: float = 1.0
    tls: ssl.SSLContext | None = None
    closely: bool = False


class Run:
    """`execute` once. Raises UserError for a host whose variables make no way to reach it; `execute` raises it for a
    secret that is not where the matrix says. `progress(done, total, failing, text)` is called as it goes, in ports:
    `failing` are not as required so far. `stop` ends it early with what there is.
    """

    def __init__(self, plan: Plan, terms: Terms, progress: Callable[[int, int, int, str], None]) -> None:
        self._plan = plan
        self._terms = terms
        self._progress = progress
        self._id = os.urandom(8).hex()
        self._started = datetime.now(UTC)
        self._hosts = plan.hosts
        self._aiming = Aiming(terms, self._hosts)
        self._agents = Agents(self._hosts, self._id, terms.tls)
        self._checks: dict[str, list[Check]] = {}
        self._pieces: dict[str, list[Piece]] = {}
        self._ledger = Ledger()
        self._diagnosis = Diagnosis(
            self._agents, self._hosts, self._aiming.aim, self._aiming.bare_walk, closely=terms.closely
        )
        self._comings = Comings(self._agents, self._hosts)
        self._arrivals = Arrivals(self._agents, self._hosts)
        self._attempts = 0
        self._exposing = exposing(plan, self._agents, self._aiming.bare_walk, self._probe, self._pieces, self._say)
        self._done = self._failing = self._total = 0
        self._stopped = asyncio.Event()
        self.interrupted = False

    @property
    def id(self) -> str:
        return self._id

    @property
    def started(self) -> str:
        """RFC 3339."""
        return self._started.isoformat(timespec="milliseconds")

    @property
    def accounts(self) -> tuple[Account, ...]:
        """What was seen of each way that was tried; none unless the run looks closely."""
        return tuple(self._diagnosis.accounts)

    def stop(self) -> None:
        self.interrupted = True
        self._stopped.set()

    async def execute(self) -> Report:
        self._checks = {source: list(self._plan.checks(source)) for source in self._plan.sources}
        self._aiming.read_secrets(check for checks in self._checks.values() for check in checks if self._may_ask(check))
        self._total = sum(len(check.ports) for checks in self._checks.values() for check in checks)
        try:
            if self._total or (self._exposing is not None and self._exposing.hosts):
                work = asyncio.create_task(self._work())
                stopped = asyncio.create_task(self._stopped.wait())
                await asyncio.wait((work, stopped), return_when=asyncio.FIRST_COMPLETED)
                stopped.cancel()
                if not work.done():
                    work.cancel()
                    await asyncio.wait((work,), timeout=10)
                if not work.cancelled() and work.done():
                    work.result()
        finally:
            await self._agents.leave()
        return self._report()

    def _may_ask(self, check: Check) -> bool:
        """Whether the service itself may be asked. Before the installation it need not have its secrets yet."""
        if check.same_host:
            return False
        early = self._terms.phase is Phase.PRE_INSTALL
        return not early or check.shares_ports or self._agents.agentless(check.target)

    async def _work(self) -> None:
        self._progress(0, self._total, 0, "reaching agents")
        checks = [check for found in self._checks.values() for check in found]
        wanted = {check.source for check in checks} | {check.target for check in checks}
        if self._exposing is not None:
            wanted |= self._exposing.hosts
        await self._agents.reach(wanted)
        await self._windows(self._checks, opens=self._terms.phase is not Phase.LIVE)
        if self._exposing is not None:
            await self._exposing.execute()

    async def _windows(self, checks: dict[str, list[Check]], *, opens: bool) -> None:
        by_target: dict[str, list[Check]] = {}
        for found in checks.values():
            for check in found:
                by_target.setdefault(check.target, []).append(check)
        cuts = {target: windows(named, self._capacity(target)) for target, named in by_target.items()}
        for number in range(max((len(cut) for cut in cuts.values()), default=0)):
            cut_now = {target: cut[number] for target, cut in cuts.items() if number < len(cut)}
            await self._window(cut_now, checks, opens=opens)

    # --- beyond the plan ----------------------------------------------------------------------------------------------

    async def _probe(self, checks: list[Check]) -> int:
        """Checks of what listens now: nothing is opened for them. Returns how many attempts it took."""
        by_source: dict[str, list[Check]] = {}
        for check in checks:
            by_source.setdefault(check.source, []).append(check)
        self._total += sum(len(check.ports) for check in checks)
        before = self._attempts
        await self._windows(by_source, opens=False)
        return self._attempts - before

    def _capacity(self, name: str) -> int:
        """How many stand-ins this target can hold at once."""
        found = self._agents.link(name)
        return max(64, int(found[1].files * _STAND_INS)) if found is not None else 1 << 20

    def _guests(self, name: str) -> int:
        """How many connections this target can hold at once, from all sources together."""
        found = self._agents.link(name)
        return min(_PER_TARGET, int(found[1].files * _CONNECTIONS)) if found is not None else _PER_TARGET

    # --- one window ---------------------------------------------------------------------------------------------------

    async def _window(self, cut: dict[str, Window], checks: dict[str, list[Check]], *, opens: bool) -> None:
        views = {target: Views() for target in cut}
        opened: dict[str, int] = {}
        self._say("opening stand-ins" if opens else "looking at the targets")
        async with asyncio.TaskGroup() as group:
            for target, window in cut.items():
                group.create_task(self._prepare(target, window, views[target], opened, opens=opens))
        shared = {source: share(self._errands(found, cut, views)) for source, found in checks.items()}
        errands = {source: leaders for source, (leaders, _) in shared.items()}
        for _, followers in shared.values():
            self._count(sum(len(errand.ports) for errand in followers), 0)
        try:
            visitors: dict[str, set[str]] = {}
            for source, tasks in errands.items():
                for errand in tasks:
                    if self._needs_walk(errand):
                        visitors.setdefault(errand.check.target, set()).add(source)
            await self._comings.begin(errands, _TALLIED)
            await self._arrivals.begin(errands)
            async with asyncio.TaskGroup() as group:
                for source, tasks in errands.items():
                    group.create_task(self._walk(source, tasks, visitors))
            await self._comings.end(errands)
            await self._arrivals.end(errands)
            self._say("asking why")
            await self._diagnosis.window(errands)
            async with asyncio.TaskGroup() as group:
                for target, number in opened.items():
                    group.create_task(self._close(target, number))
        finally:
            for leaders, followers in shared.values():
                for errand in (*leaders, *followers):
                    self._pieces.setdefault(errand.check.id, []).extend(errand.finish())

    async def _prepare(self, target: str, window: Window, views: Views, opened: dict[str, int], *, opens: bool) -> None:
        found = self._agents.link(target)
        if found is None:
            return
        link, _ = found

        def order(number: int) -> Look | Open:
            if not opens:
                return Look(id=number, endpoints=window.endpoints())
            opened[target] = number
            web = any(endpoint.web for endpoint in window.endpoints())
            certificate = self._aiming.certificate() if web else None
            return Open(
                id=number,
                endpoints=window.endpoints(),
                key=self._aiming.keys[target],
                beside=self._terms.phase is Phase.PRE_INSTALL,
                certificate=certificate.certificate_pem if certificate else b"",
                private_key=certificate.key_pem if certificate else b"",
            )

        try:
            looked = await link.look(order, _LOOKING)
            try:
                views.add(looked.held)
            except ValueError as error:
                raise link.give_up(f"its answer makes no sense: {error}") from None
        except AgentRefused as error:
            self._agents.blame(target, f"it refused to open stand-ins: {error}")
        except AgentLost:
            pass  # the link remembers why

    async def _close(self, target: str, number: int) -> None:
        found = self._agents.link(target)
        if found is None:
            return
        link, _ = found
        try:
            closed = await link.close_stand_ins(number, _LOOKING)
            try:
                self._ledger.add(target, closed)
            except ValueError as error:
                raise link.give_up(f"its receipts make no sense: {error}") from None
        except (AgentLost, AgentRefused):
            pass  # receipts are additional evidence; rows that would need them stay without a cause

    # --- sources ------------------------------------------------------------------------------------------------------

    def _errands(self, checks: list[Check], cut: dict[str, Window], views: dict[str, Views]) -> list[Errand]:
        found = []
        for check in checks:
            window = cut.get(check.target)
            if window is None:
                continue
            place = (check.address, check.transport)
            ports = check.ports & window.ports.get(place, PortSet())
            if ports:
                found += [Errand(check, part, view) for part, view in views[check.target].split(place, ports)]
        return found

    def _needs_walk(self, errand: Errand) -> bool:
        """Some rows are settled by the target's word alone."""
        check, use = errand.check, errand.view.use
        if check.same_host or use in (PortUse.DENIED, PortUse.OUTGOING):
            return False
        if self._terms.phase is Phase.PRE_INSTALL and check.expect is Expect.REACH:
            if use is PortUse.LISTENER:
                return check.shares_ports
            if use is PortUse.UNKNOWN:
                return self._agents.agentless(check.target)
        return True

    async def _walk(self, source: str, errands: list[Errand], visitors: dict[str, set[str]]) -> None:
        going = {task: errand for task, errand in enumerate(errands) if self._needs_walk(errand)}
        idle = sum(len(errand.ports) for task, errand in enumerate(errands) if task not in going)
        self._count(idle, 0)
        found = self._agents.link(source)
        if found is None or not going:
            self._count(sum(len(errand.ports) for errand in going.values()), 0)
            return
        link, hello = found
        aims = tuple(self._aiming.aim(task, errand, source) for task, errand in going.items())
        targets = {errand.check.target for errand in going.values()}
        share = min(max(1, self._guests(target) // len(visitors[target])) for target in targets)
        ports = sum(len(errand.ports) for errand in going.values())
        pace = min(_WALKING_PACE, self._terms.rate / 4) if self._terms.rate else _WALKING_PACE
        deadline = _WALKING + ports / pace
        most = max(16, min(_MOST, int(hello.files * _CONNECTIONS)))

        def order(order_number: int) -> Walk:
            return msgspec.structs.replace(
                self._aiming.bare_walk(source),
                id=order_number,
                aims=aims,
                window=min(_WINDOW, most),
                most=most,
                per_target=share,
                deadline=deadline,
                follow=0 if self._terms.closely else _FOLLOWED,
            )

        known = 0

        def results(part: Results) -> None:
            nonlocal known
            failing = 0
            for outcome in part.outcomes:
                errand = going.get(outcome.task)
                if errand is None:
                    raise WireError("an outcome of a task that was not ordered")
                count = errand.take(outcome)
                reached, wanted = outcome.seen.failure is None, errand.check.expect is Expect.REACH
                if reached is not wanted and _required(errand.check):
                    failing += count
            self._count(max(part.settled - known, 0), failing)
            known = max(part.settled, known)

        try:
            walked = await link.walk(order, results, deadline + 60)
            self._diagnosis.paths.keep(source, going, walked.paths)
            self._attempts += walked.attempts
        except AgentLost:
            pass  # its rows say so
        except AgentRefused as error:
            self._agents.blame(source, f"it refused to walk: {error}")

    def _count(self, done: int, failing: int) -> None:
        self._done += done
        self._failing += failing
        self._say("checking")

    def _say(self, text: str) -> None:
        self._progress(self._done, self._total, self._failing, text)

    # --- the end ------------------------------------------------------------------------------------------------------

    def _report(self) -> Report:
        from probe.coordinator.results import Results as Judged

        judged = Judged(
            phase=self._terms.phase,
            hosts=self._hosts,
            numbers=self._aiming.numbers,
            ledger=self._ledger,
            problem=self._agents.problem,
            agentless=self._agents.agentless,
            names=Names(self._agents.carried(), self._plan.zone),
            carried=self._agents.carried(),
            interrupted=self.interrupted,
        )
        every = [check for checks in self._checks.values() for check in checks]
        every += self._exposing.checks if self._exposing is not None else ()
        checks, exposure = judged.rows(every, self._pieces), None
        if self._exposing is not None:
            told = Told(self._exposing, self._agents.problem)
            checks = tuple(told.with_holders((*checks, *told.swept()), {check.id: check for check in every}))
            exposure = told.exposed(checks)
        run = RunInfo(
            id=self._id,
            started=self.started,
            finished=datetime.now(UTC).isoformat(timespec="milliseconds"),
            phase=self._terms.phase,
            matrix=self._plan.matrix.names,
            inventory=self._plan.inventory.source,
            seed=self._terms.seed,
            version=__version__,
            interrupted=self.interrupted,
        )
        return Report(
            run=run,
            summary=summarise(checks, len(self._plan.unchecked)),
            hosts=tuple(self._host(host) for host in self._hosts.values()),
            checks=checks,
            not_checkable=self._plan.unchecked,
            notes=(*self._plan.notes, *(self._exposing.notes if self._exposing is not None else ())),
            exposure=exposure,
        )

    def _host(self, host: Host) -> HostResult:
        return HostResult(
            name=host.name,
            addresses=host.addresses,
            roles=self._plan.roles(host.name),
            zone=self._plan.zone(host.name),
            agent=self._agents.info(host.name),
            problem=self._agents.words(host.name),
            external=host.external,
        )


def _required(check: Check) -> bool:
    """Advice alarms nobody while a run is under way."""
    return check.policy is Policy.ENFORCE and check.need is Need.REQUIRED
