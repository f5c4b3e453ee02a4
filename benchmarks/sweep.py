"""Sweeps of 65,535 ports through a router, side by side with nmap and masscan.

    python benchmarks/sweep.py [--cases closed,dropped,...] [--runs 1]     as root; needs nftables, nmap, masscan

A source, a router and a target, each in a namespace; the target has sixteen addresses and four listeners. Each tool is
a process of its own: seconds, CPU and memory are the kernel's account of it, packets what left the source's interface.
`exact` compares what a tool says of every port with the rules that were loaded: how many ports it has wrong. masscan
names open ports only, so it is judged by those.

portcheck stands there twice: as the command that a user types, interpreter's start included, and as the sweep alone,
which is what it takes in an agent that runs already.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from probe.model.ports import PortSet

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

ALL = PortSet([(1, 65535)])
LISTENERS = PortSet.of([22, 80, 8080, 50000])
# Of all but these nothing comes back in the case `dropped`: 1,004 ports, four of them open.
ANSWERING = PortSet([(1000, 1999)]) | LISTENERS
TARGETS = [f"10.80.2.{number}" for number in range(10, 26)]
TARGET6 = "fd80:2::10"
MOST_SECONDS = 900
# Listens, and says so.
SERVE = f"""
import socket, sys
held = []
for family, any_address in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
    for port in {list(LISTENERS)}:
        sock = socket.socket(family, socket.SOCK_STREAM)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind((any_address, port))
        sock.listen(4096)
        held.append(sock)
print("ready", flush=True)
sys.stdin.read()
"""
# ENGINE ADDRESS...: prints what it found, and the seconds of the sweep alone.
SWEEP = """
import asyncio, json, math, sys, time
import msgspec
from probe.model.ports import PortSet
from probe.model.words import Transport
from probe.sweep.order import Sweep, Target
from probe.sweep.sweep import sweep

async def main(engine, *addresses):
    ports = PortSet([(1, 65535)])
    targets = tuple(Target(address=address, ports=ports) for address in addresses)
    order = Sweep(targets=targets, transport=Transport.TCP, rate=math.inf)
    began = time.perf_counter()
    found = await sweep(order, engine=engine)
    seconds = time.perf_counter() - began
    print(json.dumps({"seconds": seconds, "found": msgspec.to_builtins(found)}))

