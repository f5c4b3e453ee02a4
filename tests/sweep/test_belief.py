"""When silence is believed, and what a target's evidence says of loss, limits and fickle ports. No packet is sent."""

from __future__ import annotations

import random

import pytest

from probe.model.ports import PortSet
from probe.model.words import State, Transport
from probe.sweep.belief import Round, believed, chance, residual
from probe.sweep.evidence import CLOSED, OPEN, SLOTS, Evidence, Refused

REJECTED = Refused(State.REJECTED, "192.0.2.1", 3, 13)


def rounds(*counts: tuple[int, int]) -> list[Round]:
    made = []
    for hits, misses in counts:
        each = Round()
        each.hits, each.misses = hits, misses
        made.append(each)
    return made


def simulated(
    truth: dict[int, int], loss: float, seed: int, most: int = SLOTS, fickle: frozenset[int] = frozenset()
) -> Evidence:
    """Rounds until believed, over a path that loses so many round trips."""
    chances = random.Random(seed)
    evidence = Evidence(PortSet([(1, 3000)]), Transport.TCP)
    for _ in range(most):
        canaries = evidence.canaries(256, 32)
        slot = evidence.begin(whole=True)
        asked = [*evidence.silent, *canaries]
        evidence.ask(asked, slot)
        for port in asked:
            if port in truth and chances.random() >= loss and not (port in fickle and chances.random() < 0.5):
                evidence.answer(port, slot, truth[port])
        evidence.still_silent()
        if not evidence.silent or evidence.is_believed:
            break
    return evidence


def test_nobody_answers_four_rounds() -> None:
    assert not believed(rounds((0, 0), (0, 0), (0, 0)), 0)
    assert believed(rounds((0, 0), (0, 0), (0, 0), (0, 0)), 0)


def test_no_loss_seen_at_many_ports_two_rounds() -> None:
    assert not believed(rounds((1004, 0)), 1004)
    assert believed(rounds((1004, 0), (1004, 0)), 1004)


def test_the_more_answer_the_surer_it_must_be() -> None:
    seen = rounds(*[(900, 100)] * 6)
    assert believed(seen, 100)
    assert not believed(seen, 60_000)


def test_a_round_with_nearly_everything_lost_says_nearly_nothing() -> None:
    assert residual(rounds((10, 990), (1000, 0))) > 0.5 * residual(rounds((1000, 0)))


@pytest.mark.parametrize("loss", [0.0, 0.1, 0.4])
@pytest.mark.parametrize("seed", range(5))
def test_exact_at_the_end_whatever_the_loss(loss: float, seed: int) -> None:
    truth = {port: OPEN if port % 50 == 0 else CLOSED for port in range(1, 3001, 3)}
    evidence = simulated(truth, loss, seed)
    states = evidence.states(State.FILTERED)
    assert PortSet.parse(states[State.OPEN]) == PortSet.of(port for port in truth if truth[port] == OPEN)
    assert PortSet.parse(states[State.CLOSED]) == PortSet.of(port for port in truth if truth[port] == CLOSED)
    assert evidence.is_believed
    assert evidence.residual < 1e-6
    assert abs(evidence.loss - loss) < 0.05
    assert not evidence.fickle()


def test_loss_is_told_from_ports_that_answer_only_sometimes() -> None:
    truth = dict.fromkeys(range(1, 2001), CLOSED)
    evidence = simulated(truth, 0.0, 1)
    for _ in range(8):
        slot = evidence.begin(whole=False)
        evidence.ask([5, 6], slot)
        evidence.answer(5, slot, CLOSED)
    assert evidence.doubtful(8) == [6]
    assert evidence.fickle() == [6]


def test_another_answer_is_told_and_the_last_one_holds() -> None:
    evidence = Evidence(PortSet([(1, 3)]), Transport.TCP)
    for code in (CLOSED, OPEN):
        slot = evidence.begin(whole=True)
        evidence.ask([1, 2, 3], slot)
        for port in (1, 2, 3):
            evidence.answer(port, slot, CLOSED if port != 2 else code)
    assert evidence.states(State.FILTERED) == {State.CLOSED: "1,3", State.OPEN: "2"}
    assert evidence.fickle() == [2]


