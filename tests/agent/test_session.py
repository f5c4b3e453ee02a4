"""A visit from the first word to the last, over a stream in memory."""

from __future__ import annotations

import asyncio
import math
from typing import Any

import msgspec
import pytest

from probe.agent import session as module
from probe.model.observation import PortUse, Proof
from probe.model.ports import PortSet
from probe.model.words import Protocol, State, Transport
from probe.wire.challenge import pair_key
from probe.wire.frames import PREFACE, WireError, frame
from probe.wire.messages import (
    VERSION,
    Aim,
    Bye,
    Close,
    Closed,
    Endpoint,
    Greet,
    Hello,
    Look,
    Looked,
    Open,
    Ping,
    Pong,
    Refused,
    Results,
    Stop,
    Walk,
    Walked,
)

KEY = bytes(range(32))
SOON = 2.5


def opening(number: int, *ports: int, **more: Any) -> Open:
    ends = tuple(Endpoint(address="127.0.0.1", transport=Transport.TCP, ports=str(port)) for port in ports)
    return Open(**{"id": number, "endpoints": ends, "key": KEY, **more})


def walk(number: int, *ports: int, key: bytes = b"", **more: Any) -> Walk:
    aims = tuple(
        Aim(task=task, target=1, address="127.0.0.1", ports=str(port), protocol=Protocol.TCP, key=key)
        for task, port in enumerate(ports)
    )
    return Walk(**{"id": number, "number": 3, "aims": aims, "timeout": 0.5, **more})


async def closed_soon(accepts: Any, port: int) -> bool:
    async with asyncio.timeout(SOON):
        while await accepts(port):  # noqa: ASYNC110  (a port sets no event)
            await asyncio.sleep(0.05)
    return True


async def test_it_greets_first_and_says_what_it_can(visit: Any) -> None:
    hello = await visit.answer(Hello)
    assert hello.wire == VERSION
    assert hello.files > 64
    assert "ipv6" in hello.capabilities


async def test_the_whole_story(visit: Any, free_ports: Any, accepts: Any) -> None:
    """Greet, look, open, walk against its own stand-in, close, bye."""
    one, two = free_ports(2)
    visit.greet(Look(id=1, endpoints=opening(0, one).endpoints))
    looked = await visit.answer(Looked)
    assert (looked.id, looked.held[0].view.use) == (1, PortUse.FREE)

    visit.say(opening(2, one, two))
    opened = await visit.answer(Looked)
    assert (opened.id, {item.view.use for item in opened.held}) == (2, {PortUse.STAND_IN})
    assert await accepts(one)

    visit.say(walk(3, one, two, key=pair_key(KEY, 3)))
    outcomes: list[Any] = []
    while len(outcomes) < 2:
        outcomes += (await visit.answer(Results)).outcomes
    assert {(outcome.ports, outcome.seen.proof) for outcome in outcomes} == {
        (str(one), Proof.KEYED),
        (str(two), Proof.KEYED),
    }
    walked = await visit.answer(Walked)
    assert (walked.id, walked.attempts) == (3, 2)

    visit.say(Close(id=4, opened=2))
    closed = await visit.answer(Closed)
    assert closed.id == 4
    assert {(receipt.number, receipt.answered) for receipt in closed.receipts} == {(3, str(PortSet.of((one, two))))}
    assert not await accepts(one)

    visit.say(Bye())
    await visit.ended()


class TestNonsense:
    @pytest.mark.parametrize(
        ("words", "said"),
        [
            (b"GET / HTTP/1.1\r\n" + bytes(20_000), "no greeting"),
            (PREFACE + b"\xff\xff\xff\xff", "announces 4294967295 bytes"),
            (PREFACE + frame(b"nonsense"), "does not read as a message"),
            (PREFACE + frame(msgspec.msgpack.encode({"type": "pong", "id": 1})), "does not read as a message"),
        ],
        ids=["no-preface", "length", "payload", "an-answer"],
    )
    async def test_ends_the_visit(self, visit: Any, words: bytes, said: str) -> None:
        visit.say(words)
        with pytest.raises(WireError, match=said):
            await visit.ended()

    async def test_another_version(self, visit: Any) -> None:
        visit.say(PREFACE, Greet(wire=VERSION + 1, version="9", run="r", lease=1))
        with pytest.raises(WireError, match=f"speaks version {VERSION + 1}, this agent {VERSION}"):
            await visit.ended()

    @pytest.mark.parametrize("order", [Ping(id=1), opening(1, 1), walk(1, 1), Stop(id=1, order=1)], ids=str)
    async def test_an_order_before_the_greeting(self, visit: Any, order: Any) -> None:
        visit.say(PREFACE, order)
        with pytest.raises(WireError, match="first order must be a greeting"):
            await visit.ended()

    async def test_garbage_closes_every_port(self, visit: Any, free_port: int, accepts: Any) -> None:
        visit.greet(opening(1, free_port))
        await visit.answer(Looked)
        visit.say(b"\0\0\0\0")
        with pytest.raises(WireError):
            await visit.ended()
        assert not await accepts(free_port)


