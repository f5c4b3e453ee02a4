"""Receivers of messages, and time that passes as soon as somebody waits."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from aiohttp import web

from probe.audit.alerts.delivery import Clock

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Awaitable, Callable


@dataclass
class Request:
    path: str
    body: bytes
    headers: dict[str, str]


@dataclass
class Receiver:
    """Answers with `statuses` one after the other, then with 200."""

    statuses: list[int] = field(default_factory=list)
    answer_headers: dict[str, str] = field(default_factory=dict)
    before: Callable[[web.BaseRequest], Awaitable[web.StreamResponse | None]] | None = None
    got: list[Request] = field(default_factory=list)
    came: asyncio.Event = field(default_factory=asyncio.Event)
    url: str = ""

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        self.got.append(Request(request.path, await request.read(), dict(request.headers)))
        self.came.set()
        if self.before is not None and (answer := await self.before(request)) is not None:
            return answer
        status = self.statuses.pop(0) if self.statuses else 200
        return web.Response(status=status, headers=self.answer_headers if status != 200 else {}, text="ok")

    async def receives(self, number: int) -> list[Request]:
        async with asyncio.timeout(10):
            while len(self.got) < number:
                self.came.clear()
                await self.came.wait()
        return self.got

    @contextlib.asynccontextmanager
    async def listening(self, tls: ssl.SSLContext | None = None) -> AsyncIterator[Receiver]:
        runner = web.ServerRunner(web.Server(self.handle, access_log=None), shutdown_timeout=0.1)
        await runner.setup()
        try:
            site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
            await site.start()
            port = runner.addresses[0][1]
            self.url = f"{'https' if tls else 'http'}://127.0.0.1:{port}"
            yield self
        finally:
            await runner.cleanup()


class Time:
    """Nobody waits, and all of it is noted."""

    def __init__(self) -> None:
        self.now = 1_750_000_000.0
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)

    def clock(self, chance: float = 1.0) -> Clock:
        return Clock(now=lambda: self.now, monotonic=lambda: self.now, sleep=self.sleep, random=lambda: chance)
