"""One coordinator's visit to this agent: orders in, answers out, over any stream of bytes.

    bytes → frame → order → probes, stand-ins, socket table → outcomes → frame → bytes

A visit ends when the coordinator says so, when the stream ends, when the lease runs out without a word, or when
nonsense arrives. However it ends, every stand-in is closed and every walk stopped.
"""

from __future__ import annotations

import asyncio
import concurrent.futures.thread  # noqa: F401  (asyncio would import it inside the loop, at the first to_thread)
import logging
import platform
import resource
import socket
import time
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, assert_never

from probe import __version__
from probe.agent.common import Common
from probe.agent.lookout import Lookout
from probe.agent.ration import Ration
from probe.model.ports import PortError
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
    Open,
    Order,
    Outcome,
    Ping,
    Pong,
    Refused,
    Results,
    Stop,
    Survey,
    Surveyed,
    Sweep,
    SweptAll,
    Tally,
    Trace,
    Traced,
    Unwatch,
    Walk,
    Walked,
    Watch,
    Work,
    decode_order,
    encode,
)
from probe.witness.addresses import carried
from probe.witness.sockets import PROCESS_NAME

if TYPE_CHECKING:
    from probe.probes.reactor import Reactor
    from probe.standin.lease import Lease

log = logging.getLogger("portcheck.agent")

_FIRST_WORD = 20.0
_LONGEST_LEASE = 120.0
_MOST_ORDERS = 64
_TICK = 0.5
# Seconds that the loop may stand still: as long as the last attempts wait for an answer.
_STALL = 3.0


class Stream(Protocol):
    """What a session needs of a connection."""

    async def receive(self) -> bytes:
        """The next bytes; empty at the end."""

    async def send(self, data: bytes) -> None: ...


