"""The connect engine against a known truth, without the capability that it does without."""

from __future__ import annotations

import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from probe.model.ports import PortSet
from probe.model.words import State

from .lab import COMMAND_SECONDS, Lab, chain, command, eventually
from .sweeping import Sweeping, half_open, ports, truth

if TYPE_CHECKING:
    from pathlib import Path

    from probe.model.swept import Swept

WITHOUT_RAW = ("setpriv", "--bounding-set=-net_raw", "--inh-caps=-net_raw")
LISTENERS = ("silent 22", "silent 80", "silent 8080", "silent 50000")
OPEN = "22,80,8080,50000"
LOSS = "numgen random mod 100 < 5 drop"
TALKATIVE = ("sysctl", "-q", "-e", "-w", "net.ipv4.icmp_msgs_per_sec=1000000", "net.ipv4.icmp_msgs_burst=100000")
# What a Linux host does unless it is told otherwise: to each peer six at once, then one a second.
LIMITED = ("sysctl", "-q", "-w", "net.ipv4.icmp_ratelimit=1000")


def swept(lab: Lab, host: str, address: str, ports: str = "1-65535", *words: str, **order: Any) -> Swept:
    """By the engine that is chosen where no raw packets may be sent."""
    [found] = Sweeping(lab, host, [(address, ports)], [*WITHOUT_RAW, *words], **{"engine": "", **order}).result()
    assert found.engine == "connect"
    return found


@pytest.mark.parametrize("family", [4, 6])
def test_each_state_of_all_ports(family: int) -> None:
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
                "tcp dport 2200-2299 reject with icmpx type port-unreachable",
                'iifname "a1" tcp dport 60000-61000 drop',
            ),
        )
        found = swept(lab, "a1", lab.address("b1", family))
        rejected = "2000-2099,2200-2299"
        assert found.states == truth("1-65535", open=OPEN, filtered="1000-1999,60000-61000", rejected=rejected)
        assert {rejection.sender for rejection in found.rejections} == {lab.router_address("a1", family)}
        assert sorted(rejection.ports for rejection in found.rejections) == rejected.split(",")
        assert [found.sometimes, found.limited, found.everything, found.problem] == ["", "", False, ""]
        assert found.residual < 1e-6
        # Accepted connections are reset at once: nothing waits on either side.
        assert not half_open(lab, "b1")
        assert not command("ss", "-N", lab.namespace("a1"), "-Htan").strip()


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


def test_each_attempt_comes_from_another_port() -> None:
    """The kernel itself gives connections to one port nearly the same own port again and again."""
    with Lab("a1", "b1") as lab:
        lab.serve("b1", "silent 22")
        lab.nft("r", chain("forward", 'oifname "a1" tcp dport 50000-52000 drop'))
        found = swept(lab, "a1", lab.address("b1"), "1-30000")
        assert found.states == truth("1-30000", open="22")
        assert 0.03 < found.loss < 0.12


def test_few_files_make_it_slower_not_wrong() -> None:
    with Lab("a1", "b1") as lab:
        lab.serve("b1", "silent 22", "silent 3000")
        lab.nft("b1", chain("input", "tcp dport 100-199 drop"))
        found = swept(lab, "a1", lab.address("b1"), "1-4000", "prlimit", "--nofile=160:160")
        assert found.states == truth("1-4000", open="22,3000", filtered="100-199")
        assert not found.problem


def test_no_connection_meets_itself() -> None:
    """Of its own host, inside the range that connections take their ports from."""
    with Lab("a1") as lab:
        lab.serve("a1", "silent 40000")
        # One or two in each would.
        for seed in range(3):
            found = swept(lab, "a1", lab.address("a1"), "32768-60999", seed=seed)
            assert found.states == truth("32768-60999", open="40000")
            assert not found.sometimes


def test_what_leaves_nothing_of_this_host_is_its_own_rule() -> None:
    with Lab("a1", "b1") as lab:
        lab.nft(
            "a1",
            chain("output", "udp dport 100-199 drop", "tcp dport 100-199 reject with icmpx type admin-prohibited"),
        )
        found = swept(lab, "a1", lab.address("b1"), "50-149,200-209", transport="udp")
        assert found.states == {State.CLOSED: "50-99,200-209", State.REJECTED: "100-149"}
        assert [(rejection.sender, rejection.ports) for rejection in found.rejections] == [("", "100-149")]
        found = swept(lab, "a1", lab.address("b1"), "50-149")
        assert found.states == {State.CLOSED: "50-99", State.REJECTED: "100-149"}
        assert {rejection.sender for rejection in found.rejections} == {lab.address("a1")}


