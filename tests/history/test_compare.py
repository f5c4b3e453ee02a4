"""What changed between two reports."""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.history.compare import compare
from probe.model.change import Change, Turn
from probe.model.exposed import Exposed, Listener, Standing, Unnamed
from probe.model.ports import PortSet
from probe.model.result import AgentInfo, CheckResult, HostResult, Report
from probe.model.words import Cause, Exposure, Policy, Transport, Verdict

from .reports import FAILS, cells, failed, letters, report, row, rows_of, split


def by_port(changes: tuple[Change, ...]) -> dict[tuple[str, int], tuple[Turn, Any, Any]]:
    """Each port of each check with its turn, and what it was and is."""
    told: dict[tuple[str, int], tuple[Turn, Any, Any]] = {}
    for change in changes:
        outcomes = [(one.verdict, one.cause, one.deviates) if one else None for one in (change.before, change.now)]
        for port in PortSet.parse(change.ports):
            assert (change.row.id, port) not in told, "a port is in two changes"
            told[change.row.id, port] = (change.turn, *outcomes)
    return told


def expected(old: str | None, new: str | None) -> Turn | None:
    """By the letters of tests.history.reports, as one would say it."""
    match old, new:
        case _, None:
            return Turn.GONE if old is not None and old != "p" else None
        case _, "i":
            return Turn.UNMEASURED if old != "i" else None
        case _, "p":
            return Turn.FIXED if old in FAILS else Turn.MEASURED if old == "i" else None
        case _ if old not in FAILS:
            return Turn.NEW
        case _:
            return Turn.STILL if old == new else Turn.CHANGED


@given(cells, cells)
def test_every_port_is_told_once_and_as_one_would(one: Any, two: Any) -> None:
    old, new = report(rows_of(one)), report(rows_of(two), 2)
    told = by_port(compare(old, new).changes)
    was, is_ = letters(old), letters(new)
    wanted = {place: expected(was.get(place), is_.get(place)) for place in was.keys() | is_.keys()}
    assert {place: turn for place, (turn, *_) in told.items()} == {
        place: turn for place, turn in wanted.items() if turn is not None
    }
    assert failed(old) | failed(new) <= told.keys()


@given(cells)
def test_what_is_compared_with_itself_is_still_there(one: Any) -> None:
    found = report(rows_of(one))
    changes = compare(found, found)
    assert {change.turn for change in changes.changes} <= {Turn.STILL}
    assert (changes.appeared, changes.vanished) == (0, 0)


@given(st.data(), cells, cells)
def test_how_a_run_cut_its_rows_does_not_matter(data: st.DataObject, one: Any, two: Any) -> None:
    old, new = report(rows_of(one)), report(rows_of(two), 2)
    cut = compare(data.draw(split(old)), data.draw(split(new)))
    assert by_port(cut.changes) == by_port(compare(old, new).changes)


plain = st.fixed_dictionaries({("a", "10.0.0.1"): st.text("pn", min_size=8, max_size=8)})


@given(plain, plain)
def test_what_is_new_one_way_is_fixed_the_other(one: Any, two: Any) -> None:
    old, new = report(rows_of(one)), report(rows_of(two), 2)
    there, back = compare(old, new), compare(new, old)

    def ports(found: tuple[Change, ...]) -> PortSet:
        return PortSet(span for change in found for span in PortSet.parse(change.ports).ranges)

    assert ports(there.of(Turn.NEW)) == ports(back.of(Turn.FIXED))
    assert ports(there.of(Turn.FIXED)) == ports(back.of(Turn.NEW))


def test_without_an_older_run_all_that_fails_is_new() -> None:
    changes = compare(None, report([row("a", "n"), row("b", "p"), row("c", "i")]))
    assert [(change.turn, change.row.id) for change in changes.changes] == [(Turn.NEW, "a"), (Turn.UNMEASURED, "c")]
    assert (changes.old, changes.appeared) == (None, 3)


def test_what_counts_is_told_before_what_does_not() -> None:
    advice = row("a", "n", policy=Policy.ADVISE)
    changes = compare(report([]), report([advice, row("b", "n"), row("c", "i"), row("d", "d")], 2))
    assert [change.row.id for change in changes.changes] == ["b", "d", "a", "c"]


def test_a_waiver_that_is_new_changes_a_row_and_so_does_its_end() -> None:
    plain, waived = report([row("a", "n")]), report([row("a", "w")], 2)
    assert [change.turn for change in compare(plain, waived).changes] == [Turn.CHANGED]
    (change,) = compare(waived, plain).changes
    assert (change.turn, change.counts) == (Turn.CHANGED, True)


# --- what no service names: a row only where something listens -------------------------------------------------------

HOLDER = Listener(address="0.0.0.0", process="redis", pid=7, user="redis")
AGENT = AgentInfo(version="0.1.0")


def open_port(port: str = "6379", id_: str = "u", **given: Any) -> CheckResult:
    values = {
        "undeclared": True,
        "verdict": Verdict.EXPOSED,
        "cause": Cause.LISTENING,
        "listener": HOLDER,
        "service": "undeclared",
        "rule": "policy.inside",
    }
    return row(id_, "p", port, **(values | given))


