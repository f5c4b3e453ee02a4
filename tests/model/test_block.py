"""Ports that must not be reached, where both ends have a say."""

from __future__ import annotations

from typing import Any

import pytest

from probe.model.ends import Ends
from probe.model.judge import judge
from probe.model.observation import Failure, Observation, PortUse, Proof, TargetView
from probe.model.words import Expect, Phase, Policy, Protocol, State, Transport

OPEN = Observation(state=State.OPEN, proof=Proof.ACCEPTED)
SILENT = Observation(state=State.OPEN_FILTERED, failure=Failure.TIMEOUT)
REFUSED = Observation(state=State.CLOSED, failure=Failure.REFUSED)


def verdict(situation: Any, seen: Observation, use: str, **more: Any) -> str:
    more.setdefault("phase", Phase.LIVE)
    if seen is SILENT:
        more |= {"protocol": Protocol.UDP, "transport": Transport.UDP}
    found = judge(
        situation(expect=Expect.BLOCK, policy=Policy.ENFORCE, seen=seen, view=TargetView(use=PortUse(use)), **more)
    )
    return f"{found.verdict} {found.cause or ''}".strip()


@pytest.mark.parametrize(
    ("ends", "expected"),
    [
        # A service that need not answer is reached by what its host lets in.
        (Ends(arrived=True, passed=True), "exposed listening"),
        (Ends(arrived=None, passed=True), "exposed listening"),
        (Ends(arrived=True, passed=False), "pass"),
        (Ends(arrived=False, passed=False), "pass"),
        (Ends(arrived=False, passed=None), "pass"),
        (Ends(arrived=True, passed=None), "inconclusive"),
        # The two tallies do not fit together: no verdict rests on them.
        (Ends(arrived=False, passed=True), "inconclusive conflicting-evidence"),
        (Ends(), "inconclusive"),
        (None, "inconclusive"),
    ],
)
def test_a_silent_udp_service(situation: Any, ends: Ends | None, expected: str) -> None:
    assert verdict(situation, SILENT, "listener", ends=ends) == expected


@pytest.mark.parametrize(
    ("ends", "decoy", "expected"),
    [
        (None, False, "exposed listening"),
        (Ends(arrived=True), False, "exposed listening"),
        # Something answers in the place of a listener that was never asked.
        (Ends(arrived=False), False, "inconclusive conflicting-evidence"),
        # Something answers on ports where nothing listens: only what arrived is the listener's.
        (None, True, "inconclusive conflicting-evidence"),
        (Ends(arrived=None), True, "inconclusive conflicting-evidence"),
        (Ends(arrived=True), True, "exposed listening"),
    ],
)
def test_an_accepted_connection(situation: Any, ends: Ends | None, decoy: bool, expected: str) -> None:
    assert verdict(situation, OPEN, "listener", ends=ends, decoy=decoy) == expected


def test_a_port_that_is_open_where_nothing_listens(situation: Any) -> None:
    """Translation, or another machine: it is open all the same."""
    assert verdict(situation, OPEN, "free") == "exposed"
    assert verdict(situation, OPEN, "free", decoy=True) == "inconclusive conflicting-evidence"


def test_a_refusal_is_a_pass(situation: Any) -> None:
    assert verdict(situation, REFUSED, "listener") == "pass"
