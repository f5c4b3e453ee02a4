"""A running system of which two targets have no agent that could speak for them: one on purpose, one that is dead."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .harness import BOTH
from .lab import Lab
from .situations import REJECT, RESET, UNREACHABLE, Row, Scene, UnderWay, listening, rows, servers, services, so, spoil

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import ExitStack

    from .harness import Portcheck
    from .situations import Situations

SOURCES, TARGETS = ("a1", "a2"), {"b1": {"portcheck_agent": "none"}, "b2": {"portcheck_exec": "false"}}
BOTH_TARGETS = ",".join(TARGETS)
UNKNOWN = "inconclusive no-agent"
SITUATIONS: Situations = {
    "answers": so("pass", only="tcp", listens="echo"),
    "answers datagrams": so("pass", only="udp", listens="udp-echo"),
    "answers HTTP": so("pass", protocol="http", listens="http"),
    "error 503": so("mismatch unhealthy", protocol="http", listens="http status=503"),
    "another protocol": so("mismatch wrong-service", protocol="http", listens="banner"),
    "absent": so(UNKNOWN),
    "r drops": so(UNKNOWN, "r forward dport drop", only="tcp", listens="echo"),
    "r resets": so(UNKNOWN, f"r forward dport {RESET}", listens="echo"),
    "r rejects": so("blocked network at r", f"r forward dport {REJECT}", only="tcp", listens="echo"),
    "r rejects datagrams": so("blocked network at r", f"r forward dport {REJECT}", only="udp", listens="udp-echo"),
    # That the target answers elsewhere shows that it is there.
    "r says that there is nobody": so(
        "blocked network at r", f"r forward dport {UNREACHABLE}", only="tcp", listens="echo"
    ),
    "target rejects": so("blocked at TARGET", f"{BOTH_TARGETS} input dport {REJECT}", only="tcp", listens="echo"),
    "a1 drops": so("blocked source-firewall at a1", "a1 output dport drop", only="tcp", listens="echo"),
    "a1 drops datagrams": so("blocked source-firewall at a1", "a1 output dport drop", only="udp", listens="udp-echo"),
    "a1 rejects": so("blocked source-firewall at a1", f"a1 output dport {REJECT}", only="tcp", listens="echo"),
    "a1 drops answers": so("blocked source-firewall at a1", "a1 input sport drop", only="tcp", listens="echo"),
    # That a2 got through shows that it is there.
    "r drops of a1": so("blocked", 'r forward dport iifname "a1" drop', only="tcp", listens="echo"),
    "r resets of a1": so("blocked", f'r forward dport iifname "a1" {RESET}', only="tcp", listens="echo"),
}
FREE_FROM_A2 = {name for name in SITUATIONS if "a1" in name}


def begin(portcheck: Portcheck, stack: ExitStack) -> UnderWay:
    lab = stack.enter_context(Lab(*SOURCES, *TARGETS))
    for target in TARGETS:
        lab.serve(target, *servers(SITUATIONS))
    spoil(lab, SITUATIONS)
    roles = {**dict.fromkeys(SOURCES, ("source",)), **dict.fromkeys(TARGETS, ("target",))}
    before = listening(lab)
    running = portcheck.start(lab, roles, services(SITUATIONS), phase="live", families=BOTH, variables=TARGETS)
    return UnderWay(lab, running, before)


def of_each_pair() -> Iterator[Row]:
    for row in rows("unattended", SITUATIONS):
        for source in SOURCES:
            for target in TARGETS:
                free = source == "a2" and row.name in FREE_FROM_A2
                expected = "pass" if free else row.expected.replace("TARGET", target)
                yield row._replace(source=source, target=target, expected=expected)


UNATTENDED = Scene("unattended", begin, tuple(of_each_pair()))
