"""HTTP and HTTPS through aiohttp, on a connection of their own: what is asked is in `request`, what came of it here."""

from __future__ import annotations

import re
import socket
import ssl
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import aiohttp
import msgspec

from probe import __version__
from probe.model.observation import Failure, Icmp, Observation, Operation, Proof
from probe.model.tls import NO_TLS
from probe.model.words import Protocol, State
from probe.probes import handshake
from probe.probes.classify import from_error, read_icmp, silence, watch_errors
from probe.probes.request import Asking
from probe.probes.tcp import round_trip
from probe.probes.tls import context, shaken, words
from probe.text import printable

if TYPE_CHECKING:
    from probe.model.tls import TlsFacts
    from probe.probes.attempt import Attempt, Terms

_BYTES = re.compile(r"b('[^\n]*'|\"[^\n]*\")")
_HEADERS = {"User-Agent": f"portcheck/{__version__}", "Accept": "*/*", "Accept-Encoding": "identity"}
# Where HTTPS was no success, HTTP has at most so many seconds.
_LONGEST_SECOND = 4.0


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
    """One request on a connection of its own; where it may be HTTP or HTTPS, a second one if the first met no TLS."""
    protocol = attempt.aim.protocol
    seen, rtt = await _attempt(attempt, terms, terms.timeout, secured=protocol is not Protocol.HTTP)
    if protocol is Protocol.HTTP_OR_HTTPS and seen.operation is Operation.TLS and _may_be_plain(seen):
        return await _attempt(attempt, terms, min(terms.timeout, _LONGEST_SECOND), secured=False)
    if terms.careful and seen.tls is not None and seen.failure in (Failure.RESET, Failure.CLOSED):
        # Who wants a client certificate in TLS 1.3 says so only now, and a reset may have taken the words away.
        again, _ = await handshake.probe(attempt, terms)
        if again.failure is Failure.BAD_ANSWER:
            return again, rtt
    hung_up = seen.failure in (Failure.RESET, Failure.CLOSED) and seen.proof is Proof.ACCEPTED
    if terms.careful and hung_up and protocol is Protocol.HTTP and not attempt.aim.key:
        seen = await handshake.wanted(attempt, terms) or seen
    return seen, rtt


def _may_be_plain(seen: Observation) -> bool:
    """Whether a handshake failed as it does where HTTP is spoken without TLS: some servers wait for a line's end."""
    nonsense = seen.failure is Failure.BAD_ANSWER and seen.text == NO_TLS
    return nonsense or seen.failure in (Failure.CLOSED, Failure.RESET, Failure.TIMEOUT)


async def _attempt(
    attempt: Attempt, terms: Terms, seconds: float, *, secured: bool
) -> tuple[Observation, float | None]:
    try:
        context(attempt.aim.tls)
    except ValueError as error:
        return Observation(state=State.ERROR, operation=Operation.TLS, failure=Failure.OTHER, text=str(error)), None
    sockets: list[_Socket] = []
    _socket.set(sockets)
    handshakes: list[TlsFacts] = []
    shaken.set(handshakes)
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
        timeout=aiohttp.ClientTimeout(total=seconds, ceil_threshold=3600),
    ) as session:
        session._retry_connection = False  # noqa: SLF001  (trying again is the walk's affair)

        def local_address() -> str:
            for sock in sockets:
                sock.remember()
            return sockets[-1].local if sockets else ""

        asking = Asking(session, attempt, local_address, secured=secured)
        try:
            seen = await (asking.stand_in(terms.number) if attempt.aim.key else asking.service())
        except (TimeoutError, aiohttp.ClientError, ssl.SSLError, OSError, ValueError) as error:
            seen = _failure(error, sockets[-1] if sockets else None, secured=secured and not handshakes)
            if attempt.aim.http.secret_headers and seen.operation is not Operation.TLS:
                seen = msgspec.structs.replace(seen, text="")  # who repeats what we said may have said our secret
    if handshakes:
        seen = msgspec.structs.replace(seen, tls=handshakes[-1])
    used = sockets[-1] if sockets else None
    if used is None or seen.state is not State.OPEN:
        return seen, None
    return seen, used.rtt_ms


def _failure(error: Exception, used: _Socket | None, *, secured: bool) -> Observation:
    """What the failed request saw. `used` is closed by now and remembers whether TCP's handshake had been completed;
    `secured`: that of TLS was to be, and was not.
    """
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

    inside = Operation.TLS if secured else Operation.RECEIVE
    if isinstance(error, aiohttp.ServerFingerprintMismatch):
        return open_but(Failure.BAD_ANSWER, Operation.TLS, "the certificate is not the stand-in's")
    # Before anything looks at its errno, which is OpenSSL's: 1 is not EPERM.
    complaint = _complaint(error)
    if complaint is not None:
        return open_but(Failure.BAD_ANSWER, Operation.TLS, words(complaint))
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
    text = printable(f"{type(error).__name__}: {error}")[:80]
    if not connected:
        return Observation(state=State.ERROR, operation=Operation.CONNECT, failure=Failure.OTHER, text=text)
    return open_but(Failure.OTHER, inside, text)


def _complaint(error: BaseException | None) -> ssl.SSLError | None:
    """OpenSSL's error, which aiohttp may have put into one of its own (of which some are SSLErrors, and wordless)."""
    for _ in range(8):
        if isinstance(error, aiohttp.ClientConnectorCertificateError):
            error = error.certificate_error
        elif isinstance(error, aiohttp.ClientConnectorError):
            error = error.os_error
        elif isinstance(error, ssl.SSLError) and not isinstance(error, aiohttp.ClientError):
            return error
        elif error is not None:
            error = error.__cause__
    return None


def _what_it_said(message: str) -> str:
    """aiohttp wraps the bytes that are no HTTP into a picture of several lines; the bytes are what counts."""
    found = _BYTES.search(message)
    return f"it said {found[1]}"[:80] if found else printable(message.partition("\n")[0])[:80]
