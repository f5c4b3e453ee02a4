"""A running system whose services are asked in their own protocol: other services, other machines in their place, and a
host outside.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .harness import BOTH, pair
from .lab import Lab, command
from .scene_near import DATA
from .situations import RESET, Row, Scene, UnderWay, listening, rows, servers, services, so, spoil

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import ExitStack

    from .harness import Portcheck
    from .situations import Situations

OUTSIDE = "x1"
SERVICES: Situations = {
    "HTTP": so("pass", protocol="http", listens="http"),
    "HTTPS": so("pass", protocol="https", listens="https"),
    "greets": so("pass", only="tcp", listens="banner"),
    "asks who it is": so("pass", protocol="http", listens="http status=401"),
    "another protocol": so("mismatch wrong-service", protocol="http", listens="banner"),
    "noise": so("mismatch wrong-service", protocol="http", listens="hostile"),
    "no TLS": so("mismatch tls", protocol="https", listens="http"),
    "another protocol for TLS": so("mismatch tls", protocol="https", listens="banner"),
    "error 503": so("mismatch unhealthy", protocol="http", listens="http status=503"),
    "error 500 in TLS": so("mismatch http-status", protocol="https", listens="https status=500"),
    "mute": so("mismatch", protocol="http", listens="silent"),
    "hangs up": so("mismatch", protocol="http", listens="closing"),
    "mute for TLS": so("mismatch", protocol="https", listens="silent"),
    "nobody for HTTP": so("down not-listening", protocol="http"),
    "HTTP on loopback": so("down bound-elsewhere", protocol="http", listens="http address=127.0.0.1"),
    "datagrams on loopback": so("down bound-elsewhere", only="udp", listens="udp-echo address=127.0.0.1"),
    "r drops HTTP": so("blocked network after r", "r forward dport drop", protocol="http", listens="http"),
    "r drops a request": so(
        "blocked payload",
        f"r forward dport {DATA} drop",
        protocol="http",
        listens="http",
    ),
    "r resets a request": so(
        "blocked payload",
        f"r forward dport {DATA} {RESET}",
        protocol="http",
        listens="http",
    ),
    "r drops what begins TLS": so(
        "blocked payload",
        f"r forward dport {DATA} drop",
        protocol="https",
        listens="https",
    ),
    "b1 drops HTTPS": so("blocked target-firewall at b1", "b1 input dport drop", protocol="https", listens="https"),
    "r drops of x1": so("pass", 'r forward dport iifname "x1" drop', only="tcp", listens="echo"),
    "r resets to x1": so("pass", f'r forward dport iifname "x1" {RESET}', only="tcp", listens="echo"),
    "absent": so("down not-listening"),
}
ECHO, HTTP, UNWELL, DATAGRAMS, SHUT = 9000, 9001, 9002, 9003, 9004
DEVICE = (f"echo {ECHO}", f"http {HTTP}", f"http {UNWELL} status=503", f"udp-echo {DATAGRAMS}", f"closing {SHUT}")
PUBLISHED = 9100
ANOTHER = "mismatch intercepted"


def redirect(port: int) -> str:
    return f'r prerouting dport iifname "a1" redirect to :{port}'


FIRST_HANDS = (
    "r early dport tcp flags syn notrack",
    "r forward dport ct state invalid,untracked synproxy mss 1460 wscale 7 timestamp sack-perm",
    "r forward dport ct state invalid drop",
)
IN_ITS_PLACE: Situations = {
    "r answers, b1 would": so(ANOTHER, redirect(ECHO), only="tcp", listens="echo"),
    "r answers, nobody would": so(ANOTHER, redirect(ECHO), only="tcp"),
    "r answers, b1 on loopback": so(ANOTHER, redirect(ECHO), only="tcp", listens="echo address=127.0.0.1"),
    "r hangs up, b1 would answer": so(ANOTHER, redirect(SHUT), only="tcp", listens="echo"),
    "r answers, b1 drops": so(ANOTHER, redirect(ECHO), "b1 input dport drop", only="tcp", listens="echo"),
    "r answers HTTP, b1 would": so(ANOTHER, redirect(HTTP), protocol="http", listens="http"),
    "r answers HTTP, nobody would": so(ANOTHER, redirect(HTTP), protocol="http"),
    "r answers HTTP 503, b1 would": so(ANOTHER, redirect(UNWELL), protocol="http", listens="http"),
    "r answers HTTP 503, nobody would": so(ANOTHER, redirect(UNWELL), protocol="http"),
    "r answers datagrams, b1 would": so(ANOTHER, redirect(DATAGRAMS), only="udp", listens="udp-echo"),
    "r answers datagrams, nobody would": so(ANOTHER, redirect(DATAGRAMS), only="udp"),
    # As Docker publishes a port: it arrives at b1, whose table shows nobody.
    "b1 publishes another port": so(
        "inconclusive conflicting-evidence", f"b1 prerouting dport redirect to :{PUBLISHED}"
    ),
    "r translates the source": so("pass", "r late dport masquerade", only="tcp", listens="echo"),
    "r translates the source of datagrams": so("pass", "r late dport masquerade", only="udp", listens="udp-echo"),
    "r shakes hands first": so("pass", *FIRST_HANDS, listens="echo"),
    "r shakes hands first, b1 drops": so(
        f"blocked target-firewall at b1|{ANOTHER}", *FIRST_HANDS, "b1 input dport drop", listens="echo"
    ),
}
EACH = {**SERVICES, **IN_ITS_PLACE}
EXPOSED = {"HTTP", "HTTPS", "greets", "another protocol", "error 503", "r translates the source", "r answers, b1 would"}
SHUT_TO_X1 = {
    "nobody for HTTP",
    "HTTP on loopback",
    "r drops HTTP",
    "b1 drops HTTPS",
    "r drops of x1",
    "r resets to x1",
}
HOSTS = ("a1", "b1", OUTSIDE)


def begin(portcheck: Portcheck, stack: ExitStack) -> UnderWay:
    lab = stack.enter_context(Lab(*HOSTS))
    command(*lab.prefix("r"), "sysctl", "-q", "-w", "net.netfilter.nf_conntrack_tcp_loose=0")
    lab.serve("r", *DEVICE)
    lab.serve("b1", *servers(EACH), f"echo {PUBLISHED}", f"udp-echo {PUBLISHED}")
    spoil(lab, EACH)
    before = listening(lab)
    roles, policy = {**pair(), OUTSIDE: ()}, {"outside": "enforce"}
    running = portcheck.start(lab, roles, services(EACH), phase="live", families=BOTH, policy=policy)
    return UnderWay(lab, running, before)


def of_each_source() -> Iterator[Row]:
    for row in rows("asked", EACH):
        yield row
        if row.name in EXPOSED:
            yield row._replace(source=OUTSIDE, expected="exposed listening")
        if row.name in SHUT_TO_X1 or (row.name, row.transport) == ("absent", "tcp"):
            yield row._replace(source=OUTSIDE, expected="pass")


ASKED_IN_ITS_PROTOCOL = Scene("asked", begin, tuple(of_each_source()))
