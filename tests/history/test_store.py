"""Both kinds of history, held against a plain model of what they were told."""

from __future__ import annotations

import datetime as dt
from itertools import count, pairwise
from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import given as givens
from hypothesis import settings
from hypothesis import strategies as st

from probe.history import trends
from probe.history.compare import compare
from probe.history.outline import outline
from probe.history.retention import Retention
from probe.history.runs import audit_number, finished_runs
from probe.history.store import History, NotKept
from probe.history.trends import TURNS, WINDOW
from probe.history.values import RunState, run_name
from probe.model.certificate import TlsSeen
from probe.model.change import Change, Turn
from probe.model.ports import PortSet
from probe.model.result import Evidence, Report
from probe.model.words import Exposure, Need, Verdict

from ..report import example  # noqa: TID252  (tests are no package)
from .reports import FAILS, PLACES, PORTS, cells, letters, report, row, rows_of
from .test_compare import expected, looked, open_port

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from probe.history.database import Session
    from probe.model.change import Changes
    from probe.model.result import CheckResult

_NUMBERS = count()
Place = tuple[str, int]


@st.composite
def pasts(draw: st.DrawFn) -> list[Report]:
    """Some runs, of a few that are alike: so that things go on, come back, and go to and fro."""
    few = draw(st.lists(cells, min_size=1, max_size=4))
    order = draw(st.lists(st.integers(0, len(few) - 1), min_size=1, max_size=16))
    said = draw(st.lists(st.sampled_from(["", "silence", "a refusal"]), min_size=len(order), max_size=len(order)))
    return [
        report(rows_of(few[at], text), number) for number, (at, text) in enumerate(zip(order, said, strict=True), 1)
    ]


@st.composite
def listeners(draw: st.DrawFn) -> list[Report]:
    """Three runs in which something listens on ports of no name, and some ports have a name."""
    ports = st.sets(st.sampled_from(("22", "80", "6379")))
    return [
        looked(
            [
                row("a", "p"),
                *(open_port(one, f"u{one}") for one in sorted(draw(ports))),
                *(row(f"r{one}", "p", one) for one in sorted(draw(ports))),
            ],
            number,
        )
        for number in range(1, 4)
    ]


def held_against_model(
    examples: int, runs: st.SearchStrategy[list[Report]] | None = None
) -> Callable[[Callable[[History, list[Report]], None]], Callable[..., None]]:
    """A property of the past of one audit. One history serves all examples: each has an audit of its own. With a server
    they take longer, and a few of them tell whether it understands the same SQL.
    """

    def wrap(test: Callable[[History, list[Report]], None]) -> Callable[..., None]:
        def run(history: History, place: str) -> None:
            @settings(max_examples=4 if "://" in place else examples)
            @givens(runs if runs is not None else pasts())
            def each(past: list[Report]) -> None:
                test(history, past)

            each()

        run.__name__, run.__doc__ = test.__name__, test.__doc__
        return run

    return wrap


def recorded(history: History, past: Sequence[Report]) -> tuple[str, list[Changes]]:
    audit = f"audit {next(_NUMBERS)}"
    return audit, [history.record(audit, one)[1] for one in past]


def essence(rows: Sequence[CheckResult]) -> list[CheckResult]:
    """Rows less what a history keeps only of the run that first saw it."""
    kept = [
        msgspec.structs.replace(
            one,
            elapsed_ms=None,
            rtt_ms=None,
            **({"evidence": (), "detail": "", "advice": ""} if one.verdict is Verdict.PASS else {}),
        )
        for one in rows
    ]
    return sorted(kept, key=lambda one: (one.id, one.address, PortSet.parse(one.ports).ranges))


def told(changes: Changes) -> dict[Place, tuple[Turn, int | None, int, int]]:
    found: dict[Place, tuple[Turn, int | None, int, int]] = {}
    for change in changes.changes:
        for port in PortSet.parse(change.ports):
            assert (change.row.id, port) not in found
            found[change.row.id, port] = (change.turn, change.since_run, change.failing, change.runs)
    return found


