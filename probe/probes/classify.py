"""The one place that turns errno and ICMP into states. Nothing above it ever sees an OSError.

Sources: RFC 792 and RFC 1812 (ICMPv4 types and codes), RFC 4443 (ICMPv6), ip(7) for the extended error of the error
queue.
"""

from __future__ import annotations

import errno
import socket
import struct
from ipaddress import ip_address

from probe.model.observation import Failure, Icmp, Observation, Operation, Proof
from probe.model.words import State

# linux/in.h, linux/in6.h, linux/errqueue.h: not all of them have a name in Python's socket module.
IP_RECVERR, IPV6_RECVERR = 11, 25
SO_TIMESTAMPNS = 35
_MSG_ERRQUEUE = 0x2000
_ORIGIN_ICMP, _ORIGIN_ICMP6 = 2, 3
_EXTENDED = struct.Struct("=IBBBBII")
_TIMESPEC = struct.Struct("@ll")

_ICMP4_UNREACHABLE, _ICMP6_UNREACHABLE = 3, 1
# A device or a host that says "I do not let this pass": 9, 10, 13 by name; 2 and 3 because no router of its own
# accord says so of TCP or UDP.
_REJECTED4 = frozenset({2, 3, 9, 10, 13})
_REJECTED6 = frozenset({1, 4, 5, 6})

_BY_ERRNO: dict[int, tuple[State, Failure]] = {
    errno.ECONNREFUSED: (State.CLOSED, Failure.REFUSED),
    # connect() itself calls a RST a refusal: a reset means that the handshake had been completed, so somebody listens.
    errno.ECONNRESET: (State.OPEN, Failure.RESET),
    errno.EPIPE: (State.OPEN, Failure.RESET),
    errno.ETIMEDOUT: (State.FILTERED, Failure.KERNEL_TIMEOUT),
    errno.EHOSTUNREACH: (State.UNREACHABLE, Failure.HOST_UNREACHABLE),
    errno.EHOSTDOWN: (State.UNREACHABLE, Failure.HOST_UNREACHABLE),
    errno.ENETUNREACH: (State.UNREACHABLE, Failure.NO_ROUTE),
    errno.ENETDOWN: (State.UNREACHABLE, Failure.NO_ROUTE),
    errno.EINVAL: (State.UNREACHABLE, Failure.NO_ROUTE),  # a blackhole route (ip-route(8))
    errno.EPERM: (State.REJECTED, Failure.NOT_PERMITTED),
    errno.EACCES: (State.REJECTED, Failure.NOT_PERMITTED),
    errno.EADDRNOTAVAIL: (State.ERROR, Failure.ADDRESS),
    errno.EAFNOSUPPORT: (State.UNREACHABLE, Failure.NO_ROUTE),
}
_RESOURCES = frozenset(
    {
        errno.EMFILE,
        errno.ENFILE,
        errno.ENOBUFS,
        errno.ENOMEM,
        errno.EAGAIN,
        errno.EADDRINUSE,
    }
)


def from_errno(number: int | None, operation: Operation, icmp: Icmp | None = None, local: str = "") -> Observation:
    """What a failed call saw. With an ICMP error in the error queue that is the better witness."""
    if icmp is not None:
        return from_icmp(icmp, operation, local)
    if number in _RESOURCES:
        return Observation(
            state=State.ERROR, operation=operation, failure=Failure.RESOURCES, text=_name(number), local=local
        )
    if number == errno.EADDRNOTAVAIL and operation is Operation.CONNECT:
        # connect() says so when the ephemeral ports are used up (bind(): when the address is not this host's).
        return Observation(
            state=State.ERROR, operation=operation, failure=Failure.RESOURCES, text=_name(number), local=local
        )
    state, failure = _BY_ERRNO.get(number or 0, (State.ERROR, Failure.OTHER))
    text = _name(number) if failure is Failure.OTHER else ""
    proof = Proof.ACCEPTED if state is State.OPEN else Proof.NONE
    return Observation(state=state, operation=operation, failure=failure, proof=proof, text=text, local=local)


def from_error(error: OSError, operation: Operation, icmp: Icmp | None = None, local: str = "") -> Observation:
    """The same for a raised error. A TimeoutError without errno is our own limit (FACTS: two meanings), one with
    ETIMEDOUT the kernel's.
    """
    if isinstance(error, TimeoutError) and error.errno is None and icmp is None:
        return silence(operation, local)
    return from_errno(error.errno, operation, icmp, local)


