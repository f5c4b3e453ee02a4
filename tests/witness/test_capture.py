"""A capture's bounds and its end, with the packets of a script in place of the kernel's; tests/netns has real ones."""

from __future__ import annotations

import asyncio
import socket
import struct
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from probe.model.sight import Flow
from probe.model.words import Transport
from probe.witness import capture
from probe.witness.capture import Capture, can_capture
from probe.witness.packetsocket import CaptureError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FLOW = Flow(Transport.UDP, "10.0.0.1", "53")
SIZE = 28
DROPPED = 7


def datagram(number: int = 0, port: int = 53) -> bytes:
    header = struct.pack("!BBHHHBBH", 0x45, 0, SIZE, 0, 0, 64, 17, 0)
    return header + b"\x0a\0\0\2\x0a\0\0\1" + struct.pack("!HHHH", 1000 + number, port, 8, 0)


class Wire:
    """A packet socket whose packets come from here."""

    def __init__(self) -> None:
        self._near, self._far = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self.timestamp: list[tuple[int, int, bytes]] = []
        self.direction = socket.PACKET_HOST
        self.error: OSError | None = None
        self.turns = 0
        self.attached: list[bytes] = []
        self.fileno = self._near.fileno

    def carry(self, *packets: bytes) -> None:
        for packet in packets:
            self._far.send(packet)

    def recvmsg(self, size: int, _: int) -> tuple[bytes, list[tuple[int, int, bytes]], int, tuple[Any, ...]]:
        if self.error is not None:
            raise self.error
        packet = self._near.recv(size)
        return packet, self.timestamp, 0, ("eth\x1b0", 0x0800, self.direction, 1, b"")

    def getsockopt(self, *_: int) -> bytes:
        return struct.pack("II", 100, DROPPED)

    @property
    def open(self) -> bool:
        return self._near.fileno() >= 0

    def close(self) -> None:
        self._near.close()

    def unplug(self) -> None:
        self._near.close()
        self._far.close()


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> Iterator[Wire]:
    wire = Wire()
    monkeypatch.setattr(capture, "_listening", lambda _: wire)
    monkeypatch.setattr(capture, "attach", lambda _, program: wire.attached.append(program))
    yield wire
    wire.unplug()


async def until(met: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not met():  # noqa: ASYNC110  (what is awaited tells nobody)
            await asyncio.sleep(0)


async def test_packets_are_read_while_the_loop_runs(wire: Wire) -> None:
    capturing = Capture([FLOW])
    capturing.start()
    wire.carry(datagram(1), datagram(2, port=54), b"", datagram(3))
    await until(lambda: len(capturing._sights) == 2)
    seen = capturing.stop()
    assert [sight.source_port for sight in seen.sights] == [1001, 1003]
    assert (seen.lost, seen.full) == (DROPPED, False)


async def test_what_waits_in_the_kernel_is_read_at_the_end(wire: Wire) -> None:
    capturing = Capture([FLOW])
    capturing.start()
    wire.carry(*map(datagram, range(5)))
    assert len(capturing.stop().sights) == 5
    # From then on nothing more passes, or the end might not come.
    assert wire.attached == [capture.NOTHING]
    assert not wire.open


async def test_its_end_comes_once(wire: Wire) -> None:
    capturing = Capture([FLOW])
    capturing.start()
    wire.carry(datagram())
    assert capturing.stop() == capturing.stop()
    assert not wire.open


async def test_the_loop_has_its_turn(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capture, "_BATCH", 2)
    capturing = Capture([FLOW])
    capturing.start()
    wire.carry(*map(datagram, range(5)))
    grown = [0]
    while grown[-1] < 5:
        await asyncio.sleep(0)
        grown.append(len(capturing._sights))
    assert max(after - before for before, after in pairwise(grown)) == 2
    assert len(capturing.stop().sights) == 5


@pytest.mark.parametrize("bounds", [{"packets": 3}, {"size": 3 * SIZE}, {"size": 4 * SIZE - 1}])
async def test_bounds(wire: Wire, bounds: dict[str, int]) -> None:
    capturing = Capture([FLOW], **bounds)
    capturing.start()
    wire.carry(*map(datagram, range(3)), datagram(port=54))
    await until(lambda: len(capturing._sights) == 3)
    assert wire.open
    wire.carry(datagram())
    await until(lambda: not wire.open)
    seen = capturing.stop()
    assert (len(seen.sights), seen.lost, seen.full) == (3, DROPPED, True)


async def test_a_bound_reached_exactly_hides_nothing(wire: Wire) -> None:
    capturing = Capture([FLOW], packets=3)
    capturing.start()
    wire.carry(*map(datagram, range(3)))
    seen = capturing.stop()
    assert (len(seen.sights), seen.full) == (3, False)


async def test_its_time_is_over(wire: Wire) -> None:
    capturing = Capture([FLOW], seconds=0.01)
    capturing.start()
    await until(lambda: not wire.open)
    assert capturing.stop().full


async def test_an_error_ends_it(wire: Wire) -> None:
    capturing = Capture([FLOW])
    capturing.start()
    wire.error = OSError(100, "Network is down")
    wire.carry(datagram())
    await until(lambda: not wire.open)
    assert capturing.stop().full


async def test_direction_interface_and_the_kernels_time(wire: Wire) -> None:
    capturing = Capture([FLOW])
    capturing.start()
    wire.timestamp = [(socket.SOL_SOCKET, 35, struct.pack("@ll", 1_700_000_000, 250_000_000))]
    wire.direction = socket.PACKET_OUTGOING
    wire.carry(datagram())
    (sight,) = capturing.stop().sights
    assert (sight.at, sight.out, sight.interface) == (1_700_000_000.25, True, "eth\\x1b0")


async def test_a_kernel_that_tells_no_time(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capture.time, "time", lambda: 5.0)
    capturing = Capture([FLOW])
    capturing.start()
    wire.carry(datagram())
    (sight,) = capturing.stop().sights
    assert (sight.at, sight.out) == (5.0, False)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (PermissionError(1, "Operation not permitted"), "lacks the capability CAP_NET_RAW"),
        (OSError(97, "Address family not supported by protocol"), r"no packet sockets \(Address family not"),
    ],
)
async def test_where_it_may_not(monkeypatch: pytest.MonkeyPatch, error: OSError, message: str) -> None:
    def refuse(*_: int) -> None:
        raise error

    monkeypatch.setattr(capture.socket, "socket", refuse)
    assert not can_capture()
    capturing = Capture([FLOW])
    with pytest.raises(CaptureError, match=message):
        capturing.start()
    # That nothing was seen must not look like silence.
    assert capturing.stop() == capture.Seen((), 0, full=True)


def test_a_flow_that_cannot_be_read() -> None:
    with pytest.raises(ValueError, match="'db' is no numeric address"):
        Capture([Flow(Transport.TCP, "db", "53")])