def restless(fates: list[bool]) -> bool:
    return sum(one != two for one, two in pairwise(fates)) >= TURNS


def model(past: Sequence[Report]) -> dict[Place, tuple[Turn, int | None, int, int]]:
    """What is to be told of the last of these runs, port by port."""
    seen = [letters(one) for one in past]
    found: dict[Place, tuple[Turn, int | None, int, int]] = {}
    for place in {place for one in seen for place in one}:
        line = [one.get(place) for one in seen]
        turn = expected(line[-2] if len(line) > 1 else None, line[-1])
        checked = [letter for letter in line[-WINDOW:] if letter is not None]
        wavers = restless([letter in FAILS for letter in checked if letter != "i"])
        flickers = restless([letter == "i" for letter in checked])
        known = line[-1] is not None and line[-1] != "i"
        if (known and (wavers or flickers)) or (turn is Turn.UNMEASURED and flickers):
            turn = Turn.FLAPPING
        if turn is None:
            continue
        since = None
        for number in range(len(line), 0, -1):
            if line[number - 1] not in FAILS:
                break
            since = number
        found[place] = (turn, since, sum(letter in FAILS for letter in line[-WINDOW:] if letter), len(line[-WINDOW:]))
    return found


@held_against_model(30)
def test_runs_and_changes_are_as_they_were(history: History, past: list[Report]) -> None:
    audit, changes = recorded(history, past)
    for number, (one, change) in enumerate(zip(past, changes, strict=True), 1):
        again = history.report(audit, number)
        assert essence(again.checks) == essence(one.checks)
        assert (again.run, again.summary) == (one.run, one.summary)
        assert told(change) == model(past[:number])
        assert history.changes(audit, None, number) == change or told(history.changes(audit, None, number)) == told(
            change
        )


def as_of_all_rows(history: History, audit: str, old: int, new: int) -> Changes:
    """What changed, told by all rows of both runs and not only by those that a history finds worth reading."""
    older, newer = history.report(audit, old), history.report(audit, new)

    def work(session: Session) -> Changes:
        number = audit_number(session, audit)
        finished = finished_runs(session, number, new)
        seen = outline(session, number, old, finished)
        changes = msgspec.structs.replace(compare(older, newer), names=(run_name(audit, old), run_name(audit, new)))
        return trends.told(session, number, finished, seen, changes, older.checks, newer.checks)

    return history._database.read(work)


@held_against_model(25)
def test_any_two_runs_can_be_compared(history: History, past: list[Report]) -> None:
    audit, _ = recorded(history, past)
    for old, new in {(1, len(past)), (len(past), 1), (max(1, len(past) - 1), len(past))}:
        first, last = letters(past[old - 1]), letters(past[new - 1])
        changes = history.changes(audit, old, new)
        found = told(changes)
        for place in first.keys() | last.keys():
            turn = expected(first.get(place), last.get(place))
            given = found.get(place, (None,))[0]
            assert given == turn or given is Turn.FLAPPING, place
        assert changes == as_of_all_rows(history, audit, old, new) == history.told(audit, new, old)[1]


@held_against_model(25, listeners())
def test_a_listener_that_is_gone_is_told_as_of_all_rows(history: History, past: list[Report]) -> None:
    """Whether its port was asked under another rule is in a row that passes, which nobody would read otherwise."""
    audit, _ = recorded(history, past)
    for old, new in ((1, 2), (2, 3), (1, 3), (3, 1)):
        assert history.changes(audit, old, new) == as_of_all_rows(history, audit, old, new)


