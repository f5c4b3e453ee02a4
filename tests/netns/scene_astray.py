"""Before the installation: what is meant for a target is answered by another, or led elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .harness import BOTH, pair
from .lab import Lab, command
from .situations import Scene, UnderWay, listening, ports, rows, services, so, spoil

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import ExitStack

    from .harness import Portcheck
    from .situations import Row, Situations

OUTSIDE = "x1"
HOSTS = ("a1", "b1", "b2", "b3", "b4", OUTSIDE)
"""`b3` is no host of the inventory. What is sent to `b4` by TCP is answered by a proxy on r, whatever the port."""
PROXIES = ("echo 9000", "closing 9001", "silent 9002", "banner 9003", "http 9004", "https 9005", "udp-echo 9006")
RELAY = 9010
ELSEWHERE = 9020
"""Another port of b1."""
_LAB = Lab(*HOSTS)


def led(node: str, to: str, port: int | None = None) -> tuple[str, ...]:
    """What is meant for b1 is led to that host."""
    return tuple(
        f"{node} prerouting dport {word} daddr {_LAB.address('b1', family)} dnat {word} to {_at(to, family, port)}"
        for word, family in (("ip", 4), ("ip6", 6))
    )


def _at(host: str, family: int, port: int | None) -> str:
    address = _LAB.address(host, family)
    if port is None:
        return address
    return f"{address}:{port}" if family == 4 else f"[{address}]:{port}"


def redirected(port: int) -> tuple[str, ...]:
    return tuple(
        f"r prerouting dport {word} daddr {_LAB.address('b1', family)} redirect to :{port}"
        for word, family in (("ip", 4), ("ip6", 6))
    )


ANOTHER, DROPPED = "mismatch intercepted", "blocked network after r"
SITUATIONS: Situations = {
    "open": so("pass"),
    "led to b2, a target too": so(ANOTHER, *led("r", "b2")),
    # What is led elsewhere says nothing of another way that is shut.
    "led to b2 over IPv4, r drops IPv6": so(ANOTHER, led("r", "b2")[0], "r forward dport meta nfproto ipv6 drop"),
    "led to b2, r drops for b4": so(ANOTHER, *led("r", "b2"), 'r forward dport oifname "b4" drop', only="udp"),
    "led to b2, by HTTP": so(ANOTHER, *led("r", "b2"), protocol="http"),
    "led to b2, by HTTPS": so(ANOTHER, *led("r", "b2"), protocol="https"),
    "led to a stranger's service": so(ANOTHER, *led("r", "b3"), listens="echo", only="tcp"),
    "led to a stranger's datagrams": so(ANOTHER, *led("r", "b3"), listens="udp-echo", only="udp"),
    "led to a stranger's HTTP": so(ANOTHER, *led("r", "b3"), listens="http", protocol="http"),
    "led to a stranger's HTTPS": so(ANOTHER, *led("r", "b3"), listens="https", protocol="https"),
    "led to another port by r": so(ANOTHER, *led("r", "b1", ELSEWHERE)),
    "led to another port by b1": so(ANOTHER, *led("b1", "b1", ELSEWHERE)),
    "led to another port, b1 drops": so(ANOTHER, *led("r", "b1", ELSEWHERE), "b1 input dport drop"),
    "r echoes": so(ANOTHER, *redirected(9000), only="tcp"),
    "r hangs up": so(ANOTHER, *redirected(9001), only="tcp"),
    "r accepts and is mute": so(ANOTHER, *redirected(9002), only="tcp"),
    "r greets": so(ANOTHER, *redirected(9003), only="tcp"),
    "r speaks HTTP": so(ANOTHER, *redirected(9004), protocol="http"),
    "r speaks HTTPS": so(ANOTHER, *redirected(9005), protocol="https"),
    "r echoes datagrams": so(ANOTHER, *redirected(9006), only="udp"),
    "r accepts, b1 drops": so(ANOTHER, *redirected(9002), "b1 input dport drop", only="tcp"),
    "a1 drops what r would answer": so(
        "blocked source-firewall at a1", *redirected(9000), "a1 output dport drop", only="tcp"
    ),
    # It reaches the target all the same, from another address.
    "r relays": so("pass", *redirected(RELAY), only="tcp"),
    "r shakes hands first": so(
        "pass",
        "r early dport tcp flags syn notrack",
        "r forward dport ct state invalid,untracked synproxy mss 1460 wscale 7 timestamp sack-perm",
        "r forward dport ct state invalid drop",
    ),
    "r shakes hands first, b1 drops": so(
        "blocked target-firewall at b1|mismatch intercepted",
        "r early dport tcp flags syn notrack",
        "r forward dport ct state invalid,untracked synproxy mss 1460 wscale 7 timestamp sack-perm",
        "r forward dport ct state invalid drop",
        "b1 input dport drop",
    ),
}


def begin(portcheck: Portcheck, stack: ExitStack) -> UnderWay:
    lab = stack.enter_context(Lab(*HOSTS))
    command(*lab.prefix("r"), "sysctl", "-q", "-w", "net.netfilter.nf_conntrack_tcp_loose=0")
    numbers = ports(SITUATIONS)
    lab.serve("r", *PROXIES, f"relay {RELAY} to={lab.address('b1')}:{numbers['r relays', 'tcp']}")
    lab.serve("b1", f"echo {ELSEWHERE}", f"udp-echo {ELSEWHERE}")
    strangers = [
        f"{situation.listens} {numbers[name, transport]}"
        for name, situation in SITUATIONS.items()
        for transport in situation.transports
        if situation.listens
    ]
    lab.serve("b3", *strangers)
    for word, family in (("ip", 4), ("ip6", 6)):
        lab.nft(
            "r",
            f"table {word} proxy {{ chain before {{ type nat hook prerouting priority -110; policy accept;\n"
            f"{word} daddr {lab.address('b4', family)} meta l4proto tcp redirect to :9000\n}}\n}}\n",
        )
    spoil(lab, SITUATIONS)
    before = listening(lab)
    roles, policy = {**pair("b1", "b2", "b4"), OUTSIDE: ()}, {"outside": "enforce"}
    return UnderWay(lab, portcheck.start(lab, roles, services(SITUATIONS), families=BOTH, policy=policy), before)


# A way that must be shut: whether it is, behind whoever answers in the target's place, is not known.
OF_X1 = {
    "open": "exposed stand-in",
    "r relays": "exposed stand-in",
    "r shakes hands first": "exposed stand-in",
    **dict.fromkeys(
        (
            "led to b2, a target too",
            "led to a stranger's service",
            "led to a stranger's HTTP",
            "r echoes",
            "r speaks HTTP",
        ),
        "inconclusive conflicting-evidence",
    ),
}


def of_each_pair() -> Iterator[Row]:
    for row in rows("astray", SITUATIONS):
        if row.name in OF_X1:
            yield row._replace(source=OUTSIDE, expected=OF_X1[row.name])
        dropped = row.name == "led to b2 over IPv4, r drops IPv6" and row.family == 6
        yield row._replace(expected=DROPPED) if dropped else row
        if row.name == "led to b2, r drops for b4":
            yield row._replace(target="b4", expected=DROPPED)
        if row.name == "open":
            yield row._replace(target="b2")
            yield row._replace(name="open", target="b4", expected=ANOTHER if row.transport == "tcp" else "pass")


LED_ASTRAY = Scene("astray", begin, tuple(of_each_pair()))
