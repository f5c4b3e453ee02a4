"""Rows of which one is enough: which failures are spared, and what the run then says."""

from __future__ import annotations

import msgspec
import pytest

from probe.cli.exitcodes import Exit, exit_for
from probe.coordinator.alternatives import with_alternatives
from probe.model.check import Check
from probe.model.ports import PortSet
from probe.model.result import CheckResult, Report, RunInfo, summarise
from probe.model.words import Cause, Expect, Listen, Need, Phase, Policy, Protocol, State, Transport, Verdict

PASS = (Verdict.PASS, None, State.OPEN)
BLOCKED = (Verdict.BLOCKED, Cause.NETWORK, State.FILTERED)
DOWN = (Verdict.DOWN, Cause.NOT_LISTENING, State.CLOSED)
REFUSED = (Verdict.INCONCLUSIVE, None, State.CLOSED)
NO_AGENT = (Verdict.INCONCLUSIVE, Cause.NO_AGENT, None)
SILENT = (Verdict.INCONCLUSIVE, Cause.TIMEOUT, State.FILTERED)
Outcome = tuple[Verdict, Cause | None, State | None]


def check(target: str, *alternatives: str, way_of: tuple[str, ...] = (), listen: Listen = Listen.ALL) -> Check:
    return Check(
        id=f"to {target}",
        source="w",
        source_role="web",
        target=target,
        target_role="db",
        address="10.0.0.2",
        transport=Transport.TCP,
        ports=PortSet.of([1, 2]),
        protocol=Protocol.TCP,
        service="sql",
        matrix="shop",
        rule="f",
        expect=Expect.REACH,
        policy=Policy.ENFORCE,
        listen=listen,
        alternatives=alternatives,
        way_of=way_of or alternatives,
    )


def row(asked: Check, outcome: Outcome, ports: str = "1-2", need: Need = Need.REQUIRED) -> CheckResult:
    verdict, cause, state = outcome
    same = {field.name for field in msgspec.structs.fields(Check)} & {
        field.name for field in msgspec.structs.fields(CheckResult)
    }
    words = {name: getattr(asked, name) for name in same} | {"ports": ports, "need": need}
    return CheckResult(**words, verdict=verdict, cause=cause, state=state)


def report(*found: tuple[Check, Outcome]) -> Report:
    """The rows of these checks with these outcomes, once the alternatives are seen to."""
    checks = {asked.id: asked for asked, _ in found if asked.way_of}
    rows = with_alternatives(tuple(row(asked, outcome) for asked, outcome in found), checks)
    run = RunInfo(
        id="1", started="", finished="", phase=Phase.LIVE, matrix=("shop",), inventory="", seed=0, version=""
    )  # fmt: skip
    return Report(run=run, summary=summarise(rows), checks=rows)


def spared(found: Report) -> set[str]:
    return {one.target for one in found.checks if one.instead}


@pytest.mark.parametrize("failure", [BLOCKED, DOWN, REFUSED, NO_AGENT, SILENT])
def test_one_that_passes_spares_the_others(failure: Outcome) -> None:
    found = report((check("d1", "g"), failure), (check("d2", "g"), PASS), (check("d3", "g"), failure))
    assert spared(found) == {"d1", "d3"}
    assert found.checks[0].instead == "one of these ways is enough, and this one is free: sql on d2 (tcp 1-2)"
    assert (found.checks[0].verdict, found.checks[0].cause) == failure[:2]  # told all the same
    assert exit_for(found) is Exit.CONFORMS
    assert (found.summary.deviations, found.summary.advice) == (0, 2)


def test_none_that_passes_spares_nobody() -> None:
    found = report((check("d1", "g"), BLOCKED), (check("d2", "g"), DOWN))
    assert spared(found) == set()
    assert exit_for(found) is Exit.DEVIATIONS
    assert found.summary.deviations == 2


def test_what_was_not_measured_is_no_way() -> None:
    found = report((check("d1", "g"), NO_AGENT), (check("d2", "g"), SILENT))
    assert spared(found) == set()
    assert exit_for(found) is Exit.INCONCLUSIVE


