"""One of two next hops is bad: some connections get through and some never do. Each address of the target has another
fault at the second of the routers side by side, whatever the port.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .harness import BOTH, pair
from .lab import chain
from .routers import Routers, at, on
from .situations import Row

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .harness import Portcheck, Run
    from .situations import Tabled

SERVICES = {"one": "tcp 5000", "range": "tcp 5100-5140", "datagrams": "udp 5200"}
DROPS, REJECTS, LOSES = 21, 22, 23
FAULTS = {DROPS: "drop", REJECTS: "reject with icmpx admin-prohibited", LOSES: "numgen random mod 100 < 10 drop"}


@pytest.fixture(scope="module")
def run(portcheck: Portcheck) -> Iterator[Run]:
    with Routers() as lab:
        for family, bits in ((4, 32), (6, 128)):
            hops = " ".join(f"nexthop via {at(hop, 'r1', family)}" for hop in ("r2", "r3"))
            for last in FAULTS:
                address = f"{on(6, last, family)}/{bits}"
                lab.ip(
                    "b1",
                    f"addr add {address} dev r4 nodad preferred_lft 0" if family == 6 else f"addr add {address} dev r4",
                )
                lab.ip("r1", f"route add {address} {hops}")
                for node in ("r2", "r3"):
                    lab.ip(node, f"route add {address} via {at('r4', node, family)}")
        rules = [
            f"{word} daddr {on(6, last, family)} {fault}"
            for last, fault in FAULTS.items()
            for word, family in (("ip", 4), ("ip6", 6))
        ]
        lab.nft("r3", chain("forward", *rules))
        addresses = {
            "a1": {"portcheck_address": ",".join(at("a1", "r1", family) for family in BOTH)},
            "b1": {"portcheck_address": ",".join(on(6, last, family) for last in FAULTS for family in BOTH)},
        }
        yield portcheck(lab, pair(), SERVICES, variables=addresses)


@pytest.mark.parametrize("family", BOTH)
@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize(("last", "side"), [(DROPS, "after"), (REJECTS, "at")])
def test_what_comes_by_the_bad_one_is_found_though_another_try_passes(
    run: Run, last: int, side: str, service: str, family: int, tabled: Tabled
) -> None:
    name = f"r3 {'drops' if last == DROPS else 'rejects'}, {service}"
    (row,) = tabled(_row(name, f"blocked network {side} r3", last, service, family), run)
    assert "some connections get through" in row["detail"]
    assert any("source ports" in sight["what"] for sight in row["evidence"])


@pytest.mark.parametrize("family", BOTH)
@pytest.mark.parametrize("service", SERVICES)
def test_a_lossy_next_hop_is_no_finding(run: Run, service: str, family: int, tabled: Tabled) -> None:
    tabled(_row(f"r3 drops every tenth, {service}", "pass", LOSES, service, family), run)


def _row(name: str, expected: str, last: int, service: str, family: int) -> Row:
    transport = SERVICES[service].split()[0]
    return Row("next hops", name, transport, family, expected, address=on(6, last, family), service=service)
