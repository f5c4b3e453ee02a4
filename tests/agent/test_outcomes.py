"""Outcomes travel as runs of ports, each port once."""

from __future__ import annotations

from probe.agent.outcomes import Outcomes
from probe.model.observation import Failure, Observation, Proof
from probe.model.words import Protocol, State
from probe.probes.attempt import Attempt
from probe.wire.messages import Aim

OPEN = Observation(state=State.OPEN, proof=Proof.KEYED)
SHUT = Observation(state=State.CLOSED, failure=Failure.REFUSED)


def attempt(port: int, seen: Observation | None, task: int = 1, tries: int = 1, ms: float = 1.0) -> Attempt:
    aim = Aim(task=task, target=1, address="10.0.0.1", ports="1", protocol=Protocol.TCP)
    made = Attempt(aim, "10.0.0.1", port)
    made.seen, made.attempts, made.elapsed_ms = seen, tries, ms
    return made


def test_what_is_alike_is_one() -> None:
    outcomes = Outcomes()
    for port in (5, 3, 4, 9):
        outcomes.add(attempt(port, OPEN, ms=float(port)))
    (outcome,) = outcomes.take()
    assert (outcome.task, outcome.ports, outcome.seen, outcome.elapsed_ms) == (1, "3-5,9", OPEN, 9.0)


def test_what_differs_does_not() -> None:
    outcomes = Outcomes()
    for made in (attempt(1, OPEN), attempt(2, SHUT), attempt(3, OPEN, task=2), attempt(4, SHUT, tries=3)):
        outcomes.add(made)
    assert {(outcome.task, outcome.ports, outcome.seen.attempts) for outcome in outcomes.take()} == {
        (1, "1", 1),
        (1, "2", 1),
        (2, "3", 1),
        (1, "4", 3),
    }


def test_it_says_how_many_there_were_and_forgets_what_it_gave() -> None:
    outcomes = Outcomes()
    outcomes.add(attempt(1, OPEN))
    assert len(outcomes.take()) == 1
    assert outcomes.take() == []
    outcomes.add(attempt(2, OPEN))
    assert [outcome.ports for outcome in outcomes.take()] == ["2"]
    assert outcomes.count == 2


def test_what_was_never_tried_is_an_error() -> None:
    outcomes = Outcomes()
    outcomes.add(attempt(1, None, tries=0))
    (outcome,) = outcomes.take()
    assert (outcome.seen.state, outcome.seen.failure) == (State.ERROR, None)


def test_the_quickest_round_trip_stands() -> None:
    outcomes = Outcomes()
    for port, rtt in ((1, None), (2, 3.0), (3, 2.0)):
        made = attempt(port, OPEN)
        made.rtt_ms = rtt
        outcomes.add(made)
    assert outcomes.take()[0].rtt_ms == 2.0