def test_those_of_another_group_do_not_help() -> None:
    found = report((check("d1", "g"), BLOCKED), (check("d2", "h"), PASS), (check("d3"), PASS))
    assert spared(found) == set()
    assert exit_for(found) is Exit.DEVIATIONS


def test_a_range_of_which_a_part_failed_is_no_way() -> None:
    one, other = check("d1", "g"), check("d2", "g")
    rows = (row(one, PASS, "1"), row(one, BLOCKED, "2"), row(other, DOWN))
    assert [each.instead for each in with_alternatives(rows, {one.id: one, other.id: other})] == ["", "", ""]


def test_both_parts_of_a_failing_range_are_seen() -> None:
    one, other = check("d1", "g"), check("d2", "g")
    rows = (row(one, DOWN, "1"), row(one, BLOCKED, "2"), row(other, PASS))
    found = with_alternatives(rows, {one.id: one, other.id: other})
    assert [bool(each.instead) for each in found] == [True, True, False]


class TestWaysOfSeveralRows:
    """A way may be asked for by rows that want one of several, and by rows that want this one."""

    def test_one_that_is_needed_itself_spares_others_and_is_not_spared(self) -> None:
        needed = check("d1", way_of=("g",))
        assert spared(report((needed, PASS), (check("d2", "g"), BLOCKED))) == {"d2"}
        found = report((needed, BLOCKED), (check("d2", "g"), PASS))
        assert (spared(found), exit_for(found)) == (set(), Exit.DEVIATIONS)

    def test_of_two_groups_both_must_have_another_way(self) -> None:
        shared = check("d2", "g", "h")
        assert spared(report((check("d1", "g"), PASS), (shared, BLOCKED), (check("d3", "h"), BLOCKED))) == set()
        assert spared(report((check("d1", "g"), PASS), (shared, BLOCKED), (check("d3", "h"), PASS))) == {"d2"}

    def test_it_stands_in_for_both_of_its_groups(self) -> None:
        shared = check("d2", "g", "h")
        found = report((check("d1", "g"), BLOCKED), (shared, PASS), (check("d3", "h"), BLOCKED))
        assert (spared(found), exit_for(found)) == ({"d1", "d3"}, Exit.CONFORMS)


class TestActive:
    """Only the active member of a role listens. That the way to the others is free must still be known."""

    @staticmethod
    def member(name: str) -> Check:
        return check(name, "sql/tcp", listen=Listen.ACTIVE)

    @pytest.mark.parametrize(
        ("idle", "is_spared", "code"),
        [
            (DOWN, True, Exit.CONFORMS),
            (REFUSED, True, Exit.CONFORMS),
            (BLOCKED, False, Exit.DEVIATIONS),
            ((Verdict.DOWN, Cause.BOUND_ELSEWHERE, State.CLOSED), False, Exit.DEVIATIONS),
            ((Verdict.MISMATCH, Cause.WRONG_SERVICE, State.OPEN), False, Exit.DEVIATIONS),
            (NO_AGENT, False, Exit.INCONCLUSIVE),
            (SILENT, False, Exit.INCONCLUSIVE),
        ],
    )
    def test_the_passive_member(self, idle: Outcome, is_spared: bool, code: Exit) -> None:
        found = report((self.member("d1"), PASS), (self.member("d2"), idle))
        assert spared(found) == ({"d2"} if is_spared else set())
        assert exit_for(found) is code
        if is_spared:
            assert found.checks[1].instead == "the active member is another: sql on d1 (tcp 1-2)"

    def test_without_an_active_one_all_are_down(self) -> None:
        found = report((self.member("d1"), DOWN), (self.member("d2"), DOWN))
        assert (spared(found), exit_for(found)) == (set(), Exit.DEVIATIONS)


def test_what_is_no_way_of_several_stays_as_it_is() -> None:
    rows = (row(check("d1"), BLOCKED), row(check("d2"), PASS))
    assert with_alternatives(rows, {}) is rows
