"""`portcheck explain` of real faults: what both ends saw, and where the path stops. Silence takes a walk its ten
seconds, so all of it is explained at once.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest
from scapy.layers import inet, l2  # noqa: F401  (what reads the files must know what is in them)
from scapy.utils import rdpcap

from .harness import Portcheck, _environment, closed, inventory, matrix, pair
from .lab import Lab, chain
from .routers import SHARED, Routers, at, on

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

SERVICES = {
    "open": "tcp 5000",
    "dropped": "tcp 5001",
    "rejected": "tcp 5002",
    "swallowed": "tcp 5003",
    "lost": "udp 5004",
    "forged": "tcp 5005",
    "kept": "tcp 5006",
    "both": "tcp 5007",
    "many": "tcp 5010-5999",
}
RULES = {
    ("r", "forward"): (
        "tcp dport 5001 drop",
        "tcp dport 5015 drop",
        "tcp dport 5002 reject with icmpx admin-prohibited",
        "udp sport 5004 drop",
        "tcp dport 5005 reject with tcp reset",
    ),
    ("b1", "input"): ("tcp dport 5003 drop",),
    ("a1", "output"): ("tcp dport 5006 drop",),
}
WITHOUT_RAW = "setpriv --bounding-set=-net_raw --inh-caps=-net_raw"


class Telling:
    """One explanation under way; `end` waits for it."""

    def __init__(self, folder: Path, port: str, hosts: str) -> None:
        folder.mkdir()
        (folder / "hosts.txt").write_text(hosts)
        (folder / "m.yaml").write_text(matrix(pair(), SERVICES, {}))
        words = ["a1", "b1", port, "-i", "hosts.txt", "-m", "m.yaml", "--json", "out.json", "--pcap", "."]
        self._folder = folder
        self._process = subprocess.Popen(
            [sys.executable, "-m", "probe", "explain", *words],
            cwd=folder,
            env={**_environment(), "COLUMNS": "100"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def end(self) -> Told:
        stdout, stderr = self._process.communicate(timeout=60)
        assert stdout, stderr
        assert not stderr
        return Told(self._folder, self._process.returncode, stdout)


class Told:
    """One explanation, as text, as JSON and as captures."""

    def __init__(self, folder: Path, code: int, text: str) -> None:
        self.code, self.text = code, text
        self.check, *self.others = json.loads((folder / "out.json").read_text())["checks"]
        self.captures = {end: rdpcap(str(folder / f"{end}.pcap")) for end in ("source", "target")}

    @property
    def packets(self) -> list[str]:
        """`SYN, TTL 64 ──→ SYN, TTL 63`, without the times."""
        lines = self.text.partition("packet by packet\n")[2].partition("\n\n")[0].splitlines()[1:]
        told = [" ".join(word for word in line.split() if not _is_time(word)) for line in lines]
        return [line for line in told if not line.startswith("from port")]

    @property
    def path(self) -> str:
        return self.text.partition("The path\n")[2].splitlines()[0].strip()

    @property
    def outcome(self) -> tuple[str, str | None]:
        return self.check["verdict"], self.check["cause"]


def _is_time(word: str) -> bool:
    return "." in word and word.replace(".", "", 1).isdecimal()


@pytest.fixture(scope="module")
def told(portcheck: Portcheck) -> Iterator[Mapping[str, Told]]:
    here = portcheck.folder / "explain"
    here.mkdir()
    with ExitStack() as stack:
        lab, several = stack.enter_context(Lab("a1", "b1")), stack.enter_context(Routers())
        for (host, hook), rules in RULES.items():
            lab.nft(host, chain(hook, *rules))
        several.nft("r4", chain("forward", "tcp dport 5020-5022 drop"))
        hosts = {family: inventory(lab, pair(), (family,), {}) for family in (4, 6)}
        exec_b1 = " ".join(lab.prefix("b1"))
        addresses = {"a1": at("a1", "r1", 4), "b1": on(6, SHARED, 4)}
        said: dict[str, Any] = {
            host: {"portcheck_address": address, "portcheck_exec": " ".join(several.prefix(host))}
            for host, address in addresses.items()
        }
        wanted = {
            "open": ("5000", hosts[4]),
            "dropped": ("5015", hosts[6]),
            "rejected": ("5002/tcp", hosts[4]),
            "swallowed": ("5003", hosts[4]),
            "lost": ("5004/udp", hosts[4]),
            "forged": ("5005", hosts[4]),
            "kept": ("5006", hosts[4]),
            "both": ("5007", inventory(lab, pair(), (4, 6), {})),
            "blind": ("5001", hosts[4].replace(exec_b1, f"{exec_b1} {WITHOUT_RAW}")),
        }
        # Now and then all flows of a trace happen to take the same of two ways.
        wanted |= {f"several-{port}": (port, inventory(several, pair(), (), said)) for port in ("5020", "5021", "5022")}
        under_way = {name: Telling(here / name, *how) for name, how in wanted.items()}
        yield {name: telling.end() for name, telling in under_way.items()}
        closed(lab)


def test_a_way_that_works_is_shown_too(told: Mapping[str, Told]) -> None:
    one = told["open"]
    assert (one.code, one.outcome) == (0, ("pass", None))
    assert one.packets[:3] == [
        "SYN, TTL 64 ──→ SYN, TTL 63",
        "SYN-ACK, TTL 63 ←── SYN-ACK, TTL 64",
        "ACK, TTL 64 ──→ ACK, TTL 63",
    ]
    assert "✗" not in one.text
    assert one.path == "a1 ─ 10.77.1.1 ─ b1"
    assert "SYN-ACK" in one.text
    for end, out in (("source", 4), ("target", 0)):
        first = one.captures[end][0]
        assert (first.pkttype, first["TCP"].dport, str(first["TCP"].flags)) == (out, 5000, "S")
        assert len(one.captures[end]) == len(one.check["packets"][end])


def test_each_address_of_a_target_has_its_own_packets(told: Mapping[str, Told]) -> None:
    one = told["both"]
    (other,) = one.others
    for check, address in ((one.check, "10.77.3.2"), (other, "fd77:3::2")):
        assert check["address"] == address
        for end in ("source", "target"):
            packets = check["packets"][end]
            assert packets
            assert all(address in (packet["source"], packet["target"]) for packet in packets)
    assert "✗" not in one.text


def test_dropped_on_the_way_of_a_range_over_ipv6(told: Mapping[str, Told]) -> None:
    one = told["dropped"]
    assert (one.code, one.outcome) == (1, ("blocked", "network"))
    assert one.check["ports"] == "5015"
    assert any(line.startswith("SYN, TTL 64") and "──✗ did not arrive" in line for line in one.packets)
    assert one.path == "a1 ─ fd77:1::1 ─ ✗ ─ b1"
    assert one.check["packets"]["source"]
    assert one.check["packets"]["target"] == []
    assert "the network team, for the device fd77:1::1" in one.text


def test_a_device_that_rejects_is_named(told: Mapping[str, Told]) -> None:
    one = told["rejected"]
    assert one.outcome == ("blocked", "network")
    assert one.packets == ["SYN, TTL 64 ──✗ did not arrive", "ICMP admin-prohibited from ←─┤", "10.77.1.1, TTL 64"]
    assert one.path == "a1 ─ 10.77.1.1 ─ ✗ ─ b1"
    assert "dest-unreach" in one.captures["source"][1].summary()


def test_the_targets_own_firewall(told: Mapping[str, Told]) -> None:
    one = told["swallowed"]
    assert one.outcome == ("blocked", "target-firewall")
    assert any("──→ SYN, TTL 63" in line for line in one.packets)
    assert not any("SYN-ACK" in line for line in one.packets)
    assert one.path == "a1 ─ 10.77.1.1 ─ b1 ✗"
    assert "the owner of the target, b1" in one.text


def test_an_answer_that_is_lost(told: Mapping[str, Told]) -> None:
    one = told["lost"]
    assert one.outcome == ("blocked", "return-path")
    assert re.match(r"datagram, (\d+) bytes, TTL 64 ──→ datagram, \1 bytes, TTL 63", one.packets[0])
    assert re.fullmatch(r"did not arrive ✗── datagram, \d+ bytes, TTL 64", one.packets[1])
    assert "and back: b1 ─ ✗ ─ a1" in one.text


def test_a_reset_in_the_targets_name(told: Mapping[str, Told]) -> None:
    one = told["forged"]
    assert one.outcome == ("blocked", "network")
    assert one.packets == ["SYN, TTL 64 ──✗ did not arrive", "RST, TTL 64 ←─┤ not sent by b1"]


def test_the_sources_own_firewall(told: Mapping[str, Told]) -> None:
    one = told["kept"]
    assert one.outcome == ("blocked", "source-firewall")
    assert one.packets == ["No packet of it passed an interface."]
    assert one.path == "a1 ─ ✗ ─ b1"
    assert "the owner of the source, a1" in one.text


def test_a_target_that_cannot_look(told: Mapping[str, Told]) -> None:
    """Its agent lacks the capability: what is not known is not drawn."""
    one = told["blind"]
    assert one.outcome == ("blocked", None)
    assert any(line.startswith("SYN, TTL 64") and line.endswith("──?") for line in one.packets)
    assert "b1 did not look: its agent lacks the capability CAP_NET_RAW." in one.text
    assert one.path == "a1 ─ 10.77.1.1 ─ ? ─ b1"
    assert one.check["packets"]["target"] is None
    assert len(one.captures["target"]) == 0


def test_several_next_hops_are_drawn(told: Mapping[str, Told]) -> None:
    chances = [one for name, one in told.items() if name.startswith("several")]
    assert {one.outcome for one in chances} == {("blocked", "network")}
    one = max(chances, key=lambda one: one.text.count("┬"))
    first, second = one.text.partition("The path\n")[2].splitlines()[:2]
    _, one_way, end = first.split(" ┬ ")
    assert {one_way, second.strip(" └┘")} == {at("r2", "r1", 4), at("r3", "r1", 4)}
    assert end in {f"{at('r4', router, 4)} ─ ✗ ─ b1" for router in ("r2", "r3")}
    assert one.text.count(", without an answer.") == 2
