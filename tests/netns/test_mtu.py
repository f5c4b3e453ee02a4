"""A narrow link whose router may not say so: little data passes, large data does not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .harness import BOTH, pair
from .lab import ROUTER, Lab, chain
from .situations import Row

if TYPE_CHECKING:
    from .harness import Portcheck, Run
    from .situations import Tabled

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
def hole(request: pytest.FixtureRequest, portcheck: Portcheck) -> tuple[str, Run]:
    return request.param, run(portcheck, request.param, silent=True)


@pytest.mark.parametrize("family", BOTH, ids=["ipv4", "ipv6"])
@pytest.mark.parametrize("service", SERVICES)
def test_large_data_is_held_up(hole: tuple[str, Run], service: str, family: int, tabled: Tabled) -> None:
    narrow, found = hole
    # A datagram is small enough.
    transport, expected = ("udp", "pass") if service == "udp" else ("tcp", "blocked mtu")
    name = f"{service}, narrow before {narrow}, r mute"
    reported = tabled(Row("mtu", name, transport, family, expected, service=service), found)
    assert {row["state"] for row in reported} == {"open"}
    if service != "udp":
        assert all(any("large data" in piece["what"] for piece in row["evidence"]) for row in reported)
    assert found.code == 1


@pytest.fixture(scope="module")
def narrow(portcheck: Portcheck) -> Run:
    return run(portcheck, "b1", silent=False)


@pytest.mark.parametrize("family", BOTH, ids=["ipv4", "ipv6"])
@pytest.mark.parametrize("service", SERVICES)
def test_a_narrow_link_that_says_so_is_no_fault(narrow: Run, service: str, family: int, tabled: Tabled) -> None:
    transport = "udp" if service == "udp" else "tcp"
    tabled(Row("mtu", f"{service}, narrow before b1", transport, family, "pass", service=service), narrow)
    assert narrow.code == 0
