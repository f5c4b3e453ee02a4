"""The dashboard: pages over what the audit service does and what its history keeps."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
from typing import TYPE_CHECKING, Protocol

import msgspec
from aiohttp import web

from probe.audit.web.door import Door
from probe.audit.web.guard import LARGEST, Guard
from probe.audit.web.kept import Kept
from probe.audit.web.keys import Keys
from probe.audit.web.listen import TOKEN, Listen, read_token
from probe.audit.web.live import Live
from probe.audit.web.pages import LIVE, Pages
from probe.audit.web.templates import Templates
from probe.errors import UserError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from probe.audit.values import Desk

__all__ = ["TOKEN", "Listen", "Metrics", "read_token", "serve"]

_LAST_WORDS = 2.0  # seconds for answers that are under way at the end


class Metrics(Protocol):
    """Who knows what /metrics says: its bytes and their type, as the Accept header asks."""

    def render(self, accept: str = "") -> tuple[bytes, str]: ...


@contextlib.asynccontextmanager
async def serve(desk: Desk, metrics: Metrics, listen: Listen) -> AsyncIterator[Listen]:
    """Serves inside the context; gives back where, with the port that was taken. Raises UserError."""
    tls = listen.tls()
    sock = _bind(listen)
    listen = msgspec.structs.replace(listen, port=sock.getsockname()[1])
    templates, live = Templates(), Live(desk)
    kept = Kept(desk, templates)
    guard = Guard(listen, Keys(listen.token), templates, endless=LIVE)
    application = web.Application(middlewares=[guard.stand], client_max_size=LARGEST)
    application.on_response_prepare.append(guard.prepare)
    application.add_routes(Pages(desk, guard, live, kept, templates).routes())
    application.add_routes([web.get("/metrics", _scraped(metrics))])
    runner = web.AppRunner(application, access_log=None, handle_signals=False)
    await runner.setup()
    assert runner.server is not None  # noqa: S101  (setup makes it)
    door = Door(runner.server, sock, tls)
    tasks = [asyncio.create_task(door.admit()), asyncio.create_task(kept.warm())]
    try:
        yield listen
    finally:
        for task in tasks:
            task.cancel()
        live.end()
        await door.close(_LAST_WORDS)
        await runner.cleanup()


_HINTS = {
    errno.EADDRINUSE: "is another one running? Choose another port, or 0 for any that is free",
    errno.EADDRNOTAVAIL: "name an address of this machine, or 0.0.0.0 for all of them",
    errno.EACCES: "ports below 1024 need CAP_NET_BIND_SERVICE; choose another one",
}


def _bind(listen: Listen) -> socket.socket:
    """Raises UserError."""
    sock = socket.socket(socket.AF_INET6 if ":" in listen.address else socket.AF_INET, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((listen.address, listen.port))
        sock.listen(64)
    except (OSError, OverflowError) as error:
        sock.close()
        number = error.errno if isinstance(error, OSError) else None
        hint = _HINTS.get(number or 0, "choose another port, or 0 for any that is free")
        raise UserError(
            f"dashboard: cannot listen on {listen.place}: {os.strerror(number) if number else error}\n  hint: {hint}"
        ) from None
    sock.setblocking(False)
    return sock


def _scraped(metrics: Metrics) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def handler(request: web.Request) -> web.StreamResponse:
        body, kind = metrics.render(request.headers.get("Accept", ""))
        return web.Response(body=body, headers={"Content-Type": kind})

    return handler