@held_against_model(25)
def test_the_life_of_a_check_has_each_run_once(history: History, past: list[Report]) -> None:
    audit, _ = recorded(history, past)
    for id_, address in PLACES:
        found = [one for one in history.intervals(audit, id_) if one.row.address == address]
        assert [one.last for one in found] == sorted((one.last for one in found), reverse=True)
        for number, one in enumerate(past, 1):
            was = {port: each for each in one.checks if (each.id, each.address) == (id_, address)
                   for port in PortSet.parse(each.ports)}  # fmt: skip
            for port in PORTS:
                now = [
                    each
                    for each in found
                    if each.first <= number <= each.last and port in PortSet.parse(each.row.ports)
                ]
                assert [(each.row.verdict, each.row.cause, each.row.waived) for each in now] == [
                    (each.verdict, each.cause, each.waived) for each in ([was[port]] if port in was else [])
                ]
        joined = [(one.first, one.last, one.row.verdict, one.row.cause, one.row.waived) for one in found]
        assert len(set(joined)) == len(joined), "what went on is told in pieces"


@held_against_model(12)
def test_pruning_changes_nothing_that_newer_runs_say(history: History, past: list[Report]) -> None:
    audit, changes = recorded(history, past)
    before = [history.report(audit, number) for number in range(1, len(past) + 1)]
    now = dt.datetime.fromisoformat(past[-1].run.started)
    for days in (9, 1):
        oldest = max(1, min(len(past) - days, len(past) - 1))
        keep = Retention(days=days, failures_days=10_000)
        planned = history.prune(keep, now=now, dry_run=True)
        done = history.prune(keep, now=now)
        assert (planned.runs, planned.thinned) == (done.runs, done.thinned)
        for number in range(oldest, len(past) + 1):
            again, was = history.report(audit, number), before[number - 1]
            assert msgspec.structs.replace(again, checks=()) == msgspec.structs.replace(was, checks=())
            assert set(again.checks) == set(was.checks)
            assert told(history.changes(audit, None, number)) == told(changes[number - 1])
        for number in range(1, oldest):
            try:
                thin = history.report(audit, number)
            except NotKept:
                continue
            kept = [one for one in past[number - 1].checks if one.verdict is not Verdict.PASS]
            assert [one for one in essence(thin.checks) if one.verdict is not Verdict.PASS] == essence(kept)
    history.prune(Retention(days=0, failures_days=0), now=now)
    least = max(1, len(past) - 1 - WINDOW)
    assert [run.number for run in history.runs(audit)] == list(range(len(past), least - 1, -1))
    assert told(history.changes(audit, None, len(past))).keys() == told(changes[-1]).keys()


def test_a_report_with_everything_comes_back_whole(history: History) -> None:
    for number, (name, one) in enumerate(example.examples().items(), 1):
        run = msgspec.structs.replace(one.run, id=name)
        given = msgspec.structs.replace(one, run=run)
        record, _ = history.record("all", given)
        assert record.number == number
        if one.run.interrupted:
            continue
        again = history.report("all", record.number)
        assert essence(again.checks) == essence(given.checks)
        kept = msgspec.structs.replace(again, checks=given.checks, notes=given.notes)
        assert kept == given
        assert set(again.notes) >= set(given.notes)


def test_an_unchanged_run_writes_no_rows(history: History) -> None:
    rows = [row("a", "p", evidence=(Evidence(at="source", what="it said hello"),)), row("b", "n")]
    history.record("x", report(rows, 1))
    again = [msgspec.structs.replace(one, elapsed_ms=9.0) for one in rows]
    again[0] = msgspec.structs.replace(again[0], evidence=(), detail="another sentence")
    before = counted(history)
    history.record("x", report(again, 2))
    after = counted(history)
    assert {table for table in before if before[table] != after[table]} == {"runs", "parts", "documents"}
    assert after["documents"] == before["documents"] + 2  # the run's own particulars, and that nothing changed
    assert "first saw it so" in history.report("x", 2).notes[-1]
    assert history.report("x", 1).notes == ()


def counted(history: History) -> dict[str, int]:
    tables = ("runs", "parts", "documents", "checks", "intervals", "sights")
    return history._database.read(
        lambda session: {table: session.rows(f"SELECT count(*) FROM {table}")[0][0] for table in tables}
    )


