"""TCP: connect, and where a stand-in is expected, exchange the keyed challenge. All of it on the reactor: one object
and a few calls for each connection.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
import time
from collections import deque
from typing import TYPE_CHECKING

from probe.model.observation import Failure, Observation, Operation, Proof
from probe.model.words import State
from probe.probes.classify import from_errno, from_error, has_source, read_icmp, silence, watch_errors
from probe.probes.met import met, right
from probe.probes.reactor import EDGE, FAILED, READ, WRITE, Reactor
from probe.text import excerpt
from probe.wire.challenge import ANSWER_SIZE, MAGIC, NONCE_SIZE, make_ask, read_answer

if TYPE_CHECKING:
    from probe.probes.attempt import Attempt, Done, Terms
    from probe.wire.challenge import Reply

_NO_PORT_YET = (
    24  # IP_BIND_ADDRESS_NO_PORT (linux/in.h): the port is chosen at connect, so one address can serve many targets
)
_STREAM = socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
_RESET_ON_CLOSE = struct.pack(
    "ii", 1, 0
)  # SO_LINGER 0: towards our own stand-in nothing is owed, and no TIME_WAIT stays behind
_COUNTER = 6  # bytes of a nonce that count
_RTT = struct.Struct("68xI")  # tcp_info.tcpi_rtt, microseconds (linux/tcp.h)


class Dialler:
    """Connections in flight. `start` returns at once; `done` of each attempt is called when it has ended, in any
    order.
    """

    def __init__(self, reactor: Reactor) -> None:
        self.reactor = reactor
        self._waiting: deque[tuple[float, _Dial]] = deque()
        # Local address by the dialled one, as last seen; and one object for each kind of success. Tens of thousands
        # of answers are alike.
        self._locals: dict[str, str] = {}
        self._sights: dict[tuple[str, str, str], Observation] = {}
        self._timed: set[tuple[int, str]] = set()
        self._prefix = os.urandom(NONCE_SIZE - _COUNTER)
        self._count = 0

    def start(self, attempt: Attempt, terms: Terms, done: Done) -> None:
        dial = _Dial(self, attempt, terms, done)
        dial.connect()
        if dial.sock is not None:
            self._waiting.append((time.monotonic() + terms.timeout, dial))

    def expire(self) -> None:
        """End what is overdue. Call it often; what has arrived meanwhile is read first, so that our own lateness is
        not called silence.
        """
        waiting = self._waiting
        while waiting and waiting[0][1].sock is None:
            waiting.popleft()
        if not waiting or waiting[0][0] > time.monotonic():
            return
        while self.reactor.turn():
            pass
        now = time.monotonic()
        while waiting and (waiting[0][0] <= now or waiting[0][1].sock is None):
            waiting.popleft()[1].give_up()

    def abort(self) -> None:
        """Close everything; nobody is told."""
        for _, dial in self._waiting:
            dial.drop()
        self._waiting.clear()

    def nonce(self) -> bytes:
        """Fresh each time. The pair's key keeps it from being guessed ahead; it only must not come twice."""
        self._count += 1
        return self._prefix + self._count.to_bytes(_COUNTER, "big")

    def keyed(self, address: str, reply: Reply, sock: socket.SocketType) -> Observation:
        """The sight of a right answer. The answer tells our own address as the target saw it: where that is the one
        we last had, the kernel is not asked.
        """
        local = self._locals.get(address)
        if local != reply.peer:
            local = self._locals[address] = sock.getsockname()[0]
        sight = (address, reply.peer, reply.local)
        seen = self._sights.get(sight)
        if seen is None or seen.local != local:
            seen = self._sights[sight] = right(reply, address, Operation.RECEIVE, local)
        return seen

    def round_trip(self, attempt: Attempt, sock: socket.SocketType) -> float | None:
        """Asked of the first connection of each aim, which stands for all."""
        aim = (attempt.aim.task, attempt.address)
        if aim in self._timed:
            return None
        self._timed.add(aim)
        return round_trip(sock)


