"""A source's part of a run: try every aim, try again what failed, slower and from fresh ports, and report in runs of
equal outcome.

Haste must not become a finding. A firewall that lets a few new connections a second through, a line that loses
packets, a target that is busy: all of them look blocked to whoever asks once. So rounds go on for a target as long as
they still settle something, at a pace that follows what it bore, and end only after quiet rounds in which nothing
changed any more.
"""

from __future__ import annotations

import asyncio
import random
import socket
import time
from ipaddress import ip_address
from typing import TYPE_CHECKING

from probe.agent.outcomes import Outcomes
from probe.agent.ration import Ration
from probe.agent.round import Round
from probe.model.observation import Failure, Observation, Operation
from probe.model.ports import PortSet
from probe.model.words import State
from probe.probes.attempt import Attempt, Terms
from probe.probes.feed import Feed, Lane
from probe.probes.tcp import Dialler
from probe.text import printable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from probe.probes.reactor import Reactor
    from probe.wire.messages import Followed, Outcome, Walk

# Attempts a second at one target in the first slow round, the slowest that a target can make us, and how many seconds
# of attempts a round may take: where most is dropped for good, what little gets through must not set the pace.
_SLOW, _SLOWEST, _LONGEST = 500.0, 5.0, 8.0
# Longer and longer, so that the kernel's own retransmissions (after 1 and 3 s, RFC 6298) fall inside an attempt.
_STRETCH = (1.0, 1.6, 3.6)
# Rounds without any change before a failure is believed: after an answer (a refusal, an ICMP error) one, after
# silence two.
_QUIET_ANSWERED, _QUIET_SILENT = 1, 2
# Seconds between two words of progress, and between two deliveries of outcomes: the rarer, the less in pieces.
_PROGRESS_EVERY, _REPORT_EVERY = 0.25, 2.0
# Longer than the resolver's own first patience (5 s, resolv.conf(5)), so that its second try falls inside.
_NAMING, _NAMING_TRIES = 12.0, 2
# What a resolver says when it could not find out, which is not the same as that there is nothing.
_FOR_NOW = frozenset({socket.EAI_AGAIN, socket.EAI_FAIL, socket.EAI_SYSTEM, socket.EAI_MEMORY})
_UNSURE = frozenset({Failure.TIMEOUT, Failure.KERNEL_TIMEOUT, Failure.RESOURCES, Failure.SELF_CONNECT})


class Walker:
    """Carries out one Walk. `report` is awaited with outcomes as they become final, and how many ports that makes in
    all.
    """

    def __init__(
        self,
        reactor: Reactor,
        order: Walk,
        report: Callable[[list[Outcome], int], Awaitable[None]],
        ration: Ration | None = None,
    ) -> None:
        self._order = order
        self._ration = ration or Ration()
        self._report = report
        self._dialler = Dialler(reactor)
        self._outcomes = Outcomes()
        self._random = random.Random(order.seed)
        self._end = time.monotonic() + order.deadline
        self._reported = self._told = time.monotonic()
        self.attempts = 0
        self.paths: list[Followed] = []

    async def run(self) -> None:
        """Ends when everything is settled, or at the order's deadline: what was still changing then is `timeout`."""
        targets = await self._targets()
        try:
            async with asyncio.TaskGroup() as group:
                await self._rounds(targets, group)
        finally:
            await self._flush()

    async def _rounds(self, targets: list[_Target], group: asyncio.TaskGroup) -> None:
        number = 0
        while targets:
            order = self._order
            timeout = order.timeout * _STRETCH[min(number, len(_STRETCH) - 1)]
            terms = Terms(number=order.number, bind=order.bind, timeout=timeout, careful=order.once or number > 0)
            await self._round(targets, terms)
            targets = [target for target in targets if not self._ends(target)]
            number += 1
            if number == 1 and self._order.follow:
                group.create_task(self._follow([attempt for target in targets for attempt in target.left]))

    async def _follow(self, failed: list[Attempt]) -> None:
        from probe.agent.following import chosen, follow

        # An attempt goes on being tried meanwhile; what is followed is the way.
        if found := chosen(failed, self._order.follow):
            self.paths += await follow(found, self._order, self._ration)

    async def _targets(self) -> list[_Target]:
        """One for each target, its ports in a seeded order so that neighbours do not come in one burst."""
        targets: dict[int, _Target] = {}
        meanings = await self._resolve({aim.address for aim in self._order.aims})
        for aim in self._order.aims:
            ports, meaning = PortSet.parse(aim.ports), meanings[aim.address]
            if isinstance(meaning, Observation):
                for port in ports:
                    attempt = Attempt(aim, aim.address, port)
                    attempt.seen, attempt.attempts = meaning, 1
                    self._outcomes.add(attempt)
                continue
            for address in meaning:
                target = targets.setdefault(aim.target, _Target(aim.target))
                target.left.extend(Attempt(aim, address, port) for port in ports)
        for target in targets.values():
            self._random.shuffle(target.left)
        order = list(targets.values())
        self._random.shuffle(order)
        return order

    async def _resolve(self, names: set[str]) -> dict[str, list[str] | Observation]:
        """The addresses that each has on this host, all looked up at once. A name without one is an observation."""
        async with asyncio.TaskGroup() as group:
            tasks = {name: group.create_task(_look_up(name)) for name in sorted(names)}
        return {name: task.result() for name, task in tasks.items()}

    async def _round(self, targets: list[_Target], terms: Terms) -> None:
        for target in targets:
            target.begin()
        lanes = [Lane(target.number, iter(target.trying), target.interval) for target in targets]
        feed = Feed(lanes, self._order.per_target, 1 / self._order.rate if self._order.rate else 0.0)
        by_number = {target.number: target for target in targets}

        def ended(attempt: Attempt, seen: Observation, now: float) -> None:
            target = by_number[attempt.aim.target]
            target.ended = now
            if seen.failure is None:
                target.settled.add(attempt)
                self._outcomes.add(attempt)

        order = self._order
        now = Round(self._dialler, feed, terms, order.window, order.most, self._end)
        try:
            await now.run(ended, self._tick)
        finally:
            self.attempts += now.attempts
            # What stood still for as long as it waits has not listened, and was heard by nobody in time.
            for target in targets:
                target.end(counts=now.lag < terms.timeout)

    def _ends(self, target: _Target) -> bool:
        """Whether this target needs no further round; what is left of it is then final."""
        over = time.monotonic() >= self._end
        if target.again() and not over and not self._order.once:
            return False
        for attempt in target.left:
            if over:
                # Cut short, a round proves nothing: neither that it was quiet nor that the next would have been.
                attempt.seen = Observation(state=State.ERROR, failure=Failure.TIMEOUT, text="the walk's time ran out")
            self._outcomes.add(attempt)
        return True

    async def _tick(self) -> None:
        now = time.monotonic()
        if now - self._reported >= _REPORT_EVERY:
            await self._flush()
        elif now - self._told >= _PROGRESS_EVERY:
            self._told = now
            await self._report([], self._outcomes.count)

    async def _flush(self) -> None:
        self._reported = self._told = time.monotonic()
        await self._report(self._outcomes.take(), self._outcomes.count)