def test_what_fails_shows_the_evidence_of_its_run(history: History) -> None:
    said = ["3 SYN", "3 SYN", "4 SYN", "3 SYN"]
    for number, text in enumerate(said, 1):
        history.record("x", report([row("a", "n", evidence=(Evidence(at="source", what=text),))], number))
    assert [history.report("x", number).checks[0].evidence[0].what for number in range(1, 5)] == said
    assert counted(history)["sights"] == 3
    (life,) = history.intervals("x", "a")
    assert (life.first, life.last, life.row.evidence[0].what) == (1, 4, "3 SYN")
    assert (life.since, life.until) == ("2026-01-01T02:00:00Z", "2026-01-04T02:00:00Z")


def test_since_when_it_fails_however_the_cause_changed(history: History) -> None:
    changes = Change(turn=Turn.NEW, ports="", now=None, before=None)
    for number, letter in enumerate("pntdd", 1):
        (changes,) = history.record("x", report([row("a", letter)], number))[1].changes or (changes,)
    assert (changes.turn, changes.since_run, changes.since) == (Turn.STILL, 2, "2026-01-02T02:00:00Z")
    assert (changes.failing, changes.runs) == (4, 5)


def test_what_goes_to_and_fro_is_told_as_such_until_it_has_been_quiet(history: History) -> None:
    turns = []
    for number, letter in enumerate("npnppipppppppppn", 1):
        found = history.record("x", report([row("a", letter)], number))[1].changes
        assert history.changes("x", None, number).changes == found
        turns.append(found[0].turn if found else None)
    to_and_fro = [Turn.FLAPPING] * 5
    # The third turn is in run 4. What was not measured is no turn, and is told as that. Run 11 no longer sees run 1.
    assert turns[:5] == [Turn.NEW, Turn.FIXED, Turn.NEW, Turn.FLAPPING, Turn.FLAPPING]
    assert turns[5:11] == [Turn.UNMEASURED, *to_and_fro[:4], None]
    assert turns[11:] == [None, None, None, None, Turn.NEW]


@pytest.mark.parametrize("other", "np")
def test_what_is_measured_by_turns_is_told_as_such(history: History, other: str) -> None:
    """A host that is there every other night, say: whether it fails then or passes."""
    turns = []
    for number, letter in enumerate(other + "ioioiooooooooo".replace("o", other), 1):
        found = history.record("x", report([row("a", letter)], number))[1].changes
        turns.append(found[0].turn if found else None)
    back, quiet = (Turn.NEW, Turn.STILL) if other == "n" else (Turn.MEASURED, None)
    first = Turn.NEW if other == "n" else None
    assert turns[:3] == [first, Turn.UNMEASURED, back]
    assert turns[3:13] == [Turn.FLAPPING] * 10
    assert turns[13:] == [quiet, quiet]


def test_a_host_that_was_off_for_some_nights_does_not_flap(history: History) -> None:
    turns = []
    for number, letter in enumerate("ppiiiippppp", 1):
        changes = history.record("x", report([row("a", letter)], number))[1].changes
        turns += [change.turn for change in changes]
    assert turns == [Turn.UNMEASURED, Turn.MEASURED]


def test_what_no_service_names_has_one_past_whatever_its_row_is_called(history: History) -> None:
    swept = open_port("6379", "whole", cause=None, listener=None)
    told_so = []
    for number, rows in enumerate(([swept], [open_port()], [open_port()], [row("a", "p")], [swept]), 1):
        changes = history.record("x", looked(rows, number, Exposure.ALL))[1].changes
        told_so += [(change.turn, change.since_run, change.failing, change.runs) for change in changes]
    assert told_so == [
        (Turn.NEW, 1, 1, 1),
        (Turn.CHANGED, 1, 2, 2),
        (Turn.STILL, 1, 3, 3),
        (Turn.FIXED, None, 3, 4),
        (Turn.NEW, 5, 4, 5),
    ]