@pytest.mark.parametrize("transport", ["tcp", "udp"])
@pytest.mark.parametrize("family", [4, 6])
def test_from_the_address_that_was_named(family: int, transport: str) -> None:
    """The router lets only one of the source's two addresses through."""
    with Lab("a1", "b1") as lab:
        command(*lab.prefix("b1"), *TALKATIVE)
        other = "10.77.1.9/24" if family == 4 else "fd77:1::9/64"
        lab.ip("a1", f"addr add {other} dev net" + " nodad" * (family == 6))
        bind = other.partition("/")[0]
        kind = "ip" if family == 4 else "ip6"
        lab.nft("r", chain("forward", f'iifname "a1" {kind} saddr != {bind} meta l4proto {{ tcp, udp }} drop'))
        address = lab.address("b1", family)
        found = swept(lab, "a1", address, "1-300", transport=transport, bind=bind)
        assert found.states == {State.CLOSED: "1-300"}
        # Again from any port: the attempts of later rounds are bound twice over.
        lab.nft("b1", chain("input", f"{transport} dport 1-100 drop"))
        found = swept(lab, "a1", address, "1-300", transport=transport, bind=bind)
        silent = State.FILTERED if transport == "tcp" else State.OPEN_FILTERED
        assert found.states == {silent: "1-100", State.CLOSED: "101-300"}


def test_something_answers_on_every_port() -> None:
    with Lab("a1", "b1", "b2") as lab:
        lab.serve("b2", "silent 7")
        lab.nft(
            "r", chain("prerouting", f"ip daddr {lab.address('b1')} meta l4proto tcp dnat to {lab.address('b2')}:7")
        )
        found = swept(lab, "a1", lab.address("b1"), "1-5000")
        assert found.everything
        assert found.states == {State.OPEN: "1-5000"}


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_cancelled_it_leaves_nothing(transport: str) -> None:
    with Lab("a1", "b1") as lab:
        lab.nft("b1", chain("input", "meta l4proto { tcp, udp } drop"))
        ended = Sweeping(
            lab, "a1", [(lab.address("b1"), "1-65535")], WITHOUT_RAW, engine="connect", cancel=0.5, transport=transport
        )
        stdout, _ = ended.process.communicate(timeout=COMMAND_SECONDS)
        assert stdout.splitlines() == ["asked", "[0, 0]"]


def test_gently_it_leaves_a_small_firewall_room() -> None:
    """Nothing takes back what stays silent: the router keeps an entry for each for two minutes."""
    with Lab("a1", "b1") as lab:
        lab.nft("r", chain("forward", "ct state new accept"))
        lab.nft("b1", chain("input", "meta l4proto tcp drop"))
        running = Sweeping(
            lab, "a1", [(lab.address("b1"), "1-65535")], WITHOUT_RAW, engine="connect", rate=0, deadline=12
        )
        [found] = running.result()
        assert "deadline" in found.problem
        assert found.states == {State.ERROR: "1-65535"}
        entries = int(command(*lab.prefix("r"), "cat", "/proc/sys/net/netfilter/nf_conntrack_count"))
        # At its pace it would have sent 24,000 by then.
        assert 8192 <= entries < 16384
        assert found.sent < 16384


def test_a_port_that_answers_only_sometimes_is_told() -> None:
    with Lab("a1", "b1") as lab:
        lab.serve("b1", "silent 22", "silent 80")
        lab.nft("b1", chain("input", "tcp dport 80 tcp flags syn numgen inc mod 2 == 0 drop"))
        found = swept(lab, "a1", lab.address("b1"), "1-3000")
        assert found.states == truth("1-3000", open="22,80")
        assert found.sometimes == "80"


