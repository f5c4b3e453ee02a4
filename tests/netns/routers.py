"""A network with several routers in a row, and two of them side by side.

    a1 ── r1 ──┬── r2 ──┬── r4 ── b1
               └── r3 ──┘

One address of `b1` is reached by `r2` alone, the other by both; answers come back by `r2`. `a1` has further addresses,
for rules of the routers that depend on who asks. Where they are wanted, `a2` and `x1` stand behind `r1` too, and `b2`
behind `r4`.
"""

from __future__ import annotations

from .lab import FORWARDING, SETTINGS, Lab, command

LINKS = (("a1", "r1"), ("r1", "r2"), ("r1", "r3"), ("r2", "r4"), ("r3", "r4"), ("r4", "b1"))
NEIGHBOURS = {"a2": "r1", "x1": "r1", "b2": "r4"}
ALL_LINKS = (*LINKS, *NEIGHBOURS.items())
ROUTERS = ("r1", "r2", "r3", "r4")
# Packets may come another way than answers go; many traces at once are no flood (kernels without a limit of their own
# for each namespace do not know that setting: -e). IPv4 flows are told apart by their
# ports: 0x37 is both addresses, both ports and the protocol (policy 1 would take the sending socket's own hash, which
# veth hands on). IPv6 flows, as by default, by their labels alone.
LENIENT = (
    "net.ipv4.conf.all.rp_filter=0",
    "net.ipv4.conf.default.rp_filter=0",
    "net.ipv4.icmp_msgs_per_sec=100000",
    "net.ipv4.icmp_msgs_burst=10000",
    "net.ipv4.fib_multipath_hash_policy=3",
    "net.ipv4.fib_multipath_hash_fields=0x37",
    "net.ipv6.fib_multipath_hash_policy=0",
)
# The last number of an address: of `a1`, by how it is treated; of `b1`, by how it is reached.
PLAIN, UNANSWERED, RATIONED = 1, 11, 12
SINGLE, SHARED = 2, 12
# No route at the source; a route in a circle.
NOWHERE = {4: "203.0.113.1", 6: "2001:db8::1"}
CIRCLE = {4: "198.51.100.1", 6: "2001:db8:1::1"}


def at(node: str, peer: str, family: int) -> str:
    """The address of a node on its link to another."""
    number = next(number for number, link in enumerate(ALL_LINKS, 1) if {node, peer} == set(link))
    return on(number, 1 + ((node, peer) not in ALL_LINKS), family)


def on(link: int, last: int, family: int) -> str:
    return f"10.78.{link}.{last}" if family == 4 else f"fd78:{link}::{last}"


class Routers(Lab):
    """The network above; links carry the name of the node at their other end."""

    def __init__(self, *neighbours: str) -> None:
        super().__init__("a1", "b1", *neighbours, *ROUTERS)
        self._neighbours = {host: NEIGHBOURS[host] for host in neighbours}

    def _build(self) -> None:
        command("ip", "-batch", "-", text="".join(f"netns add {self.namespace(node)}\n" for node in self.hosts))
        for node in self.hosts:
            forwarding = FORWARDING if node in ROUTERS else ()
            command(*self.prefix(node), "sysctl", "-q", "-e", "-w", *SETTINGS, *LENIENT, *forwarding)
            self.ip(node, "link set lo up")
        links = (*LINKS, *self._neighbours.items())
        for left, right in links:
            ends = f"{right} netns {self.namespace(left)} type veth peer name {left} netns {self.namespace(right)}"
            command("ip", "-batch", "-", text=f"link add {ends}\n")
        for node, peer in [*links, *(link[::-1] for link in links)]:
            self.ip(node, f"link set {peer} up")
            for family, bits in ((4, "24"), (6, "64")):
                self.ip(node, f"addr add {at(node, peer, family)}/{bits} dev {peer}{' nodad' * (family == 6)}")
        for family, bits in ((4, "32"), (6, "128")):
            self.ip("b1", f"addr add {on(6, SHARED, family)}/{bits} dev r4 preferred_lft 0")
            # Deprecated: the kernel chooses them for nobody who does not ask.
            lines = [f"addr add {on(1, last, family)}/{bits} dev r1 preferred_lft 0" for last in (UNANSWERED, RATIONED)]
            self.ip("a1", *lines)
        for family in (4, 6):
            self._route(family)

    def _route(self, family: int) -> None:
        """Towards `b1` by r2, or by both for its other address; back by r2. Where there is nothing, in a circle."""
        bits = 32 if family == 4 else 128
        b, shared = on(6, SINGLE, family), on(6, SHARED, family)
        self.ip("a1", f"route add default via {at('r1', 'a1', family)}", f"route add unreachable {NOWHERE[family]}")
        self.ip("b1", f"route add default via {at('r4', 'b1', family)}")
        self.ip(
            "r1",
            f"route add default via {at('r2', 'r1', family)}",
            f"route add {shared}/{bits} nexthop via {at('r2', 'r1', family)} nexthop via {at('r3', 'r1', family)}",
        )
        for node in ("r2", "r3"):
            self.ip(
                node,
                f"route add default via {at('r1', node, family)}",
                f"route add {b}/{bits} via {at('r4', node, family)}",
                f"route add {shared}/{bits} via {at('r4', node, family)}",
            )
        self.ip("r4", f"route add default via {at('r2', 'r4', family)}")
        for host, router in self._neighbours.items():
            self.ip(host, f"route add default via {at(router, host, family)}")
            if router == "r4":
                for node in ("r2", "r3"):
                    self.ip(node, f"route add {at(host, router, family)}/{bits} via {at(router, node, family)}")
