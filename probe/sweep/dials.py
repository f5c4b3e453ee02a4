"""Attempts by plain sockets, which need no privilege: the kernel's own connections and datagrams, on one epoll.

Each attempt in flight is one file, so what is silent is held for as long as there is room and at least for the patience
of its target: an answer still counts however late it comes. A socket that was refused connects to the next port: that
saves half of its cost.
"""

from __future__ import annotations

import asyncio
import random
import resource
import select
import socket
import time
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

from probe.sweep.ownports import own_ports

if TYPE_CHECKING:
    from collections.abc import Callable

    from probe.model.words import Transport
    from probe.sweep.addresses import SocketAddress

BATCH = 64
"""Begun before answers are looked for: near targets have answered by then, and what is read is still in the caches."""
_ENDS, _EDGE = select.EPOLLIN | select.EPOLLOUT, select.EPOLLET
_EVENTS = 256
# Held at least so long, however fast others answer, unless the order's own patience is shorter.
_HELD_SECONDS = 0.5
# The kernel asks again after a second (tcp(7)): an answer to that would count for the first attempt.
_BEFORE_AGAIN = 0.95
# Of the files that this process may open: left to others; sockets that wait to be used again.
_LEFT_FILES, _MOST_FREE = 64, 128
# A silent connection takes the kernel some 15 microseconds to close.
_CLOSED_AT_ONCE = 256


class Dial(Protocol):
    """Who made an attempt, and what its target is given. `patience`: seconds for one answer."""

    @property
    def patience(self) -> float: ...

    def event(self, flight: Flight, mask: int) -> None: ...


class Flight(NamedTuple):
    """One attempt under way."""

    sock: socket.SocketType
    dial: Dial
    port: int
    slot: int
    began: float
    peer: SocketAddress
    reusable: bool
    """Whether the socket is tied to no address or port of our own, and so of use to another attempt."""


class Dials:
    """All attempts of one sweep. `most`: files that it may hold, 0 for what the limit allows. `silent` is told of
    attempts that were given up. Open from its making to `end`.
    """

    engine = "connect"
    lanes = 1
    most_batch = 256

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
        self.flying: dict[int, Flight] = {}
        self.free: dict[int, list[socket.SocketType]] = {socket.AF_INET: [], socket.AF_INET6: []}
        self._timeout = _BEFORE_AGAIN if _BEFORE_AGAIN < timeout <= 1.0 else timeout
        self._silent = silent
        self._order: deque[Flight] = deque()
        self._range, self._random = own_ports(), random.Random(seed)
        self._epoll = select.epoll()
        self._full = False
        self._dials = 0
        self._most = min(most, _files()) if most else _files()

    def join(self) -> None:
        """One more target."""
        self._dials += 1

    @property
    def courses(self) -> int:
        return max(1, self._dials)

    def any_port(self) -> int:
        """One of those that this host's own connections start from."""
        return self._random.randint(*self._range)

    def fly(self, flight: Flight, *, fresh: bool) -> None:
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
        self._most = max(BATCH, min(self._most, len(self.flying)))

    def land(self, flight: Flight, *, again: bool = False) -> None:
        """The attempt is over; `again`: its socket can be used for another."""
        sock = flight.sock
        del self.flying[sock.fileno()]
        free = self.free[sock.family]
        if again and flight.reusable and len(free) < _MOST_FREE:
            free.append(sock)
        else:
            sock.close()

    def leave(self) -> None:
        """One target less. What it has in flight expires."""
        self._dials -= 1

    async def end(self) -> None:
        sockets = [flight.sock for flight in self.flying.values()] + [
            sock for free in self.free.values() for sock in free
        ]
        self.flying.clear()
        try:
            while sockets:
                for sock in sockets[-_CLOSED_AT_ONCE:]:
                    sock.close()
                del sockets[-_CLOSED_AT_ONCE:]
                await asyncio.sleep(0)
        finally:
            for sock in sockets:
                sock.close()
            self._epoll.close()

    def _expire(self) -> None:
        """Nobody waits longer than the whole patience."""
        order, flying = self._order, self.flying
        overdue = time.monotonic() - self._timeout
        given_up = 0
        while order and given_up < _CLOSED_AT_ONCE:
            flight = order[0]
            ended = flight.sock.fileno() < 0 or flying.get(flight.sock.fileno()) is not flight
            if not ended and flight.began > overdue:
                break
            order.popleft()
            if not ended:
                self.land(flight)
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
                patience = max(flight.dial.patience, min(_HELD_SECONDS, self._timeout))
                if flight.began + patience > now:
                    break
                self.land(flight)
                closed += 1
            order.popleft()
        if closed and self._silent is not None:
            self._silent(closed)
        return closed


def _files() -> int:
    """How many more files this process may open, with its own limit raised as far as it may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 65536 if hard == resource.RLIM_INFINITY else min(hard, 65536)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = wanted
    most = 65536 if soft == resource.RLIM_INFINITY else min(soft, 65536)
    return max(64, most - len(list(Path("/proc/self/fd").iterdir())) - _LEFT_FILES)
