"""Attempts by plain sockets, which need no privilege: the kernel's own connections and datagrams, on one epoll.

Each attempt in flight is one file, so what is silent is held for as long as there is room and at least for the patience
of its target: an answer still counts however late it comes. A socket that was refused connects to the next port: that
saves half of its cost. ICMP errors come with their sender from the error queue.
"""

from __future__ import annotations

import errno
import os
import random
import resource
import select
import socket
import struct
import time
from collections import deque
from typing import TYPE_CHECKING, NamedTuple, Protocol

from probe.model.observation import Operation
from probe.model.words import State, Transport
from probe.probes.classify import from_errno, read_icmp, watch_errors
from probe.sweep.evidence import CLOSED, OPEN, Refused
from probe.sweep.ownports import own_ports

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from probe.model.observation import Icmp
    from probe.sweep.evidence import Evidence

_KIND = {Transport.TCP: socket.SOCK_STREAM, Transport.UDP: socket.SOCK_DGRAM}
_BIND_ADDRESS_NO_PORT = 24  # linux/in.h: the port is chosen at connect
_SO_MEMINFO, _NOTHING_QUEUED = (
    55,
    bytes(4),
)  # asm-generic/socket.h; the first word: bytes in the receive and error queues
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER 0: no TIME_WAIT here, and firewalls forget it soon
_ENDS, _EDGE = select.EPOLLIN | select.EPOLLOUT, select.EPOLLET
_READABLE = select.EPOLLIN | select.EPOLLERR
_BATCH = {Transport.TCP: 64, Transport.UDP: 64}
"""Begun before answers are looked for: near targets have answered by then, and what is read is still in the caches."""
_EVENTS = 256
# Held at least so long, however fast others answer, unless the order's own patience is shorter.
_HELD_SECONDS = 0.5
# The kernel asks again after a second (tcp(7)): an answer to that would count for the first attempt.
_BEFORE_AGAIN = 0.95
# Of the files that this process may open: left to others; sockets that wait to be used again.
_LEFT_FILES, _MOST_FREE = 64, 128
_NO_ROOM = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EAGAIN, errno.EADDRNOTAVAIL})
_NOT_LET_OUT = frozenset({errno.EPERM, errno.EACCES})
_UNDER_WAY = frozenset({errno.EINPROGRESS, errno.EALREADY})
_PORT_UNREACHABLE = ((4, 3, 3), (6, 1, 4))
# Services that answer from another port (RFC 1350, 4): their sockets take that from the target's address.
_ROAMING = frozenset({69})
_MOST_READ = 2048
_TRIES = 8


class Course(Protocol):
    """Who takes the answers of one target. `patience`: seconds for one of them."""

    evidence: Evidence

    @property
    def patience(self) -> float: ...

    def answered(self, port: int, slot: int, code: int) -> None: ...


class _Flight(NamedTuple):
    """One attempt under way."""

    sock: socket.SocketType
    dial: Dial
    port: int
    slot: int
    began: float


