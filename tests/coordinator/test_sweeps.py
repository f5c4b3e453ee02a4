"""Who sweeps whom when, and how UDP is settled by what the target saw."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Any

import pytest

from probe.coordinator.agents import Agents
from probe.coordinator.link import AgentLost, AgentRefused
from probe.coordinator.sweeps import Sweeps
from probe.model.inventory import Host
from probe.model.ports import PortSet
from probe.model.sight import Arrived
from probe.model.swept import Swept
from probe.model.words import State, Transport
from probe.plan.beyond import Task
from probe.wire.messages import Hello, Sweep, Tallied, Tally, Walk

if TYPE_CHECKING:
    from collections.abc import Callable

TCP, UDP = Transport.TCP, Transport.UDP
PORTS = PortSet([(1, 4000)])
HOSTS = {name: Host(name=name, addresses=(f"10.0.0.{number}",)) for number, name in enumerate("abcdwxyz", 1)}


class Network:
    """Agents that sweep and count. `lets` says of each datagram whether it arrives; `fails` raises for a host."""

    def __init__(self) -> None:
        self.now: list[tuple[str, str, Transport]] = []
        self.together: list[tuple[tuple[str, str, Transport], ...]] = []
        self.orders: list[Sweep] = []
        self.tallies: dict[bytes, set[int]] = {}
        self.lets: Callable[[int], bool] = lambda port: True
        self.fails: dict[str, Exception] = {}
        self.onto: dict[int, int] = {}
        self.sure = self.looks = True
        self.refused = ""
        self.five = asyncio.Event()

    def agents(self) -> Agents:
        made = Agents(HOSTS, "run", None)
        made._links = {name: _Link(name, self) for name in HOSTS}  # type: ignore[misc]
        return made


class _Link:
    lost = None

    def __init__(self, name: str, network: Network) -> None:
        self.name, self.network = name, network

    @property
    def hello(self) -> Hello:
        capabilities = ("raw",) if self.network.looks else ()
        return Hello(wire=1, version="", python="", capabilities=capabilities, files=100)

    async def sweep(self, order: Any, progress: Any, deadline: float) -> tuple[Swept, ...]:
        del progress, deadline
        if self.name in self.network.fails:
            raise self.network.fails[self.name]
        made: Sweep = order(1)
        self.network.orders.append(made)
        if len(self.network.orders) >= 5:
            self.network.five.set()
        target = next(name for name, host in HOSTS.items() if host.addresses[0] == made.targets[0].address)
        key = (self.name, target, made.transport)
        self.network.now.append(key)
        self.network.together.append(tuple(self.network.now))
        await asyncio.sleep(0.001)
        self.network.now.remove(key)
        return tuple(self._swept(made, one.address, PortSet.parse(one.ports)) for one in made.targets)

    def _swept(self, made: Sweep, address: str, ports: PortSet) -> Swept:
        if made.mark:
            self.network.tallies[made.mark] |= {port for port in ports if self.network.lets(port)}
        states = {State.CLOSED if made.transport is TCP else State.OPEN_FILTERED: str(ports)}
        if self.network.refused and made.transport is UDP:
            refused = PortSet.parse(self.network.refused) & ports
            states = {State.OPEN_FILTERED: str(ports - refused), State.CLOSED: str(refused)}
        return Swept(address=address, transport=made.transport, states=states, sent=len(ports))

    async def tally(self, order: Any, deadline: float) -> int:
        del deadline
        made: Tally = order(len(self.network.tallies) + 1)
        self.network.tallies[made.mark] = set()
        return made.id

    async def tallied(self, number: int, deadline: float) -> Tallied:
        del deadline
        came = list(self.network.tallies.values())[number - 1]
        address = HOSTS[self.name].addresses[0]

        def row(ports: Any, onto: int = 0) -> Arrived:
            return Arrived(peer="192.0.2.1", address=address, transport=UDP, ports=str(PortSet.of(ports)), onto=onto)

        plain = [port for port in came if port not in self.network.onto]
        rows = tuple([row(plain)] if plain else []) + tuple(
            row([port], onto) for port, onto in self.network.onto.items() if port in came
        )
        return Tallied(id=number, arrived=rows, sure=self.network.sure, passed=rows, surely_passed=self.network.sure)


def tasks(*pairs: str, transports: tuple[Transport, ...] = (TCP,)) -> list[Task]:
    return [
        Task(source, target, (HOSTS[target].addresses[0], transport), PORTS)
        for source, target in pairs
        for transport in transports
    ]


async def sweep(network: Network, wanted: list[Task], rate: float = 1000.0) -> Sweeps:
    made = Sweeps(network.agents(), lambda _: Walk(id=0, number=1, aims=(), rate=rate), lambda _: None)
    async with asyncio.timeout(20):
        await made.run(wanted)
    return made


EVERYBODY = [f"{source}{target}" for source in "abcd" for target in "wxyz"]


async def test_each_way_is_swept_once() -> None:
    network = Network()
    found = await sweep(network, tasks(*EVERYBODY))
    assert sorted((job.source, job.target) for job in found.jobs) == sorted(tuple(pair) for pair in EVERYBODY)
    assert all(job.done and not job.problem for job in found.jobs)
    assert len(network.orders) == 16


async def test_a_target_is_swept_by_one_source_at_a_time_and_a_source_sweeps_one_target() -> None:
    network = Network()
    await sweep(network, tasks(*EVERYBODY))
    for now in network.together:
        assert len({source for source, _, _ in now}) == len({target for _, target, _ in now}) == len(now)
    assert max(map(len, network.together)) == 4


async def test_at_the_gentle_pace_one_at_a_time() -> None:
    network = Network()
    await sweep(network, tasks(*EVERYBODY, transports=(TCP, UDP)), rate=0.0)
    assert set(map(len, network.together)) == {1}


async def test_both_addresses_of_a_target_go_in_one_order() -> None:
    network = Network()
    wanted = [Task("a", "w", (address, TCP), PORTS) for address in ("10.0.0.5", "fd00::5")]
    await sweep(network, wanted)
    assert [[one.address for one in order.targets] for order in network.orders] == [["10.0.0.5", "fd00::5"]]


async def test_a_name_is_not_swept_and_said_so() -> None:
    network = Network()
    found = await sweep(network, [Task("a", "w", ("w.example", TCP), PORTS)])
    assert not network.orders
    assert "a name is not swept" in found.jobs[0].problem_of(found.jobs[0].tasks[0])


@pytest.mark.parametrize("error", [AgentLost("it died", known=True), AgentRefused("no more sweeps")])
async def test_a_source_that_fails_costs_its_own_sweeps(error: Exception) -> None:
    network = Network()
    network.fails["a"] = error
    found = await sweep(network, tasks(*EVERYBODY))
    assert {job.source for job in found.jobs if job.problem} == {"a"}
    assert all(str(error) in job.problem for job in found.jobs if job.source == "a")
    assert all(job.done for job in found.jobs if job.source != "a")


async def test_interrupted_it_leaves_nothing_under_way() -> None:
    network = Network()
    running = asyncio.create_task(sweep(network, tasks(*EVERYBODY * 20)))
    await network.five.wait()
    running.cancel()
    await asyncio.wait((running,))
    begun = len(network.orders)
    await asyncio.sleep(0.02)
    assert len(network.orders) == begun


class TestUdp:
    async def one(self, network: Network) -> Any:
        found = await sweep(network, tasks("aw", transports=(UDP,)))
        (told,) = found.jobs[0].done.values()
        return told

    async def test_what_arrives_everywhere_takes_one_round(self) -> None:
        network = Network()
        told = await self.one(network)
        assert (told.arrived, told.sent, told.residual) == (str(PORTS), len(PORTS), 0.0)
        assert told.states == {State.OPEN_FILTERED: str(PORTS)}
        assert network.orders[0].rounds == 1
        assert len(network.orders[0].mark) >= 8

    async def test_a_firewalls_ports_are_asked_until_silence_is_believed(self) -> None:
        network = Network()
        network.lets = lambda port: port > 500
        told = await self.one(network)
        assert told.states[State.FILTERED] == "1-500"
        assert told.residual < 1e-6
        # After the first round, only those that did not arrive and some that did.
        assert all(len(PortSet.parse(order.targets[0].ports)) <= 1001 for order in network.orders[1:])
        assert len({order.mark for order in network.orders}) == len(network.orders)

    @pytest.mark.parametrize("seed", range(5))
    async def test_what_gets_lost_is_found_again(self, seed: int) -> None:
        network = Network()
        chance = random.Random(seed)
        network.lets = lambda port: port > 500 and chance.random() > 0.05
        told = await self.one(network)
        assert told.arrived == "501-4000"
        assert told.states[State.FILTERED] == "1-500"
        assert 0.02 < told.loss < 0.1
        assert told.residual < 1e-6

    async def test_where_nothing_arrives_it_ends(self) -> None:
        network = Network()
        network.lets = lambda port: False
        told = await self.one(network)
        assert (told.arrived, told.states) == ("", {State.FILTERED: str(PORTS)})
        assert 3 <= len(network.orders) <= 8

    async def test_what_came_to_another_port_is_told(self) -> None:
        network = Network()
        network.onto = {4646: 53, 100: 53}
        told = await self.one(network)
        assert told.translated == {53: "100"}
        assert told.arrived == str(PORTS)

    @pytest.mark.parametrize("how", ["unsure", "not allowed", "blind"])
    async def test_without_a_witness_that_is_sure_the_answers_alone_count(self, how: str) -> None:
        """One that did not see what the target refused does not see what arrives."""
        network = Network()
        network.sure, network.looks = how != "unsure", how != "not allowed"
        if how == "blind":
            network.lets, network.refused = (lambda port: port != 77), "77"
        told = await self.one(network)
        assert told.arrived is None
        assert (network.orders[-1].mark, network.orders[-1].rounds) == (b"", 0)
