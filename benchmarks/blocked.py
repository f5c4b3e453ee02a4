"""What a diagnosis costs: 12 hosts around one router, 15 services on each, 1,980 checks; once with nothing dropped, and
once with a third of them silently dropped by the router.

    python benchmarks/blocked.py [--hosts 12] [--runs 3]      as root; needs iproute2 and nftables

The aim is no more than three times the time of the run without a fault, plus two timeouts: twice what a port must be
silent for before it is believed.
"""

from __future__ import annotations

import argparse
import collections
import json
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Self

SERVICES = 15
EVERY = 3  # one of so many services is dropped
DROP = """
table inet bench {{
  chain forward {{ type filter hook forward priority 0;
    ct state established,related accept
    meta l4proto {{tcp, udp}} th dport {ports} drop
  }}
}}
"""


class Star:
    """Hosts in namespaces, each on a link of its own to the router."""

    def __init__(self, count: int) -> None:
        tag = secrets.token_hex(3)
        self.router = f"bench-{tag}"
        self.names = [f"bench-{tag}-{number}" for number in range(count)]
        self.addresses = [f"10.78.{number + 1}.2" for number in range(count)]

    def __enter__(self) -> Self:
        ip(f"netns add {self.router}", *(f"netns add {name}" for name in self.names))
        within(self.router, "sysctl", "-q", "-w", "net.ipv4.ip_forward=1")
        for number, name in enumerate(self.names):
            ip(f"link add net netns {name} type veth peer name p{number} netns {self.router}")
            ip(f"link set p{number} up", f"addr add 10.78.{number + 1}.1/24 dev p{number}", namespace=self.router)
            ip("link set lo up", f"addr add 10.78.{number + 1}.2/24 dev net", "link set net up", namespace=name)
            ip(f"route add default via 10.78.{number + 1}.1", namespace=name)
        return self

    def __exit__(self, *_: object) -> None:
        ip(*(f"netns del {name}" for name in [*self.names, self.router]))

    def drop(self, ports: list[int]) -> None:
        rules = DROP.format(ports="{" + ", ".join(map(str, ports)) + "}")
        within(self.router, "nft", "-f", "-", text=rules)


def ip(*lines: str, namespace: str = "") -> None:
    where = ["-n", namespace] if namespace else []
    subprocess.run(["ip", *where, "-batch", "-"], input="\n".join(lines), text=True, check=True, timeout=60)


def within(namespace: str, *words: str, text: str = "") -> None:
    subprocess.run(["ip", "netns", "exec", namespace, *words], input=text, text=True, check=True, timeout=60)


def measure(star: Star, folder: Path) -> tuple[float, collections.Counter[tuple[str, str | None, bool]]]:
    """Seconds, and how many checks ended with which verdict and cause, and whether the place was found."""
    inventory, matrix, report = folder / "hosts.txt", folder / "matrix.yaml", folder / "report.json"
    lines = [
        f'{name} portcheck_address={address} portcheck_exec="ip netns exec {name}"'
        for name, address in zip(star.names, star.addresses, strict=True)
    ]
    inventory.write_text("[node]\n" + "\n".join(lines) + "\n")
    named = "".join(
        f"  s{number}: {{role: node, port: {5000 + number}, protocol: {'udp' if number % 5 == 4 else 'tcp'}}}\n"
        for number in range(SERVICES)
    )
    flows = ", ".join(f"{{from: node, to: s{number}}}" for number in range(SERVICES))
    matrix.write_text(
        f"portcheck: 1\nname: bench\nroles: {{node: {{help: a host}}}}\nservices:\n{named}flows: [{flows}]\n"
        "policy: {inside: ignore}\n"
    )
    began = time.perf_counter()
    options = ["--inventory", str(inventory), "--matrix", str(matrix), "--phase", "pre-install", "--json", str(report)]
    subprocess.run(
        [sys.executable, "-m", "probe", "run", *options], stdout=subprocess.DEVNULL, check=False, timeout=300
    )
    took = time.perf_counter() - began
    rows = json.loads(report.read_text())["checks"]
    across = [row for row in rows if row["source"] != row["target"]]
    return took, collections.Counter((row["verdict"], row["cause"], row["where"] is not None) for row in across)


def main() -> None:
    parser = argparse.ArgumentParser(description="what a diagnosis costs")
    parser.add_argument("--hosts", type=int, default=12)
    parser.add_argument("--runs", type=int, default=1)
    wanted = parser.parse_args()
    with Star(wanted.hosts) as star, tempfile.TemporaryDirectory() as folder:
        free = [measure(star, Path(folder)) for _ in range(wanted.runs)]
        star.drop(list(range(5000, 5000 + SERVICES, EVERY)))
        faulty = [measure(star, Path(folder)) for _ in range(wanted.runs)]
    for name, runs in (("without", free), ("dropped", faulty)):
        print(f"{name}: {statistics.median(took for took, _ in runs):.2f} s  {dict(runs[-1][1])}")


if __name__ == "__main__":
    main()