class Dials:
    """All attempts of one sweep. `most`: files that it may hold, 0 for what the limit allows. `silent` is told of
    attempts that were given up. Open from its making to `close`.
    """

    engine = "connect"
    lanes = 1
    most_batch = 512

    def __init__(
        self,
        transport: Transport,
        payload: Callable[[int], bytes],
        *,
        timeout: float,
        seed: int = 0,
        most: int = 0,
        silent: Callable[[int], None] | None = None,
    ) -> None:
        self.transport, self.payload = transport, payload
        self.flying: dict[int, _Flight] = {}
        self.free: dict[int, list[socket.SocketType]] = {socket.AF_INET: [], socket.AF_INET6: []}
        self._timeout = _BEFORE_AGAIN if _BEFORE_AGAIN < timeout <= 1.0 else timeout
        self._silent = silent
        self._order: deque[_Flight] = deque()
        self._range, self._random = own_ports(), random.Random(seed)
        self._epoll = select.epoll()
        self._full = False
        self._dials = 0
        self._most = min(most, _files()) if most else _files()

    def dial(self, address: str, bind: str, course: Course) -> Dial:
        """The way to one target. Raises OSError where no route leads there, ValueError where it is no address."""
        self._dials += 1
        return Dial(self, address, bind, course)

    @property
    def courses(self) -> int:
        return max(1, self._dials)

    def any_port(self) -> int:
        """One of those that this host's own connections start from."""
        return self._random.randint(*self._range)

    def fly(self, flight: _Flight, *, fresh: bool) -> None:
        number = flight.sock.fileno()
        self.flying[number] = flight
        self._order.append(flight)
        if fresh:
            self._epoll.register(number, _ENDS | _EDGE)

    def room(self, wanted: int) -> int:
        """How many attempts may begin now: what is overdue makes room, oldest first."""
        free = self._most - len(self.flying)
        if free < wanted:
            free += self._give_up(time.monotonic(), wanted - free)
        return max(0, min(wanted, free))

    def drain(self) -> None:
        """Take what has arrived, and let go what nobody waits for any more."""
        flying, poll = self.flying, self._epoll.poll
        while events := poll(0, _EVENTS):
            for number, mask in events:
                flight = flying.get(number)
                if flight is not None:
                    flight.dial.event(flight, mask)
            if len(events) < _EVENTS:
                break
        self._expire()

    def overran(self) -> bool:
        """Whether there was too little room since this was last asked."""
        full, self._full = self._full, False
        return full

    def starved(self) -> None:
        """The host has no file, port or memory for another: what is in flight is as much as there may be."""
        self._full = True
        self._most = max(_BATCH[self.transport], min(self._most, len(self.flying)))

    def end(self, flight: _Flight, *, again: bool = False) -> None:
        """The attempt is over; `again`: its socket can be used for another."""
        sock = flight.sock
        del self.flying[sock.fileno()]
        free = self.free[sock.family]
        if again and len(free) < _MOST_FREE and not flight.dial.is_bound(flight.slot):
            free.append(sock)
        else:
            sock.close()

    def leave(self, dial: Dial) -> None:
        for flight in [flight for flight in self.flying.values() if flight.dial is dial]:
            self.end(flight)
        self._dials -= 1

    def close(self) -> None:
        for flight in list(self.flying.values()):
            self.end(flight)
        for free in self.free.values():
            while free:
                free.pop().close()
        self._epoll.close()

    def _expire(self) -> None:
        """Nobody waits longer than the whole patience."""
        order, flying = self._order, self.flying
        overdue = time.monotonic() - self._timeout
        given_up = 0
        while order:
            flight = order[0]
            ended = flight.sock.fileno() < 0 or flying.get(flight.sock.fileno()) is not flight
            if not ended and flight.began > overdue:
                break
            order.popleft()
            if not ended:
                self.end(flight)
                given_up += 1
        if given_up and self._silent is not None:
            self._silent(given_up)

    def _give_up(self, now: float, wanted: int) -> int:
        """Close at most so many of the oldest, none before its target's patience is over; returns how many."""
        order, flying = self._order, self.flying
        closed = 0
        while order and closed < wanted:
            flight = order[0]
            number = flight.sock.fileno()
            if number >= 0 and flying.get(number) is flight:
                patience = max(flight.dial.course.patience, min(_HELD_SECONDS, self._timeout))
                if flight.began + patience > now:
                    break
                self.end(flight)
                closed += 1
            order.popleft()
        if closed and self._silent is not None:
            self._silent(closed)
        return closed


