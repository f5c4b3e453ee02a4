"""A dialogue over TCP: a connection of its own, step by step, on a plain socket of the loop."""

from __future__ import annotations

import asyncio
import errno
import fcntl
import socket
import struct
import termios
import time
from typing import TYPE_CHECKING

from probe.model.dialogue import LONGEST, MOST, Expect, Secure, Send
from probe.model.observation import Failure, Observation, Operation, Proof
from probe.model.words import State
from probe.probes.classify import from_errno, from_error, has_source, read_icmp, silence, watch_errors
from probe.probes.fitting import MOST_KEPT, Ended, Fit, compared, filled, fresh_ids
from probe.probes.tcp import met_itself, round_trip
from probe.probes.tls import Secured, TlsFailed
from probe.text import excerpt

if TYPE_CHECKING:
    from probe.model.dialogue import Dialogue, Pattern, Step
    from probe.model.tls import TlsFacts, TlsTerms
    from probe.probes.attempt import Attempt, Terms
    from probe.probes.fitting import Ids

# How long a service may think about an answer where the matrix does not say: many look up who asks first.
_THINKING = 5.0
# Who had to speak first, and did not, has so long to answer us.
_AT_LAST = 1.0
# A peer that still talks when we leave is heard out for a moment, so that it need not complain about a reset.
_FAREWELL, _MOST_FAREWELL = 0.2, 65_536
_PIECE = 4096
_ALERT = b"\x15\x03"  # the record of an alert, from SSL 3 to TLS 1.3 (RFC 8446, section 5.1)


async def hold(attempt: Attempt, terms: Terms, dialogue: Dialogue) -> tuple[Observation, float | None]:
    family = socket.AF_INET6 if ":" in attempt.address else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    with sock:
        try:
            await _connect(sock, attempt, terms)
        except _NotOpen as error:
            return error.seen, None
        local = sock.getsockname()[0]
        if met_itself(sock):
            return Observation(state=State.ERROR, operation=Operation.CONNECT, failure=Failure.SELF_CONNECT), None
        line = _Line(sock, attempt.aim.tls, attempt.aim.address)
        talk = _Talk(line, fresh_ids(dialogue, local), time.monotonic() + LONGEST)
        seen = await talk.hold(dialogue, local)
        rtt = round_trip(sock)
        await line.leave(heard_out=seen.failure is None)
        return seen, rtt


class _NotOpen(Exception):
    def __init__(self, seen: Observation) -> None:
        super().__init__()
        self.seen = seen


async def _connect(sock: socket.socket, attempt: Attempt, terms: Terms) -> None:
    """Raises _NotOpen with what was seen instead of a connection."""
    operation = Operation.BIND
    try:
        watch_errors(sock)
        if bind := terms.bind_for(attempt.address):
            sock.bind((bind, 0))
        operation = Operation.CONNECT
        number = sock.connect_ex((attempt.address, attempt.port))
        if number == errno.EADDRNOTAVAIL and not has_source(attempt.address):
            number = errno.ENETUNREACH
        if number == errno.EINPROGRESS:
            async with asyncio.timeout(terms.timeout):
                await _writable(sock)
            number = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    except TimeoutError:
        icmp = read_icmp(sock)
        raise _NotOpen(from_errno(None, operation, icmp) if icmp else silence(operation)) from None
    except OSError as error:
        raise _NotOpen(from_error(error, operation, read_icmp(sock))) from None
    if number:
        raise _NotOpen(from_errno(number, operation, read_icmp(sock)))


