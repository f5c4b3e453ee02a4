"""The packet engine against a known truth: what is open, closed, dropped and rejected, through firewalls and loss."""

from __future__ import annotations

import sys
import time

import pytest

from probe.model.ports import PortSet
from probe.model.words import State

from .lab import Lab, chain, command, eventually
from .sweeping import Sweeping, half_open, ports, swept, truth

LISTENERS = ("silent 22", "silent 80", "silent 8080", "silent 50000")
OPEN = "22,80,8080,50000"
# One packet in twenty, there and back.
LOSS = "numgen random mod 100 < 5 drop"
# The router says what it rejects, however much that is.
TALKATIVE = ("sysctl", "-q", "-e", "-w", "net.ipv4.icmp_msgs_per_sec=1000000", "net.ipv4.icmp_msgs_burst=100000")


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("family", [4, 6])
def test_each_state_of_all_ports(family: int, seed: int) -> None:
    with Lab("a1", "b1") as lab:
        command(*lab.prefix("r"), *TALKATIVE)
        lab.serve("b1", *LISTENERS)
        lab.nft("b1", chain("input", "tcp dport 1000-1999 drop"))
        lab.nft(
            "r",
            chain(
                "forward",
                "tcp dport 2000-2099 reject with icmpx type admin-prohibited",
                "tcp dport 2100-2199 reject with tcp reset",
                "tcp dport 61000-62000 drop",
            ),
        )
        found = swept(lab, "a1", lab.address("b1", family), seed=seed)
        assert found.states == truth("1-65535", open=OPEN, filtered="1000-1999,61000-62000", rejected="2000-2099")
        [rejection] = found.rejections
        assert (rejection.sender, rejection.ports) == (lab.router_address("a1", family), "2000-2099")
        assert [found.sometimes, found.limited, found.everything, found.problem] == ["", "", False, ""]
        assert found.residual < 1e-6
        # The kernel resets what was accepted; if that is lost, what the target repeats a second later.
        eventually(lambda: not half_open(lab, "b1"), 5, "connections are still half open")


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_exact_with_loss_both_ways(seed: int) -> None:
    with Lab("a1", "b1") as lab:
        lab.serve("b1", *LISTENERS)
        lab.nft("r", chain("forward", LOSS))
        found = swept(lab, "a1", lab.address("b1"), seed=seed)
        assert found.states == truth("1-65535", open=OPEN)
        assert 0.08 < found.loss < 0.12
        assert not found.problem


def test_exact_with_loss_where_most_is_dropped() -> None:
    with Lab("a1", "b1") as lab:
        lab.serve("b1", *LISTENERS)
        lab.nft("b1", chain("input", "tcp dport != { 22, 80, 1000-2000, 50000 } drop"))
        lab.nft("r", chain("forward", LOSS))
        found = swept(lab, "a1", lab.address("b1"))
        assert ports(found, State.OPEN) == PortSet.parse("22,80,50000")
        assert ports(found, State.CLOSED) == PortSet.parse("1000-2000")
        assert len(ports(found, State.FILTERED)) == 65535 - 3 - 1001
        assert 0 < found.residual < 1e-6


def test_a_firewall_that_limits_the_rate_is_asked_more_slowly() -> None:
    with Lab("a1", "b1") as lab:
        lab.serve("b1", "silent 22", "silent 2000")
        lab.nft("r", chain("forward", "tcp flags syn limit rate over 4000/second burst 200 packets drop"))
        found = swept(lab, "a1", lab.address("b1"), "1-10000")
        assert found.states == truth("1-10000", open="22,2000")
        assert not found.problem


def test_many_targets_in_one_pass() -> None:
    targets = ("b1", "b2", "b3", "b4")
    with Lab("a1", *targets) as lab:
        for number, target in enumerate(targets, 1):
            lab.serve(target, f"silent {1000 * number}")
        lab.nft("b3", chain("input", "meta l4proto tcp drop"))
        asked = [(lab.address(target, family), "900-5000") for target in targets for family in (4, 6)]
        found = Sweeping(lab, "a1", asked).result()
        assert [one.address for one in found] == [address for address, _ in asked]
        for number, target in enumerate(targets):
            for one in found[2 * number : 2 * number + 2]:
                silent = target == "b3"
                wanted = {State.FILTERED: "900-5000"} if silent else truth("900-5000", open=str(1000 * (number + 1)))
                assert one.states == wanted


def test_rejections_under_a_limit_prove_nothing_of_the_rest() -> None:
    with Lab("a1", "b1") as lab:
        lab.serve("b1", "silent 22")
        command(*lab.prefix("r"), "sysctl", "-q", "-w", "net.ipv4.icmp_ratelimit=1000")
        lab.nft("r", chain("forward", "tcp dport 1000-3999 reject with icmp type admin-prohibited"))
        found = swept(lab, "a1", lab.address("b1"), "1-5000")
        silent, rejected = ports(found, State.FILTERED), ports(found, State.REJECTED)
        assert len(rejected)
        assert silent | rejected == PortSet.parse("1000-3999")
        assert PortSet.parse(found.limited) == silent
        assert ports(found, State.OPEN) == PortSet.parse("22")


