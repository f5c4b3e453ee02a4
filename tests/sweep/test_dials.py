"""Plain sockets on loopback: what each kind of end comes to, and what is left behind."""

from __future__ import annotations

import errno
import socket
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from probe.model.ports import PortSet
from probe.model.words import State, Transport
from probe.sweep import dial as module
from probe.sweep.dial import Dial
from probe.sweep.dials import Dials
from probe.sweep.evidence import CLOSED, OPEN, Evidence

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LOOPBACK = "127.0.0.1"


class Taken:
    """A course that takes down what it is told. `patience`: what a real one would have learnt."""

    def __init__(self, *ports: int, transport: Transport = Transport.TCP, patience: float = 0.05) -> None:
        self.evidence = Evidence(PortSet.of(ports), transport)
        self.patience = patience
        self.answers: list[tuple[int, int, int]] = []

    def answered(self, port: int, slot: int, code: int) -> None:
        self.evidence.answer(port, slot, code)
        self.answers.append((port, slot, code))


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server((LOOPBACK, 0)) as sock:
        yield sock


@pytest.fixture
def free_port() -> int:
    with socket.create_server((LOOPBACK, 0)) as sock:
        port: int = sock.getsockname()[1]
        return port


def drain(dials: Dials, met: Callable[[], bool]) -> None:
    end = time.monotonic() + 5
    while not met():
        assert time.monotonic() < end, "no answer"
        dials.drain()


def files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def test_open_closed_and_nothing_left(listener: socket.socket, free_port: int) -> None:
    opened = listener.getsockname()[1]
    before = files()
    dials = Dials(Transport.TCP, lambda _: b"", timeout=1)
    course = Taken(opened, free_port)
    dial = Dial(dials, LOOPBACK, "", course)
    for slot in (course.evidence.begin(whole=True), course.evidence.begin(whole=True)):
        assert await dial.ask([opened, free_port], slot, course.evidence) == (2, 2)
        drain(dials, lambda slot=slot: len(course.answers) == 2 * (slot + 1))  # type: ignore[misc]
    assert sorted(course.answers) == sorted(
        (port, slot, code) for port, code in ((opened, OPEN), (free_port, CLOSED)) for slot in (0, 1)
    )
    dial.close()
    await dials.end()
    assert files() == before


async def test_an_accepted_connection_is_reset(listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    dials = Dials(Transport.TCP, lambda _: b"", timeout=1)
    course = Taken(port)
    dial = Dial(dials, LOOPBACK, "", course)
    await dial.ask([port], course.evidence.begin(whole=True), course.evidence)
    drain(dials, lambda: bool(course.answers))
    listener.settimeout(5)
    peer, _ = listener.accept()
    with peer, pytest.raises(ConnectionResetError):
        peer.recv(1)
    await dials.end()


async def test_it_never_holds_more_files_than_it_may() -> None:
    """What is silent keeps its file until its target's patience is over, and makes room only then."""
    with ExitStack() as stack:
        quiet = [stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) for _ in range(12)]
        for sock in quiet:
            sock.bind((LOOPBACK, 0))
        ports = [sock.getsockname()[1] for sock in quiet]
        dials = Dials(Transport.UDP, lambda _: b"", timeout=0.3, most=8)
        course = Taken(*ports, transport=Transport.UDP)
        dial = Dial(dials, LOOPBACK, "", course)
        slot = course.evidence.begin(whole=True)
        assert await dial.ask(ports, slot, course.evidence) == (8, 8)
        assert len(dials.flying) == 8
        assert await dial.ask(ports[8:], slot, course.evidence) == (0, 0)
        drain(dials, lambda: not dials.flying)
        assert await dial.ask(ports[8:], slot, course.evidence) == (4, 4)
        assert not course.answers
        await dials.end()


async def test_an_attempt_that_finds_no_file_was_none(monkeypatch: pytest.MonkeyPatch, free_port: int) -> None:
    def no_file(*_: object) -> socket.socket:
        raise OSError(errno.EMFILE, "Too many open files")

    dials = Dials(Transport.TCP, lambda _: b"", timeout=1)
    course = Taken(free_port)
    dial = Dial(dials, LOOPBACK, "", course)
    monkeypatch.setattr(module.socket, "SocketType", no_file)
    slot = course.evidence.begin(whole=True)
    await dial.ask([free_port], slot, course.evidence)
    assert not course.answers
    assert course.evidence.outstanding(slot) == 0
    assert course.evidence.states(State.FILTERED) == {State.ERROR: str(free_port)}
    assert dials.overran()
    await dials.end()


async def test_datagrams(free_port: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind((LOOPBACK, 0))
        server.settimeout(5)
        port = server.getsockname()[1]
        dials = Dials(Transport.UDP, lambda port: b"%d" % port, timeout=1)
        course = Taken(port, free_port, transport=Transport.UDP)
        dial = Dial(dials, LOOPBACK, "", course)
        await dial.ask([port, free_port], course.evidence.begin(whole=True), course.evidence)
        data, peer = server.recvfrom(100)
        assert data == b"%d" % port
        drain(dials, lambda: (free_port, 0, CLOSED) in course.answers)
        assert len(course.answers) == 1
        server.sendto(b"hello", peer)
        drain(dials, lambda: len(course.answers) == 2)
        assert course.answers[1] == (port, 0, OPEN)
        await dials.end()


async def test_an_answer_from_another_machine_is_none_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """A socket that takes answers from any port of the target still takes them from the target alone."""
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other,
    ):
        server.bind((LOOPBACK, 0))
        other.bind(("127.0.0.2", 0))
        server.settimeout(5)
        port = server.getsockname()[1]
        monkeypatch.setattr(module, "_ROAMING", frozenset({port}))
        dials = Dials(Transport.UDP, lambda _: b"ask", timeout=1)
        course = Taken(port, transport=Transport.UDP)
        dial = Dial(dials, LOOPBACK, "", course)
        await dial.ask([port], course.evidence.begin(whole=True), course.evidence)
        _, peer = server.recvfrom(100)
        other.sendto(b"forged", (LOOPBACK, peer[1]))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as elsewhere:
            elsewhere.bind((LOOPBACK, 0))
            dials.drain()
            assert not course.answers
            elsewhere.sendto(b"answer", (LOOPBACK, peer[1]))
        drain(dials, lambda: bool(course.answers))
        assert course.answers == [(port, 0, OPEN)]
        await dials.end()


@pytest.mark.parametrize("address", ["localhost", "10.0.0.x", ""])
async def test_only_numeric_addresses(address: str) -> None:
    dials = Dials(Transport.TCP, lambda _: b"", timeout=1)
    with pytest.raises(ValueError, match="numeric"):
        Dial(dials, address, "", Taken(1))
    await dials.end()
