"""A running system with hosts that are off: one on the link of a source, one behind the router for every source.

A router asks three seconds long for a machine that is not there, and rations what it says of it then (Linux: six errors
at once to an address, then one a second). What is told of such a host must not depend on either.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from .harness import BOTH
from .lab import ROUTER, SUBNETS, Lab, command
from .situations import Row, Scene, UnderWay

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import ExitStack

    from .harness import Portcheck

SOURCES = ("a1", "a2")
SERVICES = {"streams": "tcp 5000-5011", "datagrams": "udp 6000-6003"}
# On whose link nobody has the address.
OFF = {"b1": "b1", "b2": "a1"}
AGENTS = {"b1": {"portcheck_exec": "false"}, "b2": {"portcheck_agent": "none"}}
RATIONS = {"gone": 0, "gone, and errors are rationed": 1000}


def begin(ration: int, portcheck: Portcheck, stack: ExitStack) -> UnderWay:
    lab = stack.enter_context(Lab(*SOURCES, "b1"))
    settings = [f"net.{name}ratelimit={ration}" for name in ("ipv4.icmp_", "ipv6.icmp.")]
    command(*lab.prefix(ROUTER), "sysctl", "-q", "-w", *settings)
    roles = {**dict.fromkeys(SOURCES, ("source",)), **dict.fromkeys(OFF, ("target",))}
    variables = {
        host: {"portcheck_address": ",".join(_nobodys(link, family) for family in BOTH), **AGENTS[host]}
        for host, link in OFF.items()
    }
    return UnderWay(lab, portcheck.start(lab, roles, SERVICES, phase="live", variables=variables))


def _nobodys(link: str, family: int) -> str:
    return f"10.77.{SUBNETS[link]}.77" if family == 4 else f"fd77:{SUBNETS[link]}::77"


def of_each_pair(scene: str) -> Iterator[Row]:
    for name, text in SERVICES.items():
        for family in BOTH:
            for source in SOURCES:
                for target in OFF:
                    yield Row(
                        scene, name, text.split()[0], family, "inconclusive no-agent", source, target, service=name
                    )


HOSTS_THAT_ARE_OFF = tuple(
    Scene(name, partial(begin, ration), tuple(of_each_pair(name))) for name, ration in RATIONS.items()
)