class _Target:
    """What is still to be settled at one target, and the pace it bears. `interval`: seconds between two attempts, 0
    for as fast as may be.
    """

    def __init__(self, number: int) -> None:
        self.number = number
        self.left: list[Attempt] = []
        self.trying: list[Attempt] = []
        self.interval = 0.0
        self._quiet = 0
        self._rounds = 0
        self.settled: set[Attempt] = set()
        # The pace a target bears is told by its own attempts, not by a slower neighbour's: when the last of them ended.
        self.ended = 0.0
        self._began = 0.0
        self._counts = True

    def begin(self) -> None:
        self.trying, self.left = self.left, []
        self.settled.clear()
        self._began = self.ended = time.monotonic()

    def end(self, *, counts: bool) -> None:
        self._counts = counts
        self.left = [attempt for attempt in self.trying if attempt not in self.settled]
        self.trying = []

    def again(self) -> bool:
        """Whether another round may still settle something; sets its pace."""
        self._rounds += 1
        settled, took = len(self.settled), max(self.ended - self._began, 0.001)
        if self._rounds == 1:
            pace = _SLOW
        elif settled:
            self._quiet = 0
            pace = 0.5 * settled / took
        else:
            self._quiet += self._counts
            pace = 0.5 / self.interval if self.interval else _SLOW
        self.interval = 1 / max(pace, _SLOWEST, len(self.left) / _LONGEST)
        return bool(self.left) and not self.tired

    @property
    def tired(self) -> bool:
        """Enough quiet rounds to believe what is left."""
        silent = any(_is_unsure(attempt) for attempt in self.left)
        return self._quiet >= (_QUIET_SILENT if silent else _QUIET_ANSWERED)


def _is_unsure(attempt: Attempt) -> bool:
    """Whether another attempt is likely to see more. What was said over a connection is repeated by the kernel: a
    service that took a request and is silent is so for good.
    """
    seen = attempt.seen
    if seen is None:
        return True
    heard = seen.state is State.OPEN and seen.operation is Operation.RECEIVE and attempt.aim.dialogue is not None
    return seen.failure in _UNSURE and not heard


async def _look_up(name: str) -> list[str] | Observation:
    try:
        ip_address(name.partition("%")[0])
    except ValueError:
        pass
    else:
        return [name]
    failure, text = Failure.TIMEOUT, ""
    for _ in range(_NAMING_TRIES):
        try:
            async with asyncio.timeout(_NAMING):
                # As an application asks: without IPv6 of its own a host is given no IPv6 addresses to fail with.
                found = await asyncio.get_running_loop().getaddrinfo(
                    name, None, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG
                )
            return list(dict.fromkeys(str(info[4][0]) for info in found))
        except TimeoutError:
            text = f"no answer in {_NAMING:.0f} s"
        except (OSError, UnicodeError) as error:
            number = error.errno if isinstance(error, OSError) else None
            text = (error.strerror if isinstance(error, OSError) else None) or str(error)
            if number not in _FOR_NOW:
                failure = Failure.NOT_RESOLVED
                break
    return Observation(state=State.ERROR, operation=Operation.RESOLVE, failure=failure, text=printable(text)[:120])
