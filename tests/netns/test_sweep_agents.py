"""Sweeps by real agents: exact beside each other, and nothing left behind whoever is lost."""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import signal
from typing import TYPE_CHECKING

import msgspec
import pytest

from probe.coordinator.link import AgentLost, AgentRefused, Link
from probe.model.ports import PortSet
from probe.model.sight import Flow
from probe.model.words import State, Transport
from probe.wire.messages import Sweep, SweepTarget, Tally

from .lab import Lab, chain, command, eventually
from .linked import SECONDS, agent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from probe.model.sight import Arrived
    from probe.model.swept import Swept
    from probe.wire.messages import Sweeping

TCP, UDP = Transport.TCP, Transport.UDP
MARK = b"portcheck-0123456789"
LONG = 120
NO_RAW = ("setpriv", "--bounding-set=-net_raw", "--inh-caps=-net_raw")
ENGINES = pytest.mark.parametrize("words", [(), NO_RAW], ids=["packet", "connect"])


def sweep(
    link: Link, address: str, ports: str, word: Callable[[Sweeping], None] | None = None, **more: object
) -> asyncio.Task[tuple[Swept, ...]]:
    given = {"transport": TCP, "rate": math.inf, "timeout": 0.5, "deadline": LONG, **more}
    targets = (SweepTarget(address=address, ports=ports),)
    return asyncio.create_task(
        link.sweep(lambda number: Sweep(id=number, targets=targets, **given), word or (lambda _: None), LONG)
    )


async def under_way(link: Link, address: str, **more: object) -> asyncio.Task[tuple[Swept, ...]]:
    """A slow sweep of which the first packets have been sent."""
    sent = asyncio.Event()
    task = sweep(link, address, "1-60000", lambda word: word.sent and sent.set(), rate=500.0, **more)
    async with asyncio.timeout(SECONDS):
        await sent.wait()
    assert not task.done()
    return task


def half_open(lab: Lab, host: str) -> str:
    """Connections that are neither there nor gone."""
    return command(*lab.prefix(host), "ss", "-Hntan", "state", "syn-recv", "state", "syn-sent", "state", "established")


def states(swept: Swept) -> dict[State, PortSet]:
    return {state: PortSet.parse(ports) for state, ports in swept.states.items()}


@ENGINES
async def test_the_agent_that_sweeps_is_killed(words: tuple[str, ...]) -> None:
    with Lab("a1", "b1") as lab:
        lab.serve("b1", *(f"echo {port}" for port in (22, 80, 443)))
        async with agent(lab, "a1", *words) as link:
            sweeping = await under_way(link, lab.address("b1"))
            for pid in lab.pids("a1"):
                os.kill(pid, signal.SIGKILL)
            with pytest.raises(AgentLost, match="ended"):
                async with asyncio.timeout(SECONDS):
                    await sweeping
        eventually(lambda: not lab.pids("a1"), SECONDS, "the agent lives")
        for host in ("a1", "b1"):
            eventually(lambda: not half_open(lab, host), SECONDS, lambda: half_open(lab, host))  # noqa: B023


@ENGINES
async def test_the_coordinator_is_lost(words: tuple[str, ...]) -> None:
    """No word, no bye: the stream ends, and so does the sweep."""
    with Lab("a1", "b1") as lab:
        async with agent(lab, "a1", *words) as link:
            sweeping = await under_way(link, lab.address("b1"))
            link._channel._process.stdin.close()
            with contextlib.suppress(AgentLost):
                async with asyncio.timeout(SECONDS):
                    await sweeping
        eventually(lambda: not lab.pids("a1"), SECONDS, "the agent lives")
        assert not half_open(lab, "a1")


@ENGINES
async def test_one_that_is_stopped_sends_no_more(words: tuple[str, ...]) -> None:
    flows = (Flow(TCP, "", "1-65535"),)
    with Lab("a1", "b1") as lab:
        async with agent(lab, "a1", *words) as source, agent(lab, "b1") as target:
            sweeping = await under_way(source, lab.address("b1"))
            sweeping.cancel()
            with pytest.raises(asyncio.CancelledError):
                await sweeping
            number = await target.tally(lambda number: Tally(id=number, flows=flows), SECONDS)
            # Its own questions come through; nothing else does.
            (found,) = await sweep(source, lab.address("b1"), "7,9")
            tallied = await target.tallied(number, SECONDS)
    assert states(found) == {State.CLOSED: PortSet.parse("7,9")}
    assert {row.ports for row in tallied.arrived} == {"7,9"}


async def test_the_witness_is_lost() -> None:
    """The sweep goes on without it."""
    flows = (Flow(UDP, "", "1-65535"),)
    with Lab("a1", "b1") as lab:
        async with agent(lab, "a1") as source, agent(lab, "b1") as target:
            number = await target.tally(lambda number: Tally(id=number, flows=flows, mark=MARK), SECONDS)
            sweeping = sweep(source, lab.address("b1"), "1-2000", transport=UDP, mark=MARK, rounds=1)
            for pid in lab.pids("b1"):
                os.kill(pid, signal.SIGKILL)
            with pytest.raises(AgentLost):
                await target.tallied(number, SECONDS)
            (found,) = await sweeping
    assert sum(map(len, states(found).values())) == 2000


