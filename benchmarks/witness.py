"""What the witness's capture costs a host whose traffic is not about the flows under test.

    python benchmarks/witness.py [--seconds 10] [--runs 9]      as root; needs iproute2

Two hosts in namespaces on one cable; the capture runs on the second. Its cost has two parts: the process itself, read
from the kernel's accounts while 10,000 datagrams a second pass; and the filter, which runs on behalf of whoever sends
or receives. The second shows only as a difference: the CPU time that a burst takes with and without a capture, in
turns, the least of several runs each. The goal: under 5 % of one core, both together. The last line is for
comparison: the process when all of the 10,000 belong to the flow.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Iterator

RATE, BURST = 10_000, 100_000
NEAR, FAR = "10.79.0.1", "10.79.0.2"
UNRELATED, WANTED = 9000, 5000
# Prints `ready`; at the end of its standard input its CPU seconds and what it saw.
CAPTURE = """
import asyncio, json, sys, time
from probe.model.sight import Flow
from probe.model.words import Transport
from probe.witness.capture import Capture

async def main():
    peers = tuple(f"10.79.0.{number}" for number in range(1, 60, 2))
    ports = "5000-5010,6379,9200,9300,27017,30000-30100"
    flows = [Flow(transport, "10.79.0.2", ports, peers) for transport in Transport]
    capture = Capture(flows, packets=10**9, size=10**12)
    capture.start()
    began = time.process_time()
    print("ready", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    used = time.process_time() - began
    seen = capture.stop()
    print(json.dumps({"cpu": used, "seen": len(seen.sights), "lost": seen.lost, "full": seen.full}))

asyncio.run(main())
"""
# ADDRESS PORT COUNT RATE (0: as fast as it goes). Prints its seconds, and those of its CPU.
SEND = """
import socket, sys, time
address, port, count, rate = sys.argv[1], *map(int, sys.argv[2:])
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
    sock.connect((address, port))
    began, used = time.perf_counter(), time.process_time()
    for start in range(0, count, 100):
        for _ in range(min(100, count - start)):
            sock.send(bytes(64))
        if rate:
            time.sleep(max(0, began + (start + 100) / rate - time.perf_counter()))
    print(time.perf_counter() - began, time.process_time() - used)
"""
# Takes what is sent, and reads none of it.
SINK = f"""
import socket, sys
held = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2)]
for sock, port in zip(held, ({UNRELATED}, {WANTED})):
    sock.bind(("0.0.0.0", port))
print("ready", flush=True)
sys.stdin.read()
"""


class Cable:
    """Two hosts, each in a namespace, with a sink on each."""

    def __init__(self) -> None:
        tag = secrets.token_hex(3)
        self.near, self.far = f"bench-{tag}-near", f"bench-{tag}-far"
        self._sinks: list[subprocess.Popen[str]] = []

    def __enter__(self) -> Self:
        ip(f"netns add {self.near}", f"netns add {self.far}")
        ip(f"link add net netns {self.near} type veth peer name net netns {self.far}")
        for name, address in ((self.near, NEAR), (self.far, FAR)):
            ip("link set lo up", f"addr add {address}/24 dev net", "link set net up", namespace=name)
            self._sinks.append(started(name, SINK))
        return self

    def __exit__(self, *_: object) -> None:
        for sink in self._sinks:
            sink.communicate()
        ip(f"netns del {self.near}", f"netns del {self.far}")


def ip(*lines: str, namespace: str = "") -> None:
    where = ["-n", namespace] if namespace else []
    subprocess.run(["ip", *where, "-batch", "-"], input="\n".join(lines), text=True, check=True, timeout=60)


def started(name: str, script: str) -> subprocess.Popen[str]:
    """A script inside a namespace, once it is ready."""
    command = ["ip", "netns", "exec", name, sys.executable, "-c", script]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    if process.stdout.readline() != "ready\n":
        raise SystemExit("a helper did not start: no benchmark")
    return process


@contextmanager
def capturing(cable: Cable) -> Iterator[dict[str, Any]]:
    process = started(cable.far, CAPTURE)
    told: dict[str, Any] = {}
    yield told
    told |= json.loads(process.communicate()[0])


def send(name: str, address: str, port: int, count: int, rate: int = 0) -> tuple[float, float]:
    """Seconds, CPU seconds."""
    words = [sys.executable, "-c", SEND, address, *map(str, (port, count, rate))]
    done = subprocess.run(["ip", "netns", "exec", name, *words], capture_output=True, text=True, check=True)
    took, used = map(float, done.stdout.split())
    return took, used


def process_share(cable: Cable, port: int, seconds: int) -> tuple[float, dict[str, Any]]:
    """The capture's own CPU as a share of one core, with this much traffic to this port."""
    with capturing(cable) as told:
        took, _ = send(cable.near, FAR, port, seconds * RATE, RATE)
    if took > seconds * 1.1:
        raise SystemExit(f"the sender managed only {seconds * RATE / took:,.0f} packets a second: no benchmark")
    return told["cpu"] / took, told


def filter_share(cable: Cable, sender: str, address: str, runs: int) -> tuple[float, float]:
    """What the filter takes of one core at RATE; and the share that sending and receiving take without it."""
    without, within = [], []
    for _ in range(runs):
        without.append(send(sender, address, UNRELATED, BURST)[1])
        with capturing(cable):
            within.append(send(sender, address, UNRELATED, BURST)[1])
    return (min(within) - min(without)) / BURST * RATE, min(without) / BURST * RATE


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--runs", type=int, default=9)
    arguments = parser.parse_args()
    with Cable() as cable:
        idle, told = process_share(cable, UNRELATED, arguments.seconds)
        if told["seen"] or told["lost"] or told["full"]:
            raise SystemExit(f"the capture saw what it was not asked for: {told}")
        arriving, sending = filter_share(cable, cable.near, FAR, arguments.runs)
        leaving, _ = filter_share(cable, cable.far, NEAR, arguments.runs)
        busy, told = process_share(cable, WANTED, arguments.seconds)
    print(f"{RATE:,} datagrams a second, {os.cpu_count()} cores, share of one core\n")
    print(f"the process, unrelated traffic       {idle:7.2%}")
    print(f"the filter, packets that arrive      {arriving:7.2%}   (sending and receiving them: {sending:.1%})")
    print(f"the filter, packets that leave       {leaving:7.2%}")
    print(f"the process, traffic of the flow     {busy:7.2%}   ({told['seen']:,} seen, {told['lost']:,} lost)")


if __name__ == "__main__":
    main()