class TestTheEnd:
    """However a visit ends, no port stays open."""

    async def test_the_stream_ends(self, visit: Any, free_port: int, accepts: Any) -> None:
        visit.greet(opening(1, free_port))
        await visit.answer(Looked)
        visit.hang_up()
        await visit.ended()
        assert not await accepts(free_port)

    async def test_it_is_cancelled(self, visit: Any, free_port: int, accepts: Any) -> None:
        visit.greet(opening(1, free_port))
        await visit.answer(Looked)
        visit.task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await visit.ended()
        assert not await accepts(free_port)

    async def test_the_lease_runs_out(
        self, visit: Any, free_port: int, accepts: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module, "_TICK", 0.05)
        visit.greet(opening(1, free_port), lease=1.0)
        await visit.answer(Looked)
        assert await closed_soon(accepts, free_port)
        await visit.ended()

    async def test_who_never_greets_is_shown_out(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "_TICK", 0.05)
        monkeypatch.setattr(module, "_FIRST_WORD", 0.1)
        silent = asyncio.Event()

        class Mute:
            async def receive(self) -> bytes:
                await silent.wait()
                return b""

            async def send(self, data: bytes) -> None: ...

        async with asyncio.timeout(5):
            await asyncio.create_task(module.Session(Mute(), "test").run())

    async def test_a_sign_of_life_extends_the_lease(
        self, visit: Any, free_port: int, accepts: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module, "_TICK", 0.05)
        visit.greet(opening(1, free_port), lease=1.0)
        await visit.answer(Looked)
        for number in range(2, 6):
            await asyncio.sleep(0.4)
            visit.say(Ping(id=number))
            assert (await visit.answer(Pong)).id == number
        assert await accepts(free_port)

    @pytest.mark.parametrize("lease", [math.nan, math.inf, -5.0, 1e12], ids=str)
    async def test_no_lease_is_for_ever(self, visit: Any, lease: float) -> None:
        visit.greet(Ping(id=1), lease=lease)
        try:
            await visit.answer(Pong)
        except TimeoutError:
            pytest.fail("neither refused nor bounded")
        session = visit.task.get_coro().cr_frame.f_locals["self"]
        assert 1.0 <= session._lease <= 120.0

    async def test_an_order_that_has_not_begun_is_dropped_quietly(self, visit: Any, free_port: int) -> None:
        visit.greet(Look(id=1, endpoints=opening(0, free_port).endpoints), opening(2, free_port))
        visit.hang_up()
        await visit.ended()


class TestOrders:
    async def test_one_that_cannot_be_carried_out_is_refused(self, visit: Any) -> None:
        end = Endpoint(address="127.0.0.1", transport=Transport.TCP, ports="http")
        visit.greet(Open(id=7, endpoints=(end,), key=KEY))
        refused = await visit.answer(Refused)
        assert refused.id == 7
        assert "neither a port nor a range" in refused.reason
        visit.say(Ping(id=8))
        assert (await visit.answer(Pong)).id == 8  # and life goes on

    async def test_a_number_that_is_in_use_is_refused(self, visit: Any, free_port: int) -> None:
        visit.greet(walk(1, free_port, *range(1, 50), rate=0.1), opening(1, free_port))
        assert (await visit.answer(Refused)).id == 1

    async def test_a_number_used_twice_leaves_no_port_open(self, visit: Any, free_ports: Any, accepts: Any) -> None:
        one, two = free_ports(2)
        visit.greet(opening(1, one))
        await visit.answer(Looked)
        visit.say(opening(1, two))
        await visit.answer(Looked | Refused)
        visit.hang_up()
        await visit.ended()
        assert not await accepts(one)
        assert not await accepts(two)

    async def test_closing_what_is_not_open(self, visit: Any) -> None:
        visit.greet(Close(id=1, opened=99))
        closed = await visit.answer(Closed)
        assert (closed.id, closed.receipts) == (1, ())

    async def test_too_many_at_once_are_refused(self, visit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "_MOST_ORDERS", 2)
        ends = opening(0, 1).endpoints
        visit.greet(*(Look(id=number, endpoints=ends) for number in range(1, 6)))
        found = [await visit.answer(Looked | Refused) for _ in range(5)]
        assert [type(item) for item in found].count(Refused) == 3

    async def test_a_walk_is_stopped(self, visit: Any, free_port: int) -> None:
        """A pace of one attempt in ten seconds: without the stop it takes a while."""
        visit.greet(walk(1, free_port, *range(1, 50), rate=0.1))
        await asyncio.sleep(0.1)
        visit.say(Stop(id=2, order=1))
        assert (await visit.answer(Walked)).id == 1

    async def test_pings_are_answered_during_a_walk(self, visit: Any, free_port: int) -> None:
        visit.greet(walk(1, *range(1, 150)), Ping(id=2))
        assert (await visit.answer(Pong)).id == 2
        assert (await visit.answer(Walked)).id == 1

    async def test_a_walk_over_nothing(self, visit: Any) -> None:
        visit.greet(Walk(id=1, number=1, aims=()))
        assert (await visit.answer(Walked)).attempts == 0

    async def test_a_port_that_refuses(self, visit: Any, free_port: int) -> None:
        visit.greet(walk(1, free_port, timeout=0.2))
        results = await visit.answer(Results)
        while not results.outcomes:
            results = await visit.answer(Results)
        (outcome,) = results.outcomes
        assert (outcome.task, outcome.ports, outcome.seen.state) == (0, str(free_port), State.CLOSED)
        assert outcome.seen.attempts > 1  # a refusal is not believed at once
