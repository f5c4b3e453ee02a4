"""Which devices pass packets for a port on, and where they stop: attempts on the port itself that may go 1, 2, 3…
devices far.

First a survey: each TTL from a port of its own, several at a time. It finds where the way ends. Then a few flows, each
from one port that it keeps, are followed as far as that: routers choose among several next hops by the ports, so only
what one port saw is one way. Silence is asked again, slower: a Linux router sends one of these errors a second to an
address, after the first six (icmp(7), icmp_ratelimit).
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import defaultdict
from collections.abc import Callable
from ipaddress import ip_address
from typing import TYPE_CHECKING

from probe.model.observation import Failure, Operation
from probe.probes.classify import from_error
from probe.probes.flows import sort
from probe.probes.hops import SURVEY, Notes
from probe.probes.ttl import Aim, Flow, ask, reserve

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from probe.model.path import Path
    from probe.model.words import Transport
    from probe.probes.ttl import Answer

# Attempts of one trace, all together; at a time in the survey.
_BUDGET = 150
_BURST = 8
_SORTED = 16  # flows that are sorted
# The whole of a trace, in timeouts of one attempt.
_PATIENCE = 30
Gate = Callable[[int], contextlib.AbstractAsyncContextManager[None]]
_LABELS = range(1, 1 << 19)  # of IPv6 flows; the upper half belongs to the kernel (flowlabel_state_ranges)


def _open_gate(_: int) -> contextlib.AbstractAsyncContextManager[None]:
    return contextlib.nullcontext()


async def trace(
    address: str,
    transport: Transport,
    port: int,
    *,
    payload: bytes = b"",
    bind: str = "",
    most: int = 30,
    timeout: float = 1.0,  # noqa: ASYNC109  (of one attempt; the trace has a limit of its own)
    tries: int = 3,
    flows: int = 6,
    sorting: bool = False,
    gate: Gate = _open_gate,
) -> Path:
    """The path to a port of a numeric address, at most `most` (1 to 255) devices of it; ValueError for others.

    One attempt waits `timeout` seconds (after the first second the kernel repeats a SYN), silence is asked `tries`
    times, and up to `flows` source ports are told apart. A port that works turns out to be `reached`; each connection
    is reset at once. Where every attempt that came as far found it working, no flows are tried; `sorting`, sixteen are,
    six times each, and if one of several next hops is bad, some of those that get through are followed and some that
    never do. After 150 attempts or 30 timeouts the path is what is known by then. Each attempt that looks for a device
    is made inside `gate` of its TTL.
    """
    ip_address(address)
    if not 1 <= most <= 255:
        raise ValueError(f"most is {most}; a TTL is from 1 to 255")
    tracer = _Tracer(Aim(address, transport, port, payload, bind), most, timeout, gate)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_PATIENCE * timeout):
            await tracer.run(tries, flows, sorting=sorting)
    return tracer.notes.path()


class _Tracer:
    def __init__(self, aim: Aim, most: int, seconds: float, gate: Gate) -> None:
        self.notes = Notes(aim.address, most)
        self._aim = aim
        self._seconds = seconds
        self._gate = gate
        self._left = _BUDGET
        self._turns: defaultdict[int, asyncio.Lock] = defaultdict(asyncio.Lock)

    @property
    def _over(self) -> bool:
        return self.notes.failure is not None or not self._left

    async def run(self, tries: int, flows: int, *, sorting: bool) -> None:
        with self._reserved(_SORTED if sorting else flows) as reserved:
            if sorting:
                reserved = await self._sort(reserved, flows)  # noqa: PLW2901
                if not reserved:
                    return
            await self._survey(range(1, self.notes.most + 1))
            # What the survey will ask again has the first claim; a long path leaves room for fewer flows.
            again = tries - 1
            room = (self._left - again * len(self.notes.silent())) // (self.notes.limit + 1)
            idle = self.notes.works and not sorting
            await self._flows(dict(list(reserved.items())[: 0 if idle else room]), again)

    async def _flows(self, followed: Mapping[int, Flow], again: int) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._survey_again(again))
            for number, flow in followed.items():
                group.create_task(self._follow(number, flow))
        for _ in range(again):
            async with asyncio.TaskGroup() as group:
                for number, flow in followed.items():
                    group.create_task(self._follow(number, flow, again=True))

    async def _sort(self, reserved: dict[int, Flow], most: int) -> dict[int, Flow]:
        """Of those that get through and those that never do, as many as are followed."""
        found = await sort(self._aim, reserved, self._seconds)
        self.notes.by_flow = found.counted
        if not self.notes.by_flow.bad_hop:
            return {}
        return {number: reserved[number] for kind in (found.lost, found.through) for number in kind[: most // 2]}

    async def _survey(self, ttls: Sequence[int]) -> None:
        """Each TTL once, in bursts, until the end shows."""
        async with asyncio.TaskGroup() as group:
            for first in range(0, len(ttls), _BURST):
                if self.notes.circles or ttls[first] > (self.notes.end or self.notes.most):
                    return
                burst = [group.create_task(self._ask(SURVEY, Flow(), ttl)) for ttl in ttls[first : first + _BURST]]
                await asyncio.wait(burst, timeout=self._seconds / 5)

    async def _survey_again(self, times: int) -> None:
        for _ in range(times):
            await self._survey(self.notes.silent())

    async def _follow(self, number: int, flow: Flow, *, again: bool = False) -> None:
        """Walk one flow to its end. `again`: ask what is in doubt, one flow after another at each place."""
        notes = self.notes
        ttl = 1
        while ttl <= notes.most and not self._over:
            if (number, ttl) not in notes.asked:
                await self._ask(number, flow, ttl)
            elif again and notes.doubtful(number, ttl):
                await self._ask_in_turn(number, flow, ttl)
            elif again and ttl == notes.fork:
                await self._ask(number, flow, ttl)  # the same device again, or flows are not kept together
            answer = notes.asked.get((number, ttl))
            if notes.loops(number) or (answer and not answer.passed):
                return
            # Behind the limit one attempt tells whether the flow arrives at all, however many devices are silent.
            ttl = ttl + 1 if answer or ttl < notes.limit or ttl == notes.most else notes.most

    async def _ask_in_turn(self, number: int, flow: Flow, ttl: int) -> None:
        """Not before the last one's time is over: whoever rations answers has one for each."""
        async with self._turns[ttl]:
            if self._over:
                return
            end = asyncio.get_running_loop().time() + self._seconds
            await self._ask(number, flow, ttl)
            await asyncio.sleep(end - asyncio.get_running_loop().time())

    async def _ask(self, number: int, flow: Flow, ttl: int) -> None:
        if self._over:
            return
        self._left -= 1
        async with self._gate(ttl):
            if number == SURVEY and ttl > (self.notes.end or ttl):
                return  # meanwhile the end was found nearer
            answer: Answer | Failure | None = await ask(self._aim, flow, ttl, self._seconds)
        if isinstance(answer, Failure):
            self.notes.failure = answer
        else:
            self.notes.write(number, ttl, answer)

    @contextlib.contextmanager
    def _reserved(self, count: int) -> Iterator[dict[int, Flow]]:
        """So many flows by number, their ports kept until the end."""
        with contextlib.ExitStack() as stack:
            flows = {}
            try:
                for number in range(SURVEY + 1, SURVEY + 1 + count):
                    port = stack.enter_context(reserve(self._aim)).getsockname()[1]
                    flows[number] = Flow(port, random.choice(_LABELS))
            except OSError as error:
                self.notes.failure = from_error(error, Operation.BIND).failure
            yield flows
