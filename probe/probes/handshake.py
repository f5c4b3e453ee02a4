"""TLS as a protocol of its own: a complete handshake, and nothing sent in it. Where a stand-in is expected, it is asked
in HTTPS, which is TLS too.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec

from probe.model.observation import Failure, Observation, Operation, Proof
from probe.model.words import State
from probe.probes.stream import connect
from probe.probes.tcp import round_trip
from probe.probes.tls import Secured, TlsFailed

if TYPE_CHECKING:
    import socket

    from probe.probes.attempt import Attempt, Terms

# So long after the handshake a server may still complain.
_LAST_WORDS = 0.5


async def probe(attempt: Attempt, terms: Terms) -> tuple[Observation, float | None]:
    """One handshake on a connection of its own."""
    if attempt.aim.key:
        from probe.probes import http  # noqa: PLC0415  (aiohttp costs 0.3 s and 27 MB)

        return await http.probe(attempt, terms)
    end = asyncio.get_running_loop().time() + terms.timeout
    sock = await connect(attempt, terms)
    if isinstance(sock, Observation):
        return sock, None
    with sock:
        return await _shake(sock, attempt, end), round_trip(sock)


async def wanted(attempt: Attempt, terms: Terms) -> Observation | None:
    """Of a service that hung up when it was asked without TLS: what says that it speaks TLS; None if it does not."""
    shaken, _ = await probe(attempt, terms)
    if shaken.tls is None or not shaken.tls.version:
        return None
    text = "it hung up when it was asked without TLS, and speaks TLS: it wants TLS"
    return msgspec.structs.replace(shaken, failure=Failure.BAD_ANSWER, operation=Operation.TLS, text=text)


async def _shake(sock: socket.socket, attempt: Attempt, end: float) -> Observation:
    local = sock.getsockname()[0]
    try:
        secured = Secured(sock, attempt.aim.tls, attempt.aim.address)
    except ValueError as error:
        return Observation(state=State.ERROR, operation=Operation.TLS, failure=Failure.OTHER, text=str(error)[:200])
    try:
        async with asyncio.timeout_at(end):
            facts = await secured.shake()
    except TlsFailed as error:
        return refused(error, local)
    except TimeoutError:
        return refused(TlsFailed(Failure.TIMEOUT), local)
    try:
        async with asyncio.timeout(_LAST_WORDS):
            await secured.farewell()
    except TlsFailed as error:
        return refused(error, local)
    except TimeoutError:
        pass  # it takes its time to hang up
    return Observation(state=State.OPEN, operation=Operation.TLS, proof=Proof.ANSWERED, tls=facts, local=local)


def refused(error: TlsFailed, local: str) -> Observation:
    """What a handshake that failed saw."""
    told = error.facts is not None and error.facts.version
    return Observation(
        state=State.OPEN,
        operation=Operation.TLS,
        failure=error.failure,
        proof=Proof.ANSWERED if told or error.failure is Failure.BAD_ANSWER else Proof.ACCEPTED,
        text=error.text,
        tls=error.facts,
        local=local,
    )
