"""Leases on loopback."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from probe.model.words import Transport
from probe.standin.lease import Lease
from probe.wire.challenge import pair_key
from probe.wire.messages import Endpoint, Open

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from probe.probes.reactor import Reactor
    from probe.wire.messages import Held

TARGET_KEY = bytes(range(32))


@pytest.fixture
def key_of() -> Callable[[int], bytes]:
    """The key that the source of that number shares with the target."""
    return lambda number: pair_key(TARGET_KEY, number)


@pytest.fixture
def tcp() -> Callable[..., Endpoint]:
    def endpoint(ports: object, address: str = "127.0.0.1", **more: Any) -> Endpoint:
        return Endpoint(**{"address": address, "transport": Transport.TCP, "ports": str(ports), **more})

    return endpoint


@pytest.fixture
async def opened(reactor: Reactor) -> AsyncIterator[Callable[..., Any]]:
    """`lease, held = await opened(Endpoint(…), …)`; closed in the end, once more if it was already."""
    leases = []

    async def open_(*endpoints: Endpoint, **more: Any) -> tuple[Lease, tuple[Held, ...]]:
        lease = Lease(reactor, Open(id=1, endpoints=endpoints, **{"key": TARGET_KEY, **more}))
        leases.append(lease)
        return lease, await lease.open()

    yield open_
    for lease in leases:
        await lease.close()


@pytest.fixture
def received() -> Callable[..., Any]:
    """`receipts, arrivals = await received(lease)` closes it and says what reached it."""

    async def received(lease: Lease) -> tuple[Any, Any]:
        book = await lease.close()
        return book.receipts(), book.arrivals()

    return received


@pytest.fixture
def say() -> Callable[..., Any]:
    """`await say(port, data)`: all that a TCP peer hears back until the connection ends."""

    async def say(port: int, *data: bytes, address: str = "127.0.0.1", pause: float = 0.0, **more: Any) -> bytes:
        async with asyncio.timeout(5):
            reader, writer = await asyncio.open_connection(address, port, **more)
            try:
                for part in data:
                    writer.write(part)
                    await asyncio.sleep(pause)
                return await reader.read()
            except ConnectionResetError:
                return b""
            finally:
                writer.transport.abort()

    return say
