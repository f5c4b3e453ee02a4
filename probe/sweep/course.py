"""One target on its way through the rounds, until what is silent may be believed."""

from __future__ import annotations

import asyncio
import math
import random
import time
from array import array
from collections import deque
from typing import TYPE_CHECKING

from probe.model.observation import Operation
from probe.model.ports import PortSet
from probe.model.swept import Rejection, Swept
from probe.model.words import State, Transport
from probe.probes.classify import from_errno
from probe.sweep.evidence import CLOSED, MANY, OPEN, SLOTS, Evidence
from probe.sweep.pace import Throttle

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from probe.sweep.order import Sweep, Target
    from probe.sweep.ways import Line, Way

# The first packets find out the neighbour's address; the kernel keeps few of them meanwhile.
_FIRST_BATCH = 16
_FIRST_TURN_SECONDS, _TURN_SECONDS = 0.0005, 0.005
# Answers beyond four times the slowest seen are as good as lost; from so many seen on. No answer is missed for that:
# who is slow by nature still answers the first attempt.
_PATIENCE_FACTOR, _LEAST_PATIENCE, _SEEN_ENOUGH = 4.0, 0.1, 10
# Of the slots (each round takes one) some are kept for what comes after the rounds.
_SPARE_SLOTS = 10
# More rounds than loss calls for, where they cost no time.
_ROUNDS_TO_SPARE = 4
# After so many rounds in a row in which none of the known ports answered, no more are tried.
_DEAF_ROUNDS = 3
# Known ports that are asked again in each round, to measure its loss: one for so many that are silent, within bounds.
_CANARY_SHARE, _FEWEST_CANARIES, _MOST_CANARIES, _REFUSED_CANARIES = 32, 256, 1024, 32
# A loss from which on a slower pace is tried, on canaries alone. Slower is by this factor; the pace is innocent of a
# loss that does not fall to this share with it.
_SUSPECT_LOSS, _SLOWER, _SLOWEST, _FALLEN, _CANARIES_TO_TRY = 0.03, 4.0, 20.0, 0.7, 32
# Where ICMP errors are limited: so far below the limit, for so long at most, in so many rounds. Linux sends one a
# second after a burst of six (ip-sysctl: icmp_ratelimit).
_UNDER_LIMIT, _LIMITED_SECONDS, _LIMITED_ROUNDS, _LIMITED_CANARIES = 0.7, 120.0, 3, 3
_LIMIT_BURST, _USUAL_LIMIT = 6, 1.0
# Open ports are asked again, and those that missed answers: so many, so often, so far apart.
_CONFIRMED, _DOUBTED, _CONFIRM_TIMES, _CONFIRM_SECONDS = 256, 64, 3, 0.002
# Ports beside those asked for, which answer only where something answers on every port.
_CONTROLS, _IMPOSSIBLE = 8, 0
# "All open" begins at this share; nobody opens so many.
_ALL, _TOOMANY = 0.99, 1024


