"""Whether a host has a way back, where it has a route for each of its addresses."""

from __future__ import annotations

import sys

import pytest

from .lab import Lab, command

OWN, PEER, ELSEWHERE = "10.99.0.5", "10.77.1.2", "10.98.0.1"
ASK = "import sys; from probe.witness import nexthop; print(nexthop.stuck(*sys.argv[1:]))"


@pytest.mark.parametrize(
    ("own", "expected"),
    [((), "route"), ((OWN,), "None"), ((ELSEWHERE,), "route")],
    ids=["for-any", "for-this-one", "for-one-that-is-translated"],
)
def test_a_route_for_one_address(own: tuple[str, ...], expected: str) -> None:
    """The second interface filters strictly, and only what is sent from its own address leaves by it."""
    with Lab("a1", "b1") as lab:
        within = lab.prefix("b1")
        for words in (
            "ip link add second type veth peer name other",
            "ip link set other up",
            f"ip address add {OWN}/24 dev second",
            "ip link set second up",
            "sysctl -q -w net.ipv4.conf.second.rp_filter=1",
            "ip route add default dev second table 100",
            f"ip rule add from {OWN} lookup 100",
        ):
            command(*within, *words.split())
        assert command(*within, sys.executable, "-c", ASK, PEER, "second", *own).strip() == expected
