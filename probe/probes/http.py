"""HTTP and HTTPS through aiohttp: a real request; where a stand-in is expected, the challenge and its answer ride in
two headers.

No redirect is followed, no proxy is used, no certificate is trusted or distrusted: what is asked is whether HTTP
(inside TLS) is spoken there.
"""

from __future__ import annotations

import os
import re
import socket
import ssl
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import aiohttp

from probe import __version__
from probe.model.observation import Failure, Icmp, Observation, Operation, Proof
from probe.model.words import Protocol, State
from probe.probes.classify import from_error, read_icmp, silence, watch_errors
from probe.probes.met import met
from probe.probes.tcp import round_trip
from probe.text import excerpt, printable
from probe.wire.challenge import NONCE_SIZE, make_ask, read_answer

if TYPE_CHECKING:
    from probe.probes.attempt import Attempt, Terms

ASK_HEADER, ANSWER_HEADER = "Portcheck-Ask", "Portcheck-Answer"
_BYTES = re.compile(r"b('[^\n]*'|\"[^\n]*\")")
_HEADERS = {"User-Agent": f"portcheck/{__version__}", "Accept": "*/*"}


class _Socket(socket.socket):
    """A socket that remembers what it knew when it was closed: aiohttp reports errors only after it has closed it."""

    connected = False
    local = ""
    icmp: Icmp | None = None
    rtt_ms: float | None = None

    def remember(self) -> None:
        if self.fileno() < 0:
            return
        self.icmp = self.icmp or read_icmp(self)
        try:
            self.getpeername()
            self.local = self.getsockname()[0]
            self.connected = True
            self.rtt_ms = round_trip(self)
        except OSError:
            pass

    def hang_up(self) -> None:
        """End the connection, but leave the file to whoever owns it: a transport may still be at its farewells."""
        self.remember()
        try:
            if self.fileno() >= 0:
                self.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def close(self) -> None:
        self.remember()
        super().close()


_socket: ContextVar[list[_Socket]] = ContextVar("_socket")


def _make_socket(info: tuple[Any, ...]) -> socket.socket:
    sock = _Socket(info[0], info[1] | socket.SOCK_CLOEXEC, info[2])
    sock.setblocking(False)
    watch_errors(sock)
    _socket.get().append(sock)
    return sock


async def probe(attempt: Attempt, terms: Terms) -> tuple[Observation, float | None]:
    """One request on a connection of its own."""
    sockets: list[_Socket] = []
    _socket.set(sockets)
    bind = terms.bind_for(attempt.address)
    local = (bind, 0) if bind else None
    connector = aiohttp.TCPConnector(
        force_close=True, local_addr=local, socket_factory=_make_socket, enable_cleanup_closed=False
    )
    async with aiohttp.ClientSession(
        connector=connector,
        headers=_HEADERS,
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        timeout=aiohttp.ClientTimeout(total=terms.timeout, ceil_threshold=3600),
    ) as session:
        seen = await _request(session, attempt, terms, sockets)
    used = sockets[-1] if sockets else None
    if used is None or seen.state is not State.OPEN:
        return seen, None
    return seen, used.rtt_ms


async def _request(
    session: aiohttp.ClientSession, attempt: Attempt, terms: Terms, sockets: list[_Socket]
) -> Observation:
    aim = attempt.aim
    nonce = os.urandom(NONCE_SIZE)
    headers = {ASK_HEADER: make_ask(aim.key, terms.number, nonce, meant=attempt.address).hex()} if aim.key else {}
    try:
        response = await session.get(_url(attempt), headers=headers, allow_redirects=False, ssl=_tls(aim.fingerprint))
    except (TimeoutError, aiohttp.ClientError, ssl.SSLError, OSError, ValueError) as error:
        return _failure(error, attempt, sockets[-1] if sockets else None)
    status, given = response.status, response.headers.get(ANSWER_HEADER, "")
    server = excerpt(response.headers.get("Server", "").encode(errors="surrogateescape"))
    for sock in sockets:
        sock.remember()
    response.close()
    local = sockets[-1].local if sockets else ""
    if not aim.key:
        return Observation(
            state=State.OPEN,
            operation=Operation.HTTP,
            proof=Proof.ANSWERED,
            status=status,
            text=server,
            local=local,
        )
    try:
        reply = read_answer(aim.key, nonce, bytes.fromhex(given))
    except ValueError:
        reply = None
    said = f"HTTP {status} {server}".strip()
    return met(reply, (attempt.address, attempt.port), Operation.HTTP, local, said, status)


def _url(attempt: Attempt) -> str:
    scheme = "https" if attempt.aim.protocol is Protocol.HTTPS else "http"
    host = f"[{attempt.address}]" if ":" in attempt.address else attempt.address
    path = attempt.aim.path if attempt.aim.path.startswith("/") else "/" + attempt.aim.path
    return f"{scheme}://{host}:{attempt.port}{path}"


def _tls(fingerprint: str) -> aiohttp.Fingerprint | bool:
    """With a stand-in its very certificate is demanded; a service's own is not judged here."""
    return aiohttp.Fingerprint(bytes.fromhex(fingerprint)) if fingerprint else False


def _failure(error: Exception, attempt: Attempt, used: _Socket | None) -> Observation:
    """What the failed request saw. `used` is closed by now and remembers whether the handshake had been completed."""
    if used is not None:
        used.hang_up()
    connected = used is not None and used.connected
    local = used.local if used is not None else ""
    icmp = used.icmp if used is not None else None
    cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error

    def open_but(failure: Failure, operation: Operation, text: str = "") -> Observation:
        return Observation(
            state=State.OPEN, operation=operation, failure=failure, proof=Proof.ACCEPTED, text=text, local=local
        )

    inside = Operation.TLS if attempt.aim.protocol is Protocol.HTTPS else Operation.RECEIVE
    if isinstance(error, aiohttp.ServerFingerprintMismatch):
        return open_but(Failure.BAD_ANSWER, Operation.TLS, "the certificate is not the stand-in's")
    if isinstance(cause, ssl.SSLError) or isinstance(error, ssl.SSLError):
        reason = getattr(cause, "reason", None) or type(cause).__name__
        return open_but(Failure.BAD_ANSWER, Operation.TLS, printable(str(reason))[:80])
    if isinstance(error, aiohttp.ClientResponseError):
        return open_but(Failure.BAD_ANSWER, Operation.HTTP, _what_it_said(error.message))
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return open_but(Failure.CLOSED, Operation.HTTP)
    if isinstance(cause, ConnectionRefusedError):
        return from_error(cause, Operation.CONNECT, icmp, local)
    if isinstance(cause, (ConnectionResetError, BrokenPipeError)) or (
        isinstance(cause, aiohttp.ClientOSError) and cause.errno in {104, 32}
    ):
        # connect() itself never says reset: the handshake was completed.
        return open_but(Failure.RESET, inside)
    if isinstance(cause, TimeoutError) and cause.errno is None:
        if connected:
            return open_but(Failure.TIMEOUT, inside)
        if icmp is not None:
            return from_error(OSError(), Operation.CONNECT, icmp, local)
        return silence(Operation.CONNECT, local)
    if isinstance(cause, OSError) and not connected:
        return from_error(cause, Operation.CONNECT, icmp, local)
    return open_but(Failure.OTHER, inside, printable(f"{type(error).__name__}: {error}")[:80])


def _what_it_said(message: str) -> str:
    """aiohttp wraps the bytes that are no HTTP into a picture of several lines; the bytes are what counts."""
    found = _BYTES.search(message)
    return f"it said {found[1]}"[:80] if found else printable(message.partition("\n")[0])[:80]
