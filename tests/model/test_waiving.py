"""What waivers make of a report."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.model.ports import PortSet
from probe.model.result import CheckResult, Report, RunInfo, summarise
from probe.model.waiver import Waived, Waiver, WaiverState
from probe.model.waiving import apply
from probe.model.words import Cause, Expect, Need, Phase, Policy, Protocol, State, Transport, Verdict
from probe.report import waivers as stale

if TYPE_CHECKING:
    from collections.abc import Sequence

TODAY = dt.date(2026, 5, 1)


def row(verdict: Verdict = Verdict.BLOCKED, cause: Cause | None = Cause.NETWORK, **given: Any) -> CheckResult:
    values: dict[str, Any] = {
        "id": "00000000000000aa",
        "source": "engine-1",
        "target": "db-1",
        "source_role": "engine",
        "target_role": "db",
        "address": "10.0.0.1",
        "transport": Transport.TCP,
        "ports": "5000-5009",
        "protocol": Protocol.TCP,
        "service": "sql",
        "matrix": "shop",
        "rule": "flows[3]",
        "also": ("flows[9]",),
        "cite": "",
        "expect": Expect.REACH,
        "policy": Policy.ENFORCE,
        "need": Need.REQUIRED,
        "state": State.FILTERED,
    }
    return CheckResult(**(values | {"verdict": verdict, "cause": cause} | given))


def report(*rows: CheckResult) -> Report:
    run = RunInfo(
        id="r", started="", finished="", phase=Phase.LIVE, matrix=("shop",), inventory="h", seed=1, version="1"
    )
    return Report(run=run, summary=summarise(rows, 3), checks=rows)


def waiver(**asked: Any) -> Waiver:
    return Waiver(**({"place": "w.yaml:3", "reason": "planned", "owner": "jane", "until": "2026-05-01"} | asked))


def laid(rows: Sequence[CheckResult], *waivers: Waiver) -> Report:
    return apply(report(*rows), waivers, TODAY)


@pytest.mark.parametrize(
    "asked",
    [
        {"id": ("00000000000000aa",)},
        {"rule": ("flows[3]",)},  # itself, although as a glob it is flows3
        {"rule": ("flows[[]9]",)},
        {"rule": ("flows*",), "matrix": ("sh?p",)},
        {"sources": ("engine-*",), "targets": ("db-1",)},
        {"sources": ("engine",), "targets": ("db",)},  # roles
        {"service": ("web", "sql"), "transport": Transport.TCP, "ports": "5000-6000"},
        {"service": ("sql",), "verdicts": (Verdict.BLOCKED,), "causes": (Cause.MTU, Cause.NETWORK)},
    ],
)
def test_what_fits_is_accepted(asked: dict[str, Any]) -> None:
    found = laid([row()], waiver(**asked))
    (one,) = found.checks
    assert one.waived == Waived(reason="planned", owner="jane", until="2026-05-01")
    assert not one.deviates
    assert (found.summary.deviations, found.summary.advice, found.summary.waived) == (0, 0, 1)
    assert (found.summary.blocked, found.summary.not_checkable) == (1, 3)
    assert [(use.state, use.rows) for use in found.waivers] == [(WaiverState.USED, 1)]


@pytest.mark.parametrize(
    "asked",
    [
        {"id": ("00000000000000ab",)},
        {"rule": ("flows[4]",)},
        {"rule": ("flows*",), "matrix": ("other",)},
        {"sources": ("db",)},
        {"targets": ("engine-1",)},
        {"service": ("SQL",)},
        {"service": ("sql",), "transport": Transport.UDP},
        {"service": ("sql",), "ports": "22"},
        {"service": ("sql",), "verdicts": (Verdict.DOWN,)},
        {"service": ("sql",), "causes": (Cause.MTU,)},
    ],
)
def test_what_does_not_fit_is_not(asked: dict[str, Any]) -> None:
    found = laid([row()], waiver(**asked))
    assert found.checks == (row(),)
    assert [(use.state, use.rows) for use in found.waivers] == [(WaiverState.UNUSED, 0)]


def test_some_ports_of_a_row() -> None:
    found = laid([row()], waiver(service=("sql",), ports="4990-5001,5005"))
    assert [(one.ports, bool(one.waived)) for one in found.checks] == [
        ("5000-5001,5005", True),
        ("5002-5004,5006-5009", False),
    ]
    assert (found.summary.checks, found.summary.waived, found.summary.deviations) == (2, 1, 1)


def test_two_waivers_share_a_row() -> None:
    found = laid([row()], waiver(service=("sql",), ports="5000-5004"), waiver(service=("sql",), owner="joe"))
    assert [(one.ports, one.waived and one.waived.owner) for one in found.checks] == [
        ("5000-5004", "jane"),
        ("5005-5009", "joe"),
    ]
    assert [use.rows for use in found.waivers] == [1, 1]


def test_what_was_not_measured_is_accepted_only_by_name() -> None:
    lost = row(Verdict.INCONCLUSIVE, Cause.NO_AGENT)
    found = laid([lost], waiver(service=("sql",)))
    assert found.checks[0].unsettled
    use = found.waivers[0]
    assert (use.state, use.passing, use.unmeasured) == (WaiverState.UNUSED, 1, 1)
    assert stale.told(use).endswith("fits none: of 1 check that it is about, 1 could not be measured")
    assert stale.advice(use).startswith("Keep it until they are measured")
    assert not laid([lost], waiver(service=("sql",), verdicts=(Verdict.INCONCLUSIVE,))).checks[0].unsettled


def test_the_last_day_counts_and_the_day_after_does_not() -> None:
    assert laid([row()], waiver(service=("sql",), until="2026-05-01")).checks[0].waived
    found = laid([row()], waiver(service=("sql",), until="2026-04-30"))
    (one,) = found.checks
    assert one.deviates
    (told,) = one.evidence
    assert told.at == "coordinator"
    assert told.what == "accepted until 2026-04-30 by jane (planned): that waiver, w.yaml:3, has expired"
    assert [(use.state, use.rows) for use in found.waivers] == [(WaiverState.EXPIRED, 1)]


def test_one_that_still_holds_counts_behind_one_that_has_expired() -> None:
    over, holds = waiver(service=("sql",), until="2026-04-30"), waiver(service=("sql",), until="")
    found = laid([row()], over, holds)
    assert found.checks[0].waived == Waived(reason="planned", owner="jane", until="")
    assert [use.state for use in found.waivers] == [WaiverState.EXPIRED, WaiverState.USED]


def test_expired_and_fitting_nothing_is_unused() -> None:
    passing = row(Verdict.PASS, None)
    found = laid([passing], waiver(service=("sql",), until="2020-01-01"))
    assert [(use.state, use.passing) for use in found.waivers] == [(WaiverState.UNUSED, 1)]
    assert found.checks == (passing,)


def test_laid_over_again_it_is_the_same() -> None:
    waivers = (waiver(service=("sql",), ports="5000"), waiver(service=("sql",), ports="5001", until="2020-01-01"))
    once = apply(report(row()), waivers, TODAY)
    again = apply(once, waivers, TODAY)
    assert again.checks == once.checks
    assert not any(one.waived for one in apply(once, (), TODAY).checks)


def test_a_row_without_ports_is_not_read() -> None:
    odd = row(ports="what a stranger's file says")
    assert laid([odd], waiver(service=("sql",), ports="1-65535")).checks == (odd,)
    assert laid([odd], waiver(service=("sql",))).checks[0].waived


spans = st.lists(st.tuples(st.integers(1, 30), st.integers(1, 30)).map(lambda pair: (min(pair), max(pair))), min_size=1)


@given(spans, st.lists(st.tuples(spans, st.booleans()), max_size=5))
def test_no_port_is_lost_and_none_told_twice(ports: Any, asked: Any) -> None:
    whole = PortSet(ports)
    waivers = [
        waiver(service=("sql",), ports=str(PortSet(some)), until="2020-01-01" if over else "") for some, over in asked
    ]
    found = laid([row(ports=str(whole))], *waivers)
    pieces = [PortSet.parse(one.ports) for one in found.checks]
    assert sum(map(len, pieces)) == len(whole)
    assert PortSet(span for piece in pieces for span in piece.ranges) == whole
    excused = PortSet(span for some, over in asked if not over for span in PortSet(some).ranges) & whole
    waived = [PortSet.parse(one.ports) for one in found.checks if one.waived]
    assert PortSet(span for piece in waived for span in piece.ranges) == excused
    assert msgspec.json.decode(msgspec.json.encode(found), type=Report) == found
