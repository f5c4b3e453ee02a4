"""Networks with many faults at once, one for each port, and what a run must say of each.

A fault is told in words: `r2 forward dport drop`. At this node (or several: `b1,b2`), in this chain, packets whose
`dport` (on the way there) or `sport` (on the way back) is the situation's own port come to that. What is expected is
told as `blocked network after r2`: verdict, cause, side and node, as far as the report may name them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from .harness import closed
from .lab import ROUTER, SUBNETS, Lab, chain
from .routers import ALL_LINKS, SHARED, at, on

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from contextlib import ExitStack

    from .harness import Portcheck, Run, Running

RESET, REJECT = "reject with tcp reset", "reject with icmpx admin-prohibited"
UNREACHABLE = "reject with icmpx host-unreachable"
"""As a kernel says where the next machine does not answer."""
FIRST = {"tcp": 5000, "udp": 6000}
DETOUR = 13
"""The last number of an address of b1 that a test may have reached by r3 alone; answers come back by r2."""
# Beside those of the lab: before a router looks at the TTL, and where it translates the source's address.
HOOKS = {"early": "filter hook prerouting priority raw", "late": "nat hook postrouting priority srcnat"}


class Situation(NamedTuple):
    """`listens` is the service behind the port, as `Lab.serve` has it without the port. `protocol` is what the matrix
    calls it, where that is not the transport.
    """

    expected: str
    faults: tuple[str, ...] = ()
    transports: tuple[str, ...] = ("tcp", "udp")
    listens: str = ""
    protocol: str = ""


def so(expected: str, *faults: str, only: str = "", listens: str = "", protocol: str = "") -> Situation:
    """What only TCP has (a reset, flags, HTTP) is a situation of TCP alone."""
    tcp = protocol or any("tcp" in fault for fault in faults)
    transports = (only,) if only else ("tcp",) if tcp else ("tcp", "udp")
    return Situation(expected, faults, transports, listens, protocol)


Situations = dict[str, Situation]


def ports(situations: Situations) -> dict[tuple[str, str], int]:
    """By name and transport."""
    return {
        (name, transport): FIRST[transport] + number
        for number, (name, situation) in enumerate(situations.items())
        for transport in situation.transports
    }


def service(name: str, transport: str) -> str:
    return f"{transport}-{re.sub('[^A-Za-z0-9]+', '-', name)}"


def services(situations: Situations) -> dict[str, str]:
    return {
        service(name, transport): f"{situations[name].protocol or transport} {port}"
        for (name, transport), port in ports(situations).items()
    }


def servers(situations: Situations) -> list[str]:
    """What listens in these situations, as `Lab.serve` has it."""
    told = ((situations[name].listens, port) for (name, _), port in ports(situations).items())
    return [" ".join((kind, str(port), *options)) for text, port in told if text for kind, *options in [text.split()]]


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
    """One line of the table. `address` where the target has several of one family; `service` where its name is not the
    situation's.
    """

    scene: str
    name: str
    transport: str
    family: int
    expected: str
    source: str = "a1"
    target: str = "b1"
    address: str | None = None
    service: str = ""

    def __str__(self) -> str:
        return f"{self.scene}: {self.name} ({self.transport}, IPv{self.family}, {self.source} to {self.target})"

    def of(self, run: Run) -> list[dict[str, Any]]:
        """The report's rows: one, or those that a range was cut into."""
        wanted = {"address": self.address} if self.address else {}
        named = self.service or service(self.name, self.transport)
        return run.over(self.family).rows(service=named, source=self.source, target=self.target, **wanted)


def rows(scene: str, situations: Situations) -> Iterator[Row]:
    for name, transport in ports(situations):
        for family in (4, 6):
            yield Row(scene, name, transport, family, situations[name].expected)


Tabled = Callable[[Row, "Run"], list[dict[str, Any]]]


@dataclass
class UnderWay:
    """A run that goes on in a network. Several do at a time: they wait for silence most of the while."""

    lab: Lab
    running: Running
    before: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def finish(self) -> Run:
        run = self.running.finish()
        closed(self.lab, self.before)
        return run


class Scene(NamedTuple):
    """One network and one run, and the rows that it must come to."""

    name: str
    begin: Callable[[Portcheck, ExitStack], UnderWay]
    rows: tuple[Row, ...]


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
        for left, right in ALL_LINKS:
            yield at(left, right, family), left
            yield at(right, left, family), right
        for last in (SHARED, DETOUR):
            yield on(6, last, family), "b1"


NODES = dict(_nodes())
"""Whose the addresses are that a report may name."""