async def _writable(sock: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_writer(sock, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_writer(sock)


class _Line:
    """A connection, inside TLS once `secure` has been called. Errors are those of the stream that it is."""

    def __init__(self, sock: socket.socket, terms: TlsTerms, dialled: str) -> None:
        self._sock = sock
        self._terms = terms
        self._dialled = dialled
        self._tls: Secured | None = None
        self.facts: TlsFacts | None = None

    async def send(self, data: bytes) -> None:
        if self._tls is not None:
            await self._tls.send(data)
        else:
            await asyncio.get_running_loop().sock_sendall(self._sock, data)

    async def receive(self, most: int) -> bytes:
        if self._tls is not None:
            return await self._tls.receive(most)
        return await asyncio.get_running_loop().sock_recv(self._sock, most)

    async def secure(self) -> None:
        try:
            self._tls = Secured(self._sock, self._terms, self._dialled)
            self.facts = await self._tls.shake()
        except TlsFailed as error:
            self.facts = error.facts
            raise
        except ValueError as error:
            raise Ended(Failure.OTHER, Operation.TLS, str(error)) from None

    @property
    def secured(self) -> bool:
        return self._tls is not None

    @property
    def unacknowledged(self) -> bool:
        """Whether the peer's kernel has not confirmed all that was sent (tcp(7), SIOCOUTQ): then it is not the
        service that is slow.
        """
        return bool(struct.unpack("i", fcntl.ioctl(self._sock, termios.TIOCOUTQ, bytes(4)))[0])

    async def leave(self, *, heard_out: bool) -> None:
        """End the connection in good order."""
        try:
            async with asyncio.timeout(_FAREWELL if heard_out else 0.0):
                if self._tls is not None:
                    await self._tls.farewell()
                self._sock.shutdown(socket.SHUT_WR)
                heard = 0
                while heard < _MOST_FAREWELL:
                    data = await asyncio.get_running_loop().sock_recv(self._sock, _PIECE)
                    if not data:
                        return
                    heard += len(data)
        except Exception:  # noqa: BLE001  (all has been said; how the peer takes our leave is no evidence)
            return


class _Talk:
    """One dialogue, step by step."""

    def __init__(self, line: _Line, ids: Ids, end: float) -> None:
        self._line = line
        self._ids = ids
        self._end = end
        self._said = b""  # all answers
        self._last = b""
        self._asked = False

    async def hold(self, dialogue: Dialogue, local: str) -> Observation:
        try:
            for number, step in enumerate(dialogue.steps):
                try:
                    await self._take(step)
                except Ended as error:
                    raise await self._answer_at_last(error, dialogue.steps[number:]) from None
        except Ended as error:
            return Observation(
                # What cannot be asked is our own fault.
                state=State.ERROR if error.failure is Failure.OTHER else State.OPEN,
                operation=error.operation,
                failure=error.failure,
                proof=Proof.ANSWERED if self._said else Proof.ACCEPTED,
                text=error.text,
                said=self._said[:MOST_KEPT],
                tls=self._line.facts,
                local=local,
            )
        return Observation(
            state=State.OPEN,
            operation=Operation.RECEIVE,
            proof=Proof.ANSWERED,
            said=self._said[:MOST_KEPT],
            tls=self._line.facts,
            local=local,
        )

    async def _take(self, step: Send | Expect | Secure) -> None:
        match step:
            case Send():
                await self._send(filled(step.parts, self._ids))
            case Expect():
                await self._expect(step.patterns, step.unhealthy, step.most, step.within)
            case Secure():
                await self._secure(step)

    async def _answer_at_last(self, end: Ended, left: tuple[Step, ...]) -> Ended:
        """Who was to speak first and is silent may wait for us: what he says to our next words tells who he is."""
        words = next((step for step in left if isinstance(step, Send)), None)
        greeting = left[0]
        if end.failure is not Failure.TIMEOUT or self._asked or self._said or words is None:
            return end
        if not isinstance(greeting, Expect):
            return end  # it was to shake hands for TLS
        try:
            await self._send(filled(words.parts, self._ids))
            await self._hear(greeting.patterns, greeting.unhealthy, greeting.most, _AT_LAST)
        except Ended as error:
            return error if error.failure is Failure.BAD_ANSWER else end
        return end  # a greeting that comes this late

    async def _secure(self, step: Secure) -> None:
        if step.ask:
            await self._send(filled(step.ask, self._ids))
            await self._expect(step.yes + step.no, step.unhealthy, MOST, step.within)
            if compared(step.no, (), self._last, self._ids)[0] is Fit.YES:
                return
        try:
            async with asyncio.timeout(self._patience(step.within)):
                await self._line.secure()
        except TlsFailed as error:
            raise Ended(error.failure, Operation.TLS, error.text) from None
        except TimeoutError:
            raise Ended(Failure.TIMEOUT, Operation.TLS) from None
        except OSError:
            raise Ended(Failure.RESET, Operation.TLS) from None

    async def _send(self, data: bytes) -> None:
        try:
            async with asyncio.timeout(self._patience(0.0)):
                await self._line.send(data)
            self._asked = True
        except TimeoutError:
            raise Ended(Failure.TIMEOUT, Operation.SEND) from None
        except OSError:
            # It went before it had heard all; what it said by then is still to be read.
            self._asked = True

    async def _expect(
        self, patterns: tuple[Pattern, ...], unhealthy: tuple[Pattern, ...], most: int, within: float
    ) -> None:
        if await self._hear(patterns, unhealthy, most, within):
            raise Ended(Failure.UNHEALTHY, Operation.RECEIVE, excerpt(self._last))

    async def _hear(self, patterns: tuple[Pattern, ...], others: tuple[Pattern, ...], most: int, within: float) -> bool:
        """Whether the answer was one of the `others`. Raises Ended for what is neither."""
        data, state = b"", Fit.BEGUN
        before = self._said
        try:
            async with asyncio.timeout(self._patience(within)):
                while True:
                    piece = await self._piece(most - len(data), data)
                    data += piece
                    self._said, self._last = before + data, data
                    state, is_other = self._compare(patterns, others, data)
                    if state is Fit.YES:
                        return is_other
                    if state is Fit.NO or len(data) >= most:
                        raise self._another(data)
        except TimeoutError:
            if data and state is Fit.NOT_YET:
                raise self._another(data) from None
            lost = not data and self._asked and self._line.unacknowledged
            raise Ended(Failure.TIMEOUT, Operation.SEND if lost else Operation.RECEIVE, excerpt(data)) from None

    async def _piece(self, most: int, before: bytes) -> bytes:
        """What comes next. The end of the connection is an answer only where something was said before it."""
        failure = Failure.CLOSED
        try:
            piece = await self._line.receive(min(most, _PIECE))
        except TlsFailed as error:
            if error.failure is Failure.BAD_ANSWER:
                # In TLS 1.3 who wants a client certificate says so only now (RFC 8446, section 4.4.2.4).
                raise Ended(Failure.BAD_ANSWER, Operation.TLS, error.text) from None
            piece, failure = b"", error.failure
        except OSError:
            piece, failure = b"", Failure.RESET
        if piece:
            return piece
        raise self._another(before) if before else Ended(failure, Operation.RECEIVE)

    def _another(self, data: bytes) -> Ended:
        """The end of a dialogue with somebody who says this."""
        if data.startswith(_ALERT) and not self._line.secured:
            return Ended(Failure.BAD_ANSWER, Operation.TLS, "it answered with a TLS alert: it wants TLS")
        return Ended(Failure.BAD_ANSWER, Operation.RECEIVE, excerpt(data))

    def _compare(self, patterns: tuple[Pattern, ...], others: tuple[Pattern, ...], data: bytes) -> tuple[Fit, bool]:
        """How it fits, and whether it is one of the others."""
        return compared(patterns, others, data, self._ids)

    def _patience(self, within: float) -> float:
        return max(0.0, min(within or _THINKING, self._end - time.monotonic()))
