"""The names are those of nftables, which a firewall's owner searches for; netns/test_blocked.py sends each of them."""

from __future__ import annotations

import pytest

from probe.model.icmp import named


@pytest.mark.parametrize(
    ("kind", "code", "ipv6", "name"),
    [
        (3, 13, False, "ICMP admin-prohibited"),
        (1, 1, True, "ICMP admin-prohibited"),
        (3, 3, False, "ICMP port-unreachable"),
        (1, 4, True, "ICMP port-unreachable"),
        (3, 0, False, "ICMP net-unreachable"),
        (3, 0, True, "ICMP time-exceeded"),  # the same numbers, another ICMP
        (3, 15, False, "ICMP type 3, code 15"),
        (1, 13, True, "ICMP type 1, code 13"),
    ],
)
def test_each_family_has_its_own_names(kind: int, code: int, ipv6: bool, name: str) -> None:
    assert named(kind, code, ipv6=ipv6) == name
