"""One round of a walk: everything that is left is tried once, as much at a time as the limits allow."""

from __future__ import annotations

import asyncio
import importlib
import logging
import time
from collections import deque
from typing import TYPE_CHECKING

from probe.model.dialogue import LONGEST
from probe.model.observation import Failure, Observation
from probe.model.words import Protocol, State
from probe.probes.hangup import reconsidered

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import Any

    from probe.probes.attempt import Attempt, Terms
    from probe.probes.feed import Feed
    from probe.probes.tcp import Dialler

log = logging.getLogger("portcheck.agent")

# Plain TCP goes through the connect engine; these are coroutines, imported when first needed: aiohttp costs 0.3 s and
# 27 MB.
_COROUTINES = {
    Protocol.UDP: "probe.probes.udp",
    Protocol.HTTP: "probe.probes.http",
    Protocol.HTTPS: "probe.probes.http",
    Protocol.HTTP_OR_HTTPS: "probe.probes.http",
    Protocol.TLS: "probe.probes.handshake",
}
_DIALOGUE = "probe.probes.dialogue"
_TICK = 0.05
# An attempt without a word for so long (or four round trips, if that is more) waits aside: it loads nobody, and silence
# must not hold up the rest. An answer after that says that somebody, most likely we, is too busy: then less is begun.
_PROMPT = 0.1
_ROUND_TRIPS = 4
# So many at once keep a near target busy; more only keeps both ends' caches cold. A longer line holds more: so many for
# each two milliseconds of round trip.
_NEAR, _NEAR_MS, _LEAST_WINDOW = 64.0, 2.0, 16.0
_SHRINK_EVERY = 0.25
_GROWTH = 1 / 8
_BELT = 5.0
_SILENT = (Failure.TIMEOUT, Failure.KERNEL_TIMEOUT)


