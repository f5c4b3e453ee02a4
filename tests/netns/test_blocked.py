"""Ways that are closed: dropped or rejected, on the way, at the target or at the source.

While a stand-in listens, that is `blocked` and never `down`, and both ends' interfaces tell who it was.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .harness import BOTH, pair
from .lab import Lab, chain

if TYPE_CHECKING:
    from .harness import Portcheck, Run

# --- silence ---

DROPPED = {
    "tcp-router": "tcp 5000",
    "tcp-target": "tcp 5001",
    "http-router": "http 5002",
    "https-target": "https 5003",
    "tcp-source": "tcp 5004",
    "udp-router": "udp 6000",
    "udp-target": "udp 6001",
}
# The handshake passes, data does not: devices that look into it.
DATA = "tcp flags & psh == psh"
PAYLOAD = {
    "data-dropped": ("tcp 5006", f"tcp dport 5006 {DATA} drop"),
    "data-reset": ("tcp 5007", f"tcp dport 5007 {DATA} reject with tcp reset"),
    "data-rejected": ("tcp 5008", f"tcp dport 5008 {DATA} reject with icmpx admin-prohibited"),
    "http-dropped": ("http 5010", f"tcp dport 5010 {DATA} drop"),
    "tls-dropped": ("https 5011", f"tcp dport 5011 {DATA} drop"),
}
ANSWER_DROPPED = {"tcp-return": "tcp 5005", "udp-return": "udp 6002"}


@pytest.fixture(scope="module")
def dropped_over_both(portcheck: Portcheck) -> Run:
    with Lab("a1", "b1") as lab:
        lab.nft("a1", chain("output", "tcp dport 5004 drop", "udp dport 6003 drop"))
        lab.nft(
            "r",
            chain(
                "forward",
                "tcp dport {5000, 5002} drop",
                "udp dport 6000 drop",
                "tcp sport 5005 drop",
                "udp sport 6002 drop",
            ),
        )
        lab.nft("b1", chain("input", "tcp dport {5001, 5003} drop", "udp dport 6001 drop"))
        lab.nft("r", chain("forward", *(rule for _, rule in PAYLOAD.values())))
        held_up = {name: service for name, (service, _) in PAYLOAD.items()}
        services = {**DROPPED, **held_up, **ANSWER_DROPPED, "udp-source": "udp 6003", "open": "tcp 5009"}
        return portcheck(lab, pair(), services, families=BOTH)


@pytest.fixture(params=BOTH, ids=["ipv4", "ipv6"])
def dropped(request: pytest.FixtureRequest, dropped_over_both: Run) -> Run:
    return dropped_over_both.over(request.param)


CULPRITS = {"router": "network", "target": "target-firewall", "source": "source-firewall"}


@pytest.mark.parametrize("service", DROPPED)
def test_dropped_is_blocked_by_whoever_drops(dropped: Run, service: str) -> None:
    culprit = CULPRITS[service.rpartition("-")[2]]
    assert dropped.outcome(service=service) == ("blocked", culprit), dropped
    assert dropped.row(service=service)["state"] in (
        {"filtered"} if "tcp" in DROPPED[service] else {"filtered", "open|filtered"}
    )


@pytest.mark.parametrize("service", ANSWER_DROPPED)
def test_a_dropped_answer_is_blocked(dropped: Run, service: str) -> None:
    assert dropped.outcome(service=service) == ("blocked", "return-path"), dropped


@pytest.mark.parametrize("service", PAYLOAD)
def test_connected_but_data_does_not_pass(dropped: Run, service: str) -> None:
    verdict, cause = dropped.outcome(service=service)
    assert verdict == "blocked", dropped
    assert cause in {None, "payload"}, dropped


def test_the_sources_own_firewall_is_named(dropped: Run) -> None:
    """EPERM, which only UDP gets."""
    assert dropped.outcome(service="udp-source") == ("blocked", "source-firewall"), dropped


def test_what_is_not_dropped_passes(dropped: Run) -> None:
    assert dropped.outcome(service="open") == ("pass", None), dropped
    assert dropped.code == 1


# --- rejection ---

CODES = {
    4: [
        "net-unreachable",
        "host-unreachable",
        "prot-unreachable",
        "port-unreachable",
        "net-prohibited",
        "host-prohibited",
        "admin-prohibited",
    ],
    6: ["no-route", "admin-prohibited", "addr-unreachable", "port-unreachable", "policy-fail", "reject-route"],
}
PLACES = {"router": 0, "target": 100, "source": 200}
FIRST = {"tcp": 5000, "udp": 6000}
CASES = [(family, where, code) for family, codes in CODES.items() for where in PLACES for code in codes]


def rejections(family: int, place: str) -> list[str]:
    """One rule a code, each with a TCP and a UDP port of its own, and a TCP reset."""
    kind = "icmp" if family == 4 else "icmpv6"
    rules = [
        f"{transport} dport {FIRST[transport] + PLACES[place] + number} reject with {kind} {code}"
        for number, code in enumerate(CODES[family])
        for transport in FIRST
    ]
    return [*rules, f"tcp dport {FIRST['tcp'] + PLACES[place] + 50} reject with tcp reset"]


@pytest.fixture(scope="module")
def rejected(portcheck: Portcheck) -> dict[int, Run]:
    runs = {}
    for family, codes in CODES.items():
        services = {
            f"{transport}-{place}-{code}": f"{transport} {FIRST[transport] + PLACES[place] + number}"
            for transport in FIRST
            for place in PLACES
            for number, code in enumerate(codes)
        }
        services |= {f"tcp-{place}-reset": f"tcp {FIRST['tcp'] + PLACES[place] + 50}" for place in PLACES}
        with Lab("a1", "b1") as lab:
            lab.nft("a1", chain("output", *rejections(family, "source")))
            lab.nft("r", chain("forward", *rejections(family, "router")))
            lab.nft("b1", chain("input", *rejections(family, "target")))
            runs[family] = portcheck(lab, pair(), {**services, "open": "tcp 5999"}, families=(family,))
    return runs


SENDERS = {
    (4, "source"): "10.77.1.2",
    (4, "router"): "10.77.1.1",
    (4, "target"): "10.77.3.2",
    (6, "source"): "fd77:1::2",
    (6, "router"): "fd77:1::1",
    (6, "target"): "fd77:3::2",
}
CULPRITS = {"source": "source-firewall", "router": "network", "target": "target-firewall"}


@pytest.mark.parametrize("transport", FIRST)
@pytest.mark.parametrize(("family", "place", "code"), CASES)
def test_rejected_with_icmp_is_blocked_and_the_sender_named(
    rejected: dict[int, Run], family: int, place: str, code: str, transport: str
) -> None:
    run = rejected[family]
    service = f"{transport}-{place}-{code}"
    verdict, cause = run.outcome(service=service)
    assert verdict == "blocked", run
    row = run.row(service=service)
    # To UDP a closed port says the same, in the same words.
    like_closed = {"closed"} if (transport, place, code) == ("udp", "target", "port-unreachable") else set()
    assert row["state"] in {"rejected", "unreachable"} | like_closed, row
    assert cause in {None, CULPRITS[place]}, row
    assert row["where"] is not None, row
    assert row["where"]["address"] == SENDERS[family, place], row
    # What the report calls it is what stands in the rule.
    if row["state"] != "closed":
        said = row["evidence"][0]["what"]
        assert said.startswith(f"ICMP {code} from {SENDERS[family, place]}"), row


@pytest.mark.parametrize("family", CODES)
@pytest.mark.parametrize("place", PLACES)
def test_reset_in_the_stand_ins_place_is_blocked(rejected: dict[int, Run], family: int, place: str) -> None:
    """From the source's side alone a forged RST looks like the target's own; the interfaces of both tell."""
    row = rejected[family].row(service=f"tcp-{place}-reset")
    assert (row["verdict"], row["cause"]) == ("blocked", CULPRITS[place]), row
    assert row["state"] in {"closed", "rejected"}, row


@pytest.mark.parametrize("family", CODES)
def test_what_is_not_rejected_passes(rejected: dict[int, Run], family: int) -> None:
    assert rejected[family].outcome(service="open") == ("pass", None), rejected[family]
    assert rejected[family].code == 1


# --- no way at all ---


@pytest.mark.parametrize("family", [4, 6])
def test_a_source_without_a_route(portcheck: Portcheck, family: int) -> None:
    with Lab("a1", "a2", "b1") as lab:
        lab.ip("a1", f"route del default via {lab.router_address('a1', family)}")
        run = portcheck(lab, {**pair(), "a2": ("source",)}, {"tcp": "tcp 5000", "udp": "udp 5001"}, families=(family,))
    for service in ("tcp", "udp"):
        assert run.outcome(source="a1", service=service) == ("blocked", "no-route"), run
        assert run.row(source="a1", service=service)["state"] == "unreachable"
        assert run.outcome(source="a2", service=service) == ("pass", None)
    assert run.code == 1


def test_a_route_that_forbids(portcheck: Portcheck) -> None:
    """Routes of the source's own that refuse (EHOSTUNREACH, EACCES, EINVAL): its own doing, not a device's."""
    kinds = {"b1": "unreachable", "b2": "prohibit", "a2": "blackhole"}
    with Lab("a1", *kinds) as lab:
        lab.ip("a1", *(f"route add {kind} {lab.address(host)}/32" for host, kind in kinds.items()))
        run = portcheck(lab, pair(*kinds), {"tcp": "tcp 5000", "udp": "udp 5001"})
    for row in run.rows():
        assert row["verdict"] == "blocked", run
        assert row["cause"] in {None, "no-route", "source-firewall"}, row
