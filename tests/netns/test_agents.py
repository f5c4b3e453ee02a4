"""Agents that are dead, lost or strange cost their own rows, never the run."""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING

import pytest

from . import fake_agent
from .harness import closed, pair
from .lab import Lab, chain, eventually
from .situations import Row

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .harness import Portcheck, Run, Running
    from .situations import Tabled

FAKE = f"{sys.executable} {fake_agent.__file__}"
PREFIXES = {
    "exits": "false",
    "says-nothing": "true",
    "is-missing": "/no/such/command",
    **{mode: f"{FAKE} {mode}" for mode in fake_agent.MODES if mode != "login-banner"},
}
LOST = {"no-agent", "agent-lost"}
# Whoever says its name and then nonsense may be found out before or after it is greeted.
LATER = {"ends-after-hello": "inconclusive agent-lost", "repeats": "inconclusive no-agent|inconclusive agent-lost"}


@pytest.fixture(scope="module")
def strange_under_way(portcheck: Portcheck) -> Iterator[Running]:
    """All of them in one run, each as a source and as a target, beside two hosts that are well.

    It takes as long as an agent may take to greet, so it is begun first, and read last.
    """
    with Lab("a1", "b1") as lab:
        variables = {
            name: {"portcheck_address": f"10.77.4.{number}", "portcheck_exec": prefix}
            for number, (name, prefix) in enumerate(PREFIXES.items(), 10)
        }
        roles = {**pair(), **dict.fromkeys(PREFIXES, ("source", "target"))}
        running = portcheck.start(lab, roles, {"tcp": "tcp 5000", "udp": "udp 5001"}, variables=variables)
        try:
            yield running
            running.finish()
            closed(lab)
        finally:
            running.kill()
            running.process.communicate()


# What happens to an agent in mid-run. A stopped one keeps its sockets and its pipes, and says nothing any more.
VICTIMS = {"a2": signal.SIGKILL, "a3": signal.SIGSTOP, "b2": signal.SIGKILL, "b3": signal.SIGSTOP}


@pytest.fixture(scope="module")
def bereaved(portcheck: Portcheck, strange_under_way: Running) -> Run:
    """The victims are caught in the middle: nothing gets through where one of them is source or target."""
    del strange_under_way
    sources, targets = ("a1", "a2", "a3"), ("b1", "b2", "b3")
    with Lab(*sources, *targets) as lab:
        lab.nft("r", chain("forward", 'iifname {"a2", "a3"} drop', 'oifname {"b2", "b3"} drop'))
        roles = {**dict.fromkeys(sources, ("source",)), **dict.fromkeys(targets, ("target",))}
        running = portcheck.start(lab, roles, {"tcp": "tcp 5000-5099"})
        eventually(
            lambda: all(map(lab.pids, sources)) and all(map(lab.listening, targets)), 20, "the run never got going"
        )
        for victim, stop in VICTIMS.items():
            for pid in lab.pids(victim):
                os.kill(pid, stop)
        run = running.finish()
        for victim in VICTIMS:
            for pid in lab.pids(victim):
                os.kill(pid, signal.SIGKILL)
        closed(lab)
    return run


@pytest.mark.parametrize("victim", VICTIMS)
def test_an_agent_is_lost_on_the_way(bereaved: Run, victim: str, tabled: Tabled) -> None:
    source, target = ("a1", victim) if victim.startswith("b") else (victim, "b1")
    name = "killed on the way" if VICTIMS[victim] is signal.SIGKILL else "stopped on the way"
    tabled(_row(name, "inconclusive agent-lost", source, target), bereaved)


def test_the_pairs_that_are_left_pass(bereaved: Run, tabled: Tabled) -> None:
    tabled(_row("of others are lost", "pass", "a1", "b1"), bereaved)
    assert bereaved.code == 6, bereaved


def _row(name: str, expected: str, source: str, target: str) -> Row:
    return Row("agents", name, "tcp", 4, expected, source=source, target=target, service="tcp")


@pytest.fixture(scope="module")
def strange(strange_under_way: Running) -> Run:
    return strange_under_way.finish()


@pytest.mark.parametrize("host", PREFIXES)
def test_its_rows_are_inconclusive(strange: Run, host: str) -> None:
    rows = strange.rows(source=host) + strange.rows(target=host)
    assert len(strange.rows(source=host, target="b1")) == len(strange.rows(source="a1", target=host)) == 2, strange
    assert {row["verdict"] for row in rows} == {"inconclusive"}, strange
    assert {row["cause"] for row in rows} <= LOST, strange


@pytest.mark.parametrize("as_source", [True, False], ids=["source", "target"])
@pytest.mark.parametrize("host", PREFIXES)
def test_it_is_no_agent_or_a_lost_one(strange: Run, host: str, as_source: bool, tabled: Tabled) -> None:
    expected = LATER.get(host, "inconclusive no-agent")
    source, target = (host, "b1") if as_source else ("a1", host)
    tabled(_row(f"{host}, {'source' if as_source else 'target'}", expected, source, target), strange)


@pytest.mark.parametrize("host", PREFIXES)
def test_its_trouble_is_told(strange: Run, host: str) -> None:
    (told,) = [each for each in strange.report["hosts"] if each["name"] == host]
    assert told["problem"]
    assert told["problem"].isprintable()


def test_the_others_pass(strange: Run) -> None:
    assert [row["verdict"] for row in strange.rows(source="a1", target="b1")] == ["pass", "pass"], strange
    assert strange.code == 6, strange


def test_noise_before_the_greeting_is_no_trouble(portcheck: Portcheck) -> None:
    with Lab("a1", "b1") as lab:
        prefix = " ".join(lab.prefix("b1"))
        variables = {"b1": {"portcheck_exec": f"{prefix} {FAKE} login-banner"}}
        run = portcheck(lab, pair(), {"tcp": "tcp 5000"}, variables=variables)
    assert (run.code, run.verdicts()) == (0, {"pass"}), run
