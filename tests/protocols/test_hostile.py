"""Every protocol against a peer that is silent, closes at once, sends a byte a second, sends 10 MB, sends garbage: none
of them is a pass, and each attempt ends, in time and with little kept.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from probe.model.check import Check
from probe.model.dialogue import Dialogue, Expect, Secure
from probe.model.http import HttpTerms
from probe.model.judge import Situation, judge
from probe.model.matrix import Service
from probe.model.observation import PortUse, TargetView
from probe.model.ports import PortSet
from probe.model.protocols import WEB, spoken
from probe.model.words import Cause, Phase, Policy, Protocol, State, Transport, Verdict
from probe.model.words import Expect as Wanted
from probe.probes import http, talk
from probe.probes.attempt import Attempt, Terms
from probe.probes.letters import MOST_KEPT
from probe.protocols import NAMED, holder, told
from probe.spec.matrix.named import named, web
from probe.wire.messages import Aim

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from probe.model.observation import Observation

pytestmark = pytest.mark.usefixtures("no_blocking")
TCP = [name for name, known in NAMED.items() if known.tcp]
UDP = [name for name, known in NAMED.items() if known.udp]
GARBAGE = bytes((7 * number + number // 11) % 256 for number in range(700))
PATIENCE = 0.3
# A program that is known for something else than any of those that are asked.
OTHER = "influxd (pid 1)"


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    del writer
    await reader.read(-1)


async def closing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    del reader, writer


async def dripping(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A tenth of the patience between two bytes: each wait is short, all of them together are not."""
    del reader
    for byte in b"SSH+220 A0\0\0\0" * 100:
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(PATIENCE / 10)


