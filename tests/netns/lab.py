"""A small network to try portcheck in: hosts around one forwarding router, each in a network namespace of its own.

    a1 (10.77.1.2, fd77:1::2) ──┐
    a2 (10.77.2.2, fd77:2::2) ──┤
                                r ── b1 (10.77.3.2, fd77:3::2), b2 (10.77.4.2, …), …
    x1 (10.77.9.2, fd77:9::2) ──┘

Every host speaks IPv4 and IPv6 and reaches all others through `r`, so that a rule loaded there acts "on the way".
Nothing is left behind: links and rules go with the namespaces, and what still runs in them is killed. A lab costs less
than a tenth of a second, so each run has a fresh one.
"""

from __future__ import annotations

import os
import secrets
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Self

ROUTER = "r"
# The third number of a host's IPv4 address and the second group of its IPv6 address.
SUBNETS = {"a1": 1, "a2": 2, "b1": 3, "b2": 4, "a3": 5, "b3": 6, "b4": 7, "x1": 9}
COMMAND_SECONDS = 20
SERVERS = Path(__file__).with_name("servers.py")
# No duplicate address detection: an address can be used at once. No limit on ICMP errors: each rejection is seen.
SETTINGS = (
    "net.ipv6.conf.default.accept_dad=0",
    "net.ipv6.conf.all.accept_dad=0",
    "net.ipv4.icmp_ratelimit=0",
    "net.ipv6.icmp.ratelimit=0",
)
FORWARDING = ("net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
CHAINS = {
    "input": "type filter hook input priority filter",
    "forward": "type filter hook forward priority filter",
    "output": "type filter hook output priority filter",
    "prerouting": "type nat hook prerouting priority dstnat",
    "postrouting": "type nat hook postrouting priority srcnat",
}


def chain(hook: str, *rules: str) -> str:
    """An nftables ruleset of one chain: a filter on input, forward, output; translation on prerouting, postrouting."""
    body = "\n".join(rules)
    return f"table inet lab {{ chain {hook} {{ {CHAINS[hook]}; policy accept;\n{body}\n}}\n}}\n"


def command(*words: str, text: str | None = None) -> str:
    """Run one command and return what it printed; a failure says what it complained of."""
    done = subprocess.run(words, input=text, capture_output=True, text=True, timeout=COMMAND_SECONDS, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(words)}: {done.stderr.strip() or f'exit code {done.returncode}'}")
    return done.stdout


def eventually(met: Callable[[], bool], seconds: float, what: str | Callable[[], str]) -> None:
    """Look again and again until it is so; fail when the time is over."""
    end = time.monotonic() + seconds
    while not met():
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds:g} s: {what if isinstance(what, str) else what()}")
        time.sleep(0.02)


class Lab:
    """The named hosts and the router `r`, from `with` to its end."""

    def __init__(self, *hosts: str) -> None:
        self.hosts = hosts
        self._prefix = f"pc-{secrets.token_hex(4)}"
        self._processes: list[subprocess.Popen[str]] = []

    def __enter__(self) -> Self:
        try:
            self._build()
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._remove()

    def namespace(self, host: str) -> str:
        return f"{self._prefix}-{host}"

    def address(self, host: str, family: int = 4) -> str:
        return f"10.77.{SUBNETS[host]}.2" if family == 4 else f"fd77:{SUBNETS[host]}::2"

    def router_address(self, facing: str, family: int = 4) -> str:
        """The router's address on the link to this host: the sender of its ICMP errors to that host."""
        return f"10.77.{SUBNETS[facing]}.1" if family == 4 else f"fd77:{SUBNETS[facing]}::1"

    def prefix(self, host: str) -> tuple[str, ...]:
        """The words that carry a command into a host."""
        return ("ip", "netns", "exec", self.namespace(host))

    def nft(self, host: str, rules: str) -> None:
        command(*self.prefix(host), "nft", "-f", "-", text=rules)

    def ip(self, host: str, *lines: str) -> None:
        """Lines for `ip -batch`, inside a host."""
        command("ip", "-n", self.namespace(host), "-batch", "-", text="\n".join(lines) + "\n")

    def start(self, host: str, *words: str) -> subprocess.Popen[str]:
        """A process inside a host, killed with the lab at the latest."""
        process = subprocess.Popen(
            [*self.prefix(host), *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self._processes.append(process)
        return process

    def serve(self, host: str, *services: str) -> None:
        """Real services inside a host (`KIND PORT [OPTION=VALUE]…`, see servers.py); they listen when this returns."""
        process = self.start(host, sys.executable, str(SERVERS), *services)
        assert process.stdout is not None
        readable, _, _ = select.select([process.stdout], [], [], COMMAND_SECONDS)
        if not readable or process.stdout.readline() != "ready\n":
            raise RuntimeError(f"the services on {host} did not start: {', '.join(services)}")

    def listening(self, host: str) -> frozenset[str]:
        """`tcp 5000`, `udp 53`: what is open there, on whatever address."""
        lines = command("ss", "-N", self.namespace(host), "-Hltun").splitlines()
        return frozenset(f"{fields[0]} {fields[4].rpartition(':')[2]}" for fields in map(str.split, lines))

    def pids(self, host: str) -> list[int]:
        return [int(word) for word in command("ip", "netns", "pids", self.namespace(host)).split()]

    def _build(self) -> None:
        everywhere = (*self.hosts, ROUTER)
        command("ip", "-batch", "-", text="".join(f"netns add {self.namespace(host)}\n" for host in everywhere))
        for host in everywhere:
            settings = (*SETTINGS, *FORWARDING) if host == ROUTER else SETTINGS
            command(*self.prefix(host), "sysctl", "-q", "-w", *settings)
        command("ip", "-batch", "-", text="".join(map(self._link, self.hosts)))
        for host in self.hosts:
            self.ip(
                host,
                "link set lo up",
                *_interface("net", self.address(host), self.address(host, 6)),
                *self._routes(host),
            )
        self.ip(
            ROUTER,
            "link set lo up",
            *(
                line
                for host in self.hosts
                for line in _interface(host, self.router_address(host), self.router_address(host, 6))
            ),
        )

    def _link(self, host: str) -> str:
        return f"link add net netns {self.namespace(host)} type veth peer name {host} netns {self.namespace(ROUTER)}\n"

    def _routes(self, host: str) -> tuple[str, ...]:
        return (
            f"route add default via {self.router_address(host)}",
            f"route add default via {self.router_address(host, 6)}",
        )

    def _remove(self) -> None:
        """Everything away, whatever state the lab is in: its own namespaces, and the processes inside them."""
        listed = set(command("ip", "netns", "list").split())
        for name in filter(listed.__contains__, map(self.namespace, (*self.hosts, ROUTER))):
            for pid in command("ip", "netns", "pids", name).split():
                try:
                    os.kill(int(pid), signal.SIGKILL)
                except ProcessLookupError:
                    pass
            command("ip", "netns", "del", name)
        for process in self._processes:
            process.kill()
            process.communicate(timeout=COMMAND_SECONDS)
        self._processes.clear()


def _interface(name: str, *addresses: str) -> tuple[str, ...]:
    return (
        f"link set {name} up",
        *(
            f"addr add {address}/{64 if ':' in address else 24} dev {name}{' nodad' if ':' in address else ''}"
            for address in addresses
        ),
    )
