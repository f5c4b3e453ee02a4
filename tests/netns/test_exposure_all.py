"""Every port: what no socket table knows of, and what only a sweep finds."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from probe.model.ports import PortSet

from .harness import closed
from .lab import Lab, chain, command, eventually
from .test_exposure import NAMED, matrix, undeclared

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .harness import Portcheck, Run

ROLES = {"a1": ("source",), "b1": ("target",), "x1": ()}
ALL = ("--exposure", "all", "--only", "target=b1")
FAST = ("--max-rate", "30000")
SPOKEN = PortSet.parse("5432,8080-8081")


def received(lab: Lab, host: str) -> int:
    """Packets that came to the host so far."""
    (link,) = json.loads(command("ip", "-n", lab.namespace(host), "-s", "-j", "link", "show", "net"))
    return int(link["stats64"]["rx"]["packets"])


def sweeps(run: Run, transport: str) -> dict[str, dict[str, Any]]:
    return {one["source"]: one for one in run.report["exposure"]["sweeps"] if one["transport"] == transport}


@pytest.fixture(scope="module")
def run(portcheck: Portcheck) -> Run:
    """A router that publishes an odd port of another machine in b1's name, to outside alone; and a listener that comes
    while b1 is swept.
    """
    with Lab("a1", "a2", "b1", "x1") as lab:
        lab.serve("b1", *NAMED, "echo 6379", "udp-silent 6161", "udp-silent 6262")
        lab.serve("a2", "echo 9999")
        there = f'iifname "x1" ip daddr {lab.address("b1")}'
        rules = (
            f"{there} tcp dport 31337 dnat ip to {lab.address('a2')}:9999",
            f"{there} udp dport 4646 dnat ip to {lab.address('b1')}:6161",
        )
        lab.nft("r", chain("prerouting", *rules))
        lab.nft("b1", chain("input", "udp dport 6262 drop", "tcp dport 7000-7999 drop", "udp dport 7000-7999 drop"))
        running = portcheck.start(lab, ROLES, matrix(), *ALL, *FAST, phase="live")
        before = received(lab, "b1")
        eventually(lambda: received(lab, "b1") > before + 5000, 30, "no sweep began")
        lab.serve("b1", "echo 6400")
        return running.finish()


def test_a_port_that_only_the_network_knows_of(run: Run) -> None:
    row = run.row(source="x1", service="undeclared", ports="31337")
    assert (row["verdict"], row["cause"], row["state"], row["listener"]) == ("exposed", None, "open", None), run
    assert "nothing listens there on b1" in row["detail"]
    assert undeclared(run)["a1", "tcp 31337"] == "pass"


def test_a_service_behind_another_port(run: Run) -> None:
    """Nobody answers a datagram here: the target's witness knows it by its mark, whatever port it came to."""
    row = run.row(source="x1", service="undeclared", transport="udp", ports="4646")
    assert row["verdict"] == "exposed", run
    assert "udp 6161" in row["detail"]


def test_what_listens_is_found_and_named(run: Run) -> None:
    found = undeclared(run, verdict="exposed")
    for port in ("tcp 6379", "udp 6161"):
        assert {source for source, each in found if each == port} == {"a1", "x1"}, found
    assert undeclared(run)["a1", "udp 6262"] == "pass"


def test_a_listener_that_came_during_the_sweep_is_found(run: Run) -> None:
    assert undeclared(run)["a1", "tcp 6400"] == undeclared(run)["x1", "tcp 6400"] == "exposed", run


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_every_other_port_is_a_pass(run: Run, transport: str) -> None:
    for source in ("a1", "x1"):
        rows = run.rows(source=source, service="undeclared", transport=transport)
        ports = PortSet(span for row in rows for span in PortSet.parse(row["ports"]).ranges)
        spoken = SPOKEN if transport == "tcp" else PortSet.parse("5123")
        assert ports == PortSet([(1, 65535)]) - spoken
        rest = [row for row in rows if len(PortSet.parse(row["ports"])) > 1]
        assert {row["verdict"] for row in rest} == {"pass"}, run
        assert {row["state"]: row["ports"] for row in rest}["filtered"] == "7000-7999"


def test_the_report_says_what_was_sent(run: Run) -> None:
    for transport in ("tcp", "udp"):
        for one in sweeps(run, transport).values():
            assert one["sent"] >= 65_000
            assert one["residual"] < 1e-6
            assert not one["problem"]
    assert run.report["exposure"]["sent"] > 4 * 65_000
    told = " ".join(run.stdout.partition("Beyond the matrix")[2].split())
    assert "every port (--exposure all)" in told
    assert "packets and attempts sent" in told


