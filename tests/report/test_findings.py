from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import msgspec

from probe.model.result import Evidence
from probe.model.waiver import Waiver
from probe.model.waiving import apply
from probe.model.words import Cause, Need, Severity, Verdict
from probe.report.findings import Weight, findings, overview, weight
from probe.report.ways import ways
from probe.report.wording import expected, where

if TYPE_CHECKING:
    from probe.model.result import Report


def test_each_row_that_is_no_pass_is_in_one_finding(one: Report) -> None:
    told = [check for finding in findings(one) for check in finding.members]
    assert sorted(map(id, told)) == sorted(id(check) for check in one.checks if check.verdict is not Verdict.PASS)
    for finding in findings(one):
        seen = [check for sight in finding.sights for check in sight.members]
        assert sorted(map(id, seen)) == sorted(map(id, finding.members))


def test_the_worst_comes_first(rich: Report) -> None:
    weights = [finding.weight for finding in findings(rich)]
    assert weights == sorted(weights, reverse=True)
    assert set(weights) == {Weight.DEVIATION, Weight.INCONCLUSIVE, Weight.ADVICE}


def test_severity_orders_what_weighs_the_same(rich: Report, example: Any) -> None:
    said = [finding.severity for finding in findings(rich) if finding.weight is Weight.DEVIATION]
    assert said == [Severity.CRITICAL, Severity.HIGH, None, None, Severity.LOW]
    row = example.exposed("laptop", "redis-1", "redis", "outside")
    rows = [msgspec.structs.replace(row, severity=severity) for severity in [None, *reversed(Severity)]]
    assert [finding.severity for finding in findings(example.report(rows))] == [
        Severity.CRITICAL,
        Severity.HIGH,
        Severity.MEDIUM,
        None,
        Severity.LOW,
        Severity.INFO,
    ]


def test_a_lost_agent_has_no_severity(rich: Report) -> None:
    (finding,) = [finding for finding in findings(rich) if finding.example.cause is Cause.AGENT_LOST]
    rows = [msgspec.structs.replace(row, severity=Severity.CRITICAL) for row in finding.members]
    assert [one.severity for one in findings(msgspec.structs.replace(rich, checks=tuple(rows)))] == [None]


def test_what_a_row_is_worth_is_said_of_that_row_alone(example: Any) -> None:
    rows = [
        example.check("laptop", "redis-1", "redis", "flows[1]", verdict=Verdict.BLOCKED, need=need, cite="")
        for need in Need
    ]
    required, rest = findings(example.report(rows))
    assert expected(required) == ["redis, tcp 6379 must be reachable (aiware flows[1])"]
    assert expected(rest) == [
        f"redis, tcp 6379 should be reachable ({need}) (aiware flows[1])"
        for need in (Need.RECOMMENDED, Need.OPTIONAL, Need.DEPRECATED)
    ]


def test_a_way_that_a_row_forbids_is_told_as_such(example: Any) -> None:
    by_policy = example.exposed("engine-1", "redis-1", "redis")
    by_row = msgspec.structs.replace(by_policy, rule="no-redis", need=Need.RECOMMENDED)
    told = {finding.example.rule: finding for finding in findings(example.report([by_policy, by_row]))}
    assert told["policy.inside"].side_note
    assert not told["no-redis"].side_note
    assert expected(told["policy.inside"])[0].startswith("tcp 6379 must not be reachable: no flow allows it")
    assert expected(told["no-redis"])[0].startswith(
        "tcp 6379 should not be reachable (recommended): the matrix forbids it"
    )


def test_rows_with_different_ways_instead_are_told_apart(example: Any) -> None:
    row = example.check("svc-1", "db-1", "postgresql", "flows[5]", verdict=Verdict.BLOCKED)
    rows = [msgspec.structs.replace(row, source=f"svc-{way}", instead=f"redis on db-{way}") for way in (2, 3)]
    (finding,) = findings(example.report([*rows, msgspec.structs.replace(rows[0], source="svc-9")]))
    assert [[member.source for member in sight.members] for sight in finding.sights] == [["svc-2", "svc-9"], ["svc-3"]]


def test_two_hundred_equal_rows_are_one_finding_with_one_sight(example: Any) -> None:
    row = example.exposed("laptop", "redis-1", "redis", "outside")
    rows = []
    for number in range(200):
        seen = Evidence(at="source", what=f"answered pc-{number} (10.0.0.{number}) after {number / 10} ms")
        rows.append(msgspec.structs.replace(row, source=f"pc-{number}", evidence=(seen,)))
    (finding,) = findings(example.report(rows))
    assert len(finding.members) == 200
    assert len(finding.sights) == 1
    assert [way.text() for way in ways(finding.members)] == ["pc-[0:199] → redis-1 (10.20.0.40)  tcp 6379"]


def test_rows_that_saw_different_things_are_told_apart(example: Any) -> None:
    rows = [
        example.exposed("laptop", "redis-1", "redis", "outside", evidence=(Evidence(at="source", what=what),))
        for what in ("answered by nginx", "answered by sshd")
    ]
    (finding,) = findings(example.report(rows))
    assert len(finding.sights) == 2


def test_a_lost_agent_is_one_finding_over_all_services(rich: Report) -> None:
    (finding,) = [finding for finding in findings(rich) if finding.example.cause is Cause.AGENT_LOST]
    assert len({check.service for check in finding.members}) > 1
    assert finding.about_hosts


def test_advisory_and_inconclusive_stays_inconclusive(examples: dict[str, Report]) -> None:
    (check,) = examples["unmeasured"].checks
    assert weight(check) is Weight.INCONCLUSIVE


def test_the_overview_counts_every_row(rich: Report) -> None:
    assert sum(number for weights in overview(rich).values() for number in weights.values()) == len(rich.checks)
    assert max(overview(rich)["services", "redis"]) is Weight.DEVIATION


def test_where(rich: Report) -> None:
    told = {where(check.where) for check in rich.checks}
    assert told == {
        "",
        "after 10.20.0.254, hop 1 (the last device that it is known to have come to)",
        "after 10.20.0.254, hop 2 (the last device that it is known to have come to)",
        "after fd00:20::fe, hop 2 (the last device that it is known to have come to)",
        "at 10.20.0.30, hop 2",
    }


def test_what_is_accepted_is_told_apart_from_who_else_reaches_the_listener(examples: dict[str, Report]) -> None:
    """Although one program that is exposed is else one finding, worth what its worst row is."""
    asked = Waiver(place="w:3", reason="r", owner="o", sources=("engine",), ports="6379", targets=("redis-1",))
    told = findings(apply(examples["exposed"], [asked], dt.date(2026, 1, 1)))
    redis = [finding for finding in told if finding.example.target == "redis-1"]
    assert [(finding.weight, {row.source for row in finding.members}) for finding in redis] == [
        (Weight.DEVIATION, {"laptop"}),
        (Weight.WAIVED, {"engine-1", "engine-2"}),
    ]