def test_an_answer_to_nothing_asked_or_the_same_again_counts_for_nothing() -> None:
    evidence = Evidence(PortSet([(1, 3)]), Transport.TCP)
    slot = evidence.begin(whole=True)
    evidence.ask([1, 2], slot)
    assert not evidence.answer(3, slot, OPEN)
    assert not evidence.answer(1, slot + 1, OPEN)
    assert evidence.answer(1, slot, OPEN)
    assert not evidence.answer(1, slot, OPEN)
    assert (evidence.answers, evidence.outstanding(slot)) == (1, 1)
    assert evidence.states(State.FILTERED) == {State.OPEN: "1", State.FILTERED: "2", State.ERROR: "3"}


def test_a_limit_on_icmp_errors_is_no_loss() -> None:
    """Three of a thousand rejected ports are told in each round; the target's own ports answer every time."""
    evidence = Evidence(PortSet([(1, 1100)]), Transport.TCP)
    code = evidence.refused(REJECTED)
    for number in range(3):
        slot = evidence.begin(whole=True)
        asked = [*evidence.silent, *evidence.canaries(256, 32)]
        evidence.ask(asked, slot)
        for port in asked:
            if port > 1000:
                evidence.answer(port, slot, CLOSED)
        for port in range(1 + 3 * number, 4 + 3 * number):
            evidence.answer(port, slot, code)
        evidence.still_silent()
    assert evidence.is_limited
    assert evidence.loss == 0
    assert evidence.is_believed
    assert evidence.refusals() == [(REJECTED, "1-9")]


def test_what_did_not_leave_was_not_asked() -> None:
    evidence = Evidence(PortSet([(1, 4)]), Transport.TCP)
    slot = evidence.begin(whole=True)
    evidence.ask([1, 2, 3, 4], slot)
    evidence.answer(4, slot, CLOSED)
    evidence.unsent(1, slot, refused=True)
    evidence.unsent(2, slot)
    assert evidence.outstanding(slot) == 1
    assert not evidence.answer(1, slot, OPEN)
    assert evidence.states(State.FILTERED) == {
        State.REJECTED: "1",
        State.ERROR: "2",
        State.FILTERED: "3",
        State.CLOSED: "4",
    }
    assert evidence.refusals() == [(Refused(State.REJECTED, "", 0, 0), "1")]


def test_a_closed_udp_port_is_told_by_icmp() -> None:
    evidence = Evidence(PortSet([(1, 2)]), Transport.UDP)
    slot = evidence.begin(whole=True)
    evidence.ask([1, 2], slot)
    evidence.answer(1, slot, CLOSED)
    evidence.answer(2, slot, OPEN)
    assert (evidence.rounds[slot].hits, evidence.refusal_rounds[slot].hits) == (1, 1)


def test_a_flood_of_different_refusals_has_an_end() -> None:
    evidence = Evidence(PortSet([(1, 3000)]), Transport.TCP)
    slot = evidence.begin(whole=True)
    evidence.ask(range(1, 3001), slot)
    for port in range(1, 3001):
        evidence.answer(port, slot, evidence.refused(Refused(State.REJECTED, f"192.0.2.{port}", 3, 13)))
    assert len(evidence.refusals()) == 201
    assert evidence.refusals()[-1] == (Refused(State.REJECTED, "", 3, 0), "201-3000")
    assert evidence.states(State.FILTERED) == {State.REJECTED: "1-3000"}


def test_chance() -> None:
    assert chance(0, 5, 0.3) == pytest.approx(1)
    assert chance(5, 5, 0.5) == pytest.approx(1 / 32)
    assert chance(1, 3, 0.1) == pytest.approx(1 - 0.9**3)


@pytest.mark.parametrize(("code", "silent"), [(None, State.UNREACHABLE), (CLOSED, State.FILTERED)])
def test_a_host_that_cannot_be_reached_is_so_on_every_port(code: int | None, silent: State) -> None:
    evidence = Evidence(PortSet([(1, 4)]), Transport.TCP)
    slot = evidence.begin(whole=True)
    evidence.ask([1, 2, 3, 4], slot)
    evidence.answer(1, slot, evidence.refused(Refused(State.UNREACHABLE, "192.0.2.1", 3, 1)))
    if code is not None:
        evidence.answer(2, slot, code)
    evidence.still_silent()
    assert evidence.spread_unreachable() == (code is None)
    assert {3, 4} <= set(PortSet.parse(evidence.states(State.FILTERED)[silent]))