def test_the_evidence_of_runs_that_are_kept_outlives_the_cut(history: History) -> None:
    for number in range(1, 31):
        said = Evidence(at="source", what=f"said by {number // 4}")
        tls = TlsSeen(version="1.3", cipher=f"C{number // 4}")
        history.record("x", report([row("a", "n", evidence=(said,)), row("b", "p", tls=tls)], number))
    before = {number: history.report("x", number) for number in range(1, 31)}
    history.prune(Retention(days=0, failures_days=0), now=dt.datetime(2030, 1, 1, tzinfo=dt.UTC))
    kept = [run.number for run in history.runs("x")]
    assert kept == list(range(30, 18, -1))
    assert {number: history.report("x", number) for number in kept} == {number: before[number] for number in kept}
    assert [(one.first, one.last) for one in history.intervals("x", "a")] == [(19, 30)]
    assert counted(history)["sights"] == 2 * 4


def test_what_is_left_of_a_run_never_tells_another_outcome(history: History) -> None:
    spare = row("a", "i", need=Need.OPTIONAL)
    for number in range(1, 30):
        history.record("x", report([spare, row("b", "p")], number))
    assert history.report("x", 1).summary.passed == 1
    history.prune(Retention(days=0), now=dt.datetime(2026, 2, 1, tzinfo=dt.UTC))
    with pytest.raises(NotKept, match="only how it ended is kept: conforms"):
        history.report("x", 1)


def test_what_came_to_nothing_before_the_first_finished_run_is_kept_as_long_as_failures(history: History) -> None:
    history.fail("x", "run-1", "2026-01-01T02:00:00Z", RunState.FAILED, "no inventory")
    history.begin("x", "run-2", "2026-01-02T02:00:00Z")
    history.recover("x")
    for number in (3, 4):
        history.record("x", report([row("a", "p")], number))
    day = dt.datetime(2026, 1, 5, tzinfo=dt.UTC)
    assert history.prune(Retention(days=0, failures_days=3), now=day).runs == 1
    assert [run.state for run in history.runs("x")] == [RunState.FINISHED, RunState.FINISHED, RunState.LOST]
    assert history.prune(Retention(days=0, failures_days=0), now=day).runs == 1


def test_a_run_told_twice_is_there_once(history: History) -> None:
    first, second = report([row("a", "p")], 1), report([row("a", "n")], 2)
    history.record("x", first)
    told_once = history.record("x", second)
    assert history.record("x", second) == told_once
    assert [run.number for run in history.runs("x")] == [2, 1]


def test_how_runs_end(history: History) -> None:
    begun = history.begin("x", "run-1", "2026-01-01T02:00:00Z")
    assert (begun.number, begun.state, begun.summary) == (1, RunState.RUNNING, None)
    assert history.begin("x", "run-1", "2026-01-01T02:00:00Z") == begun
    record, changes = history.record("x", report([row("a", "n"), row("b", "p")], 1))
    assert (record.number, record.state, record.outcome, record.seconds) == (1, RunState.FINISHED, "deviations", 90.0)
    assert [change.turn for change in changes.changes] == [Turn.NEW]
    cut, nothing = history.record("x", report([row("a", "p")], 2, interrupted=True))
    assert (cut.state, cut.outcome, nothing.changes) == (RunState.INTERRUPTED, "interrupted", ())
    assert cut.summary is not None
    failed = history.fail("x", "run-3", "2026-01-03T02:00:00Z", RunState.FAILED, "no \x1b[31magent\n  hint: start it")
    assert (failed.number, failed.problem) == (3, "no \\x1b[31magent\n  hint: start it")
    assert history.fail("x", "run-1", "2026-01-01T02:00:00Z", RunState.FAILED, "too late") == record
    history.begin("x", "run-4", "2026-01-04T02:00:00Z")
    assert [(run.number, run.state) for run in history.recover("x")] == [(4, RunState.LOST)]
    assert history.recover("x") == ()
    # The run that was thought to be lost has left a report after all.
    assert history.record("x", report([row("a", "n")], 4))[0].state is RunState.FINISHED
    assert history.changes("x", None, 4).changes[0].since_run == 1
    for number in (2, 3, 9):
        with pytest.raises(NotKept, match="hint"):
            history.report("x", number)
    assert [run.number for run in history.runs("x", limit=2, before=4)] == [3, 2]
    (audit,) = history.audits()
    assert (audit.name, audit.runs) == ("x", 4)
    assert audit.latest == audit.finished == history.run("x", 4)