class _Dial:
    """One connection from first call to last. `sock` is None once it has ended."""

    __slots__ = ("_asked", "_attempt", "_buffer", "_done", "_got", "_house", "_nonce", "_terms", "sock")

    def __init__(self, house: Dialler, attempt: Attempt, terms: Terms, done: Done) -> None:
        self._house = house
        self._attempt = attempt
        self._terms = terms
        self._done = done
        self._asked = False
        self._nonce = b""
        self._buffer = b""
        self._got = 0
        self.sock: socket.SocketType | None = None

    def connect(self) -> None:
        attempt, terms = self._attempt, self._terms
        family = socket.AF_INET6 if ":" in attempt.address else socket.AF_INET
        operation = Operation.BIND
        try:
            self.sock = sock = socket.SocketType(family, _STREAM)
            if attempt.aim.key and not terms.careful:
                # The last part of the handshake waits a moment for the challenge and goes with it: one packet less, and
                # the stand-in finds it at once. What fails is tried again with a handshake that ends on its own: where
                # a device swallows what carries data, the target can then tell that somebody came.
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 0)
            if terms.careful:
                watch_errors(sock)
            bind = terms.bind_for(attempt.address)
            if bind:
                sock.setsockopt(socket.IPPROTO_IP, _NO_PORT_YET, 1)
                sock.bind((bind, 0))
            operation = Operation.CONNECT
            number = sock.connect_ex((attempt.address, attempt.port))
        except OSError as error:
            self._end(from_error(error, operation))
            return
        if number == errno.EADDRNOTAVAIL and not has_source(attempt.address):
            number = errno.ENETUNREACH
        if number not in (0, errno.EINPROGRESS):
            self._end(from_errno(number, operation, read_icmp(sock) if terms.careful else None))
            return
        self._house.reactor.add(sock.fileno(), READ | WRITE | EDGE, self._event)

    def _event(self, mask: int) -> None:
        sock = self.sock
        if sock is None:
            return
        try:
            if not self._asked:
                self._connected(sock, mask)
            elif mask & (READ | FAILED):
                self._receive(sock)
        except BlockingIOError:
            return
        except OSError as error:
            self._failed(sock, error.errno)

    def _connected(self, sock: socket.SocketType, mask: int) -> None:
        if mask & FAILED:
            number = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if number:
                self._failed(sock, number)
                return
        if not mask & WRITE:
            return
        key = self._attempt.aim.key
        if not key:
            self._accepted(sock)
            return
        self._nonce = self._house.nonce()
        bulk = self._attempt.aim.bulk
        sock.send(make_ask(key, self._terms.number, self._nonce, bulk, meant=self._attempt.address) + bytes(bulk))
        self._asked = True
        if mask & READ:
            self._receive(sock)

    def _accepted(self, sock: socket.SocketType) -> None:
        """Nobody to challenge: the handshake is all there is to see."""
        if met_itself(sock):
            self._end(_ITSELF)
            return
        local = sock.getsockname()[0]
        self._end(Observation(state=State.OPEN, operation=Operation.CONNECT, proof=Proof.ACCEPTED, local=local))

    def _receive(self, sock: socket.SocketType) -> None:
        bulk = self._attempt.aim.bulk
        while self._got < ANSWER_SIZE + bulk:
            data = sock.recv(512 + bulk)
            if not data:
                self._end(self._unanswered(Failure.CLOSED, sock))
                return
            self._got += len(data)
            self._buffer = (self._buffer + data)[:ANSWER_SIZE] if bulk else self._buffer + data
            if not self._buffer.startswith(MAGIC[: len(self._buffer)]):
                break
        reply = read_answer(self._attempt.aim.key, self._nonce, self._buffer)
        if reply is None and met_itself(sock):
            self._end(_ITSELF)
        elif reply is None or reply.port != self._attempt.port:
            asked = (self._attempt.address, self._attempt.port)
            self._end(met(reply, asked, Operation.RECEIVE, sock.getsockname()[0], excerpt(self._buffer)))
        else:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            self._end(self._house.keyed(self._attempt.address, reply, sock))

    def _unanswered(self, failure: Failure, sock: socket.SocketType | None = None, text: str = "") -> Observation:
        """The handshake was completed, the challenge was not met."""
        return Observation(
            state=State.OPEN,
            operation=Operation.RECEIVE,
            failure=failure,
            proof=Proof.ACCEPTED,
            text=text,
            local=sock.getsockname()[0] if sock is not None else "",
        )

    def _failed(self, sock: socket.SocketType, number: int | None) -> None:
        icmp = read_icmp(sock) if self._terms.careful else None
        if self._asked:
            # After the handshake a reset is an answer of a kind: somebody accepted.
            reset = number in (errno.ECONNRESET, errno.EPIPE)
            self._end(self._unanswered(Failure.RESET if reset else Failure.OTHER))
        else:
            self._end(from_errno(number, Operation.CONNECT, icmp))

    def give_up(self) -> None:
        sock = self.sock
        if sock is None:
            return
        if self._asked:
            self._end(self._unanswered(Failure.TIMEOUT, sock))
            return
        icmp = read_icmp(sock) if self._terms.careful else None
        self._end(from_errno(None, Operation.CONNECT, icmp) if icmp else silence(Operation.CONNECT))

    def _end(self, seen: Observation) -> None:
        rtt = None
        if seen.state is State.OPEN and self.sock is not None:
            rtt = self._house.round_trip(self._attempt, self.sock)
        self.drop()
        self._done(self._attempt, seen, rtt)

    def drop(self) -> None:
        sock, self.sock = self.sock, None
        if sock is not None:
            self._house.reactor.forget(sock.fileno())
            sock.close()


# Inside the ephemeral range a socket can meet itself; the next attempt has another port.
_ITSELF = Observation(state=State.ERROR, operation=Operation.CONNECT, failure=Failure.SELF_CONNECT)


def met_itself(sock: socket.SocketType) -> bool:
    """Inside the ephemeral range of this very host a socket can meet itself."""
    try:
        return bool(sock.getsockname()[:2] == sock.getpeername()[:2])
    except OSError:
        return False


def round_trip(sock: socket.SocketType) -> float | None:
    """The kernel's round-trip time in milliseconds; the loop's own clock would measure the loop."""
    try:
        (microseconds,) = _RTT.unpack(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _RTT.size))
    except OSError:
        return None
    return round(microseconds / 1000, 3) if microseconds else None
