"""A narrow link whose router may not say so: little data passes, large data does not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .harness import BOTH, pair
from .lab import ROUTER, Lab, chain

if TYPE_CHECKING:
    from .harness import Portcheck, Run

SERVICES = {
    "tcp": "tcp 5000", "http": "http 8080", "range": "tcp 6000-6020", "wide": "tcp 10000-11200", "udp": "udp 5001",
}  # fmt: skip
SILENCE = "icmp type destination-unreachable icmp code frag-needed drop", "icmpv6 type packet-too-big drop"


def run(portcheck: Portcheck, narrow: str, *, silent: bool) -> Run:
    """The link of this host is narrow on the router's side alone, so that its own packets are small."""
    with Lab("a1", "b1") as lab:
        lab.ip(ROUTER, f"link set {narrow} mtu 1300")
        if silent:
            lab.nft(ROUTER, chain("output", *SILENCE))
        return portcheck(lab, pair(), SERVICES, families=BOTH)


@pytest.fixture(scope="module", params=["b1", "a1"], ids=["request", "answer"])
def hole(request: pytest.FixtureRequest, portcheck: Portcheck) -> Run:
    return run(portcheck, request.param, silent=True)


@pytest.mark.parametrize("family", BOTH, ids=["ipv4", "ipv6"])
def test_large_data_is_held_up(hole: Run, family: int) -> None:
    found = hole.over(family)
    for service in ("tcp", "http", "range", "wide"):
        row = found.row(service=service)
        assert (row["verdict"], row["cause"], row["state"]) == ("blocked", "mtu", "open"), found
    assert hole.code == 1


@pytest.mark.parametrize("family", BOTH, ids=["ipv4", "ipv6"])
def test_a_datagram_that_fits_passes(hole: Run, family: int) -> None:
    assert hole.over(family).outcome(service="udp") == ("pass", None), hole


def test_a_narrow_link_that_says_so_is_no_fault(portcheck: Portcheck) -> None:
    found = run(portcheck, "b1", silent=False)
    assert found.verdicts() == {"pass"}, found
    assert found.code == 0