def test_a_report_that_comes_after_that_of_a_later_run_does_not_pass_for_the_newest(history: History) -> None:
    history.begin("x", "run-1", "2026-01-01T02:00:00Z")
    history.record("x", report([row("a", "p")], 2))
    late, changes = history.record("x", report([row("a", "n")], 1))
    assert (late.number, late.state, changes.changes) == (1, RunState.LOST, ())
    assert "after that of run 2" in late.problem
    assert history.report("x", 2).checks[0].verdict is Verdict.PASS


def test_an_audit_that_nobody_knows_has_nothing(history: History) -> None:
    assert history.audits() == ()
    assert history.runs("x") == ()
    assert history.intervals("x", "a") == ()
    assert history.recover("x") == ()
    with pytest.raises(NotKept, match="audit 'x' has no run 1"):
        history.run("x", 1)


def test_audits_do_not_mix(history: History) -> None:
    history.record("x", report([row("a", "n")], 1))
    history.record("y", report([row("a", "p")], 1))
    assert [change.turn for change in history.record("y", report([row("a", "n")], 2))[1].changes] == [Turn.NEW]
    assert history.changes("x", None, 1).changes[0].runs == 1
    assert [audit.name for audit in history.audits()] == ["x", "y"]


def test_the_oldest_runs_are_dropped_by_count(history: History) -> None:
    for number in range(1, 31):
        history.record("x", report([row("a", "n" if number == 3 else "p")], number))
    now = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
    done = history.prune(Retention(runs=5, failures_days=57), now=now)
    # The 26th is the oldest that is wanted, and looks back over ten.
    assert (done.runs, done.thinned) == (2, 13)
    assert history.report("x", 3).checks[0].verdict is Verdict.BLOCKED
    assert "only what did not pass" in history.report("x", 3).notes[0]
    with pytest.raises(NotKept, match="only how it ended is kept: conforms"):
        history.report("x", 4)
    with pytest.raises(NotKept):
        history.run("x", 2)
    assert len(history.report("x", 16).checks) == 1
    assert history.prune(Retention(runs=5, failures_days=57), now=now).thinned == 0
    assert history.record("x", report([row("a", "p")], 31))[0].number == 31


def test_one_coordinator_at_a_time_has_an_audit(opened: Callable[[], History]) -> None:
    one, two = opened(), opened()
    lock = one.lock("x")
    assert lock is not None
    assert two.lock("x") is None
    assert one.lock("x") is None
    other = two.lock("y")
    assert other is not None
    with lock:
        pass
    again = two.lock("x")
    assert again is not None
    with other, again:
        pass


def test_two_coordinators_write_side_by_side(opened: Callable[[], History]) -> None:
    one, two = opened(), opened()
    assert one.begin("x", "run-1", "2026-01-01T02:00:00Z").number == 1
    assert two.begin("x", "run-2", "2026-01-02T02:00:00Z").number == 2
    one.record("x", report([row("a", "n")], 1))
    assert two.record("x", report([row("a", "n")], 2))[1].changes[0].since_run == 1


def test_text_that_json_cannot_hold(history: History) -> None:
    hostile = row("a", "n", detail="\udcff\x00<script>", evidence=(Evidence(at="source", what="\x1b[2J"),))
    history.record("x", report([hostile], 1))
    assert history.report("x", 1).checks[0].detail == "\\udcff\x00<script>"
