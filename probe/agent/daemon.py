"""The agent as a daemon: the same visits over WebSockets, under mutual TLS and nothing else.

Whoever connects has shown a certificate of the same CA that is made out for clients, which only the coordinator's is.
A daemon needs no root.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import ssl
from ipaddress import ip_address

import aiohttp
from aiohttp import web

from probe.agent.common import Common
from probe.agent.session import Session, take_name
from probe.errors import UserError
from probe.wire import identity
from probe.wire.frames import LARGEST, WireError

log = logging.getLogger("portcheck.agent")

PATH = "/v1/session"
_MOST_VISITS = 16
_HEALTH = 5.0


class _Socket:
    """A WebSocket as a Stream."""

    def __init__(self, socket: web.WebSocketResponse) -> None:
        self._socket = socket

    async def receive(self) -> bytes:
        message = await self._socket.receive()
        if message.type is aiohttp.WSMsgType.BINARY:
            data: bytes = message.data
            return data
        if message.type is aiohttp.WSMsgType.TEXT:
            raise WireError("text came where frames belong")
        return b""

    async def send(self, data: bytes) -> None:
        await self._socket.send_bytes(data)


class Daemon:
    """Serves at most sixteen coordinators at a time."""

    def __init__(self, tls: ssl.SSLContext) -> None:
        self._tls = tls
        self._visits: set[asyncio.Task[object]] = set()
        self._common = Common()
        application = web.Application(client_max_size=LARGEST)
        application.router.add_get(PATH, self._visit)
        self._runner = web.AppRunner(application, access_log=None, handle_signals=False, shutdown_timeout=2.0)

    async def start(self, address: str, port: int) -> tuple[str, int]:
        """Returns where it listens; port 0 takes a free one. Raises UserError."""
        await self._runner.setup()
        site = web.TCPSite(self._runner, address, port, ssl_context=self._tls, backlog=64)
        try:
            await site.start()
        except OSError as error:
            await self._runner.cleanup()
            raise UserError(
                f"cannot listen on {address}:{port}: {os.strerror(error.errno) if error.errno else error}"
            ) from None
        addresses = self._runner.addresses
        self._common.listeners = frozenset((str(where[0]).partition("%")[0], int(where[1])) for where in addresses)
        host, number = addresses[0][:2]
        return str(host), int(number)

    async def stop(self) -> None:
        """Every visit ends, and with it every stand-in."""
        for visit in self._visits:
            visit.cancel()
        if self._visits:
            await asyncio.wait(self._visits, timeout=5)
        await self._runner.cleanup()

    async def _visit(self, request: web.Request) -> web.StreamResponse:
        peer = f"{_subject(request)} at {request.remote}"
        if len(self._visits) >= _MOST_VISITS:
            log.warning("%s: refused, %d visits are under way", peer, _MOST_VISITS)
            raise web.HTTPServiceUnavailable(text="too many coordinators at once\n")
        socket = web.WebSocketResponse(max_msg_size=LARGEST + 1024, heartbeat=10.0, compress=False)
        await socket.prepare(request)
        log.info("%s: visit begins", peer)
        visit: asyncio.Task[object] = asyncio.create_task(Session(_Socket(socket), peer, self._common).run())
        self._visits.add(visit)
        visit.add_done_callback(self._visits.discard)
        try:
            await visit
        except (WireError, ConnectionError) as error:
            log.warning("%s: %s", peer, error)
        finally:
            visit.cancel()
            log.info("%s: visit over", peer)
            await socket.close()
        return socket


def _subject(request: web.Request) -> str:
    """The common name on the coordinator's certificate; TLS has checked it."""
    channel = request.transport.get_extra_info("ssl_object") if request.transport is not None else None
    certificate = channel.getpeercert() if channel is not None else None
    names = [value for part in (certificate or {}).get("subject", ()) for key, value in part if key == "commonName"]
    return names[0] if names else "unnamed"


async def listen(place: str, identity_file: str) -> None:
    """Serve until SIGTERM or SIGINT; raises UserError."""
    address, port = split_place(place)
    own = identity.load(identity_file)
    daemon = Daemon(identity.server_context(own))
    where = await daemon.start(address, port)
    take_name()
    log.info("listening on %s port %d as %s", *where, ", ".join(own.names))
    over = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, over.set)
    try:
        await over.wait()
    finally:
        await daemon.stop()
        log.info("ended")


async def check_health(place: str, identity_file: str) -> None:
    """Whether the daemon there shakes hands as ourselves; raises UserError if not.

    An agent's certificate may not command, so that is as far as it goes, and far enough: a daemon that hangs shakes no
    hands.
    """
    address, port = split_place(place)
    own = identity.load(identity_file)
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address, address)
    try:
        async with asyncio.timeout(_HEALTH):
            _, writer = await asyncio.open_connection(
                host, port, ssl=identity.health_context(own), server_hostname=own.names[0]
            )
    except TimeoutError:
        raise UserError(f"{place}: no handshake within {_HEALTH:.0f} s") from None
    except ssl.SSLError as error:
        raise UserError(f"{place}: TLS failed: {error.reason or error}") from None
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error) or "it ended the connection"
        raise UserError(f"{place}: {reason}") from None
    writer.transport.abort()


def split_place(place: str) -> tuple[str, int]:
    """`ADDR:PORT`, with IPv6 in brackets; raises UserError."""
    address, colon, port = place.rpartition(":")
    if not colon or not port.isdecimal() or int(port) > 65535:
        raise UserError(f"{place}: the form is ADDR:PORT, such as 0.0.0.0:7743 or [::]:7743")
    bare = address.removeprefix("[").removesuffix("]")
    try:
        ip_address(bare)
    except ValueError:
        if ":" in bare or not bare:
            raise UserError(f"{place}: {bare!r} is no address of this host") from None
    return bare, int(port)