class Course:
    """`run` it once, then ask for the `result`; that is there at any time, also after a cancellation."""

    def __init__(
        self, target: Target, number: int, order: Sweep, line: Line, throttle: Throttle, begin: Callable[[Course], Way]
    ) -> None:
        self.evidence = Evidence(target.ports, order.transport)
        self.sent = 0
        self.done = False
        self._target, self._order, self._line, self._throttle, self._begin = target, order, line, throttle, begin
        self._random = random.Random(order.seed * 1_000_003 + number)
        self._out: Way | None = None
        # What this target's path is given, below what all of them are.
        self._rate, self._highest, self._pace_is_innocent = math.inf, 0.0, False
        self._batch = _FIRST_BATCH
        self._latest, self._ended = -1, [0.0] * SLOTS
        self._sent_at: array[float] | dict[int, float]
        self._sent_at = array("f", bytes(4 << 16)) if len(target.ports) >= MANY else {}
        self._slowest, self._seen = 0.0, 0
        self._refused, self._refused_first, self._refused_last = 0, 0.0, 0.0
        self._unfinished: deque[tuple[float, int, Sequence[int]]] = deque()
        # The tables of firewalls are spared, unless the user lifted every limit.
        self._resets = order.transport is Transport.TCP and not math.isinf(throttle.rate)
        self._nowhere: State | None = None
        self._problem, self._limited, self._everything = "", "", False
        self._silence_is_believed = False
        self._began = self._seconds = self._end = 0.0
        self._result: Swept | None = None

    def answered(self, port: int, slot: int, code: int) -> None:
        """An attempt was answered: the packet proved that it is about it."""
        if not self.evidence.answer(port, slot, code):
            return
        if slot == self._latest:
            slow = time.monotonic() - self._began - self._sent_at[port]
            self._seen += 1
        else:
            slow = time.monotonic() - self._ended[slot]
        self._slowest = max(self._slowest, slow)
        if code != CLOSED or self._order.transport is Transport.UDP:
            self._noted(code)

    def _noted(self, code: int) -> None:
        if code == OPEN:
            self._throttle.opened(1)
        else:
            self._refused += 1
            self._refused_last = time.monotonic()
            self._refused_first = self._refused_first or self._refused_last

    @property
    def settled(self) -> int:
        """Ports whose state is known for good."""
        return len(self.evidence.ports) if self.done else self.evidence.answered_ports

    async def run(self, room: asyncio.Semaphore, end: float) -> None:
        """To its end, or to `end` of the loop's clock; what is left then is an error."""
        try:
            async with asyncio.timeout_at(end), room:
                self._began, self._end = time.monotonic(), end
                await self._run()
        except TimeoutError:
            self._problem = f"the deadline of {self._order.deadline:g} s ended it"
        finally:
            self._seconds = time.monotonic() - self._began if self._began else 0.0
            self.done = True
        # Each in its own turn of the loop: it takes some milliseconds.
        self._result = self._found()

    async def _run(self) -> None:
        try:
            self._out = self._begin(self)
        except OSError as error:
            self._nowhere = from_errno(error.errno, Operation.CONNECT).state
            self._problem = f"nothing can be sent to {self._target.address}: {error.strerror}"
            return
        try:
            await self._rounds()
            if not self._order.rounds:
                await self._under_the_limit()
                await self._confirm()
            await self._reset_until(math.inf)
        finally:
            self._out.close()

    async def _rounds(self) -> None:
        """All that is silent, again and again."""
        evidence, first_ended, deaf = self.evidence, 0.0, 0
        while True:
            known = evidence.answered_ports > 0
            canaries = self._canaries(len(evidence.silent)) if known else []
            slot = await self._round([*evidence.silent, *canaries], self._rate, whole=True)
            first_ended = first_ended or self._ended[slot]
            if not evidence.still_silent():
                return
            if len(evidence.rounds) == self._order.rounds:
                await self._settle(slot, first_ended + self._order.timeout)
                # Of a datagram silence claims nothing that had to be believed.
                if not evidence.is_believed and self._order.transport is Transport.TCP:
                    self._problem = (
                        f"no more than {self._order.rounds} rounds were asked for: too few to believe silence"
                    )
                self._silence_is_believed = evidence.is_believed
                return
            deaf = deaf + 1 if evidence.is_deaf(slot) else 0
            if deaf == _DEAF_ROUNDS:
                self._problem = (
                    "what had answered answers no more: this source is shut out, the target is gone, "
                    "or what is open there limits how often it answers"
                )
                return
            if evidence.is_believed and not deaf:
                # Who is slow to answer has the whole patience once. What that leaves of time is for who is fickle.
                last = first_ended + self._order.timeout
                spare = last - time.monotonic() - self.patience
                if len(evidence.rounds) < _ROUNDS_TO_SPARE and len(evidence.silent) / self._round_rate < spare:
                    continue
                await self._settle(slot, last)
                evidence.still_silent()
                self._silence_is_believed = True
                return
            if self._order.transport is Transport.UDP and len(evidence.silent) / self._round_rate > self._left:
                return  # silence claims nothing of a datagram: half a round more is not worth the deadline
            await self._find_pace(slot)
            if evidence.slots_left <= _SPARE_SLOTS:
                self._problem = (
                    f"after {len(evidence.rounds)} rounds {evidence.loss:.0%} of the attempts at ports that answer "
                    "were still lost: silence proves nothing"
                )
                return

    async def _find_pace(self, slot: int) -> None:
        """After a round with loss: is it our pace? Canaries alone are asked more slowly."""
        loss, rate = self.evidence.round_loss(slot), min(self._round_rate, self._rate)
        while loss > _SUSPECT_LOSS and not self._pace_is_innocent and rate > _SLOWEST:
            rate = max(_SLOWEST, rate / _SLOWER)
            canaries = self._canaries(0)
            if len(canaries) < _CANARIES_TO_TRY or self.evidence.slots_left <= _SPARE_SLOTS:
                self._rate = rate
                return
            before, loss = loss, self.evidence.round_loss(await self._round(canaries, rate))
            if loss > _FALLEN * before:
                self._pace_is_innocent, self._rate = True, math.inf
                return
            self._rate = rate

    async def _under_the_limit(self) -> None:
        """Where somebody limits the ICMP errors, what is silent is asked below that limit, if that can be done in time;
        else it is said.
        """
        evidence = self.evidence
        if not evidence.is_limited or not evidence.silent:
            return
        if evidence.spread_unreachable():
            self._limited = str(PortSet.of(evidence.silent))
            return
        seconds = self._refused_last - self._refused_first
        seen = (self._refused - _LIMIT_BURST) / seconds if self._refused > 4 * _LIMIT_BURST and seconds else 0.0
        rate = _UNDER_LIMIT * max(_USUAL_LIMIT, seen)
        for _ in range(_LIMITED_ROUNDS):
            if len(evidence.silent) / rate > min(_LIMITED_SECONDS, self._left / 2):
                break
            canaries = evidence.canaries(0, _LIMITED_CANARIES)
            before = len(evidence.silent)
            slot = await self._round([*evidence.silent, *canaries], rate, whole=True)
            quiet = len(evidence.still_silent()) == before and all(evidence.answered(port, slot) for port in canaries)
            if quiet or not evidence.silent:
                return
        self._limited = str(PortSet.of(evidence.silent))

    async def _confirm(self) -> None:
        """Ask open ports again, to see whether they answer every time; and whether something answers everywhere."""
        evidence = self.evidence
        opened = evidence.open()
        controls: list[int] = []
        if opened and len(opened) >= _ALL * len(evidence.ports):
            others = [port for port in range(49152, 65536) if port not in evidence.ports]
            controls = self._random.sample(others, min(_CONTROLS, len(others)))
        asked = {*opened[:: -(-len(opened) // _CONFIRMED) or 1], *evidence.doubtful(_DOUBTED)}
        if not asked:
            return
        impossible = [_IMPOSSIBLE] if controls or len(opened) >= _ALL * len(evidence.ports) else []
        await self._again([*asked, *controls, *impossible])
        if doubtful := evidence.doubtful(_DOUBTED):
            await self._again(doubtful)
        if impossible:
            self._everything = (
                # Some may be too much for whatever answers; on no host do most of a random choice listen.
                sum(map(evidence.is_open, controls)) * 2 > len(controls)
                if controls
                else evidence.is_open(_IMPOSSIBLE) or len(evidence.ports) >= _TOOMANY
            )

    async def _again(self, ports: Sequence[int]) -> None:
        slots = []
        for _ in range(min(_CONFIRM_TIMES, self.evidence.slots_left)):
            slots.append(await self._round(ports, self._rate, settle=False))
            await asyncio.sleep(_CONFIRM_SECONDS)
        for slot in slots:
            await self._settle(slot, time.monotonic() + self.patience)

    def _canaries(self, silent: int) -> list[int]:
        most = max(_FEWEST_CANARIES, min(_MOST_CANARIES, silent // _CANARY_SHARE))
        return self.evidence.canaries(most, _REFUSED_CANARIES)

    # One round.

    async def _round(self, ports: Sequence[int], rate: float, *, whole: bool = False, settle: bool = True) -> int:
        """One attempt at each, and the wait for their answers; returns its slot."""
        slot = self._latest = self.evidence.begin(whole=whole)
        own = Throttle(rate)
        began = time.monotonic()
        left = self._shuffled(ports)
        async with asyncio.TaskGroup() as lanes:
            for _ in range(self._line.lanes):
                lanes.create_task(self._lane(left, slot, own))
        self._ended[slot] = time.monotonic()
        self._round_rate = len(ports) / max(self._ended[slot] - began, 1e-3)
        self._highest = max(self._highest, self._round_rate)
        if settle:
            await self._settle(slot, self._ended[slot] + self.patience)
        return slot

    async def _lane(self, left: list[int], slot: int, own: Throttle) -> None:
        """Take from what is left, a batch at a time, until nothing is."""
        while left:
            await self._reset_until(time.monotonic() - self.patience)
            granted = await self._throttle.take(await own.take(self._batch))
            ports = left[-granted:]
            if not ports:
                return
            del left[-granted:]
            left += ports[await self._ask(ports, slot) :]

    async def _ask(self, ports: list[int], slot: int) -> int:
        """How many of them are done with."""
        assert self._out is not None  # noqa: S101  (while it runs)
        now, sent_at = time.monotonic() - self._began, self._sent_at
        for port in ports:
            sent_at[port] = now
        done, sent = await self._out.ask(ports, slot, self.evidence)
        self.sent += sent
        if self._resets and done:
            self._unfinished.append((time.monotonic(), slot, ports[:done]))
        self._line.drain()
        if self._line.overran():
            self._batch = max(_FIRST_BATCH, self._batch // 2)
            await asyncio.sleep(_TURN_SECONDS)
        elif done < len(ports):
            await asyncio.sleep(_TURN_SECONDS)
        else:
            self._batch = min(self._batch * 2, self._most_batch())
        return done

    async def _settle(self, slot: int, until: float) -> None:
        """Until everything asked in this slot is answered, or then."""
        turn = _FIRST_TURN_SECONDS
        while self.evidence.outstanding(slot) and (left := until - time.monotonic()) > 0:
            await self._reset_until(time.monotonic() - self.patience)
            await asyncio.sleep(min(left, turn))
            turn = min(2 * turn, _TURN_SECONDS)
            self._line.drain()

    async def _reset_until(self, at: float) -> None:
        """End what was begun before `at` and stayed silent."""
        while self._unfinished and self._unfinished[0][0] <= at:
            _, slot, ports = self._unfinished.popleft()
            silent = [port for port in ports if not self.evidence.answered(port, slot)]
            while silent:
                granted = await self._throttle.take(len(silent))
                assert self._out is not None  # noqa: S101  (while it runs)
                self.sent += await self._out.reset(silent[:granted], slot)
                del silent[:granted]

    @property
    def _left(self) -> float:
        """Seconds until the deadline."""
        return self._end - asyncio.get_running_loop().time()

    @property
    def patience(self) -> float:
        """Seconds for one answer."""
        if self._seen < _SEEN_ENOUGH:
            return self._order.timeout
        return max(
            min(_LEAST_PATIENCE, self._order.timeout), min(self._order.timeout, _PATIENCE_FACTOR * self._slowest)
        )

    def _most_batch(self) -> int:
        return max(_FIRST_BATCH, self._line.most_batch // self._line.courses)

    def _shuffled(self, ports: Sequence[int]) -> list[int]:
        """In an order without neighbours, another one each time, at the price of a walk: a step without a common factor
        visits each once.
        """
        count = len(ports)
        step = self._random.randrange(count // 3, count) if count > 3 else 1
        while math.gcd(step, count) != 1:
            step += 1
        start = self._random.randrange(count) if count else 0
        return [ports[(start + step * index) % count] for index in range(count)]

    def result(self) -> Swept:
        """What is known by now."""
        return self._result or self._found()

    def _found(self) -> Swept:
        evidence = self.evidence
        silence = State.OPEN_FILTERED
        if self._order.transport is Transport.TCP:
            silence = State.FILTERED if self._silence_is_believed else State.ERROR
        states = evidence.states(silence)
        if self._nowhere is not None:
            states = {self._nowhere: str(evidence.ports)}
        return Swept(
            address=self._target.address,
            transport=self._order.transport,
            states=states,
            rejections=tuple(
                Rejection(sender=what.sender, type=what.type, code=what.code, ports=ports)
                for what, ports in evidence.refusals()
            ),
            sometimes=str(PortSet.of(evidence.fickle())),
            limited=self._limited,
            everything=self._everything,
            sent=self.sent,
            answers=evidence.answers,
            rounds=len(evidence.rounds),
            loss=evidence.loss,
            residual=evidence.residual if silence in states else 0.0,
            pace=self._highest,
            seconds=self._seconds,
            engine=self._line.engine,
            problem=self._problem,
        )
