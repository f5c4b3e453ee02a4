"""A running system: where its services listen, and what stands before them."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from .harness import BOTH, pair
from .lab import Lab
from .situations import REJECT, RESET, Row, Scene, UnderWay, listening, ports, rows, services, so, spoil

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import ExitStack

    from .harness import Portcheck
    from .situations import Situations

OTHER = {4: "10.77.3.9", 6: "fd77:3::9"}
"""Further addresses of b1, which nobody dials."""
LIVE: Situations = {
    "open": so("pass", listens="echo", only="tcp"),
    "one socket for both": so("pass", listens="dual", only="tcp"),
    "absent": so("down not-listening"),
    "on loopback": so("down bound-elsewhere", only="tcp", listens="echo address=127.0.0.1"),
    "on another address": so("down bound-elsewhere", only="tcp", listens=f"echo address={OTHER[4]}"),
    "on IPv4 only": so("down bound-elsewhere", only="tcp", listens="echo address=0.0.0.0"),
    "on IPv6 only": so("down bound-elsewhere", only="tcp", listens="echo address=::"),
    "full queue": so("down overload at b1", only="tcp", listens="full"),
    "b1 drops": so("blocked target-firewall at b1", "b1 input dport drop", only="tcp", listens="echo"),
    "b1 rejects": so("blocked target-firewall at b1", f"b1 input dport {REJECT}", only="tcp", listens="echo"),
    "b1 resets": so("blocked target-firewall at b1", f"b1 input dport {RESET}", listens="echo"),
    "r drops": so("blocked network after r", "r forward dport drop", only="tcp", listens="echo"),
    "r resets": so("blocked network after r", f"r forward dport {RESET}", listens="echo"),
    "r drops answers": so("blocked return-path", "r forward sport drop", only="tcp", listens="echo"),
    "a1 drops answers": so("blocked source-firewall at a1", "a1 input sport drop", only="tcp", listens="echo"),
    "absent and b1 drops": so("blocked target-firewall at b1", "b1 input dport drop", only="tcp"),
    "absent and r drops": so("blocked network after r", "r forward dport drop"),
    "absent and r resets": so("blocked network after r", f"r forward dport {RESET}"),
    "r drops every tenth": so("pass", "r forward dport numgen inc mod 10 == 0 drop", only="tcp", listens="echo"),
    "answers and r drops every tenth": so(
        "pass", "r forward dport numgen inc mod 10 == 0 drop", only="udp", listens="udp-echo"
    ),
    "on loopback and r drops": so(
        "blocked network after r", "r forward dport drop", only="tcp", listens="echo address=127.0.0.1"
    ),
    "on loopback and r resets": so(
        "blocked network after r", f"r forward dport {RESET}", listens="echo address=127.0.0.1"
    ),
    "full queue and r drops": so("blocked network after r", "r forward dport drop", only="tcp", listens="full"),
    "answers": so("pass", only="udp", listens="udp-echo"),
    "mute": so("inconclusive", only="udp", listens="udp-silent"),
    "answers and r drops": so("blocked network after r", "r forward dport drop", only="udp", listens="udp-echo"),
    "answers and r rejects": so("blocked network at r", f"r forward dport {REJECT}", only="udp", listens="udp-echo"),
    "answers and r drops answers": so("blocked return-path", "r forward sport drop", only="udp", listens="udp-echo"),
    "answers and a1 drops answers": so(
        "blocked source-firewall at a1", "a1 input sport drop", only="udp", listens="udp-echo"
    ),
    # A service need not answer a stranger, so that nothing comes back from b1 proves no firewall.
    "answers and b1 drops": so("inconclusive", "b1 input dport drop", only="udp", listens="udp-echo"),
    "answers and b1 rejects": so(
        "blocked target-firewall at b1", f"b1 input dport {REJECT}", only="udp", listens="udp-echo"
    ),
    "answers and b1 refuses": so(
        "blocked target-firewall at b1",
        "b1 input dport reject with icmpx port-unreachable",
        only="udp",
        listens="udp-echo",
    ),
}
# Where the family of the address decides.
BY_FAMILY = {("on IPv4 only", 4): "pass", ("on IPv6 only", 6): "pass"}
# One socket for both families, and an accept queue for one connection, with that in it. Nobody takes it out.
LISTENERS = """
import socket, sys
held = []
def listen(port, room):
    sock = socket.socket(socket.AF_INET6)
    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    sock.bind(("::", port))
    sock.listen(room)
    held.append(sock)
for word in sys.argv[1:]:
    kind, port = word.split()
    listen(int(port), 0 if kind == "full" else 8)
    if kind == "full":
        held.append(socket.create_connection(("127.0.0.1", int(port))))
print("ready", flush=True)
sys.stdin.read()
"""


def begin(portcheck: Portcheck, stack: ExitStack) -> UnderWay:
    lab = stack.enter_context(Lab("a1", "b1"))
    lab.ip("b1", f"addr add {OTHER[4]}/24 dev net", f"addr add {OTHER[6]}/64 dev net nodad preferred_lft 0")
    plain, own = [], []
    for (name, _), port in ports(LIVE).items():
        kind, _, options = LIVE[name].listens.partition(" ")
        if kind:
            (own if kind in {"full", "dual"} else plain).append(f"{kind} {port} {options}".strip())
    lab.serve("b1", *plain)
    process = lab.start("b1", sys.executable, "-c", LISTENERS, *own)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    spoil(lab, LIVE)
    before = listening(lab)
    return UnderWay(lab, portcheck.start(lab, pair(), services(LIVE), phase="live", families=BOTH), before)


def of_each_family() -> Iterator[Row]:
    for row in rows("running", LIVE):
        yield row._replace(expected=BY_FAMILY.get((row.name, row.family), row.expected))


RUNNING = Scene("running", begin, tuple(of_each_family()))
