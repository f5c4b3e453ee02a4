"""Before the installation, behind one router: who drops and rejects, what data meets, and what listens already."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .harness import BOTH, pair
from .lab import Lab
from .situations import REJECT, RESET, UNREACHABLE, Scene, UnderWay, listening, rows, servers, services, so, spoil

if TYPE_CHECKING:
    from contextlib import ExitStack

    from .harness import Portcheck
    from .situations import Situations

DATA = "tcp flags & psh == psh"
LARGER = "tcp flags & syn == 0 meta length > 100"
"""Than what is only a handshake: the answer of a stand-in goes without PSH."""
REFUSE = "reject with icmpx port-unreachable"
FAULTS: Situations = {
    "open": so("pass"),
    "open to HTTP": so("pass", protocol="http"),
    "open to HTTPS": so("pass", protocol="https"),
    "a1 drops": so("blocked source-firewall at a1", "a1 output dport drop"),
    "a1 rejects": so("blocked source-firewall at a1", f"a1 output dport {REJECT}"),
    "a1 refuses": so("blocked source-firewall at a1", f"a1 output dport {REFUSE}"),
    "a1 says that there is nobody": so("blocked source-firewall at a1", f"a1 output dport {UNREACHABLE}"),
    "a1 drops answers": so("blocked source-firewall at a1", "a1 input sport drop"),
    "r drops": so("blocked network after r", "r forward dport drop"),
    "r rejects": so("blocked network at r", f"r forward dport {REJECT}"),
    "r refuses": so("blocked network at r", f"r forward dport {REFUSE}"),
    "r resets": so("blocked network after r", f"r forward dport {RESET}"),
    "r drops HTTP": so("blocked network after r", "r forward dport drop", protocol="http"),
    "b1 drops": so("blocked target-firewall at b1", "b1 input dport drop"),
    "b1 rejects": so("blocked target-firewall at b1", f"b1 input dport {REJECT}"),
    "b1 refuses": so("blocked target-firewall at b1", f"b1 input dport {REFUSE}"),
    "b1 resets": so("blocked target-firewall at b1", f"b1 input dport {RESET}"),
    "b1 drops HTTPS": so("blocked target-firewall at b1", "b1 input dport drop", protocol="https"),
    "b1 drops its answers": so("blocked target-firewall at b1", "b1 output sport drop"),
    "b1 rejects its answers": so("blocked target-firewall at b1", f"b1 output sport {REJECT}"),
    "r drops answers": so("blocked return-path", "r forward sport drop"),
    "r rejects answers": so("blocked return-path", f"r forward sport {REJECT}"),
    "r resets answers": so("blocked return-path", f"r forward sport {RESET}"),
    "r drops data": so("blocked payload", f"r forward dport {DATA} drop"),
    "r resets data": so("blocked payload", f"r forward dport {DATA} {RESET}"),
    "r rejects data": so("blocked payload", f"r forward dport {DATA} {REJECT}"),
    "r drops the answer's data": so("blocked payload", f"r forward sport {LARGER} drop"),
    "r resets the answer's data": so("blocked payload", f"r forward sport {LARGER} {RESET}"),
    "r drops a request": so("blocked payload", f"r forward dport {DATA} drop", protocol="http"),
    "r resets a request": so("blocked payload", f"r forward dport {DATA} {RESET}", protocol="http"),
    "r drops what begins TLS": so("blocked payload", f"r forward dport {DATA} drop", protocol="https"),
    "r resets what begins TLS": so("blocked payload", f"r forward dport {DATA} {RESET}", protocol="https"),
    "b1 drops data": so("blocked payload", f"b1 input dport {DATA} drop"),
}
TAKEN: Situations = {
    "taken": so("mismatch port-taken", only="tcp", listens="echo"),
    "taken by datagrams": so("mismatch port-taken", only="udp", listens="udp-echo"),
    "taken by HTTP": so("mismatch port-taken", listens="http", protocol="http"),
    "taken by HTTPS": so("mismatch port-taken", listens="https", protocol="https"),
    "taken on one family": so("mismatch port-taken", only="tcp", listens="echo address=0.0.0.0"),
    # The stand-in opens beside it.
    "taken on loopback": so("pass", only="tcp", listens="echo address=127.0.0.1"),
    "taken by datagrams on loopback": so("pass", only="udp", listens="udp-echo address=127.0.0.1"),
    "taken and r drops": so("mismatch port-taken", "r forward dport drop", only="tcp", listens="echo"),
    "taken and b1 resets": so("mismatch port-taken", f"b1 input dport {RESET}", listens="echo"),
}
EACH = {**FAULTS, **TAKEN}
BY_FAMILY = {("taken on one family", 6): "pass"}


def begin(portcheck: Portcheck, stack: ExitStack) -> UnderWay:
    lab = stack.enter_context(Lab("a1", "b1"))
    lab.serve("b1", *servers(EACH))
    spoil(lab, EACH)
    before = listening(lab)
    return UnderWay(lab, portcheck.start(lab, pair(), services(EACH), families=BOTH), before)


ONE_ROUTER = Scene(
    "one router",
    begin,
    tuple(
        row._replace(expected=BY_FAMILY.get((row.name, row.family), row.expected)) for row in rows("one router", EACH)
    ),
)
