"""UDP: one datagram with the keyed challenge, and what comes back: an answer, an ICMP error with its sender, or
nothing.

Without a stand-in the datagram is a stranger to the service; only an answer or an ICMP error says anything then,
silence is `open|filtered`.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import time
from typing import TYPE_CHECKING

import asyncio_dgram
from asyncio_dgram.aio import DatagramClient

from probe.model.observation import Failure, Observation, Operation, Proof
from probe.model.words import State
from probe.probes.classify import from_errno, from_error, read_icmp, refused, silence, watch_errors
from probe.probes.met import met
from probe.text import excerpt
from probe.wire.challenge import NONCE_SIZE, make_ask, read_answer

if TYPE_CHECKING:
    from probe.probes.attempt import Attempt, Terms

# asyncio_dgram's recv() is not woken by an error (FACTS): it looks for one when it is entered.
_SLICE = 0.02
# What a stranger is sent where no stand-in answers: one byte, so that nothing is amplified.
_NOTHING = b"\0"


async def probe(attempt: Attempt, terms: Terms) -> tuple[Observation, float | None]:
    """One attempt; the second value is always None: there is no kernel's round-trip time for UDP."""
    family = socket.AF_INET6 if ":" in attempt.address else socket.AF_INET
    operation = Operation.BIND
    sock = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        watch_errors(sock)
        bind = terms.bind_for(attempt.address)
        if bind:
            sock.bind((bind, 0))
        operation = Operation.CONNECT
        sock.connect((attempt.address, attempt.port))
    except OSError as error:
        sock.close()
        if operation is Operation.CONNECT and error.errno == errno.EADDRNOTAVAIL:
            return from_errno(
                errno.ENETUNREACH, operation
            ), None  # UDP has ports enough: it is the address that is missing
        return from_error(error, operation), None
    stream = await asyncio_dgram.from_socket(sock)
    assert isinstance(stream, DatagramClient)  # noqa: S101  (it has a peer)
    try:
        return await _exchange(stream, sock, attempt, terms), None
    finally:
        stream.close()


async def _exchange(stream: DatagramClient, sock: socket.socket, attempt: Attempt, terms: Terms) -> Observation:
    key, local = attempt.aim.key, sock.getsockname()[0]
    nonce = os.urandom(NONCE_SIZE)
    datagram = make_ask(key, terms.number, nonce, meant=attempt.address) if key else _NOTHING
    times = 3 if terms.careful else 1
    end = time.monotonic() + terms.timeout
    sent = 0
    operation = Operation.SEND
    stranger: Observation | None = None
    try:
        while (left := end - time.monotonic()) > 0:
            if left <= terms.timeout * (times - sent) / times:
                operation = Operation.SEND
                await stream.send(datagram)
                sent += 1
            if stream.exception is None:
                operation = Operation.RECEIVE
            try:
                async with asyncio.timeout(min(_SLICE, left)):
                    data, _ = await stream.recv()
            except TimeoutError as error:
                if error.errno is not None:
                    raise
                continue
            if not key:
                return Observation(state=State.OPEN, operation=operation, proof=Proof.ANSWERED, local=local)
            reply = read_answer(key, nonce, data)
            stranger = met(reply, (attempt.address, attempt.port), operation, local, excerpt(data))
            if stranger.proof is Proof.KEYED:
                return stranger
    except OSError as error:
        return refused(from_error(error, operation, read_icmp(sock), local), attempt.address)
    except asyncio_dgram.TransportClosed:
        return Observation(state=State.ERROR, operation=operation, failure=Failure.OTHER, local=local)
    icmp = read_icmp(sock)
    if icmp is not None:
        return refused(from_error(OSError(), operation, icmp, local), attempt.address)
    return stranger or silence(Operation.RECEIVE, local, State.FILTERED if key else State.OPEN_FILTERED)
