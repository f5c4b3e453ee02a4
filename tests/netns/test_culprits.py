"""Who is to blame: each fault in a place of its own, and what the report says of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .harness import BOTH, pair
from .lab import Lab, chain

if TYPE_CHECKING:
    from .harness import Portcheck, Run

HERE, ROUTER, THERE = "source", "router", "target"
# Service, rule, where the rule is; then the verdict's cause, and at which device and side.
FAULTS: dict[str, tuple[str, str, str, str, str]] = {
    "source-output-drop": (HERE, "output", "drop", "source-firewall", "at source"),
    "source-output-reject": (HERE, "output", "reject", "source-firewall", "at source"),
    "source-input-drop": (HERE, "answers", "drop", "source-firewall", "at source"),
    "router-drop": (ROUTER, "forward", "drop", "network", "after router"),
    "router-reject": (ROUTER, "forward", "reject with icmpx admin-prohibited", "network", "at router"),
    "router-reset": (ROUTER, "forward", "reject with tcp reset", "network", "after router"),
    "target-drop": (THERE, "input", "drop", "target-firewall", "at target"),
    "target-reject": (THERE, "input", "reject with icmpx admin-prohibited", "target-firewall", "at target"),
    "target-reset": (THERE, "input", "reject with tcp reset", "target-firewall", "at target"),
    "answer-lost": (ROUTER, "back", "drop", "return-path", ""),
}
TCP, UDP = 5000, 6000
HOSTS = {HERE: "a1", ROUTER: "r", THERE: "b1"}


def cases() -> list[tuple[str, str]]:
    return [
        (fault, transport)
        for fault in FAULTS
        for transport in ("tcp", "udp")
        if (transport, fault[-5:]) != ("udp", "reset")
    ]


def ports(fault: str, transport: str) -> int:
    return (TCP if transport == "tcp" else UDP) + list(FAULTS).index(fault)


def rules(place: str) -> dict[str, list[str]]:
    """By hook, the rules of one host."""
    found: dict[str, list[str]] = {}
    for fault, transport in cases():
        where, hook, verdict, _, _ = FAULTS[fault]
        if where != place:
            continue
        port = ports(fault, transport)
        end = "sport" if hook in ("back", "answers") else "dport"
        chain_name = {"back": "forward", "answers": "input"}.get(hook, hook)
        found.setdefault(chain_name, []).append(f"{transport} {end} {port} {verdict}")
    return found


@pytest.fixture(scope="module")
def over_both(portcheck: Portcheck) -> Run:
    services = {f"{fault}-{transport}": f"{transport} {ports(fault, transport)}" for fault, transport in cases()}
    with Lab("a1", "b1") as lab:
        for place, host in HOSTS.items():
            for hook, lines in rules(place).items():
                lab.nft(host, chain(hook, *lines).replace("table inet lab", f"table inet lab_{hook}"))
        return portcheck(lab, pair(), {**services, "open": "tcp 5999"}, families=BOTH)


@pytest.fixture(params=BOTH, ids=["ipv4", "ipv6"])
def run(request: pytest.FixtureRequest, over_both: Run) -> Run:
    return over_both.over(request.param)


@pytest.mark.parametrize(("fault", "transport"), cases())
def test_the_culprit(run: Run, fault: str, transport: str) -> None:
    row = run.row(service=f"{fault}-{transport}")
    _, _, _, cause, where = FAULTS[fault]
    assert (row["verdict"], row["cause"]) == ("blocked", cause), run
    family = 6 if ":" in row["address"] else 4
    lab = Lab("a1", "b1")
    places = {
        HERE: lab.address("a1", family),
        ROUTER: lab.router_address("a1", family),
        THERE: lab.address("b1", family),
    }
    side, _, place = where.partition(" ")
    if place:
        assert (row["where"]["side"], row["where"]["address"]) == (side, places[place]), row


def test_what_is_free_passes(run: Run) -> None:
    assert run.outcome(service="open") == ("pass", None)
