"""A coordinator in memory, for a real session; a real agent as a process."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from probe.agent.session import Session
from probe.wire.frames import PREFACE, Decoder
from probe.wire.messages import VERSION, Greet, decode_answer, encode

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from probe.wire.messages import Answer, Message

SECONDS = 5


@pytest.fixture(autouse=True)
def own_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """An agent gives its process its name; here that process is the tests', and others look at it."""
    monkeypatch.setattr("probe.agent.session.PROCESS_NAME", Path("/proc/self/comm").read_text().strip())


class Visit:
    """A session and its coordinator's end of the stream. `task` is the session itself."""

    def __init__(self) -> None:
        self._in: asyncio.Queue[bytes] = asyncio.Queue()
        self._out: asyncio.Queue[Answer] = asyncio.Queue()
        self._decoder = Decoder()
        self.task = asyncio.create_task(Session(self, "test").run())

    async def receive(self) -> bytes:
        return await self._in.get()

    async def send(self, data: bytes) -> None:
        for payload in self._decoder.feed(data):
            self._out.put_nowait(decode_answer(payload))

    def say(self, *what: Message | bytes) -> None:
        """All in one piece."""
        self._in.put_nowait(b"".join(item if isinstance(item, bytes) else encode(item) for item in what))

    def greet(self, *then: Message, lease: float = 60.0) -> None:
        self.say(PREFACE, Greet(wire=VERSION, version="test", run="r", lease=lease), *then)

    def hang_up(self) -> None:
        self._in.put_nowait(b"")

    async def answer(self, kind: type[Any]) -> Any:
        """The next answer of this kind; others before it are passed over."""
        async with asyncio.timeout(SECONDS):
            while True:
                found = await self._out.get()
                if isinstance(found, kind):
                    return found

    def nothing_more(self) -> bool:
        return self._out.empty()

    async def ended(self) -> None:
        async with asyncio.timeout(SECONDS):
            await asyncio.shield(self.task)


@pytest.fixture
async def visit() -> AsyncIterator[Visit]:
    visit = Visit()
    yield visit
    visit.task.cancel()
    with contextlib.suppress(Exception, asyncio.CancelledError):
        await visit.task


def _accepts(port: int, address: str = "127.0.0.1") -> bool:
    try:
        socket.create_connection((address, port), timeout=2).close()
    except ConnectionRefusedError:
        return False
    return True


@pytest.fixture
def accepts() -> Callable[..., Any]:
    """`await accepts(port)`: whether somebody listens there."""

    async def accepts(port: int) -> bool:
        return await asyncio.to_thread(_accepts, port)

    return accepts


@pytest.fixture
def command() -> list[str]:
    return [sys.executable, "-m", "probe", "agent", "--stdio"]


@pytest.fixture
async def agent(command: list[str]) -> AsyncIterator[asyncio.subprocess.Process]:
    """`portcheck agent --stdio` as a process."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, stderr=pipe, env=dict(os.environ))
    yield process
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    assert process.stdin is not None
    process.stdin.close()
    await process.communicate()