def test_a_target_that_answers_on_every_port_is_one_finding(portcheck: Portcheck) -> None:
    with Lab("a1", "b1") as lab:
        lab.serve("b1", "echo 6379")
        lab.serve("r", "silent 9")
        lab.nft("r", chain("prerouting", f"ip daddr {lab.address('b1')} meta l4proto tcp redirect to :9"))
        only = ("--exposure", "all", "--strict", "--only", "target=b1 service=undeclared transport=tcp")
        run = portcheck(lab, {"a1": ("source",), "b1": ("target",)}, matrix(), *only, *FAST, phase="live")
    found = undeclared(run)
    assert set(found.values()) == {"inconclusive"}, run
    assert len(found) == 2  # the listener of the target, and all the rest
    assert [finding["cause"] for finding in run.report["findings"]] == ["conflicting-evidence"]
    assert sweeps(run, "tcp")["a1"]["everything"]
    assert run.code == 6


def test_a_target_without_an_agent_is_known_by_its_answers(portcheck: Portcheck) -> None:
    with Lab("a1", "b1") as lab:
        lab.serve("b1", "echo 1234", "udp-echo 1235")
        lab.nft("b1", chain("input", "tcp dport 1500-1599 drop"))
        only = ("--exposure", "all", "--strict", "--only", "target=b1 service=undeclared port=1200-1600")
        run = portcheck(
            lab, {"a1": ("source",), "b1": ("target",)}, matrix(), *only, phase="live",
            variables={"b1": {"portcheck_agent": "none"}},
        )  # fmt: skip
    assert undeclared(run)["a1", "tcp 1234"] == "exposed", run
    rest = {row["state"]: row for row in run.rows(transport="tcp") if row["verdict"] == "pass"}
    assert rest["filtered"]["ports"] == "1500-1599", run
    # Without a witness, what did not answer may be a service all the same.
    assert run.verdicts(transport="udp") <= {"exposed", "pass", "inconclusive"}
    silent = run.rows(transport="udp", state="open|filtered")
    assert all(row["verdict"] == "inconclusive" for row in silent), run


@pytest.fixture
def sweeping(portcheck: Portcheck) -> Iterator[tuple[Lab, Any]]:
    """A run in the middle of its first sweep, at the pace of a whole minute."""
    with Lab("a1", "b1") as lab:
        lab.serve("b1", "echo 6379")
        only = ("--exposure", "all", "--only", "target=b1 service=undeclared transport=tcp", "--max-rate", "1000")
        running = portcheck.start(lab, {"a1": ("source",), "b1": ("target",)}, matrix(), *only, phase="live")
        try:
            before = received(lab, "b1")
            eventually(lambda: received(lab, "b1") > before + 500, 30, "no sweep began")
            yield lab, running
        finally:
            running.kill()
            running.process.communicate()


def test_interrupted(sweeping: tuple[Lab, Any]) -> None:
    lab, running = sweeping
    running.interrupt()
    run = running.finish()
    assert run.code == 2
    assert undeclared(run) == {("a1", f"tcp {PortSet([(1, 65535)]) - SPOKEN}"): "inconclusive"}, run
    still(lab)


def test_an_agent_that_is_killed_while_it_sweeps(sweeping: tuple[Lab, Any]) -> None:
    lab, running = sweeping
    for pid in lab.pids("a1"):
        command("kill", "-9", str(pid))
    run = running.finish()
    assert run.verdicts(service="undeclared") == {"inconclusive"}, run
    assert {row["cause"] for row in run.rows()} == {"agent-lost"}
    ports = PortSet(span for row in run.rows() for span in PortSet.parse(row["ports"]).ranges)
    assert ports == PortSet([(1, 65535)]) - SPOKEN
    still(lab)


def still(lab: Lab) -> None:
    """Nobody sends any more, nothing is left behind."""
    closed(lab, {"b1": frozenset({"tcp 6379"}), "a1": frozenset()})
    eventually(lambda: not lab.pids("a1"), 15, "agents that stay")
    came = received(lab, "b1")
    eventually(
        lambda: command("ss", "-N", lab.namespace("b1"), "-Htn", "state", "syn-recv").strip() == "", 5, "half open"
    )
    assert received(lab, "b1") <= came + 5
