"""Real sockets on loopback: something to dial, and short ways to dial it."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING, Any

import pytest

from probe.model.words import Protocol
from probe.probes.attempt import Attempt, Terms
from probe.probes.tcp import Dialler
from probe.standin.lease import Lease
from probe.wire.challenge import pair_key
from probe.wire.messages import Aim, Endpoint, Open

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from probe.model.observation import Observation
    from probe.probes.reactor import Reactor

TARGET_KEY = bytes(range(32))
NUMBER = 7
KEY = pair_key(TARGET_KEY, NUMBER)


def _aim(port: int, protocol: Protocol = Protocol.TCP, address: str = "127.0.0.1", **more: Any) -> Attempt:
    aim = Aim(task=1, target=1, address=address, ports=str(port), protocol=protocol, **more)
    return Attempt(aim, address, port)


def _terms(**more: Any) -> Terms:
    return Terms(**{"number": NUMBER, "timeout": 2.0, **more})


@pytest.fixture
def keyed() -> bytes:
    """The key that this source shares with the stand-in."""
    return KEY


@pytest.fixture
def dial(reactor: Reactor) -> Callable[..., Awaitable[tuple[Observation, float | None]]]:
    """`await dial(port, key=…, timeout=…)`: one TCP attempt, with what it saw and its round trip."""

    async def dial(port: int, *, address: str = "127.0.0.1", key: bytes = b"", **terms: Any) -> Any:
        dialler, found = Dialler(reactor), []
        dialler.start(_aim(port, address=address, key=key), _terms(**terms), lambda *what: found.append(what))
        end = time.monotonic() + 10
        while not found:
            assert time.monotonic() < end, "the attempt never ended"
            await asyncio.sleep(0.005)
            dialler.expire()
        assert len(found) == 1
        return found[0][1], found[0][2]

    return dial


@pytest.fixture
def ask() -> Callable[..., Awaitable[Observation]]:
    """`await ask(prober, port, Protocol.UDP, key=…)`: one attempt of a prober that is a coroutine."""

    async def ask(prober: Any, port: int, protocol: Protocol, **more: Any) -> Observation:
        terms = {name: more.pop(name) for name in ("timeout", "bind", "careful", "number") if name in more}
        async with asyncio.timeout(10):
            seen, _ = await prober.probe(_aim(port, protocol, **more), _terms(**terms))
        return seen

    return ask


@pytest.fixture
async def stand_in(reactor: Reactor) -> AsyncIterator[Callable[..., Awaitable[Lease]]]:
    """`await stand_in(Endpoint(…), …)` opens stand-ins that are closed in the end."""
    leases = []

    async def open_(*endpoints: Endpoint, **more: Any) -> Lease:
        lease = Lease(reactor, Open(id=1, endpoints=endpoints, **{"key": TARGET_KEY, **more}))
        leases.append(lease)
        held = await lease.open()
        assert {item.view.use.value for item in held} == {"stand-in"}, held
        return lease

    yield open_
    for lease in leases:
        await lease.close()


@pytest.fixture
async def serve() -> AsyncIterator[Callable[..., Awaitable[int]]]:
    """`await serve(handler)` listens with `handler(reader, writer)`; returns the port."""
    servers, visits = [], {}

    async def start(handler: Any, address: str = "127.0.0.1", **more: Any) -> int:
        async def guarded(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            visits[asyncio.current_task()] = writer
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                await handler(reader, writer)
            writer.close()

        server = await asyncio.start_server(guarded, address, 0, **more)
        servers.append(server)
        return int(server.sockets[0].getsockname()[1])

    yield start
    for server in servers:
        server.close()
    for visit, writer in visits.items():
        visit.cancel()
        writer.transport.abort()
    if visits:
        await asyncio.wait(visits)
