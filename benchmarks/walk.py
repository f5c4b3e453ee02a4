"""The main job beside nmap, in one run: 10 hosts in namespaces, one service with the range 5000-6000 on each, every
host from every other.

    python benchmarks/walk.py [--hosts 10] [--runs 3]      as root; needs iproute2 and nmap

portcheck proves 90,090 ways end to end: a stand-in on each port, a fresh challenge, a keyed answer. `nmap -sT` runs
from each source at the same time over the same pairs and ports, once with nothing listening (as before an
installation) and once against listeners (what portcheck's own stand-ins amount to); it proves nothing about who
answered. What counts are the ratios.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Self

PORTS = "5000-6000"
MATRIX = """\
portcheck: 1
name: bench
roles: {node: {help: a host}}
services: {range: {role: node, port: 5000-6000, protocol: tcp}}
flows: [{from: node, to: range}]
"""
LISTEN = """
import select, socket
poll, held = select.epoll(), {}
for port in range(5000, 6001):
    sock = socket.create_server(("0.0.0.0", port), backlog=512)
    sock.setblocking(False)
    held[sock.fileno()] = sock
    poll.register(sock.fileno(), select.EPOLLIN)
print("ready", flush=True)
while True:
    for number, _ in poll.poll():
        try:
            while True:
                held[number].accept()[0].close()
        except BlockingIOError:
            pass
