"""ICMP errors by the names that nftables has for them, so that a name in a report can be searched for in the rules."""

from __future__ import annotations

# Type and code. RFC 792, RFC 1812.
_IPV4 = {
    (3, 0): "net-unreachable",
    (3, 1): "host-unreachable",
    (3, 2): "prot-unreachable",
    (3, 3): "port-unreachable",
    (3, 4): "frag-needed",
    (3, 9): "net-prohibited",
    (3, 10): "host-prohibited",
    (3, 13): "admin-prohibited",
    (11, 0): "time-exceeded",
}
# RFC 4443.
_IPV6 = {
    (1, 0): "no-route",
    (1, 1): "admin-prohibited",
    (1, 3): "addr-unreachable",
    (1, 4): "port-unreachable",
    (1, 5): "policy-fail",
    (1, 6): "reject-route",
    (2, 0): "packet-too-big",
    (3, 0): "time-exceeded",
}


def named(kind: int, code: int, *, ipv6: bool) -> str:
    """`ICMP admin-prohibited`, or `ICMP type 3, code 15` for one without a name."""
    name = (_IPV6 if ipv6 else _IPV4).get((kind, code))
    return f"ICMP {name}" if name else f"ICMP type {kind}, code {code}"