async def flooding(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    del reader
    for _ in range(160):
        writer.write(b"\x1b[2J<script>" * 5500)
        await writer.drain()


async def babbling(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(1)
    writer.write(GARBAGE)
    await writer.drain()


async def nul(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(bytes(600))
    await writer.drain()
    await reader.read(-1)


async def repeating(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Has every id in its answer."""
    while data := await reader.read(4096):
        writer.write(data)


HOSTILE = [silent, closing, dripping, flooding, babbling, nul, repeating]
ANSWERS: dict[str, Callable[[bytes], list[bytes]]] = {
    "silent": lambda _: [],
    "byte": lambda _: [b"\0"],
    "garbage": lambda _: [GARBAGE],
    "nul": lambda _: [bytes(600)],
    "large": lambda _: [bytes(60_000)] * 20,
    "repeating": lambda data: [data],
    "cut": lambda data: [data[:3]],
}


def hurried(dialogue: Dialogue, patience: float = PATIENCE) -> Dialogue:
    steps = [
        msgspec.structs.replace(step, within=patience) if isinstance(step, (Expect, Secure)) else step
        for step in dialogue.steps
    ]
    return Dialogue(steps=tuple(steps), source_port=0, any_port=dialogue.any_port)


def outcome(name: str, transport: Transport, dialogue: Dialogue, seen: Observation, by: str) -> tuple[Verdict, Any]:
    check = Check(
        id="1", source="a", source_role="a", target="b", target_role="b", address="127.0.0.1", transport=transport,
        ports=PortSet.of([1]), protocol=Protocol(transport.value), service=name, matrix="m", rule="r",
        expect=Wanted.REACH, policy=Policy.ENFORCE, application=name, dialogue=dialogue,
    )  # fmt: skip
    view = TargetView(use=PortUse.LISTENER, by=by)
    judged = judge(Situation(check=check, phase=Phase.LIVE, seen=seen, view=view, holder=holder(name, by)))
    return judged.verdict, judged.cause


@pytest.mark.parametrize("peers", HOSTILE, ids=lambda peers: peers.__name__)
@pytest.mark.parametrize("name", TCP)
async def test_over_tcp(
    name: str, peers: Any, peer: Callable[..., Awaitable[int]], hold: Callable[..., Awaitable[Observation]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(talk, "_THINKING", PATIENCE)
    dialogue = named(name, Transport.TCP)
    assert dialogue is not None
    port, began = await peer(peers), time.monotonic()
    seen = await hold(port, hurried(dialogue))
    assert time.monotonic() - began < len(dialogue.steps) * PATIENCE + 3
    assert len(seen.said) <= MOST_KEPT
    assert seen.text.isprintable()
    assert isinstance(told(name, Transport.TCP, seen.said), str)
    verdict, cause = outcome(name, Transport.TCP, dialogue, seen, OTHER)
    assert verdict is Verdict.MISMATCH, seen
    assert cause in (Cause.WRONG_SERVICE, Cause.TLS), seen
    # The same from the program that should be there is its illness.
    _, cause = outcome(name, Transport.TCP, dialogue, seen, f"{NAMED[name].programs.split()[0]} (pid 1)")
    assert cause in (Cause.UNHEALTHY, Cause.WRONG_SERVICE, Cause.TLS)


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("name", UDP)
async def test_over_udp(name: str, answer: str, post: Any, hold: Callable[..., Awaitable[Observation]]) -> None:
    dialogue = named(name, Transport.UDP)
    assert dialogue is not None
    port, heard = await post(ANSWERS[answer])
    seen = await hold(port, hurried(dialogue), Transport.UDP, timeout=PATIENCE)
    if answer != "silent" and seen.state is State.OPEN_FILTERED:
        # A busy machine: the peer, which is in this very loop, came too late.
        seen = await hold(port, hurried(dialogue, 10 * PATIENCE), Transport.UDP, timeout=10 * PATIENCE)
    verdict, cause = outcome(name, Transport.UDP, dialogue, seen, OTHER)
    assert heard
    assert len(seen.said) <= MOST_KEPT
    assert (verdict, cause) == (Verdict.MISMATCH, Cause.WRONG_SERVICE), seen
    # The same from a program that is unknown, or that should be there: a server need not answer a stranger.
    for by in ("mystery (pid 1)", f"{NAMED[name].programs.split()[0]} (pid 1)"):
        wanted = (Verdict.INCONCLUSIVE, None) if answer == "silent" else (Verdict.MISMATCH, Cause.WRONG_SERVICE)
        assert outcome(name, Transport.UDP, dialogue, seen, by) == wanted


@pytest.mark.parametrize("name", TCP)
async def test_where_nobody_listens(name: str, free_port: int, hold: Callable[..., Awaitable[Observation]]) -> None:
    dialogue = named(name, Transport.TCP)
    assert dialogue is not None
    seen = await hold(free_port, dialogue)
    assert (seen.state, seen.failure) == ("closed", "refused")


async def webs(port: int, name: str) -> tuple[Verdict, Any, Observation]:
    service = Service(name=name, protocols=(name,))
    how = web(service, spoken(name)[0])
    assert how.http is not None
    terms = HttpTerms(text=how.http.text, regex=how.http.regex, known_by=how.http.known_by)
    aim = Aim(task=1, target=1, address="127.0.0.1", ports=str(port), protocol=WEB[name], path=how.path, http=terms)
    seen, _ = await http.probe(Attempt(aim, "127.0.0.1", port), Terms(number=1, timeout=PATIENCE))
    check = Check(
        id="1", source="a", source_role="a", target="b", target_role="b", address="127.0.0.1", path=how.path,
        transport=Transport.TCP, ports=PortSet.of([port]), protocol=WEB[name], service=name, matrix="m", rule="r",
        expect=Wanted.REACH, policy=Policy.ENFORCE, application=name, status=how.status,
    )  # fmt: skip
    view = TargetView(use=PortUse.LISTENER, by="dhcpd (pid 1)")
    judged = judge(Situation(check=check, phase=Phase.LIVE, seen=seen, view=view, holder=holder(name, view.by)))
    return judged.verdict, judged.cause, seen


@pytest.mark.parametrize("peers", HOSTILE, ids=lambda peers: peers.__name__)
async def test_over_http(peers: Any, peer: Callable[..., Awaitable[int]]) -> None:
    port, began = await peer(peers), time.monotonic()
    async with asyncio.TaskGroup() as group:
        tasks = {name: group.create_task(webs(port, name)) for name in WEB}
    assert time.monotonic() - began < 10
    for name, task in tasks.items():
        verdict, cause, seen = task.result()
        assert verdict is Verdict.MISMATCH, (name, seen)
        assert cause in (Cause.WRONG_SERVICE, Cause.TLS), (name, seen)
        assert seen.text.isprintable()
