"""A TCP connection for probers that are coroutines, or what was seen instead of one."""

from __future__ import annotations

import asyncio
import errno
import socket
from typing import TYPE_CHECKING

from probe.model.observation import Failure, Observation, Operation
from probe.model.words import State
from probe.probes.classify import from_error, from_icmp, has_source, read_icmp, silence, watch_errors

if TYPE_CHECKING:
    from probe.probes.attempt import Attempt, Terms


async def connect(attempt: Attempt, terms: Terms) -> socket.socket | Observation:
    """Dial the attempt's port, within the time of the terms. The socket is non-blocking, and the caller's to close."""
    family = socket.AF_INET6 if ":" in attempt.address else socket.AF_INET
    try:
        sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    except OSError as error:
        return from_error(error, Operation.BIND)
    try:
        seen = await _connect(sock, attempt, terms)
    except BaseException:
        sock.close()
        raise
    if seen is not None:
        sock.close()
        return seen
    return sock


async def _connect(sock: socket.socket, attempt: Attempt, terms: Terms) -> Observation | None:
    operation = Operation.BIND
    try:
        watch_errors(sock)
        if bind := terms.bind_for(attempt.address):
            sock.bind((bind, 0))
        operation = Operation.CONNECT
        async with asyncio.timeout(terms.timeout):
            await asyncio.get_running_loop().sock_connect(sock, (attempt.address, attempt.port))
        if sock.getsockname()[:2] == sock.getpeername()[:2]:
            return Observation(state=State.ERROR, operation=operation, failure=Failure.SELF_CONNECT)
    except TimeoutError as error:
        if error.errno is None:
            icmp = read_icmp(sock)
            return from_icmp(icmp, operation) if icmp is not None else silence(operation)
        return from_error(error, operation, read_icmp(sock))
    except OSError as error:
        if error.errno == errno.EADDRNOTAVAIL and operation is Operation.CONNECT and not has_source(attempt.address):
            error = OSError(errno.ENETUNREACH, "")
        return from_error(error, operation, read_icmp(sock))
    return None