asyncio.run(main(*sys.argv[1:]))
"""


@dataclass
class Figures:
    """Of one run of one tool; `wrong`: ports."""

    seconds: float
    cpu: float
    memory: int
    packets: int
    wrong: int
    alone: float = 0.0


@dataclass(frozen=True)
class Case:
    """Rules for the router and the target; the addresses; which tools; what a port is, other than closed."""

    tools: Sequence[str]
    addresses: Sequence[str] = (TARGETS[0],)
    router: str = ""
    target: str = ""
    filtered: PortSet = field(default_factory=PortSet)
    goal: str = ""

    @property
    def truth(self) -> dict[str, PortSet]:
        opened = LISTENERS - self.filtered
        return {"open": opened, "filtered": self.filtered, "closed": ALL - opened - self.filtered}


PACKETS = ("portcheck", "nmap -sS -T4", "masscan")
DROPPED = f"tcp dport != {{ {str(ANSWERING).replace('-', '-')} }} drop"
LOSS = "numgen random mod 100 < 5 drop"
CASES = {
    "closed": Case(PACKETS),
    "dropped": Case(PACKETS, target=DROPPED, filtered=ALL - ANSWERING),
    "loss": Case((*PACKETS, "nmap -sS -T5"), router=LOSS),
    "loss and dropped": Case(PACKETS[:2], router=LOSS, target=DROPPED, filtered=ALL - ANSWERING),
    "IPv6": Case(PACKETS[:2], addresses=(TARGET6,)),
    "16 targets": Case(PACKETS, addresses=TARGETS),
    "unprivileged, closed": Case(("portcheck, connections", "nmap -sT", "nmap -sT -T4")),
    "unprivileged, dropped": Case(
        ("portcheck, connections", "nmap -sT", "nmap -sT -T4"), target=DROPPED, filtered=ALL - ANSWERING
    ),
}


class Network:
    """Source, router, target, from `with` to its end."""

    def __init__(self) -> None:
        tag = secrets.token_hex(3)
        self.source, self.router, self.target = (f"bench-{tag}-{name}" for name in ("source", "router", "target"))
        self._server: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        try:
            self._build()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _build(self) -> None:
        for name in (self.source, self.router, self.target):
            ip(f"netns add {name}")
            ip("link set lo up", namespace=name)
            run(name, "sysctl", "-q", "-w", "net.ipv6.conf.all.accept_dad=0", "net.ipv6.conf.default.accept_dad=0")
        run(self.router, "sysctl", "-q", "-w", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
        for number, (name, link) in enumerate(((self.source, "left"), (self.target, "right")), 1):
            ip(f"link add net netns {name} type veth peer name {link} netns {self.router}")
            ip(
                f"addr add 10.80.{number}.1/24 dev {link}",
                f"addr add fd80:{number}::1/64 dev {link} nodad",
                f"link set {link} up",
                namespace=self.router,
            )
            own = ["10.80.1.2"] if name == self.source else TARGETS
            six = "fd80:1::2" if name == self.source else TARGET6
            ip(
                "link set net up",
                *(f"addr add {address}/24 dev net" for address in own),
                f"addr add {six}/64 dev net nodad",
                f"route add default via 10.80.{number}.1",
                f"route add default via fd80:{number}::1",
                namespace=name,
            )
        self._server = subprocess.Popen(
            ["ip", "netns", "exec", self.target, sys.executable, "-c", SERVE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._server.stdout is not None
        if self._server.stdout.readline() != "ready\n":
            raise SystemExit("the listeners did not start: no benchmark")
        for address in ("10.80.2.10", TARGET6):
            run(self.source, sys.executable, "-c", f"import socket; socket.create_connection(({address!r}, 22), 5)")

    def __exit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.communicate(timeout=10)
        ip(*(f"netns del {name}" for name in (self.source, self.router, self.target)))

    def rules(self, case: Case) -> None:
        for name, hook, rule in ((self.router, "forward", case.router), (self.target, "input", case.target)):
            chain = f"chain filter {{ type filter hook {hook} priority filter;\n{rule}\n}}"
            text = "flush ruleset\n" + (f"table inet bench {{\n{chain}\n}}\n" if rule else "")
            subprocess.run(["ip", "netns", "exec", name, "nft", "-f", "-"], input=text, text=True, check=True)

    def packets(self) -> int:
        return int(run(self.source, "cat", "/sys/class/net/net/statistics/tx_packets"))


def ip(*lines: str, namespace: str = "") -> None:
    where = ["-n", namespace] if namespace else []
    subprocess.run(["ip", *where, "-batch", "-"], input="\n".join(lines), text=True, check=True, timeout=60)


def run(name: str, *words: str) -> str:
    return subprocess.run(
        ["ip", "netns", "exec", name, *words], capture_output=True, text=True, check=True, timeout=60
    ).stdout


def measured(network: Network, words: Sequence[str], read: Callable[[str], int]) -> Figures:
    """`read` makes of what the tool printed how many ports it has wrong."""
    before, began = network.packets(), time.perf_counter()
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(["ip", "netns", "exec", network.source, *words], stdout=output, stderr=output)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        text = output.read()
    if process.returncode:
        raise SystemExit(f"{' '.join(words)[:200]}: exit code {process.returncode}\n{text[-2000:]}")
    figures = Figures(
        seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss // 1024, network.packets() - before, read(text)
    )
    found = re.match(r'\{"seconds": ([0-9.]+)', text)
    figures.alone = float(found[1]) if found else 0.0
    return figures


def wrong(said: dict[str, PortSet], truth: dict[str, PortSet]) -> int:
    return len(ALL) - sum(len(said.get(state, PortSet()) & ports) for state, ports in truth.items())


def portcheck(text: str, case: Case) -> int:
    found = json.loads(text.splitlines()[-1])["found"]
    states = [{state: PortSet.parse(ports) for state, ports in one["states"].items()} for one in found]
    return sum(wrong(said, case.truth) for said in states)


def nmap(text: str, case: Case) -> int:
    """Its XML names the ports of small groups one by one, those of large ones together."""
    total = 0
    for host in ET.fromstring(text[text.index("<?xml") :]).iter("host"):
        said: dict[str, PortSet] = {}
        for port in host.iter("port"):
            state = port.find("state").get("state")
            said[state] = said.get(state, PortSet()) | PortSet([(int(port.get("portid")),) * 2])
        for extra in host.iter("extraports"):
            for reason in extra.iter("extrareasons"):
                state = extra.get("state")
                said[state] = said.get(state, PortSet()) | PortSet.parse(reason.get("ports"))
        total += wrong(said, case.truth)
    return total


def masscan(text: str, case: Case) -> int:
    """Open ports only."""
    said = set(re.findall(r"open port (\d+)/tcp on (\S+)", text))
    truth = {(str(port), address) for port in case.truth["open"] for address in case.addresses}
    return len(said ^ truth)


def tool(name: str, case: Case) -> tuple[list[str], Callable[[str], int]]:
    if name.startswith("portcheck"):
        engine = "connect" if "connections" in name else "packet"
        return [sys.executable, "-c", SWEEP, engine, *case.addresses], lambda text: portcheck(text, case)
    if name == "masscan":
        words = ["masscan", *case.addresses, "-p1-65535", "--rate", "1000000", "--wait", "1"]
        return words, lambda text: masscan(text, case)
    six = ["-6"] if ":" in case.addresses[0] else []
    return [*name.split(), *six, "-n", "-Pn", "-p-", "-oX", "-", *case.addresses], lambda text: nmap(text, case)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", default=",".join(CASES), help="a comma list of " + "; ".join(CASES))
    parser.add_argument("--runs", type=int, default=1)
    arguments = parser.parse_args()
    # Commas are part of some names.
    cases = [name for name in CASES if name in arguments.cases]
    print("| case | tool | seconds | portcheck is faster | ports wrong | packets | CPU seconds | memory |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    with Network() as network:
        for name in cases:
            case = CASES[name]
            network.rules(case)
            taken: dict[str, list[Figures]] = {each: [] for each in case.tools}
            for _ in range(arguments.runs):
                for each in case.tools:
                    taken[each].append(measured(network, *tool(each, case)))
            report(name, taken)


def report(name: str, taken: dict[str, list[Figures]]) -> None:
    """Medians over the runs; of wrong ports the most."""
    ours = taken[next(iter(taken))]
    whole, alone = (statistics.median(values) for values in ([f.seconds for f in ours], [f.alone for f in ours]))
    for each, figures in taken.items():
        seconds = statistics.median(f.seconds for f in figures)
        ratio = "" if figures is ours else f"{seconds / whole:.1f} × ({seconds / alone:.1f} ×)"
        shown = f"{seconds:.2f} ({alone:.2f})" if figures is ours else f"{seconds:.2f}"
        rest = (
            max(f.wrong for f in figures),
            f"{statistics.median(f.packets for f in figures):,.0f}",
            f"{statistics.median(f.cpu for f in figures):.2f}",
            f"{max(f.memory for f in figures)} MB",
        )
        print("|", " | ".join(map(str, (name, each, shown, ratio, *rest))), "|", flush=True)


if __name__ == "__main__":
    main()
