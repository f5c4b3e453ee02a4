"""Before the installation: two sources and a host outside behind one router, two targets behind another. A fault that
meets only one of them is told of that one alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from .harness import BOTH
from .routers import NEIGHBOURS as OTHERS
from .routers import SINGLE, Routers, at, on
from .situations import REJECT, RESET, Row, Scene, UnderWay, rows, services, so, spoil

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import ExitStack

    from .harness import Portcheck
    from .situations import Situation, Situations

SOURCES, OUTSIDE, TARGETS = ("a1", "a2"), "x1", ("b1", "b2")
ADDRESSES = {
    **{host: [at(host, router, family) for family in BOTH] for host, router in {"a1": "r1", **OTHERS}.items()},
    "b1": [on(6, SINGLE, family) for family in BOTH],
}


class Hit(NamedTuple):
    """Whom a fault meets, and what is told of these ways. Of the others that they are free."""

    told: str
    faults: tuple[str, ...] = ()
    sources: tuple[str, ...] = (*SOURCES, OUTSIDE)
    targets: tuple[str, ...] = TARGETS


def coming_from(host: str, where: str, verdict: str) -> tuple[str, ...]:
    """A fault for what comes from this host, wherever that is no matter of an interface."""
    own4, own6 = ADDRESSES[host]
    return f"{where} ip saddr {own4} {verdict}", f"{where} ip6 saddr {own6} {verdict}"


MET = {
    "nobody": Hit("pass"),
    "r1 drops of a1": Hit("blocked network after r1", ('r1 forward dport iifname "a1" drop',), ("a1",)),
    "r1 rejects of a1": Hit("blocked network at r1", (f'r1 forward dport iifname "a1" {REJECT}',), ("a1",)),
    "r2 drops of a1": Hit("blocked network after r2", coming_from("a1", "r2 forward dport", "drop"), ("a1",)),
    "b1 drops of a1": Hit(
        "blocked target-firewall at b1", coming_from("a1", "b1 input dport", "drop"), ("a1",), ("b1",)
    ),
    "b1 resets of a1": Hit(
        "blocked target-firewall at b1", coming_from("a1", "b1 input dport", RESET), ("a1",), ("b1",)
    ),
    "a1 drops": Hit("blocked source-firewall at a1", ("a1 output dport drop",), ("a1",)),
    "r1 drops answers to a1": Hit("blocked return-path", ('r1 forward sport oifname "a1" drop',), ("a1",)),
    "r4 drops for b1": Hit("blocked network after r4", ('r4 forward dport oifname "b1" drop',), targets=("b1",)),
    "b1 drops": Hit("blocked target-firewall at b1", ("b1 input dport drop",), targets=("b1",)),
    "r1 drops of x1": Hit("", ('r1 forward dport iifname "x1" drop',), ("x1",)),
    "r1 rejects of x1": Hit("", (f'r1 forward dport iifname "x1" {REJECT}',), ("x1",)),
    "r1 resets of x1": Hit("", (f'r1 forward dport iifname "x1" {RESET}',), ("x1",)),
    "r1 drops answers to x1": Hit("", ('r1 forward sport oifname "x1" drop',), ("x1",)),
    "r4 drops of a1 and b1 of all": Hit(
        "blocked target-firewall at b1",
        (*coming_from("a1", 'r4 forward dport oifname "b1"', "drop"), "b1 input dport drop"),
        targets=("b1",),
    ),
}
FIRST_ON_THE_WAY = {("r4 drops of a1 and b1 of all", "a1"): "blocked network after r4"}


def _situation(hit: Hit) -> Situation:
    return so(hit.told, *hit.faults)


SITUATIONS: Situations = {name: _situation(hit) for name, hit in MET.items()}


def begin(portcheck: Portcheck, stack: ExitStack) -> UnderWay:
    lab = stack.enter_context(Routers(*OTHERS))
    spoil(lab, SITUATIONS)
    roles = {**dict.fromkeys(SOURCES, ("source",)), OUTSIDE: (), **dict.fromkeys(TARGETS, ("target",))}
    variables = {host: {"portcheck_address": ",".join(own)} for host, own in ADDRESSES.items()}
    policy = {"outside": "enforce"}
    return UnderWay(lab, portcheck.start(lab, roles, services(SITUATIONS), policy=policy, variables=variables))


def of_each_pair() -> Iterator[Row]:
    for row in rows("neighbours", SITUATIONS):
        for source in (*SOURCES, OUTSIDE):
            for target in TARGETS:
                yield row._replace(expected=_expected(row, source, target), source=source, target=target)


def _expected(row: Row, source: str, target: str) -> str:
    hit = MET[row.name]
    met = bool(hit.faults) and source in hit.sources and target in hit.targets
    if source == OUTSIDE:
        # Nothing may come through. An answer that is lost makes no way shut: a datagram reached the stand-in.
        reached = not met or (row.name == "r1 drops answers to x1" and row.transport == "udp")
        return "exposed stand-in" if reached else "pass"
    return FIRST_ON_THE_WAY.get((row.name, source), hit.told) if met else "pass"


NEIGHBOURS = Scene("neighbours", begin, tuple(of_each_pair()))
