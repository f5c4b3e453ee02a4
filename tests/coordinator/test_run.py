"""Whole runs on loopback: real agents, real sockets, a plan made for the occasion."""

from __future__ import annotations

import asyncio
import socket
import sys
import time
from typing import Any

import pytest

from probe.cli.exitcodes import Exit, exit_for
from probe.coordinator.run import Run, Terms
from probe.errors import UserError
from probe.model.ports import PortSet
from probe.model.words import Phase, Policy, Protocol

# Addresses of these tests alone; where a whole range is needed, each test has its own below the ephemeral ones, so that
# they may run side by side.
SOURCE, TARGET = "127.81.0.1", "127.81.0.2"
PRE, LIVE, AUTO = Phase.PRE_INSTALL, Phase.LIVE, Phase.AUTO
SECONDS = 30


async def report(plan: Any, phase: Phase = PRE, progress: Any = None, **terms: Any) -> Any:
    async with asyncio.timeout(SECONDS):
        run = Run(plan, Terms(phase=phase, timeout=0.5, **terms), progress or (lambda *_: None))
        return await run.execute()


def rows(found: Any) -> dict[str, str]:
    """`ports: verdict cause`"""
    return {row.ports: f"{row.verdict} {row.cause or ''}".strip() for row in found.checks}


@pytest.fixture
def pair(host: Any) -> Any:
    return host("w1", "web", SOURCE), host("d1", "db", TARGET)


@pytest.fixture
def two_ports(free_ports: Any) -> list[int]:
    return sorted(free_ports(2, TARGET))


async def test_a_free_port_and_a_taken_one(pair: Any, plan: Any, two_ports: Any) -> None:
    free, taken = two_ports
    with socket.create_server((TARGET, taken)):
        found = await report(plan(*pair, ports=f"{free},{taken}"))
    assert rows(found) == {str(free): "pass", str(taken): "mismatch port-taken"}
    failing = next(row for row in found.checks if row.cause)
    assert "(pid " in failing.detail
    assert exit_for(found) is Exit.DEVIATIONS
    assert [host.agent is not None for host in found.hosts] == [True, True]
    passing = next(row for row in found.checks if not row.cause)
    assert passing.evidence[0].what.startswith("the stand-in gave the right answer")
    assert passing.rtt_ms is None or passing.rtt_ms < 100


@pytest.mark.parametrize("protocol", [Protocol.UDP, Protocol.HTTP, Protocol.HTTPS])
async def test_a_free_port_of_every_protocol(pair: Any, plan: Any, free_ports: Any, protocol: Protocol) -> None:
    (port,) = free_ports(1, TARGET)
    found = await report(plan(*pair, ports=str(port), protocol=protocol))
    assert rows(found) == {str(port): "pass"}
    assert exit_for(found) is Exit.CONFORMS


@pytest.mark.parametrize(
    ("phase", "there", "missing"),
    [(LIVE, "pass", "down not-listening"), (AUTO, "pass", "pass")],
)
async def test_a_service_that_is_there_and_one_that_is_not(
    pair: Any, plan: Any, two_ports: Any, phase: Phase, there: str, missing: str
) -> None:
    one, two = two_ports
    with socket.create_server((TARGET, one), backlog=50):
        found = await report(plan(*pair, ports=f"{one},{two}"), phase)
    by_port = {port: said for ports, said in rows(found).items() for port in PortSet.parse(ports)}
    assert by_port == {one: there, two: missing}


async def test_what_no_flow_allows_is_exposed(pair: Any, plan: Any, free_ports: Any, host: Any) -> None:
    """On loopback nothing is in the way."""
    (port,) = free_ports(1, TARGET)
    other = host("x1", "cache", "127.81.0.3")
    found = await report(plan(*pair, other, ports=str(port), policy=Policy.ENFORCE))
    assert {(row.source, row.expect.value, row.verdict.value, row.cause) for row in found.checks} == {
        ("w1", "reach", "pass", None),
        ("x1", "block", "exposed", "stand-in"),
    }


