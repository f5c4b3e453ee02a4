"""Networks with many faults at once, one for each port, and what a run must say of each.

A fault is told in words: `r2 forward dport drop`. At this node (or several: `b1,b2`), in this chain, packets whose
`dport` (on the way there) or `sport` (on the way back) is the situation's own port come to that. What is expected is
told as `blocked network after r2`: verdict, cause, side and node, as far as the report may name them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from .harness import closed
from .lab import ROUTER, SUBNETS, Lab, chain
from .routers import LINKS, SHARED, at, on

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .harness import Run, Running

RESET, REJECT = "reject with tcp reset", "reject with icmpx admin-prohibited"
FIRST = {"tcp": 5000, "udp": 6000}
DETOUR = 13
"""The last number of an address of b1 that a test may have reached by r3 alone; answers come back by r2."""
# Beside those of the lab: before a router looks at the TTL, and where it translates the source's address.
HOOKS = {"early": "filter hook prerouting priority raw", "late": "nat hook postrouting priority srcnat"}


class Situation(NamedTuple):
    """`listens` is the service behind the port, as `Lab.serve` has it without the port."""

    expected: str
    faults: tuple[str, ...] = ()
    transports: tuple[str, ...] = ("tcp", "udp")
    listens: str = ""


def so(expected: str, *faults: str, only: str = "", listens: str = "") -> Situation:
    """What only TCP has (a reset, flags) is a situation of TCP alone."""
    tcp = any("tcp" in fault for fault in faults)
    return Situation(expected, faults, (only,) if only else ("tcp",) if tcp else ("tcp", "udp"), listens)


Situations = dict[str, Situation]


def ports(situations: Situations) -> dict[tuple[str, str], int]:
    """By name and transport."""
    return {
        (name, transport): FIRST[transport] + number
        for number, (name, situation) in enumerate(situations.items())
        for transport in situation.transports
    }


def service(name: str, transport: str) -> str:
    return f"{transport}-{name.replace(' ', '-')}"


def services(situations: Situations) -> dict[str, str]:
    return {service(name, transport): f"{transport} {port}" for (name, transport), port in ports(situations).items()}


def spoil(lab: Lab, situations: Situations) -> None:
    """Load the rules of all faults."""
    rules: dict[tuple[str, str], list[str]] = {}
    for (name, transport), port in ports(situations).items():
        for fault in situations[name].faults:
            nodes, hook, end, verdict = fault.split(" ", 3)
            for node in nodes.split(","):
                rules.setdefault((node, hook), []).append(f"{transport} {end} {port} {verdict}")
    for (node, hook), lines in rules.items():
        if hook in HOOKS:
            body = "\n".join(lines)
            lab.nft(node, f"table inet lab {{ chain {hook} {{ type {HOOKS[hook]}; policy accept;\n{body}\n}}\n}}\n")
        else:
            lab.nft(node, chain(hook, *lines))


class Row(NamedTuple):
    """One line of the table. `address` where the target has several of one family."""

    scene: str
    name: str
    transport: str
    family: int
    expected: str
    source: str = "a1"
    target: str = "b1"
    address: str | None = None

    def __str__(self) -> str:
        return f"{self.scene}: {self.name} ({self.transport}, IPv{self.family}, {self.source} to {self.target})"

    def of(self, run: Run) -> dict[str, Any]:
        wanted = {"address": self.address} if self.address else {}
        named = service(self.name, self.transport)
        return run.over(self.family).row(service=named, source=self.source, target=self.target, **wanted)


def rows(scene: str, situations: Situations) -> Iterator[Row]:
    for name, transport in ports(situations):
        for family in (4, 6):
            yield Row(scene, name, transport, family, situations[name].expected)


@dataclass
class Scene:
    """A run under way in a network. Several are at a time: they wait for silence most of the while."""

    lab: Lab
    running: Running
    before: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def finish(self) -> Run:
        run = self.running.finish()
        closed(self.lab, self.before)
        return run


def listening(lab: Lab) -> dict[str, frozenset[str]]:
    return {host: lab.listening(host) for host in lab.hosts}


def told(row: Mapping[str, Any]) -> str:
    """What a report's row says, in the words of a situation."""
    where = row["where"] or {}
    place = (where["side"], NODES.get(where["address"], where["address"])) if where.get("address") else ()
    return " ".join(filter(None, (row["verdict"], row["cause"], *place)))


def _nodes() -> Iterator[tuple[str, str]]:
    lab = Lab(*SUBNETS)
    for family in (4, 6):
        for host in lab.hosts:
            yield lab.address(host, family), host
            yield lab.router_address(host, family), ROUTER
        for left, right in LINKS:
            yield at(left, right, family), left
            yield at(right, left, family), right
        for last in (SHARED, DETOUR):
            yield on(6, last, family), "b1"


NODES = dict(_nodes())
"""Whose the addresses are that a report may name."""
