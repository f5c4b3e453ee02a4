"""TCP stand-ins: one listening socket a port, all on the reactor; a connection is answered in the tongue it speaks.

The first byte tells: our challenge, HTTP, or TLS. The challenge is answered here, in a handful of calls; HTTP and TLS
go to `web`. A peer that knows no challenge gets nothing but the end of the connection.
"""

from __future__ import annotations

import errno
import socket
import time
from collections import deque
from typing import TYPE_CHECKING

from probe.probes.reactor import FAILED, READ, Reactor
from probe.wire.challenge import ASK_SIZE, MAGIC
from probe.witness.sockets import ANY

if TYPE_CHECKING:
    from collections.abc import Callable

    from probe.standin.answers import Answers

    HandOver = Callable[[socket.socket, int, str, str], None]

_BACKLOG = 512
_STARVED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
# A peer that connects and says nothing is let go after this many seconds; more than this many such peers at once, the
# oldest goes first.
_PATIENCE, _MOST_SILENT = 10.0, 4096


class Listener:
    """The stand-ins of one order. `hand_over(sock, port, peer, local)` takes connections that speak HTTP or TLS; None
    where no port is for the web.
    """

    def __init__(self, reactor: Reactor, answers: Answers, hand_over: HandOver | None) -> None:
        self.reactor = reactor
        self.answers = answers
        self.hand_over = hand_over
        self._sockets: list[socket.socket] = []
        self._silent: deque[tuple[float, _Guest]] = deque()

    def listen(self, address: str, port: int, *, web: bool) -> None:
        """Open one port; raises OSError as bind and listen do."""
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.bind((address, port))
            sock.listen(_BACKLOG)
            # Each connection inherits it (from after listen(), which resets it): the challenge is acknowledged by the
            # packet that carries the answer, not by one of its own.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 0)
        except OSError:
            sock.close()
            raise
        self._sockets.append(sock)
        self.reactor.add(sock.fileno(), READ, lambda _mask: self._accept(sock, family, address, port, web))

    def _accept(self, sock: socket.socket, family: int, address: str, port: int, web: bool) -> None:
        """One guest a turn: whoever else waits is met in the next, and the kernel is not asked whether there is one."""
        try:
            # socket.accept() would wrap the connection in a Python object and ask the kernel what it is; that costs
            # more than the answer does.
            number, peer = sock._accept()  # type: ignore[attr-defined]  # noqa: SLF001
        except OSError as error:
            # Gone again, or no file is free: then whoever waits waits on, and whoever gave up meanwhile did not meet us
            # for no fault of the network's.
            self.answers.starved = self.answers.starved or error.errno in _STARVED
            return
        guest = socket.SocketType(family, socket.SOCK_STREAM, 0, number)
        local = address if address not in ANY else guest.getsockname()[0]
        waiting = _Guest(self, guest, peer, local, port, web)
        if not waiting.hear():
            self.reactor.add(number, READ, waiting.event)
            self._silent.append((time.monotonic() + _PATIENCE, waiting))
            if len(self._silent) > _MOST_SILENT:
                self._silent.popleft()[1].depart()

    def expire(self) -> None:
        """Let go of peers that said nothing. Call it now and then."""
        now = time.monotonic()
        while self._silent and (self._silent[0][0] <= now or self._silent[0][1].sock is None):
            self._silent.popleft()[1].depart()

    def close(self) -> None:
        for sock in self._sockets:
            self.reactor.forget(sock.fileno())
            sock.close()
        self._sockets.clear()
        for _, guest in self._silent:
            guest.depart()
        self._silent.clear()


class _Guest:
    """One accepted connection until it is answered, handed over or gone. `sock` is None then."""

    __slots__ = ("_bulk", "_heard", "_house", "_lacks", "_local", "_peer", "_port", "_waits", "_web", "sock")

    def __init__(
        self, house: Listener, sock: socket.SocketType, peer: tuple[str, int], local: str, port: int, web: bool
    ) -> None:
        self._house = house
        self._peer = peer
        self._local = local
        self._port = port
        self._web = web
        self._heard = b""
        self._lacks = ASK_SIZE
        self._bulk = 0
        self._waits = False
        self.sock: socket.SocketType | None = sock

    def event(self, mask: int) -> None:
        if mask & FAILED and not mask & READ:
            self.depart()
        else:
            self.hear()

    def hear(self) -> bool:
        """Read what there is; True once this guest is dealt with."""
        sock = self.sock
        if sock is None:
            return True
        try:
            if self._web and not self._heard:
                first = sock.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
                if first and not MAGIC.startswith(first):
                    return self._pass_on(sock)
            data = sock.recv(self._lacks, socket.MSG_DONTWAIT)
        except BlockingIOError:
            self._waits = True
            return False
        except OSError:
            data = b""
        if self._take(data):
            self._waits = True
            return False
        self._answer(sock)
        self.leave()
        return True

    def _take(self, data: bytes) -> bool:
        """Whether more is to come."""
        self._lacks -= len(data)
        if self._bulk:
            return bool(data) and self._lacks > 0
        self._heard += data
        if data and not self._lacks:
            self._bulk = self._lacks = self._house.answers.bulk(self._heard)
        return bool(data) and self._lacks > 0 and MAGIC.startswith(self._heard[: len(MAGIC)])

    def _answer(self, sock: socket.SocketType) -> None:
        answers = self._house.answers
        answer = answers.answer(self._heard, self._port, self._peer, self._local)
        if answer is None:
            answers.stranger(self._port, self._peer[0], self._local)
            return
        try:
            # MSG_MORE: the end of the connection goes in the same packet.
            sock.send(answer + bytes(self._bulk), socket.MSG_DONTWAIT | socket.MSG_MORE)
        except OSError:
            pass  # the peer has gone; the receipt says that it had come

    def _pass_on(self, sock: socket.SocketType) -> bool:
        house, self.sock = self._house, None
        if self._waits:
            house.reactor.remove(sock.fileno())
        if house.hand_over is None:
            sock.close()
        else:
            house.hand_over(socket.socket(fileno=sock.detach()), self._port, self._peer[0], self._local)
        return True

    def depart(self) -> None:
        """Gone without a challenge: that it came at all is evidence."""
        if self.sock is not None:
            self._house.answers.stranger(self._port, self._peer[0], self._local)
            self.leave()

    def leave(self) -> None:
        sock, self.sock = self.sock, None
        if sock is not None:
            if self._waits:
                self._house.reactor.forget(sock.fileno())
            sock.close()