def test_several_targets_at_once() -> None:
    with Lab("a1", "b1", "b2", "b3") as lab:
        lab.serve("b1", "silent 22")
        lab.serve("b2", "silent 80")
        lab.nft("b3", chain("input", "tcp dport 1-2000 drop"))
        hosts = ("b1", "b2", "b3")
        targets = [(lab.address(host, family), "1-3000") for host in hosts for family in (4, 6)]
        found = Sweeping(lab, "a1", targets, WITHOUT_RAW, engine="connect").result()
        wanted = [truth("1-3000", open="22"), truth("1-3000", open="80"), truth("1-3000", filtered="1-2000")]
        assert [one.states for one in found] == [states for states in wanted for _ in (4, 6)]
        assert [one.address for one in found] == [address for address, _ in targets]


# UDP


@pytest.fixture
def servers(tmp_path: Path) -> Any:
    """Real services by name, in the namespace of a host, until the test ends."""
    missing = [word for word in ("dnsmasq", "snmpd", "in.tftpd") if not shutil.which(word)]
    if missing:
        pytest.skip(f"needs the Debian packages dnsmasq-base, snmpd and tftpd-hpa: no {', '.join(missing)}")
    started: list[subprocess.Popen[bytes]] = []

    def start(lab: Lab, host: str) -> None:
        (tmp_path / "snmpd.conf").write_text("rocommunity nobody-knows\nagentaddress udp:161\n")
        for words in (
            f"dnsmasq -k -p 53 --conf-file=/dev/null --no-resolv --no-hosts -x {tmp_path}/dns.pid",
            f"snmpd -f -C -c {tmp_path}/snmpd.conf -p {tmp_path}/snmpd.pid -Lf /dev/null",
            f"in.tftpd -L -a :69 {tmp_path}",
        ):
            process = subprocess.Popen(
                [*lab.prefix(host), *words.split()], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            started.append(process)

    yield start
    for process in started:
        process.kill()
        process.wait(COMMAND_SECONDS)


def listens(lab: Lab, host: str, *wanted: str) -> bool:
    return lab.listening(host) >= {f"udp {port}" for port in wanted}


@pytest.mark.parametrize("family", [4, 6])
def test_udp_is_told_by_answers_and_icmp(family: int) -> None:
    with Lab("a1", "b1") as lab:
        command(*lab.prefix("r"), *TALKATIVE)
        command(*lab.prefix("b1"), *TALKATIVE)
        lab.nft("b1", chain("input", "udp dport 300-309 drop", "udp dport 310-319 reject with icmpx admin-prohibited"))
        lab.nft("r", chain("forward", "udp dport 320-329 reject with icmpx type port-unreachable"))
        # Whoever listens and says nothing looks like whoever drops.
        quiet = lab.start("b1", sys.executable, "-c", QUIET)
        assert quiet.stdout is not None
        assert quiet.stdout.readline() == "ready\n"
        found = swept(lab, "a1", lab.address("b1", family), "1-2000", transport="udp")
        assert found.states == {
            State.CLOSED: "1-299,330-1023,1025-2000",
            State.OPEN_FILTERED: "300-309,1024",
            State.REJECTED: "310-329",
        }
        assert {(rejection.sender, rejection.ports) for rejection in found.rejections} == {
            (lab.address("b1", family), "310-319"),
            (lab.router_address("a1", family), "320-329"),
        }
        assert not found.limited


QUIET = """
import socket, sys
sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
sock.bind(("::", 1024))
print("ready", flush=True)
sys.stdin.read()
"""


def test_services_answer_in_their_own_protocol(servers: Any) -> None:
    with Lab("a1", "b1") as lab:
        servers(lab, "b1")
        eventually(lambda: listens(lab, "b1", "53", "69", "161"), COMMAND_SECONDS, "the services do not listen")
        found = swept(lab, "a1", lab.address("b1"), "50-200", transport="udp")
        assert found.states == truth("50-200", open="53,69,161")


def test_udp_is_exact_below_a_limit_and_honest_above_it() -> None:
    with Lab("a1", "b1") as lab:
        command(*lab.prefix("b1"), *LIMITED)
        few = swept(lab, "a1", lab.address("b1"), "1000-1015", transport="udp")
        assert few.states == {State.CLOSED: "1000-1015"}
        many = swept(lab, "a1", lab.address("b1"), "1-2000", transport="udp")
        silent = ports(many, State.OPEN_FILTERED)
        assert len(silent) > 1900
        assert PortSet.parse(many.limited) == silent
        assert not many.problem
