"""Ways that are free: the stand-in answers, whatever the protocol, the family and the translation on the way."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from .harness import pair
from .lab import Lab, chain

if TYPE_CHECKING:
    from .harness import Portcheck, Run

SERVICES = {"tcp": "tcp 5000", "udp": "udp 5001", "http": "http 8080", "https": "https 8443"}


@pytest.fixture(scope="module", params=[4, 6], ids=["ipv4", "ipv6"])
def plain(request: pytest.FixtureRequest, portcheck: Portcheck) -> Run:
    with Lab("a1", "b1") as lab:
        return portcheck(lab, pair(), SERVICES, families=(request.param,))


@pytest.mark.parametrize("service", SERVICES)
def test_an_open_way_passes(plain: Run, service: str) -> None:
    row = plain.row(service=service)
    assert (row["verdict"], row["cause"], row["state"]) == ("pass", None, "open"), plain


def test_the_report_says_so(plain: Run) -> None:
    assert plain.code == 0, plain
    assert plain.report["schema"] == "portcheck.report/1"
    assert plain.report["run"]["phase"] == "pre-install"
    assert plain.report["summary"]["pass"] == plain.report["summary"]["checks"] == len(SERVICES)
    assert [host["name"] for host in plain.report["hosts"] if host["agent"]] == ["a1", "b1"]


def test_the_evidence_does_not_contradict_itself(plain: Run) -> None:
    for row in plain.rows():
        assert "not reached" not in json.dumps(row["evidence"]), row


@pytest.fixture(scope="module")
def translated(portcheck: Portcheck) -> Run:
    with Lab("a1", "b1") as lab:
        lab.nft("r", chain("postrouting", 'oifname "b1" masquerade'))
        return portcheck(lab, pair(), SERVICES)


@pytest.mark.parametrize("service", SERVICES)
def test_a_translated_source_passes_and_is_noted(translated: Run, service: str) -> None:
    row = translated.row(service=service)
    assert (row["verdict"], row["state"]) == ("pass", "open"), translated
    assert "10.77.3.1" in json.dumps([row["evidence"], row["detail"]]), row
    assert translated.code == 0


def test_a_public_address_that_is_translated_to_the_target_passes(portcheck: Portcheck) -> None:
    with Lab("a1", "b1") as lab:
        lab.nft("r", chain("prerouting", f"ip daddr 203.0.113.5 dnat ip to {lab.address('b1')}"))
        run = portcheck(lab, pair(), SERVICES, variables={"b1": {"portcheck_address": "203.0.113.5"}})
    assert (run.code, run.verdicts()) == (0, {"pass"}), run


def test_services_that_share_a_port_all_pass(portcheck: Portcheck) -> None:
    with Lab("a1", "b1") as lab:
        run = portcheck(lab, pair(), {"tcp": "tcp 8080", "http": "http 8080", "https": "https 8080", "udp": "udp 8080"})
    assert (run.code, run.verdicts()) == (0, {"pass"}), run


def test_one_machine_under_two_names(portcheck: Portcheck) -> None:
    """Its second agent finds the ports held by the first one's stand-ins; that is nobody's service."""
    with Lab("a1", "b1") as lab:
        same = {"portcheck_address": lab.address("b1"), "portcheck_exec": " ".join(lab.prefix("b1"))}
        run = portcheck(lab, {**pair(), "alias": ("target",)}, SERVICES, variables={"alias": same})
    assert run.verdicts() <= {"pass", "inconclusive"}, run


def test_each_source_reaches_each_target(portcheck: Portcheck) -> None:
    with Lab("a1", "a2", "b1", "b2") as lab:
        roles = {"a1": ("source",), "a2": ("source", "target"), "b1": ("target",), "b2": ("target",)}
        run = portcheck(lab, roles, {"tcp": "tcp 5000"})
    pairs = {(row["source"], row["target"]) for row in run.rows(verdict="pass")}
    assert pairs >= {("a1", "a2"), ("a1", "b1"), ("a1", "b2"), ("a2", "b1"), ("a2", "b2")}, run
    assert (run.code, run.verdicts()) == (0, {"pass"}), run


def test_each_address_of_a_host_is_checked(portcheck: Portcheck) -> None:
    with Lab("a1", "b1") as lab:
        lab.nft("r", chain("forward", "meta nfproto ipv6 tcp dport 5000 drop"))
        both = f"{lab.address('b1')},{lab.address('b1', 6)}"
        run = portcheck(lab, pair(), {"tcp": "tcp 5000"}, variables={"b1": {"portcheck_address": both}})
    assert run.outcome(address="10.77.3.2") == ("pass", None), run
    assert run.outcome(address="fd77:3::2") == ("blocked", "network"), run
    assert run.code == 1


def test_a_name_that_leads_nowhere_is_no_pass_and_no_blocked(portcheck: Portcheck) -> None:
    with Lab("a1", "b1", "b2") as lab:
        run = portcheck(
            lab, pair("b1", "b2"), {"tcp": "tcp 5000"}, variables={"b1": {"portcheck_address": "no-such-host.invalid"}}
        )
    row = run.row(target="b1")
    assert row["verdict"] in {"mismatch", "inconclusive"}, run
    assert "name" in json.dumps([row["evidence"], row["detail"]]), row
    assert run.outcome(target="b2") == ("pass", None)
    assert run.code in {1, 6}


@pytest.mark.parametrize("phase", ["pre-install", "live"])
def test_same_host(portcheck: Portcheck, phase: str) -> None:
    """A host that needs a service of its own: asked for a listener, whatever its firewall says to others."""
    with Lab("b1") as lab:
        lab.nft("b1", chain("input", 'iifname != "lo" drop'))
        if phase == "live":
            lab.serve("b1", "echo 5000")
        run = portcheck(lab, {"b1": ("source", "target")}, {"tcp": "tcp 5000"}, phase=phase)
    assert run.outcome(source="b1", target="b1") == ("pass", None), run
    assert run.code == 0