def test_a_few_rejections_under_a_limit_are_waited_for() -> None:
    with Lab("a1", "b1") as lab:
        command(*lab.prefix("r"), "sysctl", "-q", "-w", "net.ipv4.icmp_ratelimit=1000")
        lab.nft("r", chain("forward", "tcp dport 1000-1011 reject with icmp type admin-prohibited"))
        found = swept(lab, "a1", lab.address("b1"), "990-1030", timeout=0.5)
        assert found.states == truth("990-1030", rejected="1000-1011")
        assert not found.limited


@pytest.mark.parametrize("asked", ["1-65535", "5000-5010"])
def test_what_answers_on_every_port_is_one_finding(asked: str) -> None:
    with Lab("a1", "b1") as lab:
        lab.serve("b1", "silent 9")
        lab.nft("b1", chain("prerouting", "meta l4proto tcp redirect to :9"))
        found = swept(lab, "a1", lab.address("b1"), asked)
        assert found.everything
        assert found.states == {State.OPEN: asked}


def test_open_ports_alone_are_not_everything() -> None:
    with Lab("a1", "b1") as lab:
        lab.serve("b1", "silent 22", "silent 23")
        found = swept(lab, "a1", lab.address("b1"), "22-23")
        assert found.states == {State.OPEN: "22-23"}
        assert not found.everything


def test_a_port_that_answers_only_sometimes_is_told() -> None:
    with Lab("a1", "b1") as lab:
        lab.serve("b1", "silent 22", "silent 80")
        every_second = "tcp flags syn numgen inc mod 2 == 0 drop"
        lab.nft("b1", chain("input", f"tcp dport 80 {every_second}", f"tcp dport 300 {every_second}"))
        found = swept(lab, "a1", lab.address("b1"), "1-3000")
        assert found.states == truth("1-3000", open="22,80")
        assert found.sometimes == "80,300"


def test_a_listener_that_appears_during_the_sweep() -> None:
    with Lab("a1", "b1") as lab:
        lab.serve("b1", "silent 22")
        sweeping = Sweeping(lab, "a1", [(lab.address("b1"), "1-3000")], rate=1500)
        sweeping.asked()
        lab.serve("b1", "silent 80", "silent 2500")
        [found] = sweeping.result()
        opened = ports(found, State.OPEN)
        assert PortSet.parse("22") - opened == PortSet()
        assert opened - PortSet.parse("22,80,2500") == PortSet()
        assert ports(found, State.CLOSED) | opened == PortSet.parse("1-3000")


def test_a_source_that_is_shut_out_in_mid_sweep_proves_nothing() -> None:
    with Lab("a1", "b1") as lab:
        lab.serve("b1", "silent 22")
        sweeping = Sweeping(lab, "a1", [(lab.address("b1"), "1-4000")], rate=2000, timeout=0.2)
        sweeping.asked()
        lab.nft("r", chain("forward", "ip saddr 10.77.1.2 drop"))
        [found] = sweeping.result()
        assert State.FILTERED not in found.states
        assert len(ports(found, State.ERROR)) > 1000
        assert "shut out" in found.problem


def test_the_own_firewall_is_named() -> None:
    with Lab("a1", "b1") as lab:
        lab.nft("a1", chain("output", "tcp dport 100-199 drop"))
        found = swept(lab, "a1", lab.address("b1"), "1-300")
        assert found.states == truth("1-300", rejected="100-199")
        [rejection] = found.rejections
        assert (rejection.sender, rejection.type, rejection.code) == ("", 0, 0)


def test_no_route() -> None:
    with Lab("a1", "b1") as lab:
        lab.ip("a1", "route del default", "route add unreachable 203.0.113.0/24")
        found = swept(lab, "a1", "203.0.113.9", "1-300")
        assert found.states == {State.UNREACHABLE: "1-300"}
        assert "203.0.113.9" in found.problem


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("link", ["a1", "b1"], ids=["on the own link", "behind a router"])
def test_a_host_that_is_not_there(link: str, family: int) -> None:
    with Lab("a1", "b1") as lab:
        absent = lab.address(link, family)[:-1] + "77"
        found = swept(lab, "a1", absent, "1-300")
        assert found.states == {State.UNREACHABLE: "1-300"}


def test_the_host_itself() -> None:
    with Lab("a1") as lab:
        lab.serve("a1", "silent 22", "silent 40000")
        for address in ("127.0.0.1", "::1", lab.address("a1")):
            assert swept(lab, "a1", address).states == truth("1-65535", open="22,40000")


def test_a_small_receive_queue_loses_nothing_for_good() -> None:
    with Lab("a1", "b1") as lab:
        lab.serve("b1", "silent 22")
        words = ["setpriv", "--bounding-set=-net_admin"]
        [found] = Sweeping(lab, "a1", [(lab.address("b1"), "1-65535")], words).result()
        assert found.states == truth("1-65535", open="22")


