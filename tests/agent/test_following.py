"""Which failing ways are followed, and how fast."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from probe.agent.following import chosen
from probe.agent.ration import Ration
from probe.model.observation import Failure, Icmp, Observation
from probe.model.words import Protocol, State
from probe.probes.attempt import Attempt
from probe.wire.messages import Aim

SILENT = Observation(state=State.FILTERED, failure=Failure.TIMEOUT)
REFUSED = Observation(state=State.CLOSED, failure=Failure.REFUSED)
TOLD = Observation(
    state=State.REJECTED, failure=Failure.ICMP, icmp=Icmp(family=4, type=3, code=13, sender="10.0.0.254")
)


def attempt(address: str, port: int, seen: Observation | None) -> Attempt:
    made = Attempt(Aim(task=1, target=1, address=address, ports=str(port), protocol=Protocol.TCP), address, port)
    made.seen = seen
    return made


def test_they_are_of_all_ports_and_all_addresses() -> None:
    failed = [attempt(f"10.0.0.{host}", port, SILENT) for host in range(6) for port in (80, 81, 82)]
    found = chosen(failed, 6)
    assert Counter(one.port for one in found) == {80: 2, 81: 2, 82: 2}
    assert len({one.address for one in found}) == 6


def test_silence_comes_first_and_refusals_wait_for_nobody() -> None:
    failed = [attempt("a", port, REFUSED) for port in range(20)] + [attempt("b", 99, SILENT)]
    found = chosen(failed, 9)
    assert found[0].port == 99
    assert len(found) == 2
    assert len(chosen([attempt("b", port, SILENT) for port in range(20)], 9)) == 9


def test_a_device_that_named_itself_needs_no_path_and_neither_does_what_was_never_tried() -> None:
    assert chosen([attempt("a", 80, TOLD), attempt("a", 81, None)], 9) == []


@pytest.mark.parametrize(("sparing", "at_once"), [(False, 5), (True, 2)])
async def test_each_distance_has_a_ration(sparing: bool, at_once: int) -> None:
    ration = Ration()
    came: list[int] = []

    async def ask(ttl: int) -> None:
        async with ration.gate(ttl, ipv6=False, sparing=sparing):
            came.append(ttl)

    asking = [asyncio.create_task(ask(ttl)) for _ in range(8) for ttl in (1, 2)]
    await asyncio.wait(asking, timeout=0.5)  # the next waits for a second
    assert Counter(came) == {1: at_once, 2: at_once}
    for task in asking:
        task.cancel()
    await asyncio.wait(asking)
