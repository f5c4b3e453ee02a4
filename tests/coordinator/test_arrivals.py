"""Attempts that should not get through, and what the target's side saw of them."""

from __future__ import annotations

from typing import Any

import pytest

from probe.coordinator.agents import Agents
from probe.coordinator.arrivals import Arrivals
from probe.coordinator.pieces import Errand
from probe.model.check import Check
from probe.model.inventory import Host
from probe.model.observation import Failure, Observation, PortUse, TargetView
from probe.model.ports import PortSet
from probe.model.sight import Arrived
from probe.model.words import Expect, Policy, Protocol, State, Transport
from probe.wire.messages import Hello, Outcome, Tallied, Tally

UDP = Transport.UDP
HOSTS = {
    name: Host(name=name, addresses=(address,))
    for name, address in (("a", "10.0.0.1"), ("b", "10.0.0.2"), ("c", "10.0.0.3"))
}
SILENT = Observation(state=State.OPEN_FILTERED, failure=Failure.TIMEOUT, local="10.0.0.1")
LISTENER = TargetView(use=PortUse.LISTENER)


class Target:
    """The agent of b, with what it will have seen."""

    lost = None

    def __init__(
        self, *arrived: Arrived, passed: tuple[Arrived, ...] = (), sure: bool = True, raw: bool = True
    ) -> None:
        self.hello = Hello(wire=1, version="", python="", capabilities=("raw",) if raw else (), files=100)
        self.seen = (arrived, passed, sure)
        self.orders: list[Tally] = []

    async def tally(self, order: Any, deadline: float) -> int:
        del deadline
        self.orders.append(order(5))
        return 5

    async def tallied(self, number: int, deadline: float) -> Tallied:
        del deadline
        arrived, passed, sure = self.seen
        return Tallied(id=number, arrived=arrived, sure=sure, passed=passed, surely_passed=sure)


def agents(target: Target) -> Agents:
    made = Agents(HOSTS, "run", None)
    made._links = {"b": target}  # type: ignore[dict-item]
    return made


def errand(ports: str = "53,161", view: TargetView = LISTENER, expect: Expect = Expect.BLOCK) -> Errand:
    check = Check(
        id="c1", source="a", source_role="web", target="b", target_role="db", address="10.0.0.2", transport=UDP,
        ports=PortSet.parse(ports), protocol=Protocol.UDP, service="undeclared", matrix="shop", rule="policy.inside",
        expect=expect, policy=Policy.ENFORCE,
    )  # fmt: skip
    made = Errand(check, check.ports, view)
    made.take(Outcome(task=0, address="10.0.0.2", ports=ports, seen=SILENT))
    return made


def came(ports: str, peer: str = "10.0.0.1") -> Arrived:
    return Arrived(peer=peer, address="10.0.0.2", transport=UDP, ports=ports)


async def seen(target: Target, one: Errand | None = None) -> dict[str, tuple[bool | None, bool | None]]:
    one = one or errand()
    arrivals = Arrivals(agents(target), HOSTS)
    await arrivals.begin({"a": [one]})
    await arrivals.end({"a": [one]})
    return {
        str(piece.ports): (piece.ends.arrived, piece.ends.passed) if piece.ends is not None else (None, None)
        for piece in one.finish()
    }


async def test_ports_are_told_apart_by_what_became_of_them() -> None:
    target = Target(came("53,161"), passed=(came("161"),))
    assert await seen(target) == {"53": (True, False), "161": (True, True)}
    (order,) = target.orders
    assert order.inside
    assert [(flow.transport, flow.address, flow.ports) for flow in order.flows] == [(UDP, "10.0.0.2", "53,161")]


async def test_what_came_from_others_is_not_ours() -> None:
    assert await seen(Target(came("53,161", "10.0.0.3"))) == {"53,161": (False, False)}


async def test_what_came_from_nobody_that_is_known_may_be_ours_translated() -> None:
    assert await seen(Target(came("53", "203.0.113.9"))) == {"53": (None, False), "161": (False, False)}


async def test_a_tally_that_missed_packets_proves_no_absence() -> None:
    assert await seen(Target(came("53"), sure=False)) == {"53": (True, None), "161": (None, None)}


@pytest.mark.parametrize("text", ["no ports", "0-70000"])
async def test_what_makes_no_sense_makes_all_unsure(text: str) -> None:
    assert await seen(Target(came(text), came("53"))) == {"53": (True, False), "161": (None, False)}


async def test_without_the_right_to_look_nothing_is_ordered() -> None:
    target = Target(raw=False)
    assert await seen(target) == {"53,161": (None, None)}
    assert not target.orders


@pytest.mark.parametrize(
    "one",
    [
        errand(expect=Expect.REACH),
        errand(view=TargetView(use=PortUse.FREE)),
        errand(view=TargetView(use=PortUse.STAND_IN)),
    ],
)
async def test_only_what_listens_and_must_not_be_reached_is_looked_at(one: Errand) -> None:
    target = Target(came("53"))
    assert await seen(target, one) == {"53,161": (None, None)}
    assert not target.orders


async def test_at_a_translated_address_the_targets_own_is_another() -> None:
    one = errand("53", TargetView(use=PortUse.LISTENER, translated=True))
    arrived = Arrived(peer="10.0.0.1", address="192.168.0.2", transport=UDP, ports="53")
    target = Target(arrived, passed=(arrived,))
    assert await seen(target, one) == {"53": (True, True)}
    assert target.orders[0].flows[0].address == ""