class Session:
    """`run` serves one coordinator until the visit ends; it raises WireError if what came was no language of ours."""

    def __init__(self, stream: Stream, peer: str, common: Common | None = None) -> None:
        self._stream = stream
        self._peer = peer
        self._common = common or Common()
        self._reactor: Reactor | None = None
        self._ration = Ration()
        self._leases: dict[int, Lease] = {}
        self._lookout = Lookout(peer, self._common)
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._writing = asyncio.Lock()
        self._lease = _FIRST_WORD
        self._heard = time.monotonic()
        self._greeted = False
        self._over = False

    async def run(self) -> None:
        decoder = Decoder()
        await self._stream.send(PREFACE)
        await self._send(hello())
        watch = asyncio.create_task(self._watch(asyncio.current_task()))
        try:
            while not self._over:
                data = await self._stream.receive()
                if not data:
                    break
                self._heard = time.monotonic()
                for payload in decoder.feed(data):
                    await self._take(decode_order(payload))
        except asyncio.CancelledError:
            if not self._expired:
                raise
            log.warning("%s: no word for %.0f s, visit ended", self._peer, self._lease)
        finally:
            watch.cancel()
            await self._clean_up()

    @property
    def _expired(self) -> bool:
        return time.monotonic() - self._heard > self._lease

    async def _watch(self, visit: asyncio.Task[None] | None) -> None:
        """Ends a visit whose coordinator fell silent."""
        while True:
            before = time.monotonic()
            await asyncio.sleep(_TICK)
            stalled = time.monotonic() - before > _STALL
            for lease in self._leases.values():
                if stalled:
                    lease.stalled()
                lease.expire()
            if self._expired and visit is not None:
                visit.cancel()
                return

    async def _take(self, order: Order) -> None:
        if not self._greeted and not isinstance(order, (Greet, Bye)):
            raise WireError(f"the first order must be a greeting, not {type(order).__name__}")
        match order:
            case Greet():
                if order.wire != VERSION:
                    raise WireError(f"the coordinator speaks version {order.wire}, this agent {VERSION}")
                self._greeted = True
                self._lease = min(max(order.lease, 1.0), _LONGEST_LEASE) if isfinite(order.lease) else 1.0
                log.info("%s: run %s, lease %.0f s", self._peer, order.run, self._lease)
            case Ping():
                await self._send(Pong(id=order.id))
            case Stop():
                task = self._tasks.get(order.order)
                if task is not None:
                    task.cancel()
            case Bye():
                self._over = True
            case _:
                await self._start(order)

    async def _start(self, order: Work) -> None:
        """Orders run beside each other; the stream is read on meanwhile."""
        number = order.id
        used = number in self._tasks or number in self._leases or number in self._lookout
        if used or len(self._tasks) >= _MOST_ORDERS:
            await self._send(Refused(id=number, reason="its number was given before, or too many are under way"))
            return
        task = asyncio.create_task(self._carry_out(order))
        self._tasks[number] = task
        task.add_done_callback(lambda _: self._tasks.pop(number, None))

    async def _carry_out(self, order: Work) -> None:
        try:
            match order:
                case Look():
                    await self._look(order)
                case Open():
                    await self._open(order)
                case Close():
                    await self._close(order)
                case Walk():
                    await self._walk(order)
                case Watch():
                    await self._send(self._lookout.watch(order))
                case Tally():
                    await self._send(self._lookout.tally(order))
                case Unwatch():
                    await self._send(await self._lookout.end(order))
                case Trace():
                    await self._trace(order)
                case Sweep():
                    await self._sweep(order)
                case Survey():
                    await self._survey(order)
                case _:
                    assert_never(order)
        except (OSError, ValueError, PortError) as error:
            log.warning("%s: order %d failed: %s", self._peer, order.id, error)
            await self._send(Refused(id=order.id, reason=f"{type(error).__name__}: {error}"[:500]))

    async def _look(self, order: Look) -> None:
        from probe.standin.lease import look

        await self._send(Looked(id=order.id, held=await asyncio.to_thread(look, order.endpoints)))

    async def _open(self, order: Open) -> None:
        from probe.standin.lease import Lease

        lease = Lease(self._get_reactor(), order)
        self._leases[order.id] = lease
        held = await lease.open()
        log.info(
            "%s: stand-ins opened: %s",
            self._peer,
            ", ".join(f"{e.address} {e.transport} {e.ports}" for e in order.endpoints),
        )
        await self._send(Looked(id=order.id, held=held))

    async def _close(self, order: Close) -> None:
        opening = self._tasks.get(order.opened)
        if opening is not None:
            await asyncio.wait((opening,))  # what is still being opened must be closed too
        lease = self._leases.pop(order.opened, None)
        if lease is None:
            await self._send(Closed(id=order.id))
            return
        book = await lease.close()
        closed = Closed(id=order.id, receipts=book.receipts(), arrivals=book.arrivals(), starved=book.starved)
        await self._send(closed)

    async def _walk(self, order: Walk) -> None:
        from probe.agent.walk import Walker

        async def report(outcomes: list[Outcome], settled: int) -> None:
            await self._send(Results(id=order.id, outcomes=tuple(outcomes), settled=settled))

        walker = Walker(self._get_reactor(), order, report, self._ration)
        log.info("%s: walk over %d aims", self._peer, len(order.aims))
        try:
            await walker.run()
        except asyncio.CancelledError:
            if self._over:
                raise  # else: stopped by order; what is settled has been reported
        await self._send(Walked(id=order.id, attempts=walker.attempts, paths=tuple(walker.paths)))

    async def _sweep(self, order: Sweep) -> None:
        from probe.agent.sweeping import carry_out

        log.info("%s: sweep of %s", self._peer, ", ".join(f"{t.address} {order.transport}" for t in order.targets))
        try:
            await carry_out(order, self._common.turn, self._send)
        except asyncio.CancelledError:
            if self._over:
                raise  # else: stopped by order
        await self._send(SweptAll(id=order.id))

    async def _survey(self, order: Survey) -> None:
        from probe.witness.survey import survey

        found = await asyncio.to_thread(survey, self._common.listeners)
        await self._send(Surveyed(id=order.id, sockets=found.sockets, complete=found.complete))

    async def _trace(self, order: Trace) -> None:
        from probe.agent.tracing import paths

        log.info("%s: trace of %d ways", self._peer, len(order.aims))
        await self._send(Traced(id=order.id, paths=await paths(order, self._ration)))

    def _get_reactor(self) -> Reactor:
        if self._reactor is None:
            from probe.probes.reactor import Reactor

            self._reactor = Reactor()
        return self._reactor

    async def _send(self, answer: Answer) -> None:
        data = encode(answer)
        async with self._writing:
            await self._stream.send(data)

    async def _clean_up(self) -> None:
        self._over = True
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=2)
        for lease in self._leases.values():
            await lease.close()
        self._leases.clear()
        self._lookout.close()
        if self._reactor is not None:
            self._reactor.close()


def take_name() -> None:
    """Take the name by which other agents know this one's stand-ins; only for a process that is an agent."""
    try:
        Path("/proc/self/comm").write_text(PROCESS_NAME, encoding="ascii")
    except OSError:
        pass


def hello() -> Hello:
    """Who this agent is and what it may do. Raises its own limit of open files as far as it may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = min(hard, 65536) if hard != resource.RLIM_INFINITY else 65536
    if soft == resource.RLIM_INFINITY or soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = wanted
    return Hello(
        wire=VERSION,
        version=__version__,
        python=platform.python_version(),
        capabilities=_capabilities(),
        files=soft,
        addresses=carried(),
    )


def _capabilities() -> tuple[str, ...]:
    """`raw` with CAP_NET_RAW, `ipv6` where the host has it."""
    found = []
    try:
        socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_TCP).close()
        found.append("raw")
    except OSError:
        pass
    try:
        socket.socket(socket.AF_INET6, socket.SOCK_STREAM).close()
        found.append("ipv6")
    except OSError:
        pass
    return tuple(found)
