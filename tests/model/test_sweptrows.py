"""What the states of a sweep come to."""

from __future__ import annotations

from typing import Any

import pytest

from probe.model import sweptrows
from probe.model.check import Check
from probe.model.exposed import Sweeping
from probe.model.ports import PortSet
from probe.model.words import Cause, Expect, Policy, Protocol, State, Transport, Verdict

CHECK = Check(
    id="c1", source="x1", source_role="outside", target="b1", target_role="db", address="10.0.0.2",
    transport=Transport.TCP, ports=PortSet([(1, 65535)]), protocol=Protocol.TCP, service="undeclared", matrix="shop",
    rule="policy.outside", expect=Expect.BLOCK, policy=Policy.ENFORCE, undeclared=True,
)  # fmt: skip
PASS, EXPOSED, INCONCLUSIVE = Verdict.PASS, Verdict.EXPOSED, Verdict.INCONCLUSIVE


def told(states: dict[State, str], *, surveyed: bool = False, ports: str = "1-65535", **more: Any) -> dict[str, str]:
    found = Sweeping(
        source="x1", target="b1", address="10.0.0.2", transport=Transport.TCP, ports="1-65535", states=states, **more
    )
    rows = sweptrows.rows(CHECK, found, PortSet.parse(ports), surveyed=surveyed)
    return {row.ports: f"{row.verdict} {row.cause or ''} {row.state}".replace("  ", " ") for row in rows}


def test_refusals_are_a_pass() -> None:
    states = {State.CLOSED: "1-100", State.REJECTED: "101-200"}
    assert told(states) == {"1-100": "pass closed", "101-200": "pass rejected"}


def test_silence_at_a_target_that_lives_is_a_pass() -> None:
    assert told({State.CLOSED: "1", State.FILTERED: "2-9"})["2-9"] == "pass filtered"
    assert told({State.OPEN: "1", State.FILTERED: "2-9"})["2-9"] == "pass filtered"
    assert told({State.FILTERED: "1-9"}, surveyed=True) == {"1-9": "pass filtered"}


@pytest.mark.parametrize("state", [State.FILTERED, State.UNREACHABLE])
def test_silence_of_whatever_is_there_proves_nothing(state: State) -> None:
    """A reject may be a device's on the way."""
    assert told({state: "1-9", State.REJECTED: "10"})["1-9"] == f"inconclusive no-agent {state}"


def test_udp_that_is_neither_answered_nor_refused() -> None:
    assert told({State.OPEN_FILTERED: "1-9", State.CLOSED: "10"})["1-9"] == "inconclusive open|filtered"
    # The target says that nothing listens there.
    assert told({State.OPEN_FILTERED: "1-9"}, surveyed=True) == {"1-9": "pass open|filtered"}


def test_what_was_not_measured_is_inconclusive() -> None:
    assert told({State.ERROR: "1-9"}, surveyed=True) == {"1-9": "inconclusive timeout error"}


def test_a_target_that_answers_on_every_port_is_one_row() -> None:
    assert told({State.OPEN: "1-65535"}, everything=True) == {"1-65535": "inconclusive conflicting-evidence open"}


def test_ports_with_a_check_of_their_own_are_left_out() -> None:
    assert told({State.OPEN: "22", State.CLOSED: "1-21,23-30"}, ports="1-21,23-25") == {"1-21,23-25": "pass closed"}


def test_what_is_open_is_exposed() -> None:
    assert told({State.OPEN: "22"}) == {"22": "exposed open"}


def test_the_evidence_has_numbers_and_who_rejected() -> None:
    from probe.model.swept import Rejection

    found = Sweeping(
        source="x1", target="b1", address="10.0.0.2", transport=Transport.UDP, ports="1-9",
        states={State.REJECTED: "1-9"},
        rejections=(Rejection(sender="10.0.9.1", type=3, code=13, ports="1-9"),), sent=12, seconds=1.5, residual=2e-7,
        arrived="4",
    )  # fmt: skip
    (row,) = sweptrows.rows(CHECK, found, PortSet.parse("1-9"), surveyed=True)
    assert [piece.what for piece in row.evidence] == [
        "a sweep with 12 packets in 1.5 s: 9 rejected; a silent port would have answered with a probability of 2e-07",
        "ICMP type 3, code 13 from 10.0.9.1 for 9 ports",
        "datagrams for 1 of these ports arrived at the interface",
    ]


def test_a_sweep_that_did_not_end() -> None:
    row = sweptrows.unmeasured(CHECK, PortSet([(1, 65535)]), Cause.AGENT_LOST, "the agent of x1 was lost: killed")
    assert (row.verdict, row.cause, row.ports, row.state) == (INCONCLUSIVE, Cause.AGENT_LOST, "1-65535", None)
    assert row.unsettled
    assert "killed" in row.detail


@pytest.mark.parametrize("state", list(State))
@pytest.mark.parametrize("surveyed", [True, False])
@pytest.mark.parametrize("everything", [True, False])
def test_no_state_alone_passes_without_an_answer_or_a_survey(state: State, surveyed: bool, everything: bool) -> None:
    (said,) = told({state: "5"}, surveyed=surveyed, everything=everything).values()
    may_pass = not everything and (
        state in (State.CLOSED, State.REJECTED) or (surveyed and state not in (State.OPEN, State.ERROR))
    )
    assert said.startswith("pass") is may_pass
