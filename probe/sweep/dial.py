"""The way to one target over plain sockets: how an attempt begins, and what its end says.

ICMP errors come with their sender from the error queue (ip(7)), without any privilege.
"""

from __future__ import annotations

import errno
import select
import socket
import struct
import time
from typing import TYPE_CHECKING, Protocol

from probe.model.observation import Operation
from probe.model.words import State, Transport
from probe.probes.classify import from_errno, read_icmp, watch_errors
from probe.sweep.addresses import family, numeric
from probe.sweep.dials import BATCH, Flight
from probe.sweep.evidence import CLOSED, OPEN, Refused

if TYPE_CHECKING:
    from collections.abc import Sequence

    from probe.model.observation import Icmp
    from probe.sweep.addresses import SocketAddress
    from probe.sweep.dials import Dials
    from probe.sweep.evidence import Evidence

_KIND = {Transport.TCP: socket.SOCK_STREAM, Transport.UDP: socket.SOCK_DGRAM}
_BIND_ADDRESS_NO_PORT = 24  # linux/in.h: the port is chosen at connect
# asm-generic/socket.h: of what it tells, the first word is how much waits in the receive and the error queue.
_SO_MEMINFO, _NOTHING_QUEUED = 55, bytes(4)
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER 0: no TIME_WAIT here, and firewalls forget it soon
_READABLE = select.EPOLLIN | select.EPOLLERR
_NO_ROOM = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EAGAIN})
_NO_PORT = frozenset({errno.EADDRNOTAVAIL, errno.EADDRINUSE})
_NOT_LET_OUT = frozenset({errno.EPERM, errno.EACCES})
_UNDER_WAY = frozenset({errno.EINPROGRESS, errno.EALREADY})
_PORT_UNREACHABLE = ((4, 3, 3), (6, 1, 4))
# Services that answer from another port (RFC 1350, 4): their sockets take that from the target's address.
_ROAMING = frozenset({69})
_MOST_READ, _TRIES = 2048, 8


class Course(Protocol):
    """Who takes the answers of one target. `patience`: seconds for one of them."""

    evidence: Evidence

    @property
    def patience(self) -> float: ...

    def answered(self, port: int, slot: int, code: int) -> None: ...