def from_icmp(icmp: Icmp, operation: Operation, local: str = "") -> Observation:
    unreachable, rejected = (_ICMP4_UNREACHABLE, _REJECTED4) if icmp.family == 4 else (_ICMP6_UNREACHABLE, _REJECTED6)
    is_reject = icmp.type == unreachable and icmp.code in rejected
    state = State.REJECTED if is_reject else State.UNREACHABLE
    return Observation(state=state, operation=operation, failure=Failure.ICMP, icmp=icmp, local=local)


def refused(seen: Observation, address: str) -> Observation:
    """Port unreachable from the target itself is UDP's RST (RFC 1122, 4.1.3.1): closed, or its own firewall's word."""
    icmp = seen.icmp
    unreachable = (3, 3) if icmp is not None and icmp.family == 4 else (1, 4)
    if icmp is None or (icmp.type, icmp.code) != unreachable or icmp.sender != address:
        return seen
    return Observation(
        state=State.CLOSED, operation=seen.operation, failure=Failure.REFUSED, icmp=icmp, local=seen.local
    )


def silence(operation: Operation, local: str = "", state: State = State.FILTERED) -> Observation:
    """Our own limit ran out without a word from anybody."""
    return Observation(state=state, operation=operation, failure=Failure.TIMEOUT, local=local)


def has_source(address: str) -> bool:
    """Whether this host has any address to reach that one from; a host without IPv6 does not. Nothing is sent.

    It tells the two meanings of EADDRNOTAVAIL from connect() apart: no address, or no port left.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        try:
            sock.connect((address, 9))
        except OSError as error:
            return error.errno == errno.EAGAIN  # the ports have run out for datagrams too; nobody asked for an address
    return True


def watch_errors(sock: socket.SocketType) -> None:
    """Ask the kernel to keep ICMP errors with their sender; works unprivileged, for TCP and UDP."""
    if sock.family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, IPV6_RECVERR, 1)
    else:
        sock.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)


def read_icmp(sock: socket.SocketType) -> Icmp | None:
    """The first ICMP error in the socket's error queue, if there is one. At most 16 entries are read."""
    found = read_timed_icmp(sock)
    return found[0] if found is not None else None


def read_timed_icmp(sock: socket.SocketType) -> tuple[Icmp, int | None] | None:
    """The same, with the kernel's time of its arrival (see `arrival`)."""
    for _ in range(16):
        try:
            _, ancillary, _, _ = sock.recvmsg(256, 512, _MSG_ERRQUEUE | socket.MSG_DONTWAIT)
        except OSError:
            return None
        for level, _, data in ancillary:
            if level == socket.SOL_SOCKET or len(data) < _EXTENDED.size:
                continue
            _, origin, kind, code, _, _, _ = _EXTENDED.unpack_from(data)
            if origin in (_ORIGIN_ICMP, _ORIGIN_ICMP6):
                family = 4 if origin == _ORIGIN_ICMP else 6
                sender = _offender(data[_EXTENDED.size :])
                return Icmp(family=family, type=kind, code=code, sender=sender), arrival(ancillary)
    return None


def arrival(ancillary: list[tuple[int, int, bytes]]) -> int | None:
    """When the kernel received what `recvmsg` returned, in nanoseconds since the epoch; None where the socket has not
    set SO_TIMESTAMPNS.
    """
    for level, kind, data in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, SO_TIMESTAMPNS) and len(data) >= _TIMESPEC.size:
            seconds, nanoseconds = _TIMESPEC.unpack_from(data)
            return int(seconds * 1_000_000_000 + nanoseconds)
    return None


def _offender(address: bytes) -> str:
    """The sockaddr behind the extended error: who sent the ICMP message."""
    if len(address) < 2:
        return ""
    (family,) = struct.unpack_from("=H", address)
    if family == socket.AF_INET and len(address) >= 8:
        return str(ip_address(address[4:8]))
    if family == socket.AF_INET6 and len(address) >= 24:
        return str(ip_address(address[8:24]))
    return ""


def _name(number: int | None) -> str:
    return errno.errorcode.get(number or 0, f"errno {number}")