"""


class Bridge:
    """Hosts on one bridge, each in a namespace."""

    def __init__(self, count: int) -> None:
        tag = secrets.token_hex(3)
        self.switch = f"bench-{tag}"
        self.names = [f"bench-{tag}-{number}" for number in range(count)]
        self.addresses = [f"10.78.0.{number + 1}" for number in range(count)]

    def __enter__(self) -> Self:
        ip(f"netns add {self.switch}", *(f"netns add {name}" for name in self.names))
        ip("link add sw type bridge", "link set sw up", namespace=self.switch)
        for number, (name, address) in enumerate(zip(self.names, self.addresses, strict=True)):
            ip(f"link add net netns {name} type veth peer name p{number} netns {self.switch}")
            ip(f"link set p{number} master sw up", namespace=self.switch)
            ip("link set lo up", f"addr add {address}/16 dev net", "link set net up", namespace=name)
        return self

    def __exit__(self, *_: object) -> None:
        ip(*(f"netns del {name}" for name in [*self.names, self.switch]))


def ip(*lines: str, namespace: str = "") -> None:
    where = ["-n", namespace] if namespace else []
    subprocess.run(["ip", *where, "-batch", "-"], input="\n".join(lines), text=True, check=True, timeout=60)


def inside(name: str, *command: str) -> list[str]:
    return ["ip", "netns", "exec", name, *command]


def portcheck(bridge: Bridge, folder: Path) -> dict[str, float]:
    inventory, matrix, report = folder / "hosts.txt", folder / "matrix.yaml", folder / "report.json"
    lines = [
        f"{name} portcheck_address={address} portcheck_exec='ip netns exec {name}'"
        for name, address in zip(bridge.names, bridge.addresses, strict=True)
    ]
    inventory.write_text("[node]\n" + "\n".join(lines) + "\n")
    matrix.write_text(MATRIX)
    command = [sys.executable, "-m", "probe", "run", "--inventory", str(inventory), "--matrix", str(matrix)]
    command += ["--phase", "pre-install", "--json", str(report)]
    path = f"{os.environ['PATH']}{os.pathsep}{Path(sys.executable).parent}"
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env={**os.environ, "PATH": path})
    agents = Memory(bridge.names)
    _, status, usage = os.wait4(process.pid, 0)
    took = time.perf_counter() - began
    peak = agents.stop()
    rows = json.loads(report.read_text())["checks"]
    across = [row for row in rows if row["source"] != row["target"]]
    if status or any(row["verdict"] != "pass" or row["ports"] != PORTS for row in across):
        raise SystemExit("portcheck did not find every way free: no benchmark")
    return {
        "seconds": took,
        "CPU s": usage.ru_utime + usage.ru_stime,
        "coordinator MB": usage.ru_maxrss / 1024,
        "largest agent MB": peak,
    }


class Memory(threading.Thread):
    """The highest resident size of any process in these namespaces, looked at ten times a second."""

    def __init__(self, names: list[str]) -> None:
        super().__init__(daemon=True)
        self._inodes = {Path(f"/run/netns/{name}").stat().st_ino for name in names}
        self._peak = 0.0
        self._over = threading.Event()
        self.start()

    def run(self) -> None:
        while not self._over.wait(0.2):
            for process in Path("/proc").glob("[0-9]*"):
                try:
                    if (process / "ns/net").stat().st_ino in self._inodes:
                        text = (process / "status").read_text()
                        self._peak = max(self._peak, int(text.partition("VmHWM:")[2].split()[0]) / 1024)
                except (OSError, IndexError, ValueError):
                    continue

    def stop(self) -> float:
        self._over.set()
        self.join()
        return self._peak


def nmap(bridge: Bridge, *options: str) -> dict[str, float]:
    began = time.perf_counter()
    running = []
    for name, address in zip(bridge.names, bridge.addresses, strict=True):
        others = [other for other in bridge.addresses if other != address]
        command = inside(name, "nmap", "-sT", "-n", "-Pn", "-p", PORTS, *options, *others)
        running.append(subprocess.Popen(command, stdout=subprocess.DEVNULL))
    usages = [os.wait4(process.pid, 0)[2] for process in running]
    return {
        "seconds": time.perf_counter() - began,
        "CPU s": sum(usage.ru_utime + usage.ru_stime for usage in usages),
        "largest nmap MB": max(usage.ru_maxrss for usage in usages) / 1024,
    }


def nmap_with_listeners(bridge: Bridge, *options: str) -> dict[str, float]:
    held = [
        subprocess.Popen(inside(name, sys.executable, "-c", LISTEN), stdout=subprocess.PIPE) for name in bridge.names
    ]
    try:
        for process in held:
            assert process.stdout is not None
            process.stdout.readline()
        return nmap(bridge, *options)
    finally:
        for process in held:
            process.kill()
            process.communicate()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hosts", type=int, default=10)
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    with Bridge(arguments.hosts) as bridge, tempfile.TemporaryDirectory() as folder:
        cases = {
            "portcheck run --phase pre-install": lambda: portcheck(bridge, Path(folder)),
            "nmap -sT, nothing listens": lambda: nmap(bridge),
            "nmap -sT -T4, nothing listens": lambda: nmap(bridge, "-T4"),
            "nmap -sT, listeners": lambda: nmap_with_listeners(bridge),
            "nmap -sT -T4, listeners": lambda: nmap_with_listeners(bridge, "-T4"),
        }
        figures: dict[str, list[dict[str, float]]] = {name: [] for name in cases}
        for _ in range(arguments.runs):
            for name, case in cases.items():
                figures[name].append(case())
    ways = arguments.hosts * (arguments.hosts - 1) * 1001
    print(f"{arguments.hosts} hosts, {ways:,} ways, {os.cpu_count()} cores, median of {arguments.runs} runs\n")
    own = statistics.median(run["seconds"] for run in figures["portcheck run --phase pre-install"])
    print(f"{'':36}{'seconds':>9}{'portcheck is':>16}   highest")
    for name, runs in figures.items():
        seconds = statistics.median(run["seconds"] for run in runs)
        memory = ", ".join(f"{key} {max(run[key] for run in runs):.1f}" for key in runs[0] if key != "seconds")
        print(f"{name:36}{seconds:9.2f}{own / seconds:13.2f} ×    {memory}")


if __name__ == "__main__":
    main()
