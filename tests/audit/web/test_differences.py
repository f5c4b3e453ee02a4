"""What changed, as the page of two runs groups it."""

from __future__ import annotations

import msgspec

from probe.audit.web import differences
from probe.history.compare import compare
from probe.history.values import Tally
from probe.model.change import Turn
from probe.model.words import Need, Verdict
from tests.report import example
from tests.report.rows import blocked


def test_changes_of_one_row_are_each_told_once() -> None:
    row = msgspec.structs.replace(blocked()[0], ports="8000-8009")
    passed = msgspec.structs.replace(row, verdict=Verdict.PASS, cause=None)
    halves = [msgspec.structs.replace(passed, ports=ports) for ports in ("8000-8004", "8005-8009")]
    [section] = differences.sections(compare(example.report(halves), example.report([row])))
    assert section.turn is Turn.NEW
    told = [change.ports for group in section.groups for change in group.changes]
    assert sorted(told) == ["8000-8004", "8005-8009"]


def test_a_list_of_runs_counts_as_the_page_of_a_run_does() -> None:
    bad = blocked()[0]
    aside = msgspec.structs.replace(bad, id="aside", need=Need.OPTIONAL)
    mended = [msgspec.structs.replace(row, verdict=Verdict.PASS, cause=None) for row in (bad, aside)]
    old = example.report(mended)
    both, alone = (compare(old, example.report(rows)) for rows in ([bad, aside], [mended[0], aside]))
    assert differences.words(Tally.of(both)) == [("1 new", "deviation")]
    assert differences.sentence(both, None) == ("deviation", "1 new deviation since the run before.")
    assert differences.words(Tally.of(alone)) == [("1 new", "advice")]
