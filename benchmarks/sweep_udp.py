"""65,535 UDP ports of one target with a witness there, through a router, beside nmap.

    python benchmarks/sweep_udp.py [--runs 3] [--nmap]      as root; needs iproute2, nftables, and nmap for --nmap

The agents of source and target are ordered about as a run does it: the target counts what comes in, the source sends
to all that has not, until the loss that was seen leaves no room. The target limits its ICMP errors as Linux does, about
one a second: `nmap -sU` has nothing else to go by, so it is given 100 ports, and its time for all of them is reckoned.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import os
import secrets
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple, Self

import msgspec

from probe.coordinator.channels import open_channel
from probe.coordinator.link import Link
from probe.model.inventory import Host
from probe.model.ports import PortSet
from probe.model.sight import Flow
from probe.model.words import Transport
from probe.sweep import belief
from probe.wire.mark import fresh
from probe.wire.messages import Sweep, SweepTarget, Tally

EVERY = PortSet([(1, 65535)])
FLOW = Flow(Transport.UDP, "", str(EVERY))
KNOWN, SECONDS = 500, 60
NO_RAW = ("setpriv", "--bounding-set=-net_raw", "--inh-caps=-net_raw")
CASES = {
    "all arrive": ("", 4, (), EVERY),
    "all but 1,004 dropped": ("udp dport 1-64531 drop", 4, (), PortSet([(64532, 65535)])),
    "5 % lost each way": ("numgen random mod 100 < 5 drop", 4, (), EVERY),
    "IPv6, all arrive": ("", 6, (), EVERY),
    "source without CAP_NET_RAW": ("", 4, NO_RAW, EVERY),
}


class Hosts:
    """A source and a target with a router between them, each in a namespace."""

    def __init__(self, rule: str) -> None:
        tag = secrets.token_hex(3)
        self.names = {host: f"bench-{tag}-{host}" for host in ("source", "router", "target")}
        self.addresses = {4: "10.80.2.2", 6: "fd80:2::2"}
        self._rule = rule

    def __enter__(self) -> Self:
        ip(*(f"netns add {name}" for name in self.names.values()))
        for host in self.names:  # an address can be used at once
            run(
                host, self, "sysctl", "-q", "-w", "net.ipv6.conf.default.accept_dad=0", "net.ipv6.conf.all.accept_dad=0"
            )
        for number, host in ((1, "source"), (2, "target")):
            name, router = self.names[host], self.names["router"]
            ip(f"link add net netns {name} type veth peer name {host} netns {router}")
            for side, device, end in ((name, "net", 2), (router, host, 1)):
                addresses = (f"10.80.{number}.{end}/24", f"fd80:{number}::{end}/64 nodad")
                lines = [f"addr add {address} dev {device}" for address in addresses]
                ip("link set lo up", f"link set {device} up", *lines, namespace=side)
            ip(f"route add default via 10.80.{number}.1", f"route add default via fd80:{number}::1", namespace=name)
        run("router", self, "sysctl", "-q", "-w", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
        chain = "type filter hook forward priority filter; policy accept;"
        rules = f"table inet bench {{ chain forward {{ {chain}\n{self._rule}\n}}\n}}\n"
        run("router", self, "nft", "-f", "-", text=rules)
        return self

    def __exit__(self, *_: object) -> None:
        ip(*(f"netns del {name}" for name in self.names.values()))


class Figures(NamedTuple):
    seconds: float
    exact: bool
    rounds: int
    sent: int
    cpu: float
    megabytes: tuple[float, float]


def ip(*lines: str, namespace: str = "") -> None:
    where = ["-n", namespace] if namespace else []
    subprocess.run(["ip", *where, "-batch", "-"], input="\n".join(lines), text=True, check=True, timeout=60)


def run(host: str, hosts: Hosts, *words: str, text: str | None = None) -> str:
    command = ["ip", "netns", "exec", hosts.names[host], *words]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=True, timeout=600).stdout


async def agent(hosts: Hosts, host: str, *words: str) -> Link:
    prefix = " ".join(["ip", "netns", "exec", hosts.names[host], *words])
    link = Link(await open_channel(Host(name=host, addresses=(), vars={"portcheck_exec": prefix}), None), "bench")
    await link.greet(SECONDS)
    return link


def accounts(hosts: Hosts, host: str) -> tuple[float, float]:
    """CPU seconds and peak megabytes of the agent there."""
    pids = subprocess.run(["ip", "netns", "pids", hosts.names[host]], capture_output=True, text=True, check=True)
    cpu = memory = 0.0
    for pid in pids.stdout.split():
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        cpu += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
        memory = max(memory, int(status["VmHWM"].split()[0]) / 1024)
    return cpu, memory


async def swept(name: str) -> Figures:
    rule, family, words, truth = CASES[name]
    with Hosts(rule) as hosts:
        source, target = await agent(hosts, "source", *words), await agent(hosts, "target")
        try:
            before = sum(accounts(hosts, host)[0] for host in ("source", "target"))
            began = time.perf_counter()
            arrived, rounds, sent = await settle(source, target, hosts.addresses[family])
            seconds = time.perf_counter() - began
            ends = [accounts(hosts, host) for host in ("source", "target")]
        finally:
            await source.close()
            await target.close()
    cpu = sum(used for used, _ in ends) - before
    return Figures(seconds, arrived == truth, rounds, sent, cpu, (ends[0][1], ends[1][1]))


async def settle(source: Link, target: Link, address: str) -> tuple[PortSet, int, int]:
    left, known, sent = EVERY, PortSet(), 0
    rounds: list[tuple[PortSet, PortSet]] = []
    while left:
        some = list(known)
        asked = left | PortSet.of(some[:: max(1, len(some) // KNOWN)][:KNOWN])
        mark = fresh()
        number = await target.tally(lambda n, m=mark: Tally(id=n, flows=(FLOW,), mark=m, inside=True), SECONDS)
        order = Sweep(
            id=0,
            targets=(SweepTarget(address=address, ports=str(asked)),),
            transport=Transport.UDP,
            rate=math.inf,
            timeout=0.3,
            seed=len(rounds),
            mark=mark,
            rounds=1,
        )
        (found,) = await source.sweep(lambda n, o=order: msgspec.structs.replace(o, id=n), lambda _: None, SECONDS)
        tallied = await target.tallied(number, SECONDS)
        assert tallied.sure, "packets were lost in the witness"
        came = PortSet(span for row in tallied.arrived for span in PortSet.parse(row.ports).ranges)
        sent += found.sent
        rounds.append((asked, came))
        known |= came
        left -= came
        if belief.believed([measured(each, known) for each in rounds], len(known)):
            break
    return known, len(rounds), sent


def measured(each: tuple[PortSet, PortSet], known: PortSet) -> belief.Round:
    asked, came = each
    found = belief.Round()
    found.hits, found.misses = len(came & known), len((asked - came) & known)
    return found


def nmap(ports: int) -> tuple[float, int]:
    """Seconds, and how many of these closed ports it does not call closed."""
    with Hosts("") as hosts:
        began = time.perf_counter()
        words = ["nmap", "-sU", "-n", "-Pn", "-T4", "-p", f"20000-{19999 + ports}", "-oG", "-", "-v"]
        told = run("source", hosts, *words, hosts.addresses[4])
        seconds = time.perf_counter() - began
    return seconds, told.count("open|filtered/udp") or (0 if "closed" in told else ports)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--nmap", action="store_true", help="nmap -sU of 100 ports too, which takes minutes")
    arguments = parser.parse_args()
    wrong = 0
    for name in CASES:
        runs = [asyncio.run(swept(name)) for _ in range(arguments.runs)]
        wrong += sum(not each.exact for each in runs)
        seconds = sorted(each.seconds for each in runs)
        one = runs[0]
        print(
            f"{name}: {statistics.median(seconds):.2f} s ({seconds[0]:.2f} to {seconds[-1]:.2f}), "
            f"exact {sum(each.exact for each in runs)} of {len(runs)}, {one.rounds} rounds, {one.sent:,} sent, "
            f"CPU {statistics.median(each.cpu for each in runs):.2f} s, "
            f"source {max(each.megabytes[0] for each in runs):.0f} MB, "
            f"target {max(each.megabytes[1] for each in runs):.0f} MB",
            flush=True,
        )
    if arguments.nmap:
        seconds_of_100, unknown = nmap(100)
        print(
            f"nmap -sU -T4 of 100 closed ports: {seconds_of_100:.1f} s, {unknown} of them open|filtered; "
            f"65,535 at that pace: {seconds_of_100 * 655.35 / 3600:.1f} h"
        )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
