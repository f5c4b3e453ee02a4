"""What has one cause is one finding: a firewall between two networks, and hosts with rules of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .lab import Lab, chain

if TYPE_CHECKING:
    from .harness import Portcheck, Run

SOURCES, TARGETS = ("a1", "a2", "a3"), ("b1", "b2", "b3")
SERVICES = {
    "redis": "tcp 6379",
    "search": "tcp 9200",
    "log": "udp 5514",
    "metrics": "tcp 8000",
    "shell": "tcp 2222",
    "api": "http 8080",
}
BOTH = (4, 6)


@pytest.fixture(scope="module")
def run(portcheck: Portcheck) -> Run:
    with Lab(*SOURCES, *TARGETS) as lab:
        lab.nft("r", chain("forward", "tcp dport { 6379, 9200 } drop", "udp dport 5514 drop"))
        for target in TARGETS[:2]:
            lab.nft(target, chain("input", "tcp dport 8000 drop"))
        lab.nft("a3", chain("output", "tcp dport { 2222, 8080 } drop"))
        roles = {**dict.fromkeys(SOURCES, ("source",)), **dict.fromkeys(TARGETS, ("target",))}
        return portcheck(lab, roles, SERVICES, families=BOTH)


def test_each_cause_is_one_finding(run: Run) -> None:
    """The router has an address of each family for each of the networks around it."""
    routers = "10.77.1.1, fd77:1::1, 10.77.2.1, … (3 more), or devices behind them,"
    assert [finding["title"] for finding in run.report["findings"]] == [
        f"{routers} drop tcp 6379, 9200, udp 5514 from source (3 hosts) to target (3 hosts)",
        "a3: own firewall drops tcp 2222, 8080 to target (3 hosts)",
        "b1, b2: own firewall drops tcp 8000 from source (3 hosts)",
    ]
    assert [finding["rows"] for finding in run.report["findings"]] == [54, 12, 12]


def test_each_row_that_fails_is_in_one(run: Run) -> None:
    failed = {row["id"] for row in run.rows() if row["verdict"] != "pass"}
    told = [check for finding in run.report["findings"] for check in finding["checks"]]
    assert set(told) == failed


def test_the_terminal_tells_three(run: Run) -> None:
    told = [line for line in run.stdout.splitlines() if line.startswith("✗ ")]
    assert len(told) == 3
