"""A sweep by order, with an engine that does as it is told."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, Any

import pytest

from probe.agent import sweeping as module
from probe.model.ports import PortSet
from probe.model.swept import Rejection, Swept
from probe.model.words import State, Transport
from probe.sweep.order import Progress
from probe.wire.frames import LARGEST
from probe.wire.messages import (
    MOST_MARK,
    Ping,
    Pong,
    Refused,
    Stop,
    Sweep,
    Sweeping,
    SweepTarget,
    SweptAll,
    Tally,
    Watching,
    encode,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from probe.sweep.order import Sweep as Engines

TARGET = SweepTarget(address="192.0.2.1", ports="1-100")


def sweep(number: int = 1, *targets: SweepTarget, **more: Any) -> Sweep:
    return Sweep(**{"id": number, "targets": targets or (TARGET,), "transport": Transport.TCP, **more})


def swept(address: str, ports: str, **more: Any) -> Swept:
    return Swept(address=address, transport=Transport.TCP, states={State.CLOSED: ports}, **more)


class Engine:
    """Stands in for the engines: sweeps once `go` is set. `orders` are those it was given, `running` how many now."""

    def __init__(self) -> None:
        self.orders: list[Engines] = []
        self.begun = asyncio.Event()
        self.go = asyncio.Event()
        self.running = self.most = self.cancelled = 0
        self.more: dict[str, Any] = {}

    async def sweep(
        self, order: Engines, *, engine: str = "", tick: Callable[[Progress], None] | None = None
    ) -> tuple[Swept, ...]:
        assert not engine
        self.orders.append(order)
        self.running += 1
        self.most = max(self.most, self.running)
        self.begun.set()
        if tick is not None:
            tick(Progress(asked=100, settled=40, sent=70))
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.running -= 1
        return tuple(swept(target.address, str(target.ports), **self.more) for target in order.targets)


@pytest.fixture
async def engine(monkeypatch: pytest.MonkeyPatch) -> Engine:
    engine = Engine()
    monkeypatch.setattr("probe.sweep.sweep.sweep", engine.sweep)
    monkeypatch.setattr(module, "_PROGRESS_EVERY", 0.01)
    return engine


async def begun(engine: Engine) -> None:
    async with asyncio.timeout(5):
        await engine.begun.wait()


async def found(visit: Any) -> list[Swept]:
    """Up to the end of the sweep."""
    results: list[Swept] = []
    async with asyncio.timeout(5):
        while True:
            answer = await visit.answer((Sweeping, SweptAll))
            if isinstance(answer, SweptAll):
                return results
            results += answer.found


async def test_its_story(visit: Any, engine: Engine) -> None:
    """Progress while it goes on, signs of life beside it, and what was found target by target."""
    other = SweepTarget(address="fe80::1%lo", ports="22,80")
    visit.greet(sweep(1, TARGET, other, rate=5.0, timeout=0.5, deadline=60.0, seed=7, bind="192.0.2.9", rounds=1))
    await begun(engine)
    async with asyncio.timeout(5):
        while (word := await visit.answer(Sweeping)).sent != 70:
            assert word.asked == 102
    assert (word.id, word.settled, word.found) == (1, 40, ())
    visit.say(Ping(id=2))
    assert (await visit.answer(Pong)).id == 2
    engine.go.set()
    assert await found(visit) == [swept("192.0.2.1", "1-100"), swept("fe80::1%lo", "22,80")]
    (order,) = engine.orders
    assert [(target.address, target.ports) for target in order.targets] == [
        ("192.0.2.1", PortSet([(1, 100)])),
        ("fe80::1%lo", PortSet.of((22, 80))),
    ]
    assert (order.rate, order.timeout, order.seed, order.bind, order.rounds) == (5.0, 0.5, 7, "192.0.2.9", 1)
    assert 59 < order.deadline <= 60


async def test_an_address_is_told_as_it_was_ordered(visit: Any, engine: Engine) -> None:
    engine.go.set()
    visit.greet(sweep(1, SweepTarget(address="fd00:0::1", ports="1")))
    assert [one.address for one in await found(visit)] == ["fd00:0::1"]


async def test_one_that_is_stopped_has_nothing(visit: Any, engine: Engine) -> None:
    visit.greet(sweep())
    await begun(engine)
    visit.say(Stop(id=2, order=1))
    assert await found(visit) == []
    assert engine.cancelled == 1


@pytest.mark.parametrize("end", ["hang_up", "lease"])
async def test_it_ends_with_its_coordinator(visit: Any, engine: Engine, end: str) -> None:
    visit.greet(sweep(), lease=60.0 if end == "hang_up" else 1.0)
    await begun(engine)
    if end == "hang_up":
        visit.hang_up()
    await visit.ended()
    assert engine.cancelled == 1


class TestTurns:
    async def test_one_at_a_time(self, visit: Any, engine: Engine) -> None:
        visit.greet(sweep(1), sweep(2))
        await begun(engine)
        visit.say(Ping(id=3))
        await visit.answer(Pong)
        assert (engine.running, len(engine.orders)) == (1, 1)
        engine.go.set()
        assert len(await found(visit)) + len(await found(visit)) == 2
        assert engine.most == 1

    async def test_a_turn_that_never_comes(self, visit: Any, engine: Engine) -> None:
        visit.greet(sweep(1), sweep(2, deadline=0.1))
        refused = await visit.answer(Refused)
        assert (refused.id, "another sweep was under way" in refused.reason) == (2, True)
        engine.go.set()
        assert len(await found(visit)) == 1

    async def test_one_that_is_stopped_makes_room(self, visit: Any, engine: Engine) -> None:
        visit.greet(sweep(1), sweep(2))
        await begun(engine)
        visit.say(Stop(id=3, order=1))
        await visit.answer(SweptAll)
        engine.go.set()
        assert len(await found(visit)) == 1

    async def test_one_that_waits_is_stopped(self, visit: Any, engine: Engine) -> None:
        visit.greet(sweep(1), sweep(2))
        await begun(engine)
        visit.say(Stop(id=3, order=2))
        assert (await visit.answer(SweptAll)).id == 2
        engine.go.set()
        assert len(await found(visit)) == 1
        assert len(engine.orders) == 1


@pytest.mark.parametrize(
    ("order", "said"),
    [
        (sweep(targets=()), "1 to 256 targets, not 0"),
        (sweep(1, *[TARGET] * 257), "1 to 256 targets, not 257"),
        (sweep(1, *[SweepTarget(address="192.0.2.1", ports="1-65535")] * 17), "at most 1048560 ports"),
        (sweep(1, SweepTarget(address="db.example", ports="1")), "db.example"),
        (sweep(1, SweepTarget(address="224.0.0.1", ports="1")), "no address of one host"),
        (sweep(1, SweepTarget(address="ff02::1%eth0", ports="1")), "no address of one host"),
        (sweep(1, SweepTarget(address="255.255.255.255", ports="1")), "no address of one host"),
        (sweep(1, SweepTarget(address="::", ports="1")), "no address of one host"),
        (sweep(1, SweepTarget(address="::ffff:0.0.0.0", ports="1")), "no address of one host"),
        (sweep(1, SweepTarget(address="192.0.2.1", ports="0-5")), "port 0 does not exist"),
        (sweep(1, SweepTarget(address="192.0.2.1", ports="")), "neither a port"),
        (sweep(rate=math.nan), "rate cannot be nan"),
        (sweep(rate=-1.0), "rate cannot be -1"),
        (sweep(timeout=math.nan), "timeout cannot be nan"),
        (sweep(deadline=-1.0), "deadline cannot be -1"),
        (sweep(mark=bytes(MOST_MARK + 1)), "at most 32 bytes"),
    ],
    ids=[
        "no-target",
        "targets",
        "ports",
        "name",
        "multicast",
        "ipv6-multicast",
        "broadcast",
        "unspecified",
        "mapped",
        "port-0",
        "no-ports",
        "rate-nan",
        "rate",
        "timeout",
        "deadline",
        "mark",
    ],
)
async def test_what_is_not_carried_out(visit: Any, engine: Engine, order: Sweep, said: str) -> None:
    visit.greet(order)
    refused = await visit.answer(Refused)
    assert said in refused.reason
    assert engine.orders == []


async def test_what_is_bounded(visit: Any, engine: Engine) -> None:
    engine.go.set()
    visit.greet(sweep(rate=math.inf, timeout=math.inf, deadline=math.inf, rounds=-1))
    await found(visit)
    (order,) = engine.orders
    assert (order.rate, order.timeout, order.rounds) == (math.inf, 10.0, 0)
    assert 3599 < order.deadline <= 3600


async def test_the_most_that_strangers_make_up_fits_into_frames(visit: Any, engine: Engine) -> None:
    odd = ",".join(map(str, range(1, 65536, 2)))
    senders = [Rejection(sender=f"fd00::{n:x}", type=1, code=1, ports=odd if n < 99 else "7") for n in range(1000)]
    engine.more = {"rejections": tuple(senders), "sometimes": odd}
    engine.go.set()
    visit.greet(sweep())
    (one,) = await found(visit)
    assert len(encode(Sweeping(id=1, found=(one,)))) < LARGEST / 2
    assert one.rejections[0].ports == odd


async def test_an_engine_that_fails_is_a_refusal(visit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fails(*_: object, **__: object) -> None:
        raise ValueError("targets of both families with one address to send from")

    monkeypatch.setattr("probe.sweep.sweep.sweep", fails)
    visit.greet(sweep(), sweep(2))
    assert "both families" in (await visit.answer(Refused)).reason
    assert (await visit.answer(Refused)).id == 2  # its turn came all the same


@pytest.mark.parametrize("mark", [b"", bytes(MOST_MARK + 1)])
async def test_tallies_are_bounded(visit: Any, mark: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("probe.agent.lookout._MOST_TALLIES", 0 if not mark else 1)
    visit.greet(Tally(id=1, flows=(), mark=mark))
    answer = await visit.answer((Refused, Watching))
    assert isinstance(answer, Refused)
    assert ("too many" if not mark else "at most 32 bytes") in answer.reason