@pytest.mark.parametrize("rate", [None, 2000])
def test_cancelled_it_leaves_nothing_behind(rate: float | None) -> None:
    with Lab("a1", "b1") as lab:
        lab.serve("b1", "silent 22")
        lab.nft("b1", chain("input", "tcp dport 1000-60000 drop"))
        sweeping = Sweeping(lab, "a1", [(lab.address("b1"), "1-65535")], rate=rate, cancel=0.3)
        stdout, _ = sweeping.process.communicate(timeout=20)
        assert stdout.splitlines()[-1] == "[0, 0]"
        assert sweeping.process.returncode == 0
        eventually(lambda: not half_open(lab, "b1"), 5, "connections are still half open")


def test_the_deadline_leaves_the_rest_as_errors() -> None:
    with Lab("a1", "b1") as lab:
        found = swept(lab, "a1", lab.address("b1"), "1-5000", rate=1000, deadline=1)
        assert ports(found, State.CLOSED) | ports(found, State.ERROR) == PortSet.parse("1-5000")
        assert len(ports(found, State.ERROR)) > 1000
        assert "deadline" in found.problem


@pytest.mark.parametrize("rule", ["tcp dport 1-65535 drop", ""], ids=["silent", "closed"])
def test_by_default_a_firewall_on_the_way_keeps_few_entries(rule: str) -> None:
    with Lab("a1", "b1") as lab:
        lab.nft("r", chain("forward", "ct state invalid drop", "ct state established accept"))
        lab.nft("b1", chain("input", rule))
        sweeping = Sweeping(lab, "a1", [(lab.address("b1"), "1-3000")], rate=0, timeout=0.5)
        most = 0
        while sweeping.process.poll() is None:
            entries = command(*lab.prefix("r"), "cat", "/proc/sys/net/netfilter/nf_conntrack_count")
            most = max(most, int(entries))
            time.sleep(0.02)
        [found] = sweeping.result()
        assert found.states == {State.FILTERED if rule else State.CLOSED: "1-3000"}
        assert most < 16384 / 4


def test_udp() -> None:
    with Lab("a1", "b1") as lab:
        command(*lab.prefix("b1"), *TALKATIVE)
        lab.serve("b1", "udp 53", "udp 5353")
        lab.nft("b1", chain("input", "udp dport 1000-1099 drop", "udp dport 1100-1199 reject with icmp type 13"))
        for family in (4,):
            found = swept(lab, "a1", lab.address("b1", family), "1-6000", transport="udp")
            silent = ports(found, State.OPEN_FILTERED)
            assert silent - PortSet.parse("53,1000-1099,5353") == PortSet()
            assert PortSet.parse("1000-1099") - silent == PortSet()
            assert ports(found, State.REJECTED) == PortSet.parse("1100-1199")


@pytest.mark.parametrize("engine", ["packet", "connect"])
@pytest.mark.parametrize("rounds", [1, 2])
def test_no_more_rounds_than_asked_for(engine: str, rounds: int) -> None:
    with Lab("a1", "b1") as lab:
        lab.nft("b1", chain("input", "drop"))
        sent = "/sys/class/net/net/statistics/tx_packets"
        before = int(command(*lab.prefix("a1"), "cat", sent))
        found = swept(lab, "a1", lab.address("b1"), "1-500", transport="udp", rounds=rounds, engine=engine, timeout=0.3)
        assert found.states == {State.OPEN_FILTERED: "1-500"}
        assert found.rounds == rounds
        assert 500 * rounds <= int(command(*lab.prefix("a1"), "cat", sent)) - before < 500 * rounds + 50


@pytest.mark.parametrize("engine", ["packet", "connect"])
def test_a_marked_datagram_says_to_which_port_it_was_sent(engine: str) -> None:
    with Lab("a1", "b1") as lab:
        reader = "import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(('0.0.0.0', 53)); print("
        process = lab.start("b1", sys.executable, "-c", reader + "'ready', flush=True); print(s.recv(100).hex())")
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        order = {
            "targets": [(lab.address("b1"), "53")],
            "transport": "udp",
            "rounds": 1,
            "mark": "mark",
            "timeout": 0.2,
        }
        Sweeping(lab, "a1", engine=engine, **order).result()
        assert process.communicate(timeout=10)[0].strip() == (b"mark" + (53).to_bytes(2, "big")).hex()


def test_a_round_of_datagrams_that_does_not_fit_is_not_begun() -> None:
    with Lab("a1", "b1") as lab:
        lab.nft("b1", chain("input", "drop"))
        found = swept(lab, "a1", lab.address("b1"), "1-300", transport="udp", rate=100, deadline=5.5, timeout=0.2)
        assert found.states == {State.OPEN_FILTERED: "1-300"}
        assert (found.rounds, found.problem) == (1, "")
