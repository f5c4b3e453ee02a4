"""Who hangs up on a TLS handshake is asked once more, in silence."""

from __future__ import annotations

import asyncio
import struct
from typing import TYPE_CHECKING, Any

import pytest

from probe.model.observation import Failure, Observation, Operation, Proof
from probe.model.tls import HUNG_UP
from probe.model.words import Protocol, State
from probe.probes import dialogue as dialogues
from probe.probes import handshake, hangup, http
from probe.probes.attempt import Attempt, Terms
from probe.spec.matrix.named import read
from probe.wire.messages import Aim

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

pytestmark = pytest.mark.usefixtures("no_blocking")
PROBERS = {"tls": (handshake, Protocol.TLS), "https": (http, Protocol.HTTPS), "dialogue": (dialogues, Protocol.TCP)}


async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Hangs up on what it does not know."""
    await reader.read(1)
    del writer


async def rude(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """The same, with a reset."""
    await reader.read(1)
    sock = writer.get_extra_info("socket")
    sock.setsockopt(1, 13, struct.pack("ii", 1, 0))  # SO_LINGER
    writer.transport.abort()


async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A balancer that looks for a back end for a while, whatever it is told, and finds none."""
    del reader, writer
    await asyncio.sleep(0.3)


async def closing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    del reader, writer


async def once(handler: Any, serve: Callable[..., Awaitable[int]], which: str) -> Observation:
    """As a round of a walk does it."""
    prober, protocol = PROBERS[which]
    port = await serve(handler)
    steps = read([{"tls": True}, {"send": "a"}]) if which == "dialogue" else None
    aim = Aim(task=1, target=1, address="127.0.0.1", ports=str(port), protocol=protocol, dialogue=steps)
    attempt, terms = Attempt(aim, "127.0.0.1", port), Terms(number=1, timeout=2.0, careful=True)
    began = asyncio.get_running_loop().time()
    seen, _ = await prober.probe(attempt, terms)
    return await hangup.reconsidered(attempt, terms, seen, asyncio.get_running_loop().time() - began)


@pytest.mark.parametrize("which", PROBERS)
@pytest.mark.parametrize("handler", [plain, rude], ids=lambda handler: handler.__name__)
async def test_who_hangs_up_on_the_handshake_alone_speaks_no_tls(
    handler: Any, which: str, serve: Callable[..., Awaitable[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hangup, "_MARGIN", 0.2)
    seen = await once(handler, serve, which)
    assert seen.failure in (Failure.CLOSED, Failure.RESET)
    assert (seen.operation, seen.text) == (Operation.TLS, HUNG_UP)
    assert seen.proof is Proof.ACCEPTED


@pytest.mark.parametrize("which", PROBERS)
@pytest.mark.parametrize("handler", [closing, slow], ids=lambda handler: handler.__name__)
async def test_who_hangs_up_on_everybody_proves_nothing(
    handler: Any, which: str, serve: Callable[..., Awaitable[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hangup, "_MARGIN", 0.2)  # less than what the slow one takes
    seen = await once(handler, serve, which)
    assert seen.failure in (Failure.CLOSED, Failure.RESET)
    assert seen.text == ""


@pytest.mark.parametrize(
    "seen",
    [
        Observation(state=State.OPEN, operation=Operation.TLS, failure=Failure.TIMEOUT),
        Observation(state=State.OPEN, operation=Operation.RECEIVE, failure=Failure.CLOSED),
        Observation(state=State.OPEN, operation=Operation.TLS, failure=Failure.CLOSED, said=b"S"),
    ],
    ids=["silent", "elsewhere", "agreed"],
)
async def test_nobody_else_is_asked_again(seen: Observation, serve: Callable[..., Awaitable[int]]) -> None:
    visits = []
    port = await serve(lambda *_: visits.append(1) or asyncio.sleep(0))
    attempt = Attempt(
        Aim(task=1, target=1, address="127.0.0.1", ports=str(port), protocol=Protocol.TLS), "127.0.0.1", port
    )
    assert await hangup.reconsidered(attempt, Terms(number=1), seen, 0.0) is seen
    assert visits == []


async def test_who_is_gone_meanwhile_changes_nothing(free_port: int) -> None:
    seen = Observation(state=State.OPEN, operation=Operation.TLS, failure=Failure.CLOSED)
    aim = Aim(task=1, target=1, address="127.0.0.1", ports=str(free_port), protocol=Protocol.TLS)
    assert await hangup.reconsidered(Attempt(aim, "127.0.0.1", free_port), Terms(number=1), seen, 0.0) is seen
