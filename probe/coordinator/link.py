"""One agent as the coordinator sees it: orders out, answers in, and a clear word when it is lost.

Whatever the agent does (die, fall silent, send garbage, flood, stop in mid-frame), it costs `AgentLost` with a
reason, within a bounded time.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING, TypeVar

from probe import __version__
from probe.coordinator.channels import Channel, ChannelError
from probe.model.ports import PortError, PortSet
from probe.text import printable
from probe.wire.frames import PREFACE, Decoder, WireError
from probe.wire.messages import (
    VERSION,
    Answer,
    Bye,
    Close,
    Closed,
    Greet,
    Hello,
    Look,
    Looked,
    Message,
    Open,
    Ping,
    Pong,
    Refused,
    Results,
    Stop,
    Survey,
    Surveyed,
    Sweep,
    Sweeping,
    SweptAll,
    Tallied,
    Tally,
    Unwatch,
    Walk,
    Walked,
    Watching,
    decode_answer,
    encode,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from probe.model.swept import Swept

# The agent closes everything by itself after LEASE seconds without a word; it is asked for a sign of life every PING
# seconds and lost after SILENCE.
LEASE, PING, SILENCE = 15.0, 2.0, 12.0
_SENDING = 10.0
_STOPPING = 3.0


_A = TypeVar("_A", bound=Message)


class AgentLost(Exception):
    """The agent cannot be used, or no more. `known` is False if it never greeted."""

    def __init__(self, reason: str, *, known: bool) -> None:
        super().__init__(reason)
        self.known = known


class Link:
    """`greet` first, then orders, `close` last. Orders may run beside each other."""

    def __init__(self, channel: Channel, run: str) -> None:
        self._channel = channel
        self._run = run
        self._last = 0
        self._waiting: dict[int, asyncio.Future[Answer]] = {}
        self._parts: dict[int, Callable[[Results | Sweeping], None]] = {}
        self._pings: set[int] = set()
        self._decoder = Decoder()
        self._heard = time.monotonic()
        self._hello: asyncio.Future[Hello] = asyncio.get_running_loop().create_future()
        self._tasks: list[asyncio.Task[None]] = []
        self._closing = False
        self.lost: AgentLost | None = None
        self.hello: Hello | None = None

    @property
    def channel(self) -> str:
        return self._channel.name

    async def greet(self, deadline: float) -> Hello:
        """Raises AgentLost if no agent of our version answers within `deadline` seconds."""
        self._tasks.append(asyncio.create_task(self._read()))
        try:
            async with asyncio.timeout(deadline):
                await self._say(PREFACE + encode(Greet(wire=VERSION, version=__version__, run=self._run, lease=LEASE)))
                hello = await asyncio.shield(self._hello)
        except TimeoutError:
            raise self.give_up(f"no greeting within {deadline:.0f} s") from None
        if self.lost is not None:
            raise self.lost
        if hello.wire != VERSION:
            raise self.give_up(
                f"the agent is portcheck {hello.version} and speaks version {hello.wire} of the wire, "
                f"this is portcheck {__version__} with version "
                f"{VERSION}: install portcheck {__version__} there"
            )
        self.hello = hello
        self._tasks.append(asyncio.create_task(self._keep_alive()))
        return hello

    async def look(self, order: Callable[[int], Look | Open], deadline: float) -> Looked:
        answer = await self._ask(order, deadline)
        if not isinstance(answer, Looked):
            raise self.give_up(f"answered an order to look with {type(answer).__name__}")
        return answer

    async def close_stand_ins(self, opened: int, deadline: float) -> Closed:
        answer = await self._ask(lambda number: Close(id=number, opened=opened), deadline)
        if not isinstance(answer, Closed):
            raise self.give_up(f"answered an order to close with {type(answer).__name__}")
        return answer

    async def ask(self, order: Callable[[int], Message], kind: type[_A], deadline: float) -> _A:
        """An order that has one answer, of this kind."""
        answer = await self._ask(order, deadline)
        if not isinstance(answer, kind):
            raise self.give_up(f"answered an order with {type(answer).__name__}, not with {kind.__name__}")
        return answer

    async def walk(self, order: Callable[[int], Walk], results: Callable[[Results], None], deadline: float) -> Walked:
        """Results are handed over as they come. Cancelled, the agent is told to stop, and what it has is taken."""

        def take(part: Results | Sweeping) -> None:
            if not isinstance(part, Results):
                raise WireError("words on a sweep in a walk")
            results(part)

        return await self._follow(order, take, Walked, deadline)

    async def sweep(
        self, order: Callable[[int], Sweep], progress: Callable[[Sweeping], None], deadline: float
    ) -> tuple[Swept, ...]:
        """What was found at each target, in the order's order; progress as it comes. Cancelled, the agent is told to
        stop, and there is nothing.
        """
        found: list[Swept] = []

        def take(part: Results | Sweeping) -> None:
            if not isinstance(part, Sweeping):
                raise WireError("results of a walk in a sweep")
            found.extend(part.found)
            if len(found) > most:
                raise WireError("more was swept than was ordered")
            progress(part)

        asked = order(0)
        most = len(asked.targets)
        await self._follow(order, take, SweptAll, deadline)
        if not fits(asked, found):
            raise self.give_up("what it found in a sweep is not what it was asked for")
        return tuple(found)

    async def tally(self, order: Callable[[int], Tally], deadline: float) -> int:
        """The number by which `tallied` ends it. Raises AgentRefused where packets may not be seen."""
        watching = await self.ask(order, Watching, deadline)
        if watching.problem:
            raise AgentRefused(watching.problem)
        return watching.id

    async def tallied(self, tally: int, deadline: float) -> Tallied:
        return await self.ask(lambda number: Unwatch(id=number, watch=tally), Tallied, deadline)

    async def survey(self, deadline: float) -> Surveyed:
        return await self.ask(lambda number: Survey(id=number), Surveyed, deadline)

    async def _follow(
        self,
        order: Callable[[int], Message],
        take: Callable[[Results | Sweeping], None],
        kind: type[_A],
        deadline: float,
    ) -> _A:
        """An order that is answered part by part, and by this kind at its end."""
        number = self._number()
        self._parts[number] = take
        following = asyncio.create_task(self._ask(lambda _: order(number), deadline, number))
        try:
            answer = await asyncio.shield(following)
        except asyncio.CancelledError:
            with contextlib.suppress(AgentLost, AgentRefused):
                await self._send(Stop(id=self._number(), order=number))
            await asyncio.wait((following,), timeout=_STOPPING)
            following.cancel()
            if following.done() and not following.cancelled():
                following.exception()  # that it was lost is known elsewhere
            raise
        finally:
            self._parts.pop(number, None)
        if not isinstance(answer, kind):
            raise self.give_up(f"answered an order with {type(answer).__name__}, not with {kind.__name__}")
        return answer

    async def close(self) -> None:
        """Always safe; takes a few seconds at most."""
        self._closing = True
        with contextlib.suppress(AgentLost, TimeoutError):
            if self.lost is None:
                await self._send(Bye())
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=1)
        await self._channel.close()

    async def _ask(self, order: Callable[[int], Message], deadline: float, number: int | None = None) -> Answer:
        if self.lost is not None:
            raise self.lost
        number = self._number() if number is None else number
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        try:
            async with asyncio.timeout(deadline):
                await self._send(order(number))
                found = await answer
        except TimeoutError:
            raise self.give_up(f"an order was not carried out within {deadline:.0f} s") from None
        finally:
            self._waiting.pop(number, None)
        if isinstance(found, Refused):
            raise AgentRefused(found.reason)
        return found

    async def _send(self, message: Message) -> None:
        await self._say(encode(message))

    async def _say(self, data: bytes) -> None:
        if self.lost is not None:
            raise self.lost
        try:
            async with asyncio.timeout(_SENDING):
                await self._channel.send(data)
        except TimeoutError:
            raise self.give_up(f"took nothing for {_SENDING:.0f} s") from None
        except ChannelError as error:
            # The reader knows better why: give it a moment to see the end and what was said there.
            await asyncio.wait(self._tasks[:1], timeout=1)
            raise self.give_up(str(error)) from None

    async def _read(self) -> None:
        try:
            while True:
                data = await self._channel.receive()
                if not data:
                    await asyncio.sleep(0.05)  # the last words come by another pipe
                    ending = "stopped in the middle of a message" if self._decoder.in_frame else "ended"
                    self._ended(f"the agent {ending}" if self._decoder.greeted else "no agent there")
                    return
                self._heard = time.monotonic()
                for payload in self._decoder.feed(data):
                    self._take(decode_answer(payload))
        except (WireError, PortError) as error:
            self.give_up(f"the agent sent garbage: {error}")
        except ChannelError as error:
            self._ended(str(error))

    def _ended(self, reason: str) -> None:
        if not self._closing:
            self.give_up(reason)

    def _take(self, answer: Answer) -> None:
        """Everything an agent says must have been asked for; what was not is garbage, and a flood of it ends at the
        first piece.
        """
        match answer:
            case Hello():
                if self._hello.done():
                    raise WireError("a second greeting")
                self._hello.set_result(answer)
            case Pong():
                if answer.id not in self._pings:
                    raise WireError("a sign of life that nobody asked for")
                self._pings.discard(answer.id)
            case Results() | Sweeping():
                take = self._parts.get(answer.id)
                if take is not None:
                    take(answer)
                elif not 0 < answer.id <= self._last:
                    raise WireError("results of a walk or a sweep that nobody ordered")
            case _:
                waiting = self._waiting.get(answer.id)
                if waiting is None or waiting.done():
                    if 0 < answer.id <= self._last:
                        return  # late: we gave up waiting
                    raise WireError(f"{type(answer).__name__} for an order that nobody gave")
                waiting.set_result(answer)

    def _number(self) -> int:
        self._last += 1
        return self._last

    async def _keep_alive(self) -> None:
        while True:
            await asyncio.sleep(PING)
            silent = time.monotonic() - self._heard
            if silent > SILENCE:
                self.give_up(f"no sign of life for {silent:.0f} s")
                return
            number = self._number()
            self._pings.add(number)
            try:
                await self._send(Ping(id=number))
            except AgentLost:
                return

    def give_up(self, reason: str) -> AgentLost:
        """The agent is lost, for this reason unless it was before; everybody who waits for it learns it at once."""
        if self.lost is None:
            words = self._channel.last_words()
            noise = self._decoder.noise.decode("utf-8", errors="replace").strip()
            said = " / ".join(part for part in (noise[-200:], words[-400:]) if part)
            text = f"{reason} ({said})" if said else reason
            self.lost = AgentLost(printable(text), known=self.hello is not None)
            waiting: list[asyncio.Future[Hello] | asyncio.Future[Answer]] = [self._hello, *self._waiting.values()]
            for future in waiting:
                if not future.done():
                    future.set_exception(self.lost)
                    future.exception()  # whoever waits raises it; nobody waiting is no reason for a complaint
        return self.lost


def fits(order: Sweep, found: Sequence[Swept]) -> bool:
    """Whether these are the targets of the order, one by one, and each of their ports has exactly one state."""
    if len(found) != len(order.targets):
        return False
    try:
        for target, swept in zip(order.targets, found, strict=True):
            pieces = [PortSet.parse(ports) for ports in swept.states.values() if ports]
            whole = PortSet([span for piece in pieces for span in piece.ranges])
            same = (swept.address, swept.transport) == (target.address, order.transport)
            if not same or whole != PortSet.parse(target.ports) or sum(map(len, pieces)) != len(whole):
                return False
    except PortError:
        return False
    return True


class AgentRefused(Exception):
    """The agent lives, but did not carry out an order. The text is its reason."""
