"""What the matrix language says beyond a role and its service, between real machines: the host itself, loopback, one of
several ways, a party outside the inventory, one address of several, two transports.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .harness import pair
from .lab import Lab, chain

if TYPE_CHECKING:
    from .harness import Portcheck, Run

SECOND, FAR = "10.77.3.3", "10.77.9.2"
MATRIX = f"""
portcheck: 1
name: lab
variables:
  store: {{type: addresses}}
roles: {{source: {{}}, target: {{}}}}
services:
  own: {{role: target, port: 5000}}
  own-shut: {{role: target, port: 5001}}
  local: {{role: target, port: 5010, bind: local}}
  local-open: {{role: target, port: 5011, bind: local}}
  local-6: {{role: target, port: 5012, bind: local}}
  replica: {{role: target, port: 5020}}
  far: {{at: "{FAR}:5030"}}
  far-shut: {{at: "{FAR}:5031"}}
  store: {{role: target, port: 5040, address: "{{store}}"}}
  both: {{role: target, port: 5050, protocol: [tcp, udp]}}
flows:
  - {{from: target, to: [own, own-shut], hosts: same}}
  - {{from: target, to: [local, local-open, local-6]}}
  - {{id: one, from: source, to: replica, enough: one}}
  - {{from: source, to: [far, far-shut, store, both]}}
policy: {{inside: ignore, outside: ignore}}
"""
SERVED = (
    "echo 5000",
    "echo 5001",
    "echo 5010 address=127.0.0.1",
    "echo 5011 address=0.0.0.0",
    "echo 5012 address=::1",
    "echo 5020",
    "echo 5050",
)
# Silence takes its time to be believed, so one phase has a firewall that drops and the other one that answers.
SHUT = {"pre-install": "drop", "live": "reject with tcp reset"}


@pytest.fixture(scope="module", params=SHUT)
def run(request: pytest.FixtureRequest, portcheck: Portcheck) -> Run:
    with Lab("a1", "b1", "b2", "x1") as lab:
        lab.ip("b1", f"addr add {SECOND}/24 dev net")
        lab.nft("b1", chain("input", f"iifname lo ip daddr {lab.address('b1')} tcp dport 5001 {SHUT[request.param]}"))
        closed = (f"ip daddr {lab.address('b2')} tcp dport 5020", "tcp dport 5031")
        lab.nft("r", chain("forward", *(f"{rule} reject with icmpx admin-prohibited" for rule in closed)))
        lab.serve("x1", "echo 5030", "echo 5031")
        if request.param == "live":
            own = [f"udp-echo 5050 address={address}" for address in (lab.address("b1"), SECOND)]
            lab.serve("b1", *SERVED, *own, f"echo 5040 address={SECOND}")
            lab.serve("b2", *SERVED, "udp-echo 5050", "echo 5040")
        variables = {
            "b1": {"portcheck_address": f"{lab.address('b1')},{SECOND}", "store": SECOND},
            "b2": {"store": "10.77.4.0/24"},
        }
        return portcheck(lab, pair("b1", "b2"), MATRIX, phase=request.param, variables=variables)


def came_to(run: Run, **wanted: str) -> set[tuple[str, str, str]]:
    """Source, address and verdict of the rows with these values."""
    return {(row["source"], row["address"], row["verdict"]) for row in run.rows(**wanted)}


def test_a_host_dials_its_own_addresses(run: Run) -> None:
    assert came_to(run, service="own") == {
        ("b1", "10.77.3.2", "pass"),
        ("b1", SECOND, "pass"),
        ("b2", "10.77.4.2", "pass"),
    }, run


def test_its_own_firewall_is_found_in_the_way(run: Run) -> None:
    assert came_to(run, service="own-shut") == {
        ("b1", "10.77.3.2", "blocked"),
        ("b1", SECOND, "pass"),
        ("b2", "10.77.4.2", "pass"),
    }, run


@pytest.mark.parametrize(
    ("service", "on_loopback", "elsewhere"),
    [
        ("local", ("pass", None), ("pass", None)),
        ("local-open", ("pass", None), ("exposed", "listening")),
        ("local-6", ("down", "bound-elsewhere"), ("pass", None)),  # 127.0.0.1 is what its host dials
    ],
)
def test_what_is_for_loopback_alone(
    run: Run, service: str, on_loopback: tuple[str, str | None], elsewhere: tuple[str, str | None]
) -> None:
    """Before the installation nothing listens, and that the way is free is no fault."""
    live = run.report["run"]["phase"] == "live"
    itself = [row for row in run.rows(service=service) if row["source"] == row["target"]]
    others = [row for row in run.rows(service=service) if row["source"] != row["target"]]
    assert {(row["source"], row["address"]) for row in itself} == {("b1", "127.0.0.1"), ("b2", "127.0.0.1")}
    assert {(row["source"], row["address"]) for row in others} == {
        *((source, "10.77.4.2") for source in ("a1", "b1")),
        *((source, address) for source in ("a1", "b2") for address in ("10.77.3.2", SECOND)),
    }
    assert {(row["verdict"], row["cause"]) for row in itself} == {on_loopback if live else ("pass", None)}, run
    assert {(row["verdict"], row["cause"]) for row in others} == {elsewhere if live else ("pass", None)}, run
    assert {row["policy"] for row in others} == {"enforce"}


def test_one_way_of_several_is_enough(run: Run) -> None:
    assert run.row(service="replica", target="b2")["verdict"] == "blocked", run
    assert "one of these ways is enough" in run.row(service="replica", target="b2")["instead"]
    assert run.verdicts(service="replica", target="b1") == {"pass"}
    assert {row["instead"] for row in run.rows(service="replica", target="b1")} == {""}


def test_a_party_outside_the_inventory(run: Run) -> None:
    assert run.outcome(service="far") == ("pass", None), run
    assert run.row(service="far-shut")["verdict"] == "blocked", run
    assert {row["source"] for row in run.rows(target=FAR)} == {"a1"}
    (host,) = (host for host in run.report["hosts"] if host["name"] == FAR)
    assert (host["agent"], host["zone"], host["roles"]) == (None, "outside", ["external"])


def test_a_service_at_one_address_of_its_host(run: Run) -> None:
    assert came_to(run, service="store") == {("a1", SECOND, "pass"), ("a1", "10.77.4.2", "pass")}, run


def test_a_service_over_two_transports(run: Run) -> None:
    found = {(row["transport"], row["address"], row["verdict"]) for row in run.rows(service="both")}
    addresses = ("10.77.3.2", SECOND, "10.77.4.2")
    assert found == {(transport, address, "pass") for transport in ("tcp", "udp") for address in addresses}, run


def test_what_is_spared_fails_no_run(portcheck: Portcheck) -> None:
    matrix = """
portcheck: 1
name: lab
roles: {source: {}, target: {}}
services: {replica: {role: target, port: 5020}}
flows: [{from: source, to: replica, enough: one}]
policy: {inside: ignore}
"""
    with Lab("a1", "b1", "b2") as lab:
        lab.nft("r", chain("forward", f"ip daddr {lab.address('b2')} tcp dport 5020 reject with tcp reset"))
        one = portcheck(lab, pair("b1", "b2"), matrix)
        lab.nft("r", chain("forward", "tcp dport 5020 reject with tcp reset"))
        none = portcheck(lab, pair("b1", "b2"), matrix)
    assert (one.code, one.verdicts()) == (0, {"pass", "blocked"}), one
    assert (none.code, none.verdicts()) == (1, {"blocked"}), none
