"""What no flow allows must not be open: an outside host, and a host inside without the role."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .harness import BOTH, pair
from .lab import Lab, chain

if TYPE_CHECKING:
    from .harness import Portcheck, Run

OPEN = {"tcp": "tcp 5000", "udp": "udp 5001", "http": "http 8080", "https": "https 8443"}
CLOSED = {
    "dropped": "tcp 5010",
    "reset": "tcp 5011",
    "rejected": "tcp 5012",
    "udp-dropped": "udp 5013",
    "udp-rejected": "udp 5014",
}
RULES = (
    'iifname "x1" tcp dport 5010 drop',
    'iifname "x1" tcp dport 5011 reject with tcp reset',
    'iifname "x1" tcp dport 5012 reject with icmpx admin-prohibited',
    'iifname "x1" udp dport 5013 drop',
    'iifname "x1" udp dport 5014 reject with icmpx port-unreachable',
)


@pytest.fixture(scope="module")
def outside_over_both(portcheck: Portcheck) -> Run:
    with Lab("a1", "b1", "x1") as lab:
        lab.nft("r", chain("forward", *RULES))
        return portcheck(lab, {**pair(), "x1": ()}, {**OPEN, **CLOSED}, policy={"outside": "enforce"}, families=BOTH)


@pytest.fixture(params=BOTH, ids=["ipv4", "ipv6"])
def outside(request: pytest.FixtureRequest, outside_over_both: Run) -> Run:
    return outside_over_both.over(request.param)


@pytest.mark.parametrize("service", OPEN)
def test_an_open_way_from_outside_is_exposed(outside: Run, service: str) -> None:
    assert outside.outcome(source="x1", service=service) == ("exposed", "stand-in"), outside
    assert outside.row(source="x1", service=service)["expect"] == "block"


@pytest.mark.parametrize("service", CLOSED)
def test_a_closed_way_from_outside_passes(outside: Run, service: str) -> None:
    assert outside.outcome(source="x1", service=service) == ("pass", None), outside


def test_the_inside_still_passes_and_the_run_deviates(outside: Run) -> None:
    assert outside.verdicts(source="a1") == {"pass"}, outside
    assert outside.code == 1


def test_all_closed_conforms(portcheck: Portcheck) -> None:
    closed = {"reset": CLOSED["reset"], "rejected": CLOSED["rejected"]}
    with Lab("a1", "b1", "x1") as lab:
        lab.nft("r", chain("forward", *RULES))
        run = portcheck(lab, {**pair(), "x1": ()}, closed, policy={"outside": "enforce"})
    assert (run.code, run.verdicts()) == (0, {"pass"}), run
    assert len(run.rows(source="x1")) == len(closed)


@pytest.mark.parametrize("agent", [{"portcheck_exec": "false"}, {"portcheck_agent": "none"}], ids=["dead", "none"])
def test_a_refusal_without_a_stand_in_proves_nothing(portcheck: Portcheck, agent: dict[str, str]) -> None:
    """The way is free, and only nobody there yet."""
    with Lab("a1", "b1", "x1") as lab:
        roles = {**pair(), "x1": ()}
        run = portcheck(lab, roles, {"tcp": "tcp 5000"}, policy={"outside": "enforce"}, variables={"b1": agent})
    assert run.row(source="x1", service="tcp")["verdict"] == "inconclusive", run
    assert run.code == 6


def test_a_running_service_is_exposed(portcheck: Portcheck) -> None:
    with Lab("a1", "b1", "x1") as lab:
        lab.serve("b1", "echo 5000", "http 8080", "echo 5011")
        lab.nft("r", chain("forward", *RULES))
        services = {"tcp": "tcp 5000", "http": "http 8080", "reset": "tcp 5011"}
        run = portcheck(lab, {**pair(), "x1": ()}, services, phase="live", policy={"outside": "enforce"})
    assert run.outcome(source="x1", service="tcp") == ("exposed", "listening"), run
    assert run.outcome(source="x1", service="http") == ("exposed", "listening"), run
    assert run.outcome(source="x1", service="reset") == ("pass", None), run
    assert run.verdicts(source="a1") == {"pass"}
    assert run.code == 1


@pytest.mark.parametrize(
    ("policy", "arguments", "code"), [("advise", (), 0), ("enforce", (), 1), ("advise", ("--strict",), 1)]
)
def test_a_host_inside_without_the_role(
    portcheck: Portcheck, policy: str, arguments: tuple[str, ...], code: int
) -> None:
    with Lab("a1", "a2", "b1") as lab:
        run = portcheck(
            lab, {**pair(), "a2": ("bystander",)}, {"tcp": "tcp 5000"}, *arguments, policy={"inside": policy}
        )
    assert run.outcome(source="a2", target="b1") == ("exposed", "stand-in"), run
    assert run.outcome(source="a1", target="b1") == ("pass", None), run
    assert run.code == code, run


def test_what_is_ignored_is_not_probed(portcheck: Portcheck) -> None:
    with Lab("a1", "a2", "b1", "x1") as lab:
        run = portcheck(lab, {**pair(), "a2": ("bystander",), "x1": ()}, {"tcp": "tcp 5000"})
    assert {row["source"] for row in run.rows()} == {"a1"}, run
    assert run.code == 0
