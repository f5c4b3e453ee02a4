"""Whatever an agent does, it costs `AgentLost` with a reason, soon."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from probe.coordinator import link as module
from probe.coordinator.link import AgentLost, AgentRefused
from probe.model.ports import PortSet
from probe.wire.frames import PREFACE, WireError, frame
from probe.wire.messages import (
    VERSION,
    Bye,
    Close,
    Closed,
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

HELLO = Hello(wire=VERSION, version="0", python="3", capabilities=(), files=1000)


def look(number: int) -> Look:
    return Look(id=number, endpoints=())


def obedient(order: Any) -> Any:
    match order:
        case Look() | Open():
            return Looked(id=order.id, held=())
        case Close():
            return Closed(id=order.id)
        case Walk():
            return [Results(id=order.id, settled=1), Results(id=order.id, settled=2), Walked(id=order.id, attempts=2)]
    return ()


async def lost(waiting: Any) -> str:
    """Why; within two seconds."""
    async with asyncio.timeout(2):
        with pytest.raises(AgentLost) as caught:
            await waiting
    return str(caught.value)


async def test_orders_are_carried_out(script: Any, link: Any) -> None:
    channel = script(obedient)
    made = await link(channel)
    assert made.hello is not None
    assert (await made.look(look, 5)).held == ()
    results: list[int] = []
    walked = await made.walk(lambda n: Walk(id=n, number=1, aims=()), lambda part: results.append(part.settled), 5)
    assert (walked.attempts, results) == (2, [1, 2])
    assert (await made.close_stand_ins(1, 5)).receipts == ()
    await made.close()
    assert [type(order) for order in channel.orders] == [Greet, Look, Walk, Close, Bye]
    assert channel.closed


async def test_orders_run_beside_each_other(script: Any, link: Any) -> None:
    held: list[Any] = []

    def second_first(order: Any) -> Any:
        if isinstance(order, Look):
            held.append(order)
        return [Looked(id=each.id, held=()) for each in reversed(held)] if len(held) == 2 else ()

    made = await link(script(second_first))
    async with asyncio.timeout(2), asyncio.TaskGroup() as group:
        tasks = [group.create_task(made.look(look, 5)) for _ in range(2)]
    assert [task.result().id for task in tasks] == [order.id for order in held]


async def test_a_login_banner_does_not_hurt(script: Any, link: Any) -> None:
    made = await link(script(obedient, b"Welcome!\r\n", PREFACE, HELLO))
    assert (await made.look(look, 5)).held == ()


class TestNoGreeting:
    @pytest.mark.parametrize(
        ("first", "said"),
        [
            ((b"bash: portcheck: command not found\n", None), "no agent there (bash: portcheck: command not found)"),
            ((None,), "no agent there"),
            ((b"x" * 20_000,), "the agent sent garbage"),
            ((PREFACE, frame(b"nonsense")), "the agent sent garbage: a frame does not read"),
            ((PREFACE, Pong(id=1)), "a sign of life that nobody asked for"),
            ((PREFACE, Looked(id=1, held=())), "Looked for an order that nobody gave"),
            ((PREFACE, frame(b"x")[:3], None), "stopped in the middle of a message"),
            ((PREFACE, None), "the agent ended"),
        ],
        ids=["banner", "end", "noise", "garbage", "pong", "unasked", "cut", "mute"],
    )
    async def test_is_told_with_its_reason(self, script: Any, link: Any, first: Any, said: str) -> None:
        made = await link(script(obedient, *first), greet=False)
        assert said in await lost(made.greet(5))
        assert made.lost is not None
        assert not made.lost.known

    async def test_silence(self, script: Any, link: Any) -> None:
        made = await link(script(obedient, b""[:0] or b"..."), greet=False)
        assert await lost(made.greet(0.1)) == "no greeting within 0 s (...)"

    async def test_another_version(self, script: Any, link: Any) -> None:
        hello = Hello(wire=VERSION + 1, version="9.9", python="3", capabilities=(), files=10)
        made = await link(script(obedient, PREFACE, hello), greet=False)
        said = await lost(made.greet(5))
        assert f"portcheck 9.9 and speaks version {VERSION + 1}" in said
        assert "install portcheck" in said

    async def test_the_last_words_are_the_best_explanation(self, script: Any, link: Any) -> None:
        channel = script(obedient, None)
        channel.words = "Permission denied (publickey).; exit code 255"
        made = await link(channel, greet=False)
        assert await lost(made.greet(5)) == "no agent there (Permission denied (publickey).; exit code 255)"

    async def test_and_are_made_printable(self, script: Any, link: Any) -> None:
        channel = script(obedient, b"\x1b[2J\xff\xfe", None)
        channel.words = "\x1b]0;gone\x07"
        said = await lost((await link(channel, greet=False)).greet(5))
        assert said.isprintable()


class TestLostOnTheWay:
    @pytest.mark.parametrize(
        ("answer", "said"),
        [
            ([None], "the agent ended"),
            ([b"\0\0\0\5ab", None], "stopped in the middle of a message"),
            ([b"\0\0\0\0"], "the agent sent garbage: a frame announces 0 bytes"),
            ([frame(b"\xc1")], "the agent sent garbage"),
            ([HELLO], "a second greeting"),
            ([Pong(id=77)], "nobody asked for"),
            ([Results(id=99)], "results of a walk or a sweep that nobody ordered"),
            ([Closed(id=99)], "Closed for an order that nobody gave"),
            ([Closed(id=1)], "answered an order to look with Closed"),
            ([Results(id=-1)], "nobody ordered"),
        ],
        ids=["end", "cut", "bound", "garbage", "hello", "pong", "results", "closed", "wrong", "negative"],
    )
    async def test_its_order_learns_why(self, script: Any, link: Any, answer: Any, said: str) -> None:
        made = await link(script(lambda order: answer if isinstance(order, Look) else ()))
        assert said in await lost(made.look(look, 5))
        assert made.lost is not None
        assert made.lost.known
        assert said in await lost(made.look(look, 5))  # and every later one

    async def test_results_that_name_no_ports_are_garbage(self, script: Any, link: Any) -> None:
        """Whoever gives an order for outcomes reads their ports."""
        made = await link(script(lambda order: [Results(id=order.id)] if isinstance(order, Walk) else ()))

        def results(_: Results) -> None:
            PortSet.parse("no ports")

        said = await lost(made.walk(lambda n: Walk(id=n, number=1, aims=()), results, 5))
        assert "the agent sent garbage" in said

    async def test_all_who_wait_learn_it_at_once(self, script: Any, link: Any, gone: Exception) -> None:
        channel = script()
        made = await link(channel)
        tasks = [asyncio.create_task(made.look(look, 5)) for _ in range(3)]
        await asyncio.sleep(0)
        channel.say(gone)
        for task in tasks:
            assert await lost(task) == "the line is dead"

    async def test_an_order_has_a_deadline(self, script: Any, link: Any) -> None:
        made = await link(script())
        assert "not carried out within 0 s" in await lost(made.look(look, 0.1))

    async def test_silence_is_noticed(self, script: Any, link: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "PING", 0.05)
        monkeypatch.setattr(module, "SILENCE", 0.2)
        channel = script()
        channel.deaf = True
        made = await link(channel)
        assert "no sign of life" in await lost(made.look(look, 30))

    async def test_a_sign_of_life_is_enough(self, script: Any, link: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "PING", 0.02)
        monkeypatch.setattr(module, "SILENCE", 0.1)
        channel = script()
        made = await link(channel)
        waiting = asyncio.create_task(made.look(look, 30))
        await asyncio.sleep(0.4)
        assert made.lost is None
        channel.say(Looked(id=channel.orders[-1].id, held=()))
        await waiting

    async def test_one_that_takes_nothing(self, script: Any, link: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "_SENDING", 0.1)
        channel = script()
        made = await link(channel)

        async def stuck(_: bytes) -> None:
            await asyncio.Event().wait()

        channel.send = stuck
        assert "took nothing" in await lost(made.look(look, 5))

    @pytest.mark.parametrize(
        "flood",
        [Pong(id=1), Results(id=5), Looked(id=5, held=()), b"\xff" * 4096],
        ids=["pong", "results", "looked", "noise"],
    )
    async def test_a_flood_ends_at_its_first_piece(self, script: Any, link: Any, flood: Any) -> None:
        channel = script()
        made = await link(channel)
        channel.say(*[flood] * 1000)
        assert "garbage" in await lost(made.look(look, 5))
        assert channel._out.qsize() > 900


async def test_a_late_answer_is_no_crime(script: Any, link: Any) -> None:
    """We gave up waiting, the agent did not know."""
    channel = script(obedient)
    made = await link(channel)
    await made.look(look, 5)
    channel.say(Looked(id=1, held=()), Results(id=1), Refused(id=1, reason="late"))
    assert (await made.look(look, 5)).id == 2
    assert made.lost is None


async def test_a_refusal_is_no_loss(script: Any, link: Any) -> None:
    made = await link(script(lambda order: Refused(id=order.id, reason="no") if isinstance(order, Look) else ()))
    with pytest.raises(AgentRefused, match="no"):
        await made.look(look, 5)
    assert made.lost is None


async def test_results_that_make_no_sense_lose_the_agent(script: Any, link: Any) -> None:
    def shocked(_: Results) -> None:
        raise WireError("an outcome for ports that were not ordered")

    made = await link(script(obedient))
    said = await lost(made.walk(lambda n: Walk(id=n, number=1, aims=()), shocked, 5))
    assert "not ordered" in said


@pytest.mark.parametrize("obeys", [True, False])
async def test_a_walk_that_is_cancelled_hands_over_what_it_has(
    script: Any, link: Any, monkeypatch: pytest.MonkeyPatch, obeys: bool
) -> None:
    monkeypatch.setattr(module, "_STOPPING", 0.2)

    def stops(order: Any) -> Any:
        if isinstance(order, Stop) and obeys:
            return [Results(id=order.order, settled=7), Walked(id=order.order, attempts=9)]
        return ()

    channel, settled = script(stops), []
    made = await link(channel)
    walk = made.walk(lambda n: Walk(id=n, number=1, aims=()), lambda part: settled.append(part.settled), 5)
    task = asyncio.create_task(walk)
    await asyncio.sleep(0.02)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        async with asyncio.timeout(2):
            await task
    assert [order.order for order in channel.orders if isinstance(order, Stop)] == [channel.orders[1].id]
    assert settled == [7] * obeys
    assert made.lost is None


@pytest.mark.parametrize("end", [None, b"\0\0\0\0"], ids=["ended", "garbage"])
async def test_closing_a_lost_one_is_quick(script: Any, link: Any, end: Any) -> None:
    channel = script()
    made = await link(channel)
    channel.say(end)
    await asyncio.sleep(0.1)
    began = time.monotonic()
    await made.close()
    assert channel.closed
    assert time.monotonic() - began < 1
    assert not any(isinstance(order, Bye) for order in channel.orders)


async def test_pings_extend_the_agents_lease(script: Any, link: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PING", 0.02)
    channel = script()
    heard: list[Any] = []
    send = channel.send

    async def spy(data: bytes) -> None:
        heard.append(data)
        await send(data)

    channel.send = spy
    await link(channel)
    await asyncio.sleep(0.15)
    assert len(heard) >= 4
    assert all(Ping.__struct_config__.tag.encode() in data for data in heard[1:])
    assert module.SILENCE < module.LEASE  # a lost agent is known before it closes by itself
