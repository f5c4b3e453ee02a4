"""Peers on loopback that a service may turn out to be, and a short way to hold a dialogue with them."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import pytest

from probe.model.dialogue import Dialogue
from probe.model.words import Protocol, Transport
from probe.probes import dialogue as prober
from probe.probes.attempt import Attempt, Terms
from probe.spec.matrix.named import read
from probe.wire.messages import Aim

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from probe.model.observation import Observation


@pytest.fixture
async def peer() -> AsyncIterator[Callable[..., Awaitable[int]]]:
    """`await peer(handler)` listens with `handler(reader, writer)`, over TCP; returns the port."""
    servers, visits = [], {}

    async def start(handler: Any, **more: Any) -> int:
        async def guarded(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            visits[asyncio.current_task()] = writer
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                await handler(reader, writer)
            writer.close()

        server = await asyncio.start_server(guarded, "127.0.0.1", 0, **more)
        servers.append(server)
        return int(server.sockets[0].getsockname()[1])

    yield start
    for server in servers:
        server.close()
    for visit, writer in visits.items():
        visit.cancel()
        with contextlib.suppress(AttributeError):  # Python 3.11.2, where TLS was closed twice
            writer.transport.abort()
    if visits:
        await asyncio.wait(visits)


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, answer: Callable[[bytes], list[bytes]]) -> None:
        self.answer = answer
        self.heard: list[tuple[bytes, tuple[str, int]]] = []

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
        self.heard.append((data, address))
        for reply in self.answer(data):
            self.transport.sendto(reply, address)


@pytest.fixture
async def post() -> AsyncIterator[Callable[..., Awaitable[tuple[int, Any]]]]:
    """`await post(answer)` answers each datagram with those of `answer(data)`; returns the port, and what was heard."""
    transports = []

    async def start(answer: Callable[[bytes], list[bytes]]) -> tuple[int, list[tuple[bytes, tuple[str, int]]]]:
        transport, protocol = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: _Datagrams(answer), local_addr=("127.0.0.1", 0)
        )
        transports.append(transport)
        return transport.get_extra_info("sockname")[1], protocol.heard

    yield start
    for transport in transports:
        transport.close()


@pytest.fixture
def hold() -> Callable[..., Awaitable[Observation]]:
    """`await hold(port, dialogue)`: one attempt; steps in plain words do for a dialogue."""

    async def hold(
        port: int, dialogue: Dialogue | list[dict[str, Any]], transport: Transport = Transport.TCP, **more: Any
    ) -> Observation:
        held = dialogue if isinstance(dialogue, Dialogue) else read(dialogue)
        terms = {name: more.pop(name) for name in ("timeout", "bind", "careful") if name in more}
        aim = Aim(
            task=1, target=1, address="127.0.0.1", ports=str(port), protocol=Protocol(transport.value), dialogue=held,
            **more,
        )  # fmt: skip
        async with asyncio.timeout(20):
            seen, _ = await prober.probe(Attempt(aim, "127.0.0.1", port), Terms(number=1, **{"timeout": 1.0, **terms}))
        return seen

    return hold
