"""One attempt that may go no farther than so many devices, and who answered it.

An ordinary socket with a small TTL (IPv6: hop limit): the device where it runs out says so by ICMP, and the error queue
names that device (ip(7), ipv6(7)); no privilege is needed. The kernel keeps such errors for TCP since Linux 5.8; before
that it only tells that there was one.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import struct
import time
from typing import TYPE_CHECKING

import msgspec

from probe.model.observation import Failure, Operation
from probe.model.words import Transport
from probe.probes.classify import (
    SO_TIMESTAMPNS,
    arrival,
    from_errno,
    from_error,
    has_source,
    read_timed_icmp,
    watch_errors,
)
from probe.probes.tcp import round_trip

if TYPE_CHECKING:
    from probe.model.observation import Icmp

_IP_BIND_ADDRESS_NO_PORT, _IPV6_FLOWINFO_SEND = 24, 33  # linux/in.h, linux/in6.h
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
# RFC 792, RFC 4443: the TTL ran out on the way. A port that nobody listens on. A packet that is too large or was not
# put together in time: nobody's refusal, and the next attempt is sent in smaller pieces.
_EXCEEDED = {4: (11, 0), 6: (3, 0)}
_PORT_UNREACHABLE = {4: (3, 3), 6: (1, 4)}
_TOO_LARGE = {4: ((3, 4), (11, 1)), 6: ((2, 0), (3, 1))}


class Aim(msgspec.Struct, frozen=True):
    """What is traced. `address` is numeric; `bind` the address to send from, empty for the kernel's choice; `payload`
    what a datagram carries.
    """

    address: str
    transport: Transport
    port: int
    payload: bytes = b""
    bind: str = ""

    @property
    def family(self) -> socket.AddressFamily:
        return socket.AF_INET6 if ":" in self.address else socket.AF_INET


class Flow(msgspec.Struct, frozen=True):
    """What routers choose among several next hops by, beside the addresses: the source port and, for IPv6, the flow
    label (RFC 6438; the kernel would take another one for each socket). 0 leaves the choice to the kernel.
    """

    port: int = 0
    label: int = 0


class Answer(msgspec.Struct, frozen=True):
    """Who answered an attempt. `reached`: the target; `icmp`: type and code of a refusal. With neither the device at
    `sender` only said that the TTL ran out there; it is empty where the kernel does not name it.

    `works`: the service itself answered. `own`: the refusal is this host's.
    """

    sender: str
    icmp: tuple[int, int] | None = None
    reached: bool = False
    works: bool = False
    own: bool = False
    rtt_ms: float | None = None

    @property
    def passed(self) -> bool:
        return not self.reached and self.icmp is None


def reserve(aim: Aim) -> socket.socket:
    """A socket that keeps a source port for the attempts of one flow, until it is closed. Raises OSError."""
    sock = _open(aim)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((aim.bind, 0))
    except OSError:
        sock.close()
        raise
    return sock


async def ask(aim: Aim, flow: Flow, ttl: int, timeout: float) -> Answer | Failure | None:  # noqa: ASYNC109
    """One attempt with this TTL: who answered within `timeout` seconds, None for nobody, or why it could not be sent.

    Of one flow there must not be two attempts at a time. A connection that comes about is reset at once.
    """
    operation = Operation.BIND
    try:
        with _open(aim) as sock:
            _prepare(sock, aim, flow, ttl)
            operation = Operation.CONNECT
            started = time.time_ns()
            number = _send(sock, aim, flow)
            happened = number != 0 or await _event(sock, aim, timeout)
            error = read_timed_icmp(sock)
            if error is not None:
                icmp, arrived = error
                own = icmp.sender == sock.getsockname()[0]
                return read(icmp, aim, own=own, rtt_ms=_elapsed(started, arrived))
            if number not in (0, errno.ECONNREFUSED):
                return from_errno(number, operation).failure
            if not happened:
                return None
            return _shaken(sock, aim, number) if aim.transport is Transport.TCP else _answered(sock, aim, started)
    except OSError as raised:
        return from_error(raised, operation).failure


def read(icmp: Icmp, aim: Aim, *, own: bool = False, rtt_ms: float | None = None) -> Answer | None:
    """What an ICMP error says of the way; None where it says nothing."""
    code = (icmp.type, icmp.code)
    if code == _EXCEEDED[icmp.family]:
        return Answer(icmp.sender, rtt_ms=rtt_ms)
    if code in _TOO_LARGE[icmp.family]:
        return None
    reached = icmp.sender == aim.address
    closed = reached and aim.transport is Transport.UDP and code == _PORT_UNREACHABLE[icmp.family]
    return Answer(icmp.sender, None if closed else code, reached=reached, own=own and not reached, rtt_ms=rtt_ms)


def _open(aim: Aim) -> socket.socket:
    kind = socket.SOCK_STREAM if aim.transport is Transport.TCP else socket.SOCK_DGRAM
    return socket.socket(aim.family, kind | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)


def _prepare(sock: socket.socket, aim: Aim, flow: Flow, ttl: int) -> None:
    watch_errors(sock)
    sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    if aim.family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, ttl)
        if flow.label:
            sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_FLOWINFO_SEND, 1)
    else:
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, ttl)
    if aim.transport is Transport.TCP:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    if flow.port:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    elif aim.bind:
        sock.setsockopt(socket.IPPROTO_IP, _IP_BIND_ADDRESS_NO_PORT, 1)
    if flow.port or aim.bind:
        sock.bind((aim.bind, flow.port))


def _send(sock: socket.socket, aim: Aim, flow: Flow) -> int:
    """Start it; returns the error if it failed at once, else 0."""
    peer = (aim.address, aim.port, flow.label) if aim.family == socket.AF_INET6 else (aim.address, aim.port)
    number = sock.connect_ex(peer)
    if number == errno.EADDRNOTAVAIL and not has_source(aim.address):
        return errno.ENETUNREACH
    if number not in (0, errno.EINPROGRESS):
        return number
    if aim.transport is Transport.UDP:
        try:
            sock.send(aim.payload)
        except OSError as error:
            return error.errno or errno.EIO
    return 0


async def _event(sock: socket.socket, aim: Aim, seconds: float) -> bool:
    """Whether something came: a connection, a datagram or an error."""
    loop = asyncio.get_running_loop()
    came = asyncio.Event()
    watch, unwatch = (
        (loop.add_writer, loop.remove_writer)
        if aim.transport is Transport.TCP
        else (loop.add_reader, loop.remove_reader)
    )
    watch(sock, came.set)
    try:
        async with asyncio.timeout(seconds):
            await came.wait()
    except TimeoutError:
        return False
    finally:
        unwatch(sock)
    return True


def _shaken(sock: socket.socket, aim: Aim, number: int) -> Answer | None:
    """A handshake that ended without ICMP: made, refused by RST, or by a device that the kernel does not name."""
    match number or sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
        case 0:
            if _met_itself(sock):
                return None
            return Answer(aim.address, reached=True, works=True, rtt_ms=round_trip(sock))
        case errno.ECONNREFUSED:
            return Answer(aim.address, reached=True)
        case errno.ECONNRESET | errno.EPIPE:
            return Answer(aim.address, reached=True, works=True)
        case errno.EHOSTUNREACH:
            return Answer("")
        case _:
            return None


def _met_itself(sock: socket.socket) -> bool:
    """Inside the ephemeral range of this very host a socket can meet itself."""
    try:
        return bool(sock.getsockname()[:2] == sock.getpeername()[:2])
    except OSError:
        return False


def _answered(sock: socket.socket, aim: Aim, started: int) -> Answer | None:
    """A datagram in return. What it says is nothing to a trace."""
    try:
        _, ancillary, _, _ = sock.recvmsg(1, 64)
    except OSError:
        return None
    return Answer(aim.address, reached=True, works=True, rtt_ms=_elapsed(started, arrival(ancillary)))


def _elapsed(started: int, arrived: int | None) -> float | None:
    """Milliseconds by the wall clock, which alone the kernel and we share; None if it was set back meanwhile."""
    if arrived is None or arrived < started:
        return None
    return round((arrived - started) / 1_000_000, 3)