def looked(rows: list[CheckResult], number: int, scope: Exposure = Exposure.LISTENING, **given: Any) -> Report:
    hosts = given.pop(
        "hosts", tuple(HostResult(name=name, addresses=(at,), agent=AGENT) for name, at in
                       (("w1", "10.0.0.9"), ("d1", "10.0.0.1")))
    )  # fmt: skip
    ssh = Standing(entry="ssh", transport=Transport.TCP, ports="22", who="any", targets=("d1",))
    values = {"scope": scope, "standing": (ssh,)} | given.pop("exposure", {})
    return report(rows, number, hosts=hosts, exposure=Exposed(**values), **given)


def turn_of(old: Report, new: Report) -> list[Turn]:
    return [change.turn for change in compare(old, new).changes]


def test_a_listener_that_is_gone_is_fixed() -> None:
    old = looked([open_port()], 1)
    (change,) = compare(old, looked([row("a", "p")], 2)).changes
    assert (change.turn, change.now, change.before) == (Turn.FIXED, None, old.checks[0])


@pytest.mark.parametrize(
    "new",
    [
        pytest.param(report([row("a", "p")], 2), id="nobody-looked"),
        pytest.param(looked([], 2, Exposure.KNOWN), id="looked-less-far"),
        pytest.param(looked([], 2, exposure={"standing": ()}), id="not-that-host"),
        pytest.param(looked([], 2, notes=("d1: more listens there than its agent could tell",)), id="not-all-told"),
        pytest.param(
            looked([], 2, exposure={"unnamed": (Unnamed(target="d1", transport=Transport.TCP, ports="6000-7000",
                                                        addresses=("0.0.0.0",)),)}),
            id="still-listens-and-nobody-tried",
        ),
        pytest.param(
            looked([], 2, exposure={"standing": (Standing(entry="redis", transport=Transport.TCP, ports="6379",
                                                          who="any", targets=("d1",)),)}),
            id="allowed-now",
        ),
        pytest.param(looked([row("r", "p", "6379")], 2), id="has-a-name-now"),
        *(
            pytest.param(
                looked([], 2, hosts=tuple(
                    HostResult(name=name, addresses=("10.0.0.1",), agent=AGENT if name != lost else None,
                               problem="gone" if name == lost else "") for name in ("w1", "d1"))),
                id=f"{lost}-did-not-answer",
            )
            for lost in ("w1", "d1")
        ),
        pytest.param(
            looked([], 2, hosts=tuple(HostResult(name=name, addresses=("db.example",), agent=AGENT)
                                      for name in ("w1", "d1"))),
            id="the-name-may-lead-elsewhere",
        ),
    ],
)  # fmt: skip
def test_what_was_not_measured_is_never_called_fixed(new: Report) -> None:
    assert turn_of(looked([open_port()], 1), new) == [Turn.GONE]


def test_where_nobody_could_say_what_listens_and_nothing_does_it_is_measured() -> None:
    """A host that was off and is back: its checks are as they were before, and nothing is left out."""
    off = looked([open_port("1-65535", verdict=Verdict.INCONCLUSIVE, cause=Cause.NO_AGENT, listener=None)], 1)
    assert turn_of(off, looked([row("r", "p", "6379")], 2)) == [Turn.MEASURED]
    assert turn_of(off, looked([], 2, Exposure.KNOWN)) == [Turn.GONE]
    untried = Unnamed(target="d1", transport=Transport.TCP, ports="6000-7000", addresses=("0.0.0.0",))
    found = compare(off, looked([open_port("9000")], 2, exposure={"unnamed": (untried,)})).changes
    assert {(change.turn, change.ports) for change in found} == {
        (Turn.NEW, "9000"), (Turn.MEASURED, "1-5999,7001-8999,9001-65535"), (Turn.GONE, "6000-7000")
    }  # fmt: skip


def test_what_translation_opened_is_not_fixed_because_nobody_listens() -> None:
    assert turn_of(looked([open_port(listener=None)], 1), looked([], 2)) == [Turn.GONE]


def test_a_port_that_only_a_sweep_left_over_is_the_same_port() -> None:
    swept = open_port("6379", "whole", cause=None, listener=None)
    rest = row("whole", "p", "1-6378,6380-65535", undeclared=True)
    first, second = looked([swept, rest], 1, Exposure.ALL), looked([open_port(), rest], 2, Exposure.ALL)
    assert turn_of(first, second) == [Turn.CHANGED]
    closed = looked([row("whole", "p", "1-65535", undeclared=True)], 3, Exposure.ALL)
    assert turn_of(second, closed) == [Turn.FIXED]


def test_thousands_of_open_ports_take_no_time() -> None:
    rows = [open_port(str(port), f"u{port}") for port in range(1, 4001, 2)]
    changes = compare(looked(rows, 1), looked(rows[1:], 2))
    assert Counter(change.turn for change in changes.changes) == {Turn.STILL: 1999, Turn.FIXED: 1}


def test_where_a_name_leads_to_two_addresses_both_must_be_free() -> None:
    old = report([row("b", "n", address="10.0.0.2"), row("b", "p", address="10.0.0.3")])
    half = report([row("b", "p", address="10.0.0.2"), row("b", "n", address="10.0.0.3")], 2)
    assert turn_of(old, half) == [Turn.STILL]
    assert turn_of(half, report([row("b", "p", address=one) for one in ("10.0.0.2", "10.0.0.3")], 3)) == [Turn.FIXED]
    assert msgspec.json.decode(msgspec.json.encode(compare(old, half)))["changes"]
