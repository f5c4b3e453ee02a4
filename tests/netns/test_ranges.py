"""Ranges: holes are found exactly, and neither loss nor a rate limit becomes a finding."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .harness import pair
from .lab import Lab, chain, command

if TYPE_CHECKING:
    from .harness import Portcheck


def test_a_range_with_a_hole(portcheck: Portcheck) -> None:
    with Lab("a1", "b1") as lab:
        lab.nft("r", chain("forward", "meta l4proto {tcp, udp} th dport 5050-5059 drop"))
        run = portcheck(lab, pair(), {"tcp": "tcp 5000-5099", "udp": "udp 5000-5099"})
    for service in ("tcp", "udp"):
        found = {row["ports"]: (row["verdict"], row["cause"]) for row in run.rows(service=service)}
        assert found == {"5000-5049,5060-5099": ("pass", None), "5050-5059": ("blocked", "network")}, run
    assert run.code == 1


def test_a_range_beyond_the_file_limit_is_walked_in_windows(portcheck: Portcheck) -> None:
    with Lab("a1", "b1") as lab:
        lab.nft("r", chain("forward", "tcp dport 5500-5509 reject with icmpx admin-prohibited"))
        few = {host: {"portcheck_exec": f"prlimit --nofile=128:128 {' '.join(lab.prefix(host))}"} for host in lab.hosts}
        run = portcheck(lab, pair(), {"tcp": "tcp 5000-5999"}, variables=few)
    found = {row["ports"]: row["verdict"] for row in run.rows()}
    assert found == {"5000-5499,5510-5999": "pass", "5500-5509": "blocked"}, run


def test_loss_is_no_finding(portcheck: Portcheck) -> None:
    """Five packets of a hundred are lost, each way."""
    with Lab("a1", "b1") as lab:
        lab.nft("r", chain("forward", "numgen random mod 100 < 5 drop"))
        run = portcheck(lab, pair(), {"tcp": "tcp 5000-5299", "udp": "udp 6000-6099", "http": "http 7000-7029"})
    found = {row["ports"]: row["verdict"] for row in run.rows()}
    assert found == {"5000-5299": "pass", "6000-6099": "pass", "7000-7029": "pass"}, run
    assert run.code == 0


def test_loss_is_no_finding_on_a_running_system(portcheck: Portcheck) -> None:
    """Half of each range is served: what is there passes, what is not is down, and nothing is blocked."""
    with Lab("a1", "b1") as lab:
        lab.serve("b1", "echo 5000-5149", "http 7000-7014")
        lab.nft("r", chain("forward", "numgen random mod 100 < 5 drop"))
        run = portcheck(lab, pair(), {"tcp": "tcp 5000-5299", "http": "http 7000-7029"}, phase="live")
    assert {row["ports"]: row["verdict"] for row in run.rows()} == {
        "5000-5149": "pass",
        "5150-5299": "down",
        "7000-7014": "pass",
        "7015-7029": "down",
    }, run


def test_a_limit_on_icmp_errors_is_no_finding(portcheck: Portcheck) -> None:
    """Nothing listens on a hundred UDP ports, and the target says so about once a second, as Linux does by default."""
    with Lab("a1", "b1") as lab:
        command(*lab.prefix("b1"), "sysctl", "-q", "-w", "net.ipv4.icmp_ratelimit=1000")
        run = portcheck(lab, pair(), {"udp": "udp 5000-5099"}, phase="live")
    assert run.verdicts() <= {"down", "inconclusive"}, run


def test_a_limit_on_new_connections_is_no_finding(portcheck: Portcheck) -> None:
    with Lab("a1", "b1") as lab:
        syn = "tcp flags & (syn | ack) == syn"
        lab.nft("r", chain("forward", f"{syn} limit rate over 100/second drop"))
        run = portcheck(lab, pair(), {"tcp": "tcp 5000-5299"})
    assert {row["ports"]: row["verdict"] for row in run.rows()} == {"5000-5299": "pass"}, run
    assert run.code == 0
