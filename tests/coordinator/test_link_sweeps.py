"""Sweeps, tallies and surveys as the coordinator orders them; what an agent makes up costs `AgentLost`."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from probe.coordinator import link as module
from probe.coordinator.link import AgentLost, AgentRefused
from probe.model.listening import Listening
from probe.model.sight import Arrived
from probe.model.swept import Swept
from probe.model.words import State, Transport
from probe.wire.messages import (
    Results,
    Stop,
    Survey,
    Surveyed,
    Sweep,
    Sweeping,
    SweepTarget,
    SweptAll,
    Tallied,
    Tally,
    Unwatch,
    Walk,
    Watching,
)

TARGET = SweepTarget(address="192.0.2.1", ports="1-100")
SWEPT = Swept(address="192.0.2.1", transport=Transport.TCP, states={State.OPEN: "22", State.CLOSED: "1-21,23-100"})


async def lost(waiting: Any) -> str:
    """Why; within two seconds."""
    async with asyncio.timeout(2):
        with pytest.raises(AgentLost) as caught:
            await waiting
    return str(caught.value)


def sweep(number: int) -> Sweep:
    return Sweep(id=number, targets=(TARGET,), transport=Transport.TCP)


class TestSweeps:
    async def test_words_on_the_way_and_what_was_found(self, script: Any, link: Any) -> None:
        def engine(order: Any) -> Any:
            if not isinstance(order, Sweep):
                return ()
            words = (Sweeping(id=order.id, asked=100, settled=50), Sweeping(id=order.id, found=(SWEPT,)))
            return [*words, SweptAll(id=order.id)]

        made = await link(script(engine))
        words: list[int] = []
        assert await made.sweep(sweep, lambda word: words.append(word.settled), 5) == (SWEPT,)
        assert words == [50, 0]

    @pytest.mark.parametrize(
        ("found", "said"),
        [
            ((), "not what it was asked for"),
            ((SWEPT, SWEPT), "more was swept"),
            ((msgspec.structs.replace(SWEPT, address="192.0.2.2"),), "not what it was asked for"),
            ((msgspec.structs.replace(SWEPT, transport=Transport.UDP),), "not what it was asked for"),
            ((msgspec.structs.replace(SWEPT, states={State.OPEN: "1-99"}),), "not what it was asked for"),
            ((msgspec.structs.replace(SWEPT, states={State.OPEN: "1-101"}),), "not what it was asked for"),
            (
                (msgspec.structs.replace(SWEPT, states={State.OPEN: "1-100", State.CLOSED: "5"}),),
                "not what it was asked for",
            ),
            ((msgspec.structs.replace(SWEPT, states={State.OPEN: "1-100\x1b"}),), "not what it was asked for"),
        ],
        ids=["nothing", "more", "address", "transport", "fewer", "other-ports", "twice", "no-ports"],
    )
    async def test_what_was_not_asked_for_loses_the_agent(
        self, script: Any, link: Any, found: tuple[Swept, ...], said: str
    ) -> None:
        def lies(order: Any) -> Any:
            if isinstance(order, Sweep):
                return [*(Sweeping(id=order.id, found=(one,)) for one in found), SweptAll(id=order.id)]
            return ()

        made = await link(script(lies))
        assert said in await lost(made.sweep(sweep, lambda _: None, 5))

    @pytest.mark.parametrize("obeys", [True, False])
    async def test_one_that_is_cancelled_is_stopped(
        self, script: Any, link: Any, monkeypatch: pytest.MonkeyPatch, obeys: bool
    ) -> None:
        monkeypatch.setattr(module, "_STOPPING", 0.2)
        channel = script(lambda order: [SweptAll(id=order.order)] if isinstance(order, Stop) and obeys else ())
        made = await link(channel)
        task = asyncio.create_task(made.sweep(sweep, lambda _: None, 5))
        await asyncio.sleep(0.02)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            async with asyncio.timeout(2):
                await task
        assert [order.order for order in channel.orders if isinstance(order, Stop)] == [channel.orders[1].id]
        assert made.lost is None

    async def test_words_of_the_other_kind_lose_the_agent(self, script: Any, link: Any) -> None:
        made = await link(script(lambda order: Results(id=order.id) if isinstance(order, Sweep) else ()))
        assert "results of a walk in a sweep" in await lost(made.sweep(sweep, lambda _: None, 5))
        made = await link(script(lambda order: Sweeping(id=order.id) if isinstance(order, Walk) else ()))
        walk = made.walk(lambda n: Walk(id=n, number=1, aims=()), lambda _: None, 5)
        assert "words on a sweep in a walk" in await lost(walk)


async def test_a_tally_from_its_begin_to_its_end(script: Any, link: Any) -> None:
    arrived = Arrived(peer="192.0.2.9", address="192.0.2.1", transport=Transport.UDP, ports="53")

    def witness(order: Any) -> Any:
        match order:
            case Tally():
                return Watching(id=order.id)
            case Unwatch():
                return Tallied(id=order.id, arrived=(arrived,), sure=True)
        return ()

    channel = script(witness)
    made = await link(channel)
    number = await made.tally(lambda n: Tally(id=n, flows=()), 5)
    assert await made.tallied(number, 5) == Tallied(id=number + 1, arrived=(arrived,), sure=True)
    assert channel.orders[-1].watch == number


async def test_a_host_where_packets_may_not_be_seen(script: Any, link: Any) -> None:
    made = await link(script(lambda order: Watching(id=order.id, problem="no") if isinstance(order, Tally) else ()))
    with pytest.raises(AgentRefused, match="no"):
        await made.tally(lambda n: Tally(id=n, flows=()), 5)
    assert made.lost is None


async def test_a_survey(script: Any, link: Any) -> None:
    row = Listening(address="0.0.0.0", transport=Transport.TCP, ports="22", process="sshd", pid=7)
    answer = Surveyed(id=1, sockets=(row,), complete=True)
    made = await link(script(lambda o: msgspec.structs.replace(answer, id=o.id) if isinstance(o, Survey) else ()))
    assert (await made.survey(5)).sockets == (row,)
