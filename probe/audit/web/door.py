"""Connections: never more than a bound, none that says nothing for long, and no server that tells its version."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

from aiohttp import web

from probe.audit.web import headers

if TYPE_CHECKING:
    import socket
    import ssl

MOST = 128  # connections, handshakes included
_HANDSHAKE, _SILENCE = 5.0, 20.0  # seconds
_LINE, _FIELDS = 4_096, 64


class Door(web.Server):
    """aiohttp's server with what it lacks. Who finds it full waits in the kernel's queue."""

    def __init__(self, within: web.Server, sock: socket.socket, tls: ssl.SSLContext | None) -> None:
        super().__init__(within.request_handler, request_factory=within.request_factory)
        self._socket, self._tls = sock, tls
        self._room = asyncio.Semaphore(MOST)
        self._shaking: set[asyncio.Task[None]] = set()

    def __call__(self) -> web.RequestHandler:
        return _Visit(
            self,
            loop=asyncio.get_running_loop(),
            access_log=None,  # type: ignore[arg-type]  # it asks only whether there is one
            keepalive_timeout=_SILENCE,
            max_line_size=_LINE,
            max_field_size=_LINE,
            max_headers=_FIELDS,
            lingering_time=2.0,
        )

    def connection_lost(self, handler: web.RequestHandler, exc: BaseException | None = None) -> None:
        super().connection_lost(handler, exc)
        self._room.release()

    async def admit(self) -> None:
        """Let visitors in until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            await self._room.acquire()
            try:
                connection, _ = await loop.sock_accept(self._socket)
            except OSError:
                # Gone before it was taken, or no file is left: the next may fare better, a moment later.
                self._room.release()
                await asyncio.sleep(0.1)
                continue
            task = asyncio.create_task(self._shake(connection))
            self._shaking.add(task)
            task.add_done_callback(self._shaking.discard)

    async def close(self, seconds: float) -> None:
        """Every connection ends, those that are answering after at most `seconds`."""
        for task in self._shaking:
            task.cancel()
        self._socket.close()
        self.pre_shutdown()
        await self.shutdown(seconds)

    async def _shake(self, connection: socket.socket) -> None:
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                self, connection, ssl=self._tls, ssl_handshake_timeout=_HANDSHAKE if self._tls else None
            )
        except BaseException as error:
            connection.close()
            self._room.release()
            if not isinstance(error, OSError):  # which TimeoutError and SSLError are
                raise


class _Visit(web.RequestHandler):
    """What is no HTTP gets an answer of ours as well: one line, and nothing of what was sent."""

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        with contextlib.suppress(AttributeError):
            if request.writer.output_size > 0:
                raise ConnectionError("an answer is under way already")
        said = "This is no request that the dashboard understands.\n" if status < 500 else "Something went wrong.\n"
        answer = web.Response(status=status, text=said)
        headers.add(answer.headers)
        answer.force_close()
        return answer

    def log_exception(self, *args: Any, **given: Any) -> None:
        """Without bodies that are not what they say: strangers could fill the log with them."""
        if not isinstance(given.get("exc_info"), web.RequestPayloadError):
            super().log_exception(*args, **given)