class Dial:
    """Raises OSError where no route leads to the address; ValueError where it is none."""

    def __init__(self, house: Dials, address: str, bind: str, course: Course) -> None:
        self._house, self.course = house, course
        self._family, peer = family(address), numeric(address)
        self._address, self._rest = peer[0].partition("%")[0], peer[2:]
        self._bind = numeric(bind) if bind else None
        self._ended = False
        with socket.socket(self._family, socket.SOCK_DGRAM) as asking:
            if self._bind:
                asking.bind(self._bind)
            asking.connect(self._peer(9))
        house.join()

    @property
    def patience(self) -> float:
        return self.course.patience

    async def ask(self, ports: Sequence[int], slot: int, evidence: Evidence) -> tuple[int, int]:
        """One attempt at each. What is not done with found no file: try again a little later."""
        house = self._house
        begin = self._connect if house.transport is Transport.TCP else self._send
        done = left = 0
        while done < len(ports):
            batch = ports[done : done + house.room(min(BATCH, len(ports) - done))]
            if not batch:
                break
            evidence.ask(batch, slot)
            now = time.monotonic()
            for port in batch:
                left += begin(port, slot, now)
            done += len(batch)
            house.drain()
        return done, left

    async def reset(self, ports: Sequence[int], slot: int) -> int:
        """Nothing: plain sockets cannot take back what stayed silent."""
        del ports, slot
        return 0

    def close(self) -> None:
        self._ended = True
        self._house.leave()

    def event(self, flight: Flight, mask: int) -> None:
        if self._ended:
            self._house.land(flight)
            return
        if self._house.transport is Transport.UDP:
            if mask & _READABLE:
                self._read(flight)
            return
        number = flight.sock.connect_ex(flight.peer)
        if number not in _UNDER_WAY:
            self._connected(flight, number)
        elif mask & select.EPOLLERR and (icmp := read_icmp(flight.sock)) is not None:
            # An ICMP error that comes while connect() is still at work is queued and ends nothing.
            self._house.land(flight)
            self._failed(flight.port, flight.slot, 0, icmp)

    # TCP

    def _connect(self, port: int, slot: int, now: float) -> int:
        free, peer = self._house.free[self._family], self._peer(port)
        reusable = slot == 0 and self._bind is None
        fresh = not (reusable and free)
        try:
            sock = self._socket(slot) if fresh else free.pop()
            number = sock.connect_ex(peer)
        except OSError as error:
            return self._hindered(port, slot, error.errno)
        flight = Flight(sock, self, port, slot, now, peer, reusable)
        self._house.fly(flight, fresh=fresh)
        if number not in _UNDER_WAY:
            self._connected(flight, number)
        return 1

    def _connected(self, flight: Flight, number: int) -> None:
        """It has ended, with this errno."""
        sock, port, slot = flight.sock, flight.port, flight.slot
        if number == errno.ECONNREFUSED and sock.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, 4) == _NOTHING_QUEUED:
            self._house.land(flight, again=True)
            self.course.answered(port, slot, CLOSED)
        elif number:
            icmp = read_icmp(sock)
            self._house.land(flight)
            self._failed(port, slot, number, icmp)
        else:
            itself = _met_itself(sock)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            self._house.land(flight)
            if itself:  # inside the ephemeral range; the next attempt has another port
                self.course.evidence.unsent(port, slot)
            else:
                self.course.answered(port, slot, OPEN)

    # UDP

    def _send(self, port: int, slot: int, now: float) -> int:
        peer = self._peer(port)
        try:
            sock = self._socket()
        except OSError as error:
            return self._hindered(port, slot, error.errno)
        flight = Flight(sock, self, port, slot, now, peer, reusable=False)
        self._house.fly(flight, fresh=True)
        try:
            if port in _ROAMING:
                sock.sendto(self._house.payload(port), peer)
            else:
                sock.connect(peer)
                sock.send(self._house.payload(port))
        except OSError as error:
            icmp = read_icmp(sock)
            self._house.land(flight)
            return self._hindered(port, slot, error.errno, icmp)
        return 1

    def _read(self, flight: Flight) -> None:
        sock, port, slot = flight.sock, flight.port, flight.slot
        try:
            _, sender = sock.recvfrom(_MOST_READ)
        except BlockingIOError:
            # Host unreachable and its like stand in the error queue alone.
            icmp = read_icmp(sock)
            if icmp is not None:
                self._house.land(flight)
                self._failed(port, slot, 0, icmp)
        except OSError as error:
            icmp = read_icmp(sock)
            self._house.land(flight)
            self._failed(port, slot, error.errno, icmp)
        else:
            if sender[0].partition("%")[0] == self._address:
                self._house.land(flight)
                self.course.answered(port, slot, OPEN)

    # Both

    def _socket(self, slot: int = 0) -> socket.SocketType:
        kind = _KIND[self._house.transport] | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
        sock = socket.SocketType(self._family, kind)
        try:
            watch_errors(sock)
            if not (slot and self._take_port(sock)) and self._bind is not None:
                sock.setsockopt(socket.IPPROTO_IP, _BIND_ADDRESS_NO_PORT, 1)
                sock.bind(self._bind)
        except OSError:
            sock.close()
            raise
        return sock

    def _take_port(self, sock: socket.SocketType) -> bool:
        """Bind it to any port. The kernel itself would give connections to one and the same port nearly the same of our
        own again and again; if just that one is lost, so are they all. False where no port was free.
        """
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as long as nobody listens there, many may have it
        if self._family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        address, rest = (self._bind[0], self._bind[2:]) if self._bind is not None else ("", ())
        for _ in range(_TRIES):
            try:
                sock.bind((address, self._house.any_port(), *rest))
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise
            else:
                return True
        return False

    def _hindered(self, port: int, slot: int, number: int | None, icmp: Icmp | None = None) -> int:
        """It did not even begin; or an error that was there before it did (returns how many packets left)."""
        self._failed(port, slot, number, icmp)
        return 0

    def _failed(self, port: int, slot: int, number: int | None, icmp: Icmp | None) -> None:
        evidence = self.course.evidence
        if icmp is None and number in _NO_ROOM | _NO_PORT:
            evidence.unsent(port, slot)
            if number in _NO_ROOM:
                self._house.starved()
        elif icmp is None and number in _NOT_LET_OUT:
            evidence.unsent(port, slot, refused=True)
        elif self._is_closed(number, icmp):
            self.course.answered(port, slot, CLOSED)
        else:
            seen = from_errno(number, Operation.CONNECT, icmp)
            if seen.state is State.OPEN:
                self.course.answered(port, slot, OPEN)
            elif seen.state in {State.REJECTED, State.UNREACHABLE}:
                what = Refused(seen.state, icmp.sender, icmp.type, icmp.code) if icmp else Refused(seen.state, "", 0, 0)
                self.course.answered(port, slot, evidence.refused(what))

    def _is_closed(self, number: int | None, icmp: Icmp | None) -> bool:
        """TCP: a RST. UDP: port unreachable from the target itself (RFC 1122, 4.1.3.1)."""
        is_tcp = self._house.transport is Transport.TCP
        if icmp is None:
            return is_tcp and number == errno.ECONNREFUSED
        told = (icmp.family, icmp.type, icmp.code) in _PORT_UNREACHABLE and icmp.sender == self._address
        return told and not is_tcp

    def _peer(self, port: int) -> SocketAddress:
        return (self._address, port, *self._rest)


def _met_itself(sock: socket.SocketType) -> bool:
    try:
        return bool(sock.getsockname()[:2] == sock.getpeername()[:2])
    except OSError:  # reset by now: somebody was there
        return False
