"""The path trace: what it asks for, in what order and how much; and real sockets on loopback.

`Net` answers in place of a network; tests/netns/test_trace.py has real ones.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
import socket
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from probe.model.observation import Failure
from probe.model.path import Hop, Path, Way
from probe.model.words import Transport
from probe.probes import trace as tracing
from probe.probes.trace import trace
from probe.probes.ttl import Aim, Answer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from probe.probes.ttl import Flow

TARGET = "192.0.2.9"
REFUSED = Answer(TARGET, reached=True)
WORKS = Answer(TARGET, reached=True, works=True)
SECONDS = 0.02
PORTS = itertools.count(40000)


@dataclass
class Net:
    """Ways of devices ("" is a mute one), with the answer at the end of each, None for silence.

    A flow takes the way that its port falls to, unless `scattered`; the survey's attempts take turns. `lost` says of
    (port, TTL, how often asked) which answers get lost.
    """

    ways: list[tuple[tuple[str, ...], Answer | None]]
    lost: Callable[[int, int, int], bool] = lambda *_: False
    scattered: bool = False
    asked: list[tuple[int, int, float]] = field(default_factory=list)
    """Port, TTL and time of each attempt."""
    heard: set[tuple[int, int]] = field(default_factory=set)
    """Port and TTL of those that were answered."""
    _turn: Iterator[int] = field(default_factory=itertools.count)
    _busy: set[int] = field(default_factory=set)

    async def ask(self, aim: Aim, flow: Flow, ttl: int, timeout: float) -> Answer | Failure | None:  # noqa: ASYNC109
        assert aim.address == TARGET
        assert flow.port not in self._busy, "two attempts of one flow at a time"
        times = sum((port, at) == (flow.port, ttl) for port, at, _ in self.asked)
        self.asked.append((flow.port, ttl, asyncio.get_running_loop().time()))
        if flow.port:
            self._busy.add(flow.port)
        answer = self._answer(flow, ttl)
        if answer is None or self.lost(flow.port, ttl, times):
            answer = None
            await asyncio.sleep(timeout)
        else:
            self.heard.add((flow.port, ttl))
            await asyncio.sleep(0)
        self._busy.discard(flow.port)
        return answer

    def _answer(self, flow: Flow, ttl: int) -> Answer | None:
        turn = flow.port if flow.port and not self.scattered else next(self._turn)
        devices, end = self.ways[turn % len(self.ways)]
        if ttl > len(devices):
            return end
        return Answer(devices[ttl - 1], rtt_ms=1.0) if devices[ttl - 1] else None

    @contextlib.contextmanager
    def reserve(self, _: Aim) -> Iterator[Any]:
        class Held:
            def getsockname(self) -> tuple[str, int]:
                return "", next(PORTS)

        yield Held()

    def of_survey(self) -> list[int]:
        return [ttl for port, ttl, _ in self.asked if not port]

    def of_flows(self) -> set[int]:
        return {port for port, _, _ in self.asked if port}


@pytest.fixture
def through(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """`await through(net, …)`: the path that a trace finds in it."""

    async def run(net: Net, **more: Any) -> Path:
        monkeypatch.setattr(tracing, "ask", net.ask)
        monkeypatch.setattr(tracing, "reserve", net.reserve)
        async with asyncio.timeout(10):
            return await trace(TARGET, Transport.TCP, 5000, **{"timeout": SECONDS, **more})

    return run


def addresses(path: Path) -> list[tuple[str, ...]]:
    return [hop.addresses for hop in path.hops]


# --- in what order, and how much ---


async def test_a_port_that_works_is_asked_once(through: Any) -> None:
    net = Net([(("a", "b"), WORKS)])
    path = await through(net)
    assert (addresses(path), path.distance, path.ways) == ([("a",), ("b",), (TARGET,)], 3, ())
    assert net.of_survey() == list(range(1, 9))
    assert not net.of_flows()


async def test_a_port_that_works_for_some_is_told_apart(through: Any) -> None:
    path = await through(Net([(("a", "b"), WORKS), (("a", "c"), None)]))
    assert set(path.ways) == {Way(("a", "b"), reached=True, flows=3), Way(("a", "c"), reached=False, flows=3)}
    assert path.reached


@pytest.mark.parametrize("end", [REFUSED, WORKS])
async def test_a_lost_answer_makes_the_target_no_farther(through: Any, end: Answer) -> None:
    net = Net([(("a", "b"), end)], lost=lambda port, ttl, times: (port, ttl) == (0, 3) and times == 0)
    path = await through(net)
    assert path.distance == 3


async def test_a_lost_answer_of_the_last_device_is_asked_for_again(through: Any) -> None:
    net = Net([(("a", "", "c"), None)], lost=lambda port, ttl, times: (port, ttl) == (0, 3) and times < 2)
    path = await through(net)
    assert (addresses(path), path.last) == ([("a",), (), ("c",), ()], Hop(3, ("c",), 1.0))
    assert path.ways == (Way(("a", "", "c"), flows=6),)


async def test_rationed_answers_are_waited_for(through: Any) -> None:
    """The second device answers once in a timeout."""
    net = Net([(("a", "b"), None)])

    def too_soon(_: int, ttl: int, __: int) -> bool:
        *before, last = [when for _, at, when in net.asked if at == ttl]
        return ttl == 2 and any(last - when < SECONDS * 0.9 for when in before)

    net.lost = too_soon
    await through(net)
    assert {(port, 2) for port in net.of_flows()} <= net.heard


@pytest.mark.parametrize(
    ("devices", "end"),
    [
        ((), None),
        (tuple(f"d{n}" for n in range(10)), None),
        (tuple(f"d{n}" for n in range(15)), None),
        (tuple(f"d{n}" for n in range(29)), REFUSED),
        (tuple(f"d{n}" for n in range(40)), None),
        (("",) * 12, REFUSED),
    ],
)
async def test_the_number_of_attempts_is_bounded(through: Any, devices: tuple[str, ...], end: Answer | None) -> None:
    net = Net([(devices, end)])
    path = await through(net)
    assert len(net.asked) <= 150
    assert max(ttl for _, ttl, _ in net.asked) <= 30
    # However long it is, what is told of a flow is the whole of it.
    assert path.ways
    assert {way.addresses for way in path.ways} == {devices[:30]}
    assert path.reached == (end is not None)


async def test_losses_do_not_break_the_bound(through: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracing, "_PATIENCE", 1000)
    net = Net([(("a", "b", "c", "d"), REFUSED)], lost=lambda port, *_: port > 0 and random.random() < 0.95)
    await through(net, tries=100)
    assert len(net.asked) == 150


async def test_every_mute_place_is_asked_again(through: Any) -> None:
    net = Net([(("",) * 12, REFUSED)])
    await through(net)
    assert [net.of_survey().count(ttl) for ttl in range(1, 13)] == [3] * 12


async def test_nothing_beyond_the_target_is_asked_again(through: Any) -> None:
    net = Net([(("", "b"), WORKS), (("", "c"), None)])
    await through(net)
    assert [net.of_survey().count(ttl) for ttl in range(1, 9)] == [3, 1, 1, 1, 1, 1, 1, 1]


async def test_no_flow_is_asked_for_more_than_a_survey_knows(through: Any) -> None:
    net = Net([(("a", "b"), REFUSED)])
    await through(net)
    assert max(ttl for port, ttl, _ in net.asked if port) == 3
    assert len(net.of_flows()) == 6
    # Where all are silent one more attempt of each flow shows that it ends there, with whatever TTL.
    silent = Net([(("a", "b"), None)])
    await through(silent)
    assert sorted(ttl for port, ttl, _ in silent.asked if port) == sorted([1, 2, 3, 30] * 6)


async def test_the_whole_has_a_limit_in_time(through: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    net = Net([(("a", "b"), None)])

    async def ask(aim: Aim, flow: Flow, ttl: int, _: float) -> Answer | Failure | None:
        return await Net.ask(net, aim, flow, ttl, SECONDS if ttl < 3 else 1000)

    monkeypatch.setattr(tracing, "_PATIENCE", 5)
    monkeypatch.setattr(net, "ask", ask)
    path = await through(net)
    assert addresses(path) == [("a",), ("b",)]


async def test_what_cannot_be_sent_is_not_tried_on(through: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = 0

    async def ask(*_: Any) -> Failure:
        nonlocal asked
        asked += 1
        return Failure.NO_ROUTE

    net = Net([])
    monkeypatch.setattr(Net, "ask", ask)
    assert await through(net) == Path(failure=Failure.NO_ROUTE)
    assert asked == 1


async def test_a_loop_ends_the_survey_too(through: Any) -> None:
    net = Net([(("a", "b", "c") * 10, None)])
    path = await through(net)
    assert (path.loops, addresses(path)) == (True, [("a",), ("b",), ("c",), ("a",)])
    assert max(net.of_survey()) == 8


async def test_ways_of_different_lengths_are_no_loop(through: Any) -> None:
    path = await through(Net([(("a", "c"), REFUSED), (("a", "b", "c"), REFUSED)]))
    assert not path.loops
    assert set(path.ways) == {Way(("a", "c"), reached=True, flows=3), Way(("a", "b", "c"), reached=True, flows=3)}
    assert path.distance == 3


async def test_a_longer_way_of_mute_devices_is_not_called_bad(through: Any) -> None:
    path = await through(Net([(("a", "b"), REFUSED), (("a", "c", "", "", ""), REFUSED)]))
    assert path.ways
    assert all(way.reached for way in path.ways)


async def test_where_flows_are_not_kept_together_no_way_is_told(through: Any) -> None:
    path = await through(Net([(("a", "b"), REFUSED), (("a", "c"), None)], scattered=True))
    assert path.several
    assert path.ways == ()


@pytest.mark.parametrize(("address", "most"), [("localhost", 30), ("10.0.0.256", 30), ("10.0.0.1", 0), ("::1", 256)])
async def test_what_is_no_address_or_no_ttl_is_refused(address: str, most: int) -> None:
    with pytest.raises(ValueError, match=r"IPv4|TTL"):
        await trace(address, Transport.TCP, 80, most=most)


# --- real sockets ---


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("transport", ["tcp", "udp"])
async def test_a_closed_port_next_door(free_ports: Any, address: str, transport: str) -> None:
    kind = socket.SOCK_STREAM if transport == "tcp" else socket.SOCK_DGRAM
    (port,) = free_ports(1, address, kind)
    path = await trace(address, Transport(transport), port, payload=b"?")
    assert (addresses(path), path.reached, path.distance) == ([(address,)], True, 1)
    assert (path.last, path.rejected, path.failure) == (None, None, None)


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
async def test_a_connection_is_reset_at_once(serve: Any, address: str) -> None:
    ends: list[str] = []

    async def handler(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        try:
            ends.append(f"{len(await reader.read())} bytes")
        except ConnectionResetError:
            ends.append("reset")

    port = await serve(handler, address)
    path = await trace(address, Transport.TCP, port)
    assert (path.reached, path.distance, path.ways) == (True, 1, ())
    assert path.hops[0].rtt_ms is not None
    async with asyncio.timeout(5):
        while len(ends) < 8:  # noqa: ASYNC110  (the server's side of each)
            await asyncio.sleep(0.005)
    assert set(ends) == {"reset"}


async def test_a_datagram_carries_what_it_is_given_from_where_it_is_told(free_ports: Any) -> None:
    seen: list[tuple[bytes, str]] = []

    class Echo(asyncio.DatagramProtocol):
        def connection_made(self, transport: Any) -> None:
            self.transport = transport

        def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
            seen.append((data, address[0]))
            self.transport.sendto(data, address)

    (port,) = free_ports(1, "127.0.0.1", socket.SOCK_DGRAM)
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(Echo, local_addr=("127.0.0.1", port))
    path = await trace("127.0.0.1", Transport.UDP, port, payload=b"knock", bind="127.0.0.2")
    transport.close()
    assert (path.reached, path.distance, path.ways) == (True, 1, ())
    assert set(seen) == {(b"knock", "127.0.0.2")}


async def test_an_address_that_is_not_ours_to_send_from() -> None:
    path = await trace("127.0.0.1", Transport.TCP, 80, bind="192.0.2.1")
    assert path == Path(failure=Failure.ADDRESS)
