"""What changed in each run, counted when it was recorded: what a list of runs shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from probe.history.values import RunState, Tally
from probe.model.change import Turn

from ..report import example  # noqa: TID252  (tests are no package)
from .reports import report

if TYPE_CHECKING:
    from probe.history.store import History


def test_each_finished_run_has_its_own(history: History) -> None:
    rows = list(example.rich().checks)
    some = [row for row in rows if not row.deviates]
    history.record("x", report(rows, 1))
    history.record("x", report(rows, 2))
    history.fail("x", "lost", "2026-01-03T00:00:00Z", RunState.LOST, "gone")
    _, changes = history.record("x", report(some, 4))
    found = history.tallies("x", 1, 9)
    assert list(found) == [1, 2, 4]
    assert found[1].first
    assert found[2] == Tally.of(history.changes("x", None, 2))
    assert set(found[2].turns) == {Turn.STILL}
    assert found[4] == Tally.of(changes)
    assert found[4].turns[Turn.GONE] == sum(row.deviates for row in rows)
    assert list(history.tallies("x", 2, 3)) == [2]
    assert history.told("x", 4) == (history.report("x", 4), history.changes("x", None, 4))
    assert history.tallies("elsewhere", 1, 9) == {}
    assert history.record("x", report(some, 4))[0].number == 4, "a second time it does nothing"
