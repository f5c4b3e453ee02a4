"""Before the installation: limits of the hosts' own, which are no findings about the network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .harness import BOTH
from .lab import Lab, command
from .situations import Row, Scene, UnderWay, listening, service

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import ExitStack

    from .harness import Portcheck

# Service: its ports, by what b1 can do there.
PORTS = {"open": "5000-5009", "privileged": "80", "held": "52380", "beside it": "52381"}
WITHOUT_PRIVILEGE = "setpriv --bounding-set=-net_bind_service --inh-caps=-net_bind_service"
FEW_FILES = "prlimit --nofile=128:128"
SHORT = "inconclusive resources"
SOURCES = {"a1": "", "a2": "no port to dial from", "a3": "few files"}


def begin(portcheck: Portcheck, stack: ExitStack) -> UnderWay:
    lab = stack.enter_context(Lab(*SOURCES, "b1"))
    lab.serve("a1", "echo 7000")
    lab.serve("b1", f"outgoing {PORTS['held']} address={lab.address('b1')} to={lab.address('a1')}:7000")
    command(*lab.prefix("a2"), "sysctl", "-q", "-w", "net.ipv4.ip_local_reserved_ports=1024-65535")
    variables = {
        "b1": {"portcheck_exec": f"{' '.join(lab.prefix('b1'))} {WITHOUT_PRIVILEGE}"},
        "a3": {"portcheck_exec": f"{FEW_FILES} {' '.join(lab.prefix('a3'))}"},
    }
    wanted = {
        service(name, transport): f"{transport} {numbers}"
        for name, numbers in PORTS.items()
        for transport in ("tcp", "udp")
    }
    roles = {**dict.fromkeys(SOURCES, ("source",)), "b1": ("target",)}
    before = listening(lab)
    return UnderWay(lab, portcheck.start(lab, roles, wanted, families=BOTH, variables=variables), before)


def of_each_source() -> Iterator[Row]:
    for name in PORTS:
        for transport in ("tcp", "udp"):
            for family in BOTH:
                short = name == "privileged" or (name, transport, family) == ("held", "tcp", 4)
                for source, limit in SOURCES.items():
                    expected = SHORT if short or source == "a2" else "pass"
                    scene = f"limits, {limit}" if limit else "limits"
                    yield Row(scene, name, transport, family, expected, source=source)


LIMITS = Scene("limits", begin, tuple(of_each_source()))