class Round:
    """Every attempt of the feed, once. `window` bounds what is fresh (begun within the last quarter of a second),
    `most` all that is in flight.

    `run` returns when the feed is empty and nothing is in flight, or at `end` (on the monotonic clock). `lag`: the
    longest that the loop stood still, in seconds.
    """

    def __init__(self, dialler: Dialler, feed: Feed, terms: Terms, window: int, most: int, end: float) -> None:
        self._dialler = dialler
        self._feed = feed
        self._terms = terms
        self._bound = float(window)
        self._widest = self._window = min(_NEAR, self._bound)
        self._prompt = _PROMPT
        self._most = most
        self._end = end
        self._fresh: deque[Attempt] = deque()
        self._in_flight: dict[Attempt, float] = {}
        self._aside: set[Attempt] = set()
        self._shrunk = 0.0
        self._filling = False
        self._timer: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.get_running_loop()
        self._finished: asyncio.Future[None] = self._loop.create_future()
        self._ended: Callable[[Attempt, Observation, float], None]
        self.attempts = 0
        self.lag = 0.0

    async def run(
        self, ended: Callable[[Attempt, Observation, float], None], tick: Callable[[], Awaitable[None]]
    ) -> None:
        """`ended` is called with each attempt that has ended, and when; `tick` is awaited about twenty times a
        second.
        """
        self._ended = ended
        self._dialler.reactor.after.append(self._fill)
        try:
            turned = time.monotonic()
            self._fill()
            while not self._finished.done() and time.monotonic() < self._end:
                await asyncio.wait((self._finished,), timeout=_TICK)
                before, turned = turned, time.monotonic()
                self.lag = max(self.lag, turned - before - _TICK)
                self._dialler.expire()
                self._put_aside(time.monotonic())
                self._fill()
                await tick()
        finally:
            self._dialler.reactor.after.remove(self._fill)
            self._dialler.abort()
            if self._timer is not None:
                self._timer.cancel()
            for task in self._tasks:
                task.cancel()
            if self._tasks:
                await asyncio.wait(self._tasks, timeout=1)

    def _fill(self) -> None:
        if self._filling:
            return  # an attempt that fails at once ends inside the loop below
        self._filling = True
        now = time.monotonic()
        in_flight, aside = self._in_flight, self._aside
        while len(in_flight) - len(aside) < self._window and len(in_flight) < self._most:
            attempt = self._feed.take(now)
            if attempt is None:
                self._wake_later(now)
                break
            self._start(attempt, now)
        self._filling = False
        if not in_flight and self._feed.empty and not self._finished.done():
            self._finished.set_result(None)

    def _put_aside(self, now: float) -> None:
        """What has been silent for a while no longer counts."""
        fresh, in_flight = self._fresh, self._in_flight
        while fresh:
            began = in_flight.get(fresh[0])
            if began is not None:
                if now - began < self._prompt:
                    return
                self._aside.add(fresh[0])
                self._feed.release(fresh[0], now)
            fresh.popleft()

    def _wake_later(self, now: float) -> None:
        delay = self._feed.delay(now)
        if delay is not None and self._timer is None:
            self._timer = self._loop.call_later(delay, self._wake)

    def _wake(self) -> None:
        self._timer = None
        self._fill()

    def _start(self, attempt: Attempt, now: float) -> None:
        self._in_flight[attempt] = now
        self._fresh.append(attempt)
        self.attempts += 1
        attempt.attempts += 1
        aim = attempt.aim
        module = _DIALOGUE if aim.dialogue is not None and not aim.key else _COROUTINES.get(aim.protocol)
        if module is None:
            self._dialler.start(attempt, self._terms, self._done)
            return
        task = self._loop.create_task(self._probe(attempt, importlib.import_module(module)))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _probe(self, attempt: Attempt, prober: Any) -> None:
        rtt = None
        try:
            longest = LONGEST if attempt.aim.dialogue is not None else 0.0
            async with asyncio.timeout(self._terms.timeout + longest + _BELT):
                began = time.monotonic()
                seen, rtt = await prober.probe(attempt, self._terms)
                if self._terms.careful:
                    seen = await reconsidered(attempt, self._terms, seen, time.monotonic() - began)
        except TimeoutError:
            # A prober keeps its own time; if one ever does not, that is our fault and not the network's.
            seen = Observation(state=State.ERROR, failure=Failure.OTHER, text="the prober did not end in time")
        except Exception as error:
            log.exception("a prober failed on %s port %d", attempt.address, attempt.port)
            seen = Observation(state=State.ERROR, failure=Failure.OTHER, text=f"{type(error).__name__} in the prober")
        self._done(attempt, seen, rtt)

    def _done(self, attempt: Attempt, seen: Observation, rtt: float | None) -> None:
        now = time.monotonic()
        took = now - self._in_flight.pop(attempt)
        attempt.elapsed_ms += took * 1000
        attempt.seen = _telling(attempt.seen, seen)
        if rtt is not None:
            self._learn(attempt, rtt)
        if attempt in self._aside:
            self._aside.discard(attempt)
            # A service may think about what it was asked; only a bare answer that is late tells of somebody busy.
            asked = attempt.aim.dialogue is not None
            late = took > self._prompt and seen.failure is not Failure.TIMEOUT and not asked
            if late and now - self._shrunk > _SHRINK_EVERY:
                self._window = max(self._window / 2, _LEAST_WINDOW)
                self._shrunk = now
        else:
            self._window = min(self._window + _GROWTH, self._widest)
            self._feed.release(attempt, now)
        self._ended(attempt, seen, now)
        if not self._dialler.reactor.turning:
            self._fill()  # else once at the end of the turn

    def _learn(self, attempt: Attempt, rtt: float) -> None:
        """`rtt` is the kernel's, in milliseconds."""
        if attempt.rtt_ms is None:
            attempt.rtt_ms = rtt
        self._prompt = max(self._prompt, _ROUND_TRIPS * rtt / 1000)
        self._widest = min(max(self._widest, _NEAR * rtt / _NEAR_MS), self._bound)


def _telling(before: Observation | None, now: Observation) -> Observation:
    """Devices ration their errors: silence later does not unsay what one said before."""
    if before is not None and before.icmp is not None and now.icmp is None and now.failure in _SILENT:
        return before
    return now