class Dial:
    """The way to one target."""

    def __init__(self, house: Dials, address: str, bind: str, course: Course) -> None:
        self._house, self.course = house, course
        self._family = socket.AF_INET6 if ":" in address else socket.AF_INET
        peer = _numeric(address, self._family)
        self._address, self._rest = peer[0].partition("%")[0], peer[2:]
        self._bind = _numeric(bind, self._family) if bind else None
        self._codes: dict[int, int] = {}
        with socket.socket(self._family, socket.SOCK_DGRAM) as asking:
            if self._bind:
                asking.bind(self._bind)
            asking.connect(self._peer(9))

    async def ask(self, ports: Sequence[int], slot: int, evidence: Evidence) -> tuple[int, int]:
        """One attempt at each. What is not done with found no file: try again a little later."""
        house = self._house
        size = _BATCH[house.transport]
        begin = self._connect if house.transport is Transport.TCP else self._send
        done = left = 0
        while done < len(ports):
            batch = ports[done : done + house.room(min(size, len(ports) - done))]
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
        self._house.leave(self)

    def event(self, flight: _Flight, mask: int) -> None:
        if self._house.transport is Transport.UDP:
            if mask & _READABLE:
                self._read(flight)
            return
        number = flight.sock.connect_ex(self._peer(flight.port))
        if number not in _UNDER_WAY:
            self._connected(flight, number)
        elif mask & select.EPOLLERR and (icmp := read_icmp(flight.sock)) is not None:
            # An ICMP error that comes while connect() is still at work is queued and ends nothing.
            self._house.end(flight)
            self._failed(flight.port, flight.slot, 0, icmp)

    def is_bound(self, slot: int) -> bool:
        """Whether this slot's sockets are tied to an address or a port, and so not of use to others."""
        return slot > 0 or self._bind is not None

    # TCP

    def _connect(self, port: int, slot: int, now: float) -> int:
        free = self._house.free[self._family]
        fresh = self.is_bound(slot) or not free
        try:
            sock = self._socket(slot) if fresh else free.pop()
            number = sock.connect_ex(self._peer(port))
        except OSError as error:
            return self._hindered(port, slot, error.errno)
        flight = _Flight(sock, self, port, slot, now)
        self._house.fly(flight, fresh=fresh)
        if number not in _UNDER_WAY:
            self._connected(flight, number)
        return 1

    def _connected(self, flight: _Flight, number: int) -> None:
        """It has ended, with this errno."""
        sock, _, port, slot, _ = flight
        if number == errno.ECONNREFUSED and sock.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, 4) == _NOTHING_QUEUED:
            self._house.end(flight, again=True)
            self.course.answered(port, slot, CLOSED)
        elif number:
            icmp = read_icmp(sock)
            self._house.end(flight)
            self._failed(port, slot, number, icmp)
        else:
            itself = _met_itself(sock)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            self._house.end(flight)
            if itself:  # inside the ephemeral range; the next attempt has another port
                self.course.evidence.unsent(port, slot)
            else:
                self.course.answered(port, slot, OPEN)

    # UDP

    def _send(self, port: int, slot: int, now: float) -> int:
        try:
            sock = self._socket()
        except OSError as error:
            return self._hindered(port, slot, error.errno)
        flight = _Flight(sock, self, port, slot, now)
        self._house.fly(flight, fresh=True)
        try:
            if port in _ROAMING:
                sock.sendto(self._house.payload(port), self._peer(port))
            else:
                sock.connect(self._peer(port))
                sock.send(self._house.payload(port))
        except OSError as error:
            icmp = read_icmp(sock)
            self._house.end(flight)
            return self._hindered(port, slot, error.errno, icmp)
        return 1

    def _read(self, flight: _Flight) -> None:
        sock, _, port, slot, _ = flight
        try:
            _, sender = sock.recvfrom(_MOST_READ)
        except BlockingIOError:
            # Host unreachable and its like stand in the error queue alone.
            icmp = read_icmp(sock)
            if icmp is not None:
                self._house.end(flight)
                self._failed(port, slot, 0, icmp)
        except OSError as error:
            icmp = read_icmp(sock)
            self._house.end(flight)
            self._failed(port, slot, error.errno, icmp)
        else:
            if sender[0].partition("%")[0] == self._address:
                self._house.end(flight)
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
        if icmp is None and number in _NO_ROOM:
            evidence.unsent(port, slot)
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
        """TCP: a RST. UDP: port unreachable from the target itself (RFC 1122, 4.1.3.1), or an error without its
        message, where the error queue was too full for it.
        """
        if icmp is None:
            return number == errno.ECONNREFUSED
        told = (icmp.family, icmp.type, icmp.code) in _PORT_UNREACHABLE and icmp.sender == self._address
        return told and self._house.transport is Transport.UDP

    def _peer(self, port: int) -> tuple[str, int, *tuple[int, ...]]:
        return (self._address, port, *self._rest)


def _met_itself(sock: socket.SocketType) -> bool:
    try:
        return bool(sock.getsockname()[:2] == sock.getpeername()[:2])
    except OSError:  # reset by now: somebody was there
        return False


def _numeric(address: str, family: int) -> tuple[str, int, *tuple[int, ...]]:
    """The socket address. Raises ValueError for a name."""
    try:
        found = socket.getaddrinfo(address, 0, family, socket.SOCK_DGRAM, flags=socket.AI_NUMERICHOST)
    except socket.gaierror:
        raise ValueError(f"{address!r} is no numeric address of this family") from None
    return found[0][4]  # type: ignore[return-value]


def _files() -> int:
    """How many more files this process may open, with its own limit raised as far as it may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 65536 if hard == resource.RLIM_INFINITY else min(hard, 65536)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = wanted
    most = 65536 if soft == resource.RLIM_INFINITY else min(soft, 65536)
    return max(64, most - len(os.listdir("/proc/self/fd")) - _LEFT_FILES)