async def test_a_range_larger_than_the_agent_can_open_at_once(
    pair: Any, plan: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Several windows, one row."""
    from probe.wire import messages

    opened: list[int] = []
    encode = messages.encode

    def spy(message: Any) -> bytes:
        if isinstance(message, messages.Open):
            opened.append(sum(len(PortSet.parse(end.ports)) for end in message.endpoints))
        return encode(message)

    monkeypatch.setattr("probe.coordinator.link.encode", spy)
    monkeypatch.setattr(Run, "_capacity", lambda *_: 64)
    found = await report(plan(*pair, ports="21000-21199"))
    assert rows(found) == {"21000-21199": "pass"}
    assert opened == [64, 64, 64, 8]


class TestAnAgentThatFails:
    @pytest.mark.parametrize(
        ("command", "said"),
        [
            ("/no/such/program", "No such file"),
            ("sh -c 'echo no route to host >&2; exit 255' --", "no route to host; exit code 255"),
            ("echo Welcome", "Welcome portcheck agent --stdio"),
            ("true", "no agent there"),
        ],
    )
    @pytest.mark.parametrize("which", ["source", "target"])
    async def test_costs_its_own_rows(
        self, host: Any, plan: Any, free_ports: Any, command: str, said: str, which: str
    ) -> None:
        (port,) = free_ports(1, TARGET)
        broken = {"portcheck_exec": command}
        source = host("w1", "web", SOURCE, **(broken if which == "source" else {}))
        target = host("d1", "db", TARGET, **(broken if which == "target" else {}))
        found = await report(plan(source, target, ports=str(port)))
        assert rows(found) == {str(port): "inconclusive no-agent"}
        (problem,) = (one.problem for one in found.hosts if one.agent is None)
        assert said in problem
        assert said in found.checks[0].detail
        assert exit_for(found) is Exit.INCONCLUSIVE

    async def test_and_not_those_of_others(self, host: Any, plan: Any, free_ports: Any) -> None:
        (port,) = free_ports(1, TARGET)
        hosts = (
            host("w1", "web", SOURCE),
            host("w2", "web", "127.81.0.3", portcheck_exec="false"),
            host("d1", "db", TARGET),
        )
        found = await report(plan(*hosts, ports=str(port)))
        assert {(row.source, row.verdict.value) for row in found.checks} == {("w1", "pass"), ("w2", "inconclusive")}

    async def test_that_answers_nonsense_to_an_order(self, host: Any, plan: Any, tmp_path: Any) -> None:
        """Ports that are none, from a target: it is lost, the run is not."""
        file = tmp_path / "liar.py"
        file.write_text(_LIAR)
        target = host("d1", "db", TARGET, portcheck_exec=f"{sys.executable} {file}")
        found = await report(plan(host("w1", "web", SOURCE), target, ports="25000"))
        assert rows(found) == {"25000": "inconclusive agent-lost"}
        assert "neither a port nor a range" in found.checks[0].detail

    async def test_one_without_an_agent_on_purpose(self, host: Any, plan: Any, free_ports: Any) -> None:
        (port,) = free_ports(1, TARGET)
        hosts = host("w1", "web", SOURCE), host("d1", "db", TARGET, portcheck_agent="none")
        with socket.create_server((TARGET, port)):
            found = await report(plan(*hosts, ports=str(port)), AUTO)
        assert rows(found) == {str(port): "pass"}

    async def test_one_that_there_is_no_way_to(self, host: Any, plan: Any) -> None:
        hosts = host("w1", "web", SOURCE), host("d1", "db", TARGET, ansible_connection="winrm")
        with pytest.raises(UserError, match="ansible_connection=winrm"):
            await report(plan(*hosts, ports="21000"))


_LIAR = """
import os, sys
from probe.model.observation import TargetView
from probe.model.words import Transport
from probe.wire.frames import PREFACE, Decoder
from probe.wire.messages import *

def say(data):
    os.write(1, data)

say(PREFACE + encode(Hello(wire=VERSION, version="0", python="3", capabilities=(), files=1000)))
decoder = Decoder()
while data := os.read(0, 65536):
    for order in map(decode_order, decoder.feed(data)):
        if isinstance(order, Open):
            held = Held(address="127.81.0.2", transport=Transport.TCP, ports="bogus", view=TargetView())
            say(encode(Looked(id=order.id, held=(held,))))
"""


class TestInterrupted:
    async def test_it_ends_soon_with_what_there_is(self, pair: Any, plan: Any) -> None:
        """A pace of twenty a second over two thousand ports would take a hundred."""
        run = Run(
            plan(*pair, ports="22000-23999"),
            Terms(phase=PRE, rate=20.0),
            lambda done, *_: run.stop() if done >= 10 else None,
        )
        began = time.monotonic()
        async with asyncio.timeout(SECONDS):
            found = await run.execute()
        assert time.monotonic() - began < 15
        assert found.run.interrupted
        assert exit_for(found) is Exit.INTERRUPTED
        assert rows(found).keys() >= {row.ports for row in found.checks}
        measured = {row.verdict.value: len(PortSet.parse(row.ports)) for row in found.checks}
        assert sum(measured.values()) == 2000
        assert measured["pass"] >= 10
        left = next(row for row in found.checks if row.verdict.value == "inconclusive")
        assert left.detail == "not measured: the run was interrupted"
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((TARGET, 22000), timeout=2)

    async def test_before_anybody_was_reached(self, host: Any, plan: Any) -> None:
        hosts = [host("w1", "web", SOURCE, portcheck_exec="sh -c 'exec sleep 60' --"), host("d1", "db", TARGET)]
        run = Run(plan(*hosts, ports="25001"), Terms(phase=PRE), lambda *_: None)
        asyncio.get_running_loop().call_later(0.3, run.stop)
        async with asyncio.timeout(SECONDS):
            found = await run.execute()
        assert found.run.interrupted
        assert {row.verdict.value for row in found.checks} == {"inconclusive"}


async def test_nothing_to_check_reaches_nobody(host: Any, plan: Any) -> None:
    found = await report(plan(host("x1", "cache", SOURCE, portcheck_exec="/no/such/program"), ports="1"))
    assert found.checks == ()
    assert exit_for(found) is Exit.NOTHING_TO_CHECK


async def test_progress_counts_every_port_once(pair: Any, plan: Any) -> None:
    told: list[tuple[int, int]] = []
    await report(plan(*pair, ports="24000-24099"), progress=lambda done, total, *_: told.append((done, total)))
    assert {total for _, total in told} == {100}
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert told[-1][0] == 100


@pytest.mark.parametrize(("policy", "failing"), [(Policy.ENFORCE, 1), (Policy.ADVISE, 0)])
async def test_progress_counts_as_failing_what_is_required(
    pair: Any, plan: Any, free_ports: Any, host: Any, policy: Policy, failing: int
) -> None:
    """A run that conforms does not say meanwhile that a thousand ports fail."""
    (port,) = free_ports(1, TARGET)
    told: list[int] = []
    three = plan(*pair, host("x1", "cache", "127.81.0.3"), ports=str(port), policy=policy)
    await report(three, progress=lambda _done, _total, failing, _text: told.append(failing))
    assert told[-1] == failing


@pytest.mark.parametrize("way", [{"portcheck_agent": "none"}, {"portcheck_exec": "false"}], ids=["none", "dead"])
async def test_anothers_stand_in_does_not_answer_for_a_host_that_cannot_speak(
    host: Any, plan: Any, free_ports: Any, way: dict[str, str]
) -> None:
    """Its address leads to a machine of the run: what accepts there is a stand-in, and nothing of the host's."""
    (port,) = free_ports(1, TARGET)
    hosts = [host("w1", "web", SOURCE), host("d1", "db", TARGET, **way), host("d2", "db", TARGET)]
    found = await report(plan(*hosts, ports=str(port)), AUTO)
    verdicts = {row.target: (row.verdict, row.cause) for row in found.checks if row.source == "w1"}
    assert verdicts == {"d1": ("inconclusive", "conflicting-evidence"), "d2": ("pass", None)}
