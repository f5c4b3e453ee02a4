"""Agents that may not look at packets (no CAP_NET_RAW): `a1` and `b2`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .lab import Lab
from .situations import REJECT, RESET, Row, Scene, UnderWay, rows, services, so, spoil

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import ExitStack

    from .harness import Portcheck
    from .situations import Situations

SOURCES, TARGETS = "a1,a2", "b1,b2"
BLIND: Situations = {
    "open": so("pass"),
    "source drops": so("source-firewall at source", f"{SOURCES} output dport drop"),
    "r drops": so("network after r", "r forward dport drop"),
    "target drops": so("target-firewall at target", f"{TARGETS} input dport drop"),
    "source rejects": so("source-firewall at source", f"{SOURCES} output dport {REJECT}"),
    "r rejects": so("network at r", f"r forward dport {REJECT}"),
    "target rejects": so("target-firewall at target", f"{TARGETS} input dport {REJECT}"),
    "source resets": so("source-firewall at source", f"{SOURCES} output dport {RESET}"),
    "r resets": so("network after r", f"r forward dport {RESET}"),
    "target resets": so("target-firewall at target", f"{TARGETS} input dport {RESET}"),
    "r drops answers": so("return-path", "r forward sport drop"),
    "source drops answers": so("source-firewall at source", f"{SOURCES} input sport drop"),
}
BY_ITSELF = {"source rejects", "r rejects", "target rejects"}
"""Known to any source, by the sender of the ICMP error."""
WITH_TARGET = BY_ITSELF | {"r drops", "r resets", "target drops", "target resets"}
WITH_SOURCE = BY_ITSELF | {"source drops", "source resets", "source drops answers"}
KNOWN = {("a1", "b1"): WITH_TARGET, ("a1", "b2"): BY_ITSELF, ("a2", "b2"): WITH_SOURCE, ("a2", "b1"): set(BLIND)}
UNPRIVILEGED = "setpriv --bounding-set=-net_raw --inh-caps=-net_raw"


def begin(portcheck: Portcheck, stack: ExitStack) -> UnderWay:
    lab = stack.enter_context(Lab("a1", "a2", "b1", "b2"))
    spoil(lab, BLIND)
    variables = {host: {"portcheck_exec": f"{' '.join(lab.prefix(host))} {UNPRIVILEGED}"} for host in ("a1", "b2")}
    roles = {"a1": ("source",), "a2": ("source",), "b1": ("target",), "b2": ("target",)}
    return UnderWay(lab, portcheck.start(lab, roles, services(BLIND), variables=variables))


def of_each_pair() -> Iterator[Row]:
    for row in rows("blind", BLIND):
        for (source, target), known in KNOWN.items():
            expected = row.expected
            if expected != "pass":
                cause = expected.replace("at source", f"at {source}").replace("at target", f"at {target}")
                expected = f"blocked {cause}" if row.name in known or _told_by_a_datagram(row) else "blocked"
                if row.transport == "udp" and row.name == "source drops answers" and row.name not in known:
                    expected = "blocked return-path"  # as far as the stand-in knows
            if row.family == 4:
                yield row._replace(expected=expected, source=source, target=target)


def _told_by_a_datagram(row: Row) -> bool:
    """The kernel tells a sender of datagrams what its own rules drop, and a stand-in what it answered."""
    return row.transport == "udp" and row.name in {"source drops", "r drops answers"}


BLIND_AGENTS = Scene("blind", begin, tuple(of_each_pair()))
