"""Lines that lose packets, limits on new connections, and a fault that goes away: no findings."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from .harness import BOTH, pair
from .lab import Lab, chain, command, eventually
from .situations import Row, Scene, UnderWay, service

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import ExitStack

    from .harness import Portcheck

NOISE = {
    # name: ports, what is to be found of all of them, further rules
    "loss": ("5000-5009", "pass", "numgen random mod 100 < 5 drop"),
    "loss and b1 drops": ("5100-5109", "blocked target-firewall at b1", "numgen random mod 100 < 5 drop"),
    "loss and r drops": ("5200-5209", "blocked network after r", "drop"),
    "limit": ("5300-5309", "pass", "ct state new limit rate over 20/second burst 5 packets drop"),
    "limit and b1 drops": (
        "5400-5409",
        "blocked target-firewall at b1",
        "ct state new limit rate over 20/second burst 5 packets drop",
    ),
}
# Faults that go away once each transport of each family has met them: a port, the node, the chain and the end.
PASSING = {
    "goes away at r": ("5500", "r", "forward", "dport"),
    "goes away at b1": ("5501", "b1", "input", "dport"),
    "goes away on the way back": ("5502", "r", "forward", "sport"),
}


def begin(portcheck: Portcheck, stack: ExitStack) -> UnderWay:
    lab = stack.enter_context(Lab("a1", "b1"))
    both = "meta l4proto {tcp, udp} th dport"
    lab.nft("r", chain("forward", *(f"{both} {numbers} {rule}" for numbers, _, rule in NOISE.values())))
    lab.nft("b1", chain("input", *(f"{both} {NOISE[name][0]} drop" for name in NOISE if "b1 drops" in name)))
    for numbers, node, hook, end in PASSING.values():
        ways = (f"meta nfproto {ip} {transport} {end}" for ip in ("ipv4", "ipv6") for transport in ("tcp", "udp"))
        rules = (f"{way} {numbers} counter drop" for way in ways)
        lab.nft(node, chain(hook, *rules).replace("table inet lab", f"table inet passing{numbers}"))
    numbers_of = {name: numbers for name, (numbers, *_) in [*NOISE.items(), *PASSING.items()]}
    wanted = {
        service(name, transport): f"{transport} {numbers}"
        for name, numbers in numbers_of.items()
        for transport in ("tcp", "udp")
    }
    under_way = UnderWay(lab, portcheck.start(lab, pair(), wanted, families=BOTH))
    for numbers, node, *_ in PASSING.values():
        helper = threading.Thread(target=take_away, args=(lab, node, f"passing{numbers}"))
        helper.start()
        stack.callback(helper.join)
    return under_way


def take_away(lab: Lab, node: str, table: str) -> None:
    """The table, once all its rules have dropped something."""
    listed = (*lab.prefix(node), "nft", "list", "table", "inet", table)
    eventually(lambda: "counter packets 0" not in command(*listed), 20, f"not all of {table} was met")
    command(*lab.prefix(node), "nft", "delete", "table", "inet", table)


def of_each_family() -> Iterator[Row]:
    expected_of = {name: expected for name, (_, expected, _) in NOISE.items()} | dict.fromkeys(PASSING, "pass")
    for name, expected in expected_of.items():
        for transport in ("tcp", "udp"):
            for family in BOTH:
                yield Row("noise", name, transport, family, expected)


NOISY_LINE = Scene("noise", begin, tuple(of_each_family()))
