"""The service: makes each run when it is due, keeps what was found, tells who is to be told, and answers the pages."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import gc
import signal
import time
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from probe.audit import log, systemd
from probe.audit.archive import Archive
from probe.audit.making import Making
from probe.audit.wiring import Wiring
from probe.errors import UserError
from probe.history.values import RunState
from probe.report.text import count

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator

    from probe.audit.config import Config
    from probe.audit.values import AuditState, Ended, Listener
    from probe.history.store import History

T = TypeVar("T")

_M_ARENA_MAX = -8  # malloc.h
_LOOKING = 15.0  # seconds after which the clock is looked at, whatever it said before: it may have been set
_CATCHING_UP = 60.0
_PRUNING = 24 * 3600.0
_TELLING = 60.0  # seconds that one listener may take to note what it was told
_ENDING = 60.0  # seconds for runs under way to end in order
_ELSEWHERE = "a run of it is under way\n  hint: wait for it to end; a service that makes runs needs no --once beside it"


class Made(NamedTuple):
    """A run that was made at once. `answer` is how it ended, in the word that its exit code is called; empty where
    there is no report. `ended` is what was told of it, None where no history could take it.
    """

    audit: str
    answer: str
    ended: Ended | None
    problem: str


class _Ear:
    """A Listener for one who waits for a run."""

    def __init__(self) -> None:
        self.last: Ended | None = None

    async def ended(self, ended: Ended) -> None:
        if ended.run.state is not RunState.RUNNING:
            self.last = ended

    async def noted(self, ended: Ended) -> None:
        pass


class Service:
    """`run` once, or `once`. It is the Desk of the pages, and passes on to its listeners what audits tell."""

    def __init__(self, config: Config, read: Callable[[], Config] | None = None) -> None:
        """`read` reads the settings anew; raises UserError."""
        self._began = self._config = config
        self._read = read
        self._archive = Archive(config.history)
        self._makings: dict[str, Making] = {}
        self._watchers: dict[str, set[asyncio.Event]] = {}
        self._wake = asyncio.Event()
        self._stop = asyncio.Event()
        self._runs: set[asyncio.Task[None]] = set()
        self._listeners: list[Listener] = []

    # --- the desk -----------------------------------------------------------------------------------------------------

    def states(self) -> tuple[AuditState, ...]:
        return tuple(making.state for making in self._makings.values())

    def state(self, audit: str) -> AuditState | None:
        making = self._makings.get(audit)
        return making.state if making is not None else None

    def start(self, audit: str) -> bool:
        making = self._makings.get(audit)
        if making is None or making.asked or making.running or self._stop.is_set():
            return False
        making.ask()
        log.event("asked", audit)
        self._wake.set()
        return True

    async def watch(self, audit: str) -> AsyncIterator[AuditState]:
        event = asyncio.Event()
        self._watchers.setdefault(audit, set()).add(event)
        try:
            while (state := self.state(audit)) is not None and not self._stop.is_set():
                event.clear()
                yield state
                await event.wait()
        finally:
            self._watchers[audit].discard(event)

    async def ask(self, question: Callable[[History], T]) -> T:
        return await self._archive.ask(question)

    # --- a listener ---------------------------------------------------------------------------------------------------

    async def ended(self, ended: Ended) -> None:
        for listener in self._listeners:
            await self._pass_on(listener.ended, ended)

    async def noted(self, ended: Ended) -> None:
        for listener in self._listeners:
            await self._pass_on(listener.noted, ended)

    async def _pass_on(self, tell: Callable[[Ended], Awaitable[None]], ended: Ended) -> None:
        try:
            async with asyncio.timeout(_TELLING):
                await tell(ended)
        except Exception as error:  # noqa: BLE001  (what it raises costs nobody else)
            log.warning("not-told", ended.audit, run=ended.run.number, why=f"{type(error).__name__}: {error}")

    def _changed(self, audit: str) -> None:
        for event in self._watchers.get(audit, ()):
            event.set()

    # --- its life -----------------------------------------------------------------------------------------------------

    async def once(self) -> tuple[Made, ...]:
        """A run of each audit now, one after another."""
        self._lay_out(self._config, self._new_ones(self._config))
        made = []
        async with Wiring(self._config, self) as wiring:
            with self._signals(self._end):
                for making in self._makings.values():
                    ear = _Ear()
                    self._listeners = [*wiring.listeners, ear]
                    made.append(await self._make_now(making, ear))
                    if self._stop.is_set():
                        break
                await self._prune()
        await self._archive.close()
        return tuple(made)

    async def _make_now(self, making: Making, ear: _Ear) -> Made:
        await making.recover()
        making.ask()
        run = asyncio.create_task(making.make())
        stopped = asyncio.create_task(self._stop.wait())
        await asyncio.wait((run, stopped), return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if not run.done():
            making.stop("somebody asked it to end")
        problem = making.state.problem if await run else _ELSEWHERE
        return Made(making.name, making.answer, ear.last, problem)

    async def run(self) -> None:
        """Until SIGTERM or SIGINT. Raises UserError for what keeps it from starting."""
        tune()
        self._lay_out(self._config, self._new_ones(self._config))
        with self._signals(self._end):
            async with Wiring(self._config, self) as wiring:
                self._listeners = wiring.listeners
                async with wiring.pages() as place:
                    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self._reload, wiring)
                    log.event("started", audits=len(self._makings), dashboard=place)
                    systemd.notify(READY=1, STATUS=self._status())
                    # A database that does not answer must not keep anybody from looking.
                    self._spawn(self._recover(wiring))
                    try:
                        await self._work()
                    finally:
                        systemd.notify(STOPPING=1, STATUS="ending")
                        await self._end_runs()
                        for audit in list(self._watchers):
                            self._changed(audit)
            await self._archive.close()
        log.event("stopped")

    def _new_ones(self, config: Config) -> list[Making]:
        """Raises UserError where the state of an audit cannot be kept."""
        found = []
        for audit in config.audits:
            if audit.name not in self._makings:
                found.append(Making(audit, config.state, self._archive, self, self._changed))
                found[-1].open()
        return found

    def _lay_out(self, config: Config, new: list[Making]) -> None:
        self._config = config
        self._makings |= {making.name: making for making in new}
        for audit in config.audits:
            self._makings[audit.name].plan(audit)

    def _let_go(self) -> None:
        """Audits that are no more, once nothing of them is under way."""
        for name in set(self._makings) - {audit.name for audit in self._config.audits}:
            if not self._makings[name].busy and not self._makings[name].running:
                del self._makings[name]
                self._changed(name)

    @contextlib.contextmanager
    def _signals(self, end: Callable[[], None]) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, end)
        try:
            yield
        finally:
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)

    def _end(self) -> None:
        self._stop.set()
        self._wake.set()

    def _reload(self, wiring: Wiring) -> None:
        """A broken file changes nothing."""
        if self._read is None or self._stop.is_set():
            return
        try:
            config, fixed = self._began.read_again(self._read())
            new = self._new_ones(config)
            wiring.reload(config)
        except UserError as error:
            log.warning("settings-broken", said=str(error), instead="those before")
            return
        for name in fixed:
            log.warning("needs-restart", setting=name.replace("_", "-"))
        self._lay_out(config, new)
        log.event("settings-read", audits=len(config.audits))
        self._spawn(self._recover(wiring))

    async def _recover(self, wiring: Wiring) -> None:
        for name in list(self._makings):
            making = self._makings.get(name)  # it may be no more
            if making is not None and not making.ready:
                await self._logged(making.recover())
                self._wake.set()
        await wiring.fill()

    async def _work(self) -> None:
        period = systemd.watchdog()
        looking = min(_LOOKING, period / 3) if period else _LOOKING
        caught_up = time.monotonic()
        pruned = caught_up - _PRUNING
        while not self._stop.is_set():
            self._wake.clear()
            self._let_go()
            now = time.monotonic()
            # Before the runs: where one is due each minute, this would else always find the audit busy.
            if now - caught_up >= _CATCHING_UP:
                caught_up = now
                _give_back()
                self._spawn(self._catch_up())
            self._start_runs()
            systemd.notify(WATCHDOG=1, STATUS=self._status())
            if now - pruned >= _PRUNING:
                pruned = now
                self._spawn(self._prune())
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(looking, self._wait())):
                    await self._wake.wait()

    def _wait(self) -> float:
        """Seconds until the next run is due, at most so long as the clock is trusted."""
        found = [making.wait() for making in self._makings.values() if not making.busy]
        return min((seconds for seconds in found if seconds is not None), default=_LOOKING)

    def _start_runs(self) -> None:
        """Those that were asked for first, then those that have waited longest."""
        wanting = [making for making in self._makings.values() if making.wants()]
        wanting.sort(key=lambda making: (not making.asked, making.wait() or 0.0))
        free = self._config.together - sum(making.running for making in self._makings.values())
        for making in wanting[: max(free, 0)]:
            making.running = True
            self._spawn(self._make(making))

    async def _make(self, making: Making) -> None:
        try:
            await making.make()
        except Exception:
            # Whatever it was, it is not tried again and again.
            making.skip()
            raise
        finally:
            making.running = False
            self._changed(making.name)
            _give_back()
            self._wake.set()

    async def _catch_up(self) -> None:
        for name in list(self._makings):
            making = self._makings.get(name)
            if making is not None and making.ready and not making.busy:
                await making.catch_up()

    async def _prune(self) -> None:
        from probe.history.retention import Retention  # noqa: PLC0415

        keep = Retention(**self._config.retention)
        try:
            pruned = await self._archive.ask(lambda history: history.prune(keep))
        except UserError as error:
            log.warning("history", why=str(error).partition("\n")[0])
        else:
            if pruned.runs or pruned.thinned:
                log.event("pruned", runs=pruned.runs, thinned=pruned.thinned, bytes=pruned.freed)

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(self._logged(work))
        self._runs.add(task)
        task.add_done_callback(self._runs.discard)

    async def _logged(self, work: Coroutine[None, None, None]) -> None:
        """A defect in one run must not end the others."""
        try:
            await work
        except UserError as error:
            log.warning("failed", why=str(error))
        except Exception as error:  # noqa: BLE001
            log.warning("defect", why=f"{type(error).__name__}: {error}")

    async def _end_runs(self) -> None:
        for making in self._makings.values():
            making.stop("the service was asked to end")
        if self._runs:
            _, late = await asyncio.wait(set(self._runs), timeout=_ENDING)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late, timeout=5)

    def _status(self) -> str:
        going = [making.name for making in self._makings.values() if making.running]
        return count(len(self._makings), "audit") + (f", running {', '.join(going)}" if going else "")


def tune() -> None:
    """This process for pages that are made now and then of thousands of rows.

    The threads take their memory from one place (mallopt(3)): 71 MB instead of 84 after runs of 5,000 checks and pages
    of them. Cycles are looked for seldom, for rows make none: a third of the time of a run's first page went there.
    Those that there are go each minute and after each run (`_give_back`).
    """
    gc.set_threshold(50_000, 20, 50)
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)


def _give_back() -> None:
    """What reports and pages took goes back to the system: the service waits for hours with it otherwise."""
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
