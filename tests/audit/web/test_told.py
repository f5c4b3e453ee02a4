from __future__ import annotations

import datetime as dt

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.audit.web import told
from probe.audit.web.timeline import draw
from probe.history.values import Interval, RunRecord, RunState
from probe.model.result import Summary
from tests.report import example


def record(number: int, outcome: str = "conforms", state: RunState = RunState.FINISHED, **summary: int) -> RunRecord:
    return RunRecord(
        audit="nightly", number=number, id=str(number), state=state, started="2026-11-20T02:00:00Z", outcome=outcome,
        summary=Summary(**({"checks": 5, "passed": 5} | summary)),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("run", "said"),
    [
        (record(1), "All 5 checks pass."),
        (record(1, checks=1, passed=1), "1 check passes."),
        (record(1, passed=3, advice=2), "3 of 5 checks pass, 2 with advice."),
        (record(1, "deviations", deviations=1, inconclusive=2), "1 of 5 checks deviates, 2 could not be measured."),
        (record(1, "inconclusive", inconclusive=2), "None of 5 checks deviates, 2 could not be measured."),
        (record(1, "nothing to check", checks=0), "There was nothing to check."),
        (record(1000, state=RunState.LOST), "Run 1,000 was lost: its coordinator ended without a word."),
    ],
)
def test_a_run_in_one_sentence(run: RunRecord, said: str) -> None:
    assert told.sentence(run) == said


def test_how_long_it_has_been_so() -> None:
    runs = (
        record(9, state=RunState.FAILED),
        record(8, "deviations"),
        record(7, state=RunState.LOST),
        record(6, "deviations"),
        record(5),
    )
    line = told.lasting(runs)
    assert line is not None
    assert (line.first.number, line.runs, line.open) == (6, 2, False)
    line = told.lasting(runs[:4])
    assert line is not None
    assert line.open, "what was before is not known"
    assert told.lasting(runs[:1]) is None


@pytest.mark.parametrize(
    ("runs", "said"),
    [
        ([], "There is no audit yet."),
        ([None], "No run has finished yet."),
        ([record(1)], "The only audit conforms."),
        ([record(1), record(2)], "All 2 audits conform."),
        ([record(1, "deviations"), record(2)], "1 of 2 audits deviates."),
        ([record(1), None], "Not known for 1 of 2 audits; none is known to deviate."),
    ],
)
def test_all_audits_in_one_sentence(runs: list[RunRecord | None], said: str) -> None:
    assert told.overall(runs)[1] == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.04, "0.0 s"),
        (9.49, "9.5 s"),
        (9.6, "10 s"),
        (125, "2 min 5 s"),
        (3600, "1 h"),
        (3_840, "1 h 4 min"),
        (187_200, "2 d 4 h"),
    ],
)
def test_spans(seconds: float, said: str) -> None:
    assert told.span(seconds) == said


def test_a_time_that_is_none_is_text() -> None:
    assert told.when("<b>") == "&lt;b&gt;"
    assert told.when("2026-11-20T02:00:00+01:00") == '<time datetime="2026-11-20T01:00:00Z">2026-11-20 01:00 UTC</time>'


moments = st.integers(0, 1000)


@given(
    st.lists(st.tuples(moments, moments, st.sampled_from(["22", "5000-6000", "80,443", "x"])), min_size=1, max_size=60)
)
def test_bars_stay_in_the_picture(spans: list[tuple[int, int, str]]) -> None:
    row = example.rich().checks[0]
    begin = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)

    def moment(hours: int) -> str:
        return (begin + dt.timedelta(hours=hours)).isoformat()

    line = draw(
        [
            Interval(
                first=min(one, two) + 1, last=max(one, two) + 1,
                since=moment(min(one, two)), until=moment(max(one, two)),
                row=msgspec.structs.replace(row, ports=ports),
            )
            for one, two, ports in spans
        ]
    )  # fmt: skip
    assert line is not None
    for bar in line.bars:
        assert 0 <= bar.left < 100
        assert 0 < bar.width <= 100
        assert 0 <= bar.top < line.height


def test_a_check_without_a_life() -> None:
    assert draw([]) is None
