"""Rows that ask for the same ports are tried once."""

from __future__ import annotations

import pytest

from probe.coordinator.pieces import Errand, share
from probe.model.check import Check
from probe.model.observation import Observation, TargetView
from probe.model.ports import PortSet
from probe.model.words import Expect, Policy, Protocol, State, Transport
from probe.wire.frames import WireError
from probe.wire.messages import Outcome


def errand(name: str, ports: str, view: TargetView | None = None, **changes: object) -> Errand:
    check: dict[str, object] = {
        "id": name,
        "source": "a",
        "source_role": "x",
        "target": "b",
        "target_role": "y",
        "address": "10.0.0.2",
        "transport": Transport.TCP,
        "ports": PortSet.parse(ports),
        "protocol": Protocol.TCP,
        "service": name,
        "matrix": "m",
        "rule": name,
        "expect": Expect.REACH,
        "policy": Policy.ENFORCE,
    } | changes
    return Errand(Check(**check), PortSet.parse(ports), view or TargetView())  # type: ignore[arg-type]


def outcome(ports: str) -> Outcome:
    return Outcome(task=0, address="10.0.0.2", ports=ports, seen=Observation(state=State.OPEN, attempts=1))


def told(errands: list[Errand]) -> list[tuple[str, str]]:
    return [(one.check.id, str(one.ports)) for one in errands]


def test_the_smaller_follows_the_larger() -> None:
    leaders, followers = share([errand("some", "10-20"), errand("all", "1-100"), errand("past", "95-105")])
    assert told(leaders) == [("all", "1-100"), ("past", "101-105")]
    assert sorted(told(followers)) == [("past", "95-100"), ("some", "10-20")]


def test_a_follower_gets_its_part_of_what_the_other_takes() -> None:
    leaders, followers = share([errand("some", "10-20"), errand("all", "1-100")])
    assert leaders[0].take(outcome("1-15")) == 15
    assert leaders[0].take(outcome("50")) == 1
    assert [(str(piece.ports), piece.seen is not None) for piece in followers[0].finish()] == [
        ("10-15", True),
        ("16-20", False),
    ]
    with pytest.raises(WireError):
        leaders[0].take(outcome("15"))


@pytest.mark.parametrize(
    "changes",
    [
        {"protocol": Protocol.HTTP},
        {"transport": Transport.UDP, "protocol": Protocol.UDP},
        {"address": "10.0.0.3"},
        {"target": "c"},
        {"path": "/health"},
        {"expect": Expect.BLOCK},
        {"view": TargetView(by="somebody")},
    ],
    ids=str,
)
def test_what_is_asked_otherwise_is_asked_apart(changes: dict[str, object]) -> None:
    leaders, followers = share([errand("one", "1-9"), errand("two", "5", **changes)])
    assert told(leaders) == [("one", "1-9"), ("two", "5")]
    assert followers == []
