"""A run that does not come to its end leaves no port open."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING

import pytest

from .harness import CLOSING_SECONDS, Running, closed, pair
from .lab import Lab, chain, command, eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .harness import Portcheck


@pytest.fixture
def lab() -> Iterator[Lab]:
    with Lab("a1", "b1") as lab:
        lab.nft("r", chain("forward", "tcp dport 5000-5499 drop"))
        yield lab


@pytest.fixture
def running(lab: Lab, portcheck: Portcheck) -> Iterator[Running]:
    """A run in its middle: the stand-ins are open, the sources at work."""
    running = portcheck.start(lab, pair(), {"slow": "tcp 5000-5499", "web": "http 8080", "udp": "udp 5000"})
    try:
        eventually(lambda: bool(lab.listening("b1")), 20, "no stand-in opened")
        yield running
    finally:
        running.kill()
        running.process.communicate()


@pytest.mark.parametrize("how", ["ctrl-c", "coordinator-only"])
def test_interrupted(lab: Lab, running: Running, how: str) -> None:
    """By Ctrl-C, which the terminal sends to all that it started, or by a signal to the coordinator alone."""
    if how == "coordinator-only":
        running.process.send_signal(signal.SIGINT)
    else:
        running.interrupt()
    run = running.finish()
    assert run.code == 2, run
    assert run.report["run"]["interrupted"] is True
    assert run.rows(service="slow"), "a partial report names what was not measured too"
    assert run.verdicts(service="slow") <= {"blocked", "inconclusive"}, run
    closed(lab)


def test_interrupted_twice(lab: Lab, running: Running) -> None:
    """The second time by somebody who has no patience: a report is not promised, closed ports are."""
    running.interrupt()
    running.interrupt()
    assert running.finish().code == 2
    closed(lab)


def test_interrupted_before_the_agents_have_greeted(portcheck: Portcheck) -> None:
    with Lab("a1", "b1") as lab:
        mute = {"portcheck_exec": f"{' '.join(lab.prefix('b1'))} sh -c 'exec sleep 3600'"}
        running = portcheck.start(lab, pair(), {"tcp": "tcp 5000"}, variables={"b1": mute})
        eventually(lambda: bool(lab.pids("b1")), 20, "the agent was never started")
        began = time.monotonic()
        running.interrupt()
        run = running.finish()
    assert run.code == 2, run
    assert run.verdicts() == {"inconclusive"}, run
    assert time.monotonic() - began < 15


STRANGER = """
import socket, sys
kind = socket.SOCK_STREAM if sys.argv[3] == "tcp" else socket.SOCK_DGRAM
with socket.socket(type=kind) as stranger:
    stranger.settimeout(1)
    stranger.connect((sys.argv[1], int(sys.argv[2])))
    stranger.send(b"GET / HTTP/1.1\\r\\nHost: b1\\r\\n\\r\\n")
    try:
        print(stranger.recv(4096))
    except OSError as error:
        print(type(error).__name__)
"""


@pytest.mark.parametrize("service", ["tcp 5000", "http 8080", "udp 5000"])
def test_a_stand_in_tells_strangers_nothing(lab: Lab, running: Running, service: str) -> None:
    """The router itself is none of the run's sources."""
    protocol, port = service.split()
    transport = "udp" if protocol == "udp" else "tcp"
    eventually(lambda: f"{transport} {port}" in lab.listening("b1"), 20, f"{service} never opened")
    words = command(*lab.prefix("r"), "python3", "-c", STRANGER, lab.address("b1"), port, transport)
    assert words.strip() in {"b''", "TimeoutError", "ConnectionResetError"}


def test_the_coordinator_is_killed(lab: Lab, running: Running) -> None:
    running.kill()
    closed(lab)
    eventually(
        lambda: not lab.pids("a1") + lab.pids("b1"),
        CLOSING_SECONDS,
        lambda: f"agents that stay: {lab.pids('a1') + lab.pids('b1')}",
    )
