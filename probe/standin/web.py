"""HTTP and HTTPS stand-ins: connections that a TCP stand-in hands over, served by aiohttp's own server. Real HTTP,
real TLS.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import time
from typing import TYPE_CHECKING, Any

from aiohttp import web

from probe.probes.request import ANSWER_HEADER, ASK_HEADER
from probe.probes.tls import load_identity

if TYPE_CHECKING:
    from probe.standin.answers import Answers

_TLS_RECORD = b"\x16"
_MOST_GUESTS = 2048
_PATIENCE = 15.0


class Web:
    """Serves what `accept` is given, until `close`."""

    def __init__(self, answers: Answers, certificate: bytes, private_key: bytes) -> None:
        self.answers = answers
        self._tls = _context(certificate, private_key) if certificate else None
        self._server = web.Server(self._handle)
        self._tasks: set[asyncio.Task[None]] = set()
        self.guests: dict[_Guest, float] = {}

    def accept(self, sock: socket.socket, port: int, peer: str, local: str) -> None:
        """Take over one connection that does not begin with our challenge."""
        if len(self._tasks) + len(self.guests) >= _MOST_GUESTS:
            self.answers.starved = True
            sock.close()
            return
        task = asyncio.create_task(self._adopt(sock, port, peer, local))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _adopt(self, sock: socket.socket, port: int, peer: str, local: str) -> None:
        try:
            first = sock.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
            tls = self._tls if first == _TLS_RECORD else None
            if not first or (first == _TLS_RECORD and tls is None):
                self.answers.stranger(port, peer, local)
                sock.close()
                return
            async with asyncio.timeout(10):
                await asyncio.get_running_loop().connect_accepted_socket(
                    lambda: self._protocol(port, peer, local),
                    sock,
                    ssl=tls,
                    ssl_handshake_timeout=5.0 if tls else None,
                )
        except (OSError, ssl.SSLError):
            self.answers.stranger(port, peer, local)
            sock.close()

    def _protocol(self, port: int, peer: str, local: str) -> _Guest:
        return _Guest(self, self._server, (port, peer, local))

    def expire(self) -> None:
        """Let go of guests that have not come to the point. Call it now and then."""
        late = time.monotonic() - _PATIENCE
        for guest in [guest for guest, since in self.guests.items() if since < late]:
            if guest.transport is not None:
                # Where TLS was closed twice, Python 3.11.2 has nothing left to abort.
                with contextlib.suppress(AttributeError):
                    guest.transport.abort()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        transport = request.transport
        if transport is None:
            return web.Response(status=500)
        local: tuple[Any, ...] = transport.get_extra_info("sockname")
        peer: tuple[Any, ...] = transport.get_extra_info("peername")
        try:
            ask = bytes.fromhex(request.headers.get(ASK_HEADER, ""))
        except ValueError:
            ask = b""
        answer = self.answers.answer(ask, local[1], (peer[0], peer[1]), local[0])
        if answer is None:
            # Whoever knows no challenge is told nothing, not even that there is a server.
            transport.abort()
            return web.Response(status=500)
        if isinstance(request.protocol, _Guest):
            request.protocol.answered = True
        response = web.Response(text="portcheck stand-in\n", headers={ANSWER_HEADER: answer.hex()})
        response.force_close()
        return response

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await self._server.shutdown(timeout=0.2)


class _Guest(web.RequestHandler):
    """aiohttp answers what is no HTTP with a page that names it; a stand-in just ends the line. A guest who leaves
    without an answer is evidence that somebody came.
    """

    __slots__ = ("_house", "_place", "answered")

    def __init__(self, house: Web, server: web.Server, place: tuple[int, str, str]) -> None:
        options = {"access_log": None, "keepalive_timeout": 5.0, "lingering_time": 0.0}
        loop = asyncio.get_running_loop()
        super().__init__(server, loop=loop, **options)  # type: ignore[arg-type]  # None is what turns the log off
        self._house = house
        self._place = place
        self.answered = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._house.guests[self] = time.monotonic()
        super().connection_made(transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        self._house.guests.pop(self, None)
        if not self.answered:
            self._house.answers.stranger(*self._place)
        super().connection_lost(exc)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        if request.transport is not None:
            request.transport.abort()
        return web.Response(status=status)


def _context(certificate: bytes, private_key: bytes) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    load_identity(context, private_key + certificate)
    return context