@ENGINES
async def test_two_coordinators_at_once(words: tuple[str, ...]) -> None:
    """Each has its own agent here, and what it finds is exact."""
    dropped = PortSet.parse("1000-1499,3000")
    with Lab("a1", "b1") as lab:
        lab.nft("r", chain("forward", f"tcp dport {{ {dropped} }} drop"))
        lab.serve("b1", "echo 22", "echo 1001", "echo 2000")
        async with agent(lab, "a1", *words) as one, agent(lab, "a1", *words) as two:
            tasks = [sweep(link, lab.address("b1"), "1-4000", seed=seed) for seed, link in enumerate((one, two))]
            found = [await task for task in tasks]
    truth = {
        State.OPEN: PortSet.parse("22,2000"),
        State.FILTERED: dropped,
        State.CLOSED: PortSet([(1, 4000)]) - dropped - PortSet.parse("22,2000"),
    }
    assert [states(swept) for (swept,) in found] == [truth, truth]


@ENGINES
@pytest.mark.parametrize("family", [4, 6])
async def test_datagrams_that_get_lost_are_sent_again(words: tuple[str, ...], family: int) -> None:
    """Round by round, 5 % of them lost, until all have arrived that may. No answer says so: only the witness does."""
    every, dropped, unwelcome = PortSet([(1, 3000)]), PortSet.parse("500-599,2000"), PortSet.parse("700-709")
    lost = "meta l4proto udp numgen random mod 100 < 5 drop"
    with Lab("a1", "b1") as lab:
        lab.nft("r", chain("forward", f"udp dport {{ {dropped} }} drop", lost))
        lab.nft("b1", chain("input", f"udp dport {{ {unwelcome} }} drop"))
        address = lab.address("b1", family)
        async with agent(lab, "a1", *words) as source, agent(lab, "b1") as target:
            left, arrived, passed, rounds = every, PortSet(), PortSet(), 0
            while left & (every - dropped) and rounds < 8:
                order = Tally(id=0, flows=(Flow(UDP, "", str(every)),), mark=MARK, inside=True)
                number = await target.tally(_numbered(order), SECONDS)
                (found,) = await sweep(source, address, str(left), transport=UDP, mark=MARK, rounds=1, seed=rounds)
                told = await target.tallied(number, SECONDS)
                assert told.sure
                assert told.surely_passed
                assert found.sent >= len(left)
                arrived |= _ports(told.arrived)
                passed |= _ports(told.passed)
                left, rounds = every - arrived, rounds + 1
    assert arrived == every - dropped
    assert passed == every - dropped - unwelcome
    assert rounds > 1


async def test_two_that_sweep_each_other() -> None:
    """What comes back to the one is not what the other asks."""
    flows = (Flow(UDP, "", "1-65535"),)
    with Lab("a1", "b1") as lab:
        lab.nft("r", chain("forward", "iifname a1 udp dport 100-199 drop", "iifname b1 udp dport 300-399 drop"))
        async with agent(lab, "a1") as one, agent(lab, "b1") as two:
            marks = {one: MARK + b"1", two: MARK + b"2"}
            seen = {}
            for link, other in ((one, two), (two, one)):
                order = Tally(id=0, flows=flows, mark=marks[other])
                seen[link] = await link.tally(_numbered(order), SECONDS)
            sweeps = [
                sweep(link, lab.address(target), "1-20000", transport=UDP, mark=marks[link], rounds=1)
                for link, target in ((one, "b1"), (two, "a1"))
            ]
            await asyncio.wait(sweeps)
            told = {link: await link.tallied(number, SECONDS) for link, number in seen.items()}
    everything = PortSet([(1, 20000)])
    assert [(row.ports, told[two].sure) for row in told[two].arrived] == [
        (str(everything - PortSet([(100, 199)])), True)
    ]
    assert [(row.ports, told[one].sure) for row in told[one].arrived] == [
        (str(everything - PortSet([(300, 399)])), True)
    ]


def _numbered(order: Tally) -> Callable[[int], Tally]:
    return lambda number: msgspec.structs.replace(order, id=number)


def _ports(rows: Iterable[Arrived]) -> PortSet:
    return PortSet(span for row in rows for span in PortSet.parse(row.ports).ranges)


@ENGINES
async def test_orders_beside_a_sweep_are_carried_out(words: tuple[str, ...]) -> None:
    """An agent that sweeps as fast as it can still answers."""
    with Lab("a1", "b1") as lab:
        async with agent(lab, "a1", *words) as link:
            sweeping = sweep(link, lab.address("b1"), "1-65535")
            answered = 0
            while not sweeping.done():
                assert (await link.survey(2)).complete
                answered += 1
            (found,) = await sweeping
    assert answered > 2
    assert states(found) == {State.CLOSED: PortSet([(1, 65535)])}


async def test_an_address_that_is_none_is_refused() -> None:
    with Lab("a1") as lab:
        async with agent(lab, "a1") as link:
            with pytest.raises(AgentRefused, match="no address of one host"):
                await sweep(link, "224.0.0.251", "5353")
            assert link.lost is None
