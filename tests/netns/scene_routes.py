"""Routes that are missing, one-sided or dead: no firewall anywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .harness import BOTH
from .lab import Lab, command
from .situations import Row, Scene, UnderWay, rows, services, so

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import ExitStack

    from .harness import Portcheck
    from .situations import Situations

ROUTES: Situations = {"open": so("pass")}
BY_PAIR = {
    ("a1", "b1"): "blocked no-route at a1",  # no default route
    ("a2", "b1"): "blocked network after a2",  # its gateway does not answer
    ("a3", "b1"): "pass",
    ("a3", "b2"): "blocked return-path at b2",  # no route back
    ("a3", "b3"): "blocked return-path at b3",  # the way back is by another interface, and leads nowhere
    ("a3", "b4"): "blocked return-path at b4",  # the gateway of the way back does not answer
}


def begin(portcheck: Portcheck, stack: ExitStack) -> UnderWay:
    lab = stack.enter_context(Lab("a1", "a2", "a3", "b1", "b2", "b3", "b4"))
    for host in ("a1", "b2"):
        lab.ip(host, *(f"route del default via {lab.router_address(host, family)}" for family in BOTH))
    for host in ("a2", "b4"):
        dead = [lab.router_address(host, family)[:-1] + "99" for family in BOTH]
        lab.ip(host, *(f"route replace default via {gateway}" for gateway in dead))
    lab.ip("b3", "link add side type veth peer name end", "link set side up", "link set end up")
    lab.ip("b3", *(f"route add {lab.address('a3', family)} dev side" for family in BOTH))
    command(*lab.prefix("b3"), "sysctl", "-q", "-w", "net.ipv4.conf.all.rp_filter=1")
    roles = {host: ("source" if host.startswith("a") else "target",) for host in lab.hosts}
    return UnderWay(lab, portcheck.start(lab, roles, services(ROUTES), families=BOTH))


def of_each_pair() -> Iterator[Row]:
    for row in rows("routes", ROUTES):
        for (source, target), expected in BY_PAIR.items():
            yield row._replace(expected=expected, source=source, target=target)


ONLY_ROUTES = Scene("routes", begin, tuple(of_each_pair()))
