"""A dialogue over UDP, in datagrams. What is no answer does not end the wait: the answer may come behind it."""

from __future__ import annotations

import asyncio
import errno
import socket
import time
from ipaddress import ip_address
from typing import TYPE_CHECKING

from probe.model.dialogue import LONGEST, MOST_READ, Expect, Send
from probe.model.observation import Failure, Observation, Operation, Proof
from probe.model.words import State
from probe.probes.classify import from_errno, from_error, read_icmp, refused, silence, watch_errors
from probe.probes.fitting import MOST_KEPT, Ended, Fit, compared, filled, fresh_ids
from probe.text import excerpt

if TYPE_CHECKING:
    from probe.model.dialogue import Dialogue
    from probe.probes.attempt import Attempt, Terms


async def exchange(attempt: Attempt, terms: Terms, dialogue: Dialogue) -> Observation:
    family = socket.AF_INET6 if ":" in attempt.address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC) as sock:
        operation = Operation.BIND
        try:
            watch_errors(sock)
            bind = terms.bind_for(attempt.address)
            if dialogue.source_port:
                # A DHCP client of this host's may hold it, and shares it: connected, we hear our server alone.
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if bind or dialogue.source_port:
                sock.bind((bind, dialogue.source_port))
            operation = Operation.CONNECT
            local = _local(family, attempt, bind)
            if not dialogue.any_port:
                sock.connect((attempt.address, attempt.port))
        except OSError as error:
            if operation is Operation.BIND and dialogue.source_port:
                return _no_source_port(error, dialogue.source_port)
            if operation is Operation.CONNECT and error.errno == errno.EADDRNOTAVAIL:
                return from_errno(errno.ENETUNREACH, operation)
            return from_error(error, operation)
        return await _Letters(sock, attempt, terms, dialogue, local).exchange()


def _local(family: int, attempt: Attempt, bind: str) -> str:
    """Our own address on the way there. Nothing is sent."""
    if bind:
        return bind
    with socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC) as sock:
        sock.connect((attempt.address, attempt.port))
        return str(sock.getsockname()[0])


def _no_source_port(error: OSError, port: int) -> Observation:
    """It is our own lack, not the network's."""
    if error.errno in (errno.EACCES, errno.EPERM):
        why = f"the protocol is asked from port {port}, for which the agent needs root or CAP_NET_BIND_SERVICE"
    elif error.errno == errno.EADDRINUSE:
        why = f"the protocol is asked from port {port}, which another program of the source holds"
    else:
        why = errno.errorcode.get(error.errno or 0, str(error))
    return Observation(state=State.ERROR, operation=Operation.BIND, failure=Failure.RESOURCES, text=why)


class _Letters:
    """The same in datagrams. What is no answer does not end the wait: the answer may come behind it."""

    def __init__(self, sock: socket.socket, attempt: Attempt, terms: Terms, dialogue: Dialogue, local: str) -> None:
        self._sock = sock
        self._attempt = attempt
        self._steps = dialogue.steps
        self._any_port = dialogue.any_port
        self._times = 3 if terms.careful else 1
        self._patience = terms.timeout
        self._ids = fresh_ids(dialogue, local)
        self._local = local
        self._end = time.monotonic() + LONGEST
        self._last = b""
        self._from = 0

    async def exchange(self) -> Observation:
        said = b""
        operation = Operation.SEND
        try:
            for step in self._steps:
                if isinstance(step, Send):
                    operation, self._last = Operation.SEND, filled(step.parts, self._ids)
                    self._post()
                elif isinstance(step, Expect):
                    operation = Operation.RECEIVE
                    is_other, said = await self._answer(step)
                    if is_other:
                        return self._open(said, Failure.UNHEALTHY, excerpt(said))
        except Ended as error:
            return Observation(state=State.ERROR, operation=error.operation, failure=error.failure, text=error.text)
        except _Silent as error:
            if error.met is not None:
                return self._open(error.met, Failure.BAD_ANSWER, excerpt(error.met))
            if (icmp := read_icmp(self._sock)) is not None:
                return refused(from_error(OSError(), operation, icmp, self._local), self._attempt.address)
            return silence(Operation.RECEIVE, self._local, State.OPEN_FILTERED)
        except OSError as error:
            seen = from_error(error, operation, read_icmp(self._sock), self._local)
            return refused(seen, self._attempt.address)
        told = f"it answers from port {self._from}" if self._from not in (0, self._attempt.port) else ""
        return self._open(said, None, told)

    def _open(self, said: bytes, failure: Failure | None, text: str) -> Observation:
        return Observation(
            state=State.OPEN,
            operation=Operation.RECEIVE,
            failure=failure,
            proof=Proof.ANSWERED,
            said=said[:MOST_KEPT],
            text=text,
            local=self._local,
        )

    def _post(self) -> None:
        if self._any_port:
            self._sock.sendto(self._last, (self._attempt.address, self._attempt.port))
        else:
            self._sock.send(self._last)

    async def _answer(self, step: Expect) -> tuple[bool, bytes]:
        """Whether it is an unhealthy one, and what it says. Raises _Silent."""
        patience = max(0.0, min(step.within or self._patience, self._end - time.monotonic()))
        began, sent = time.monotonic(), 1
        met: bytes | None = None
        while time.monotonic() < began + patience:
            # Datagrams get lost: a careful attempt asks again while it waits.
            until = began + patience * sent / self._times if sent < self._times else began + patience
            try:
                async with asyncio.timeout(max(until - time.monotonic(), 0.0)):
                    data, peer = await asyncio.get_running_loop().sock_recvfrom(self._sock, MOST_READ)
            except TimeoutError as error:
                if error.errno is not None:
                    raise
                if sent < self._times and self._last:
                    sent += 1
                    self._post()
                continue
            if not self._is_from_there(peer):
                continue
            state, is_other = compared(step.patterns, step.unhealthy, data[: step.most], self._ids)
            if state is Fit.YES:
                self._from = peer[1]
                return is_other, data
            met = data
        raise _Silent(met)

    def _is_from_there(self, peer: tuple[str, int]) -> bool:
        return ip_address(peer[0].partition("%")[0]) == ip_address(self._attempt.address.partition("%")[0])


class _Silent(Exception):
    """No answer of the right kind came; `met` is the last of another kind."""

    def __init__(self, met: bytes | None) -> None:
        super().__init__()
        self.met = met
