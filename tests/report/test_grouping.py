"""What has one cause is one finding, and what has not is told apart."""

from __future__ import annotations

import json as standard
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probe.model.result import CheckResult, HostResult, Where
from probe.model.words import Cause, Expect, Need, Policy, State, Transport, Verdict
from probe.report import html, json, junit, terminal
from probe.report.findings import Finding, Weight, findings, weight
from probe.report.titles import title
from probe.report.wording import expected, places

from . import example

if TYPE_CHECKING:
    from collections.abc import Iterable

ENGINES, SERVICES, WEB = ([f"{role}-{number}" for number in range(1, many + 1)]
                          for role, many in (("engine", 8), ("services", 3), ("web", 2)))  # fmt: skip
PORTS = {"redis": "6379", "search": "9200", "metrics": "8000"}
DROPPED = {"state": State.FILTERED, "verdict": Verdict.BLOCKED}


def rows(sources: Iterable[str], targets: Iterable[str], *services: str, **given_: Any) -> list[CheckResult]:
    """A row for each; roles are what the names begin with."""
    pattern = example.check("svc-1", "redis-1", "redis", "flows[4]", **DROPPED, cite="")
    return [
        msgspec.structs.replace(
            pattern,
            id=f"{source} {target} {service}",
            source=source,
            target=target,
            source_role=source.partition("-")[0],
            target_role=target.partition("-")[0],
            address=f"10.9.{len(target)}.{target[-1]}",
            service=service,
            application="",
            ports=PORTS[service],
            **given_,
        )
        for source in sources
        for target in targets
        for service in services
        if source != target
    ]


def by_device(address: str, hop: int | None = 2, side: str = "after", cause: Cause = Cause.NETWORK) -> dict[str, Any]:
    return {"cause": cause, "where": Where(address=address, hop=hop, side=side)}


def told(*checks: list[CheckResult], hosts: tuple[HostResult, ...] = ()) -> tuple[Finding, ...]:
    report = example.report([check for some in checks for check in some])
    return findings(msgspec.structs.replace(report, hosts=hosts))


def titles(*checks: list[CheckResult], hosts: tuple[HostResult, ...] = ()) -> list[str]:
    return [title(finding) for finding in told(*checks, hosts=hosts)]


class TestADeviceOnTheWay:
    def test_over_services_ports_and_hosts_is_one(self) -> None:
        (finding,) = told(rows(ENGINES, SERVICES, "redis", "search", **by_device("10.0.0.1")))
        assert title(finding) == (
            "10.0.0.1, or a device behind it, drops tcp 6379, 9200 from engine (8 hosts) to services (3 hosts)"
        )
        assert len(finding.members) == 48
        assert expected(finding) == [
            "redis on services: tcp 6379 must be reachable (aiware flows[4])",
            "search on services: tcp 9200 must be reachable (aiware flows[4])",
        ]

    def test_however_far_away_it_is(self) -> None:
        near = rows(ENGINES, SERVICES, "redis", **by_device("10.0.0.1", 1))
        far = rows(WEB, SERVICES, "redis", **by_device("10.0.0.1", 3))
        (finding,) = told(near, far)
        assert finding.where == Where(address="10.0.0.1", side="after")
        assert len(finding.sights) == 1
        assert told(near)[0].where == Where(address="10.0.0.1", hop=1, side="after")

    def test_another_is_another(self) -> None:
        one = rows(ENGINES, SERVICES, "redis", **by_device("10.0.0.1"))
        other = rows(ENGINES, SERVICES, "search", **by_device("10.0.0.2"))
        itself = rows(WEB, SERVICES, "search", **by_device("10.0.0.1", side="at"))
        back = rows(WEB, SERVICES, "search", **by_device("10.0.0.1", cause=Cause.RETURN_PATH))
        assert len(told(one, other, itself, back)) == 4

    def test_of_which_each_network_knows_another_address_is_one_if_it_stops_the_same(self) -> None:
        one = rows(ENGINES, SERVICES, "redis", "search", **by_device("10.0.0.1"))
        other = rows(WEB, SERVICES, "redis", "search", **by_device("10.0.1.1", 1))
        (finding,) = told(one, other)
        assert title(finding) == (
            "10.0.0.1, 10.0.1.1, or devices behind them, drop tcp 6379, 9200 "
            "from engine (8 hosts), web (2 hosts) to services (3 hosts)"
        )
        assert places(finding) == "after 10.0.0.1, 10.0.1.1 (the last devices that it is known to have come to)"
        assert (finding.where, len(finding.sights)) == (None, 1)
        less = rows(WEB, SERVICES, "redis", **by_device("10.0.1.1", 1))
        assert len(told(one, less)) == 2

    def test_that_the_inventory_knows_is_called_by_its_name_and_has_several_addresses(self) -> None:
        hosts = (HostResult(name="fw", addresses=("10.0.0.1", "10.0.1.1")),)
        one = rows(ENGINES, SERVICES, "redis", **by_device("10.0.0.1", side="at"))
        other = rows(WEB, SERVICES, "redis", **by_device("10.0.1.1", side="at"))
        assert titles(one, other, hosts=hosts) == [
            "fw (10.0.0.1, 10.0.1.1) drops tcp 6379 from engine (8 hosts), web (2 hosts) to services (3 hosts)"
        ]

    @pytest.mark.parametrize(
        ("states", "verb"),
        [
            ((State.FILTERED, State.FILTERED), "drops"),
            ((State.REJECTED, State.CLOSED), "rejects"),
            ((State.FILTERED, State.REJECTED), "blocks"),
        ],
    )
    def test_does_what_was_seen(self, states: tuple[State, State], verb: str) -> None:
        first, second = rows(WEB, SERVICES[:1], "redis", **by_device("10.0.0.1", side="at"))
        found = [msgspec.structs.replace(row, state=state) for row, state in zip((first, second), states, strict=True)]
        assert titles(found) == [f"10.0.0.1 {verb} tcp 6379 from web (2 hosts) to services-1"]

    def test_one_next_hop_of_several_stops_some_connections(self) -> None:
        found = rows(WEB, SERVICES[:1], "redis", **by_device("10.0.0.1"), state=State.OPEN)
        stops = "10.0.0.1, or a device behind it, stops some connections of"
        assert titles(found) == [f"{stops} tcp 6379 from web (2 hosts) to services-1"]

    def test_what_need_not_be_is_told_apart_and_so_is_the_worst_severity(self) -> None:
        needed = rows(ENGINES, SERVICES, "redis", **by_device("10.0.0.1"), severity=None)
        worse = rows(ENGINES, SERVICES, "search", **by_device("10.0.0.1"), severity="high")
        optional = rows(ENGINES, SERVICES, "metrics", **by_device("10.0.0.1"), need=Need.OPTIONAL)
        deviation, advice = told(needed, worse, optional)
        assert (deviation.severity, deviation.weight, len(deviation.members)) == ("high", Weight.DEVIATION, 48)
        assert [line.endswith(", severity high") for line in expected(deviation)] == [False, True]
        assert (advice.weight, len(advice.members)) == (Weight.ADVICE, 24)


class TestTheHostsOwnRules:
    def test_that_are_alike_on_many_are_one(self) -> None:
        """Each host has an address of its own, and is not its own client."""
        found = [
            msgspec.structs.replace(row, where=Where(address=row.address, hop=3, side="at"))
            for row in rows(ENGINES, ENGINES, "metrics", cause=Cause.TARGET_FIREWALL)
        ]
        (finding,) = told(found)
        assert title(finding) == "engine-[1:8]: own firewall drops tcp 8000 from engine (8 hosts)"
        assert len(finding.sights) == 1
        assert (finding.where, finding.sights[0].where) == (None, None)

    def test_of_one_that_stops_more_are_told_apart(self) -> None:
        found = rows(WEB, SERVICES, "redis", cause=Cause.TARGET_FIREWALL)
        more = rows(WEB, SERVICES[2:], "search", cause=Cause.TARGET_FIREWALL)
        assert titles(found, more) == [
            "services-1, services-2: own firewall drops tcp 6379 from web (2 hosts)",
            "services-3: own firewall drops tcp 6379, 9200 from web (2 hosts)",
        ]

    def test_of_the_source(self) -> None:
        found = rows(WEB, SERVICES, "redis", "search", cause=Cause.SOURCE_FIREWALL)
        assert titles(found) == ["web-1, web-2: own firewall drops tcp 6379, 9200 to services (3 hosts)"]

    def test_a_route_that_is_missing(self) -> None:
        found = rows(WEB, SERVICES, "redis", "search", cause=Cause.NO_ROUTE)
        assert titles(found) == ["web-1, web-2: no route to services (3 hosts), tcp 6379, 9200"]


class TestWhereNobodyIsKnown:
    @pytest.mark.parametrize(
        ("cause", "head"),
        [
            (None, "blocked:"),
            (Cause.NETWORK, "a device on the way drops"),
            (Cause.MTU, "large data does not pass:"),
            (Cause.PAYLOAD, "connects, but no data passes:"),
            (Cause.RETURN_PATH, "the answer does not come back:"),
        ],
    )
    def test_what_fails_between_the_same_hosts_is_one(self, cause: Cause | None, head: str) -> None:
        both = rows(ENGINES, SERVICES, "redis", "search", cause=cause)
        assert titles(both) == [f"{head} tcp 6379, 9200 from engine (8 hosts) to services (3 hosts)"]

    def test_what_fails_between_others_too_is_not(self) -> None:
        found = rows(ENGINES, SERVICES, "redis", cause=Cause.NETWORK)
        more = rows(ENGINES[:7], SERVICES, "search", cause=Cause.NETWORK)
        assert len(told(found, more)) == 2

    def test_the_next_machine(self) -> None:
        found = rows(WEB[:1], SERVICES[:1], "redis", **by_device("10.9.9.9", hop=0))
        assert titles(found) == ["the next machine on the way does not answer: tcp 6379 from web-1 to services-1"]


def test_a_service_that_is_not_there_is_its_own_cause() -> None:
    found = rows(WEB, SERVICES, "redis", "search", **{**DROPPED, "verdict": Verdict.DOWN, "cause": Cause.NOT_LISTENING})
    assert titles(found) == ["web → redis on services", "web → search on services"]


def test_a_name_is_one_cause_for_all_that_is_asked_of_it() -> None:
    found = rows(WEB, SERVICES[:1], "redis", "search", verdict=Verdict.MISMATCH, state=State.ERROR, cause=Cause.DNS)
    assert titles(found) == ["the name 10.9.10.1 has no address, or a wrong one, on web (2 hosts): tcp 6379, 9200"]


def test_a_role_whose_hosts_another_has_as_well_is_not_named_twice() -> None:
    found = rows(ENGINES, SERVICES, "redis", **by_device("10.0.0.1", side="at"))
    also = [msgspec.structs.replace(row, source_role="gpu") for row in found[:6]]
    assert titles(found, also) == ["10.0.0.1 drops tcp 6379 from engine (8 hosts) to services (3 hosts)"]


class TestFormats:
    REPORT = example.report(
        [
            msgspec.structs.replace(row, transport=Transport.UDP if number % 2 else Transport.TCP)
            for number, row in enumerate(
                rows(
                    [f"{letter}-engine" for letter in "abcdefghijklmnopqrst"],
                    SERVICES,
                    "redis",
                    **by_device("10.0.0.1"),
                )
            )
        ]
    )

    def test_the_terminal_is_bounded_and_says_where_the_rest_is(self) -> None:
        text = terminal.render(self.REPORT, width=200, color=False)
        assert "drops tcp 6379, udp 6379 from" in text
        assert ": 60 checks" in text
        many = [msgspec.structs.replace(row, ports=str(1000 + place)) for place, row in enumerate(self.REPORT.checks)]
        text = terminal.render(example.report(many), width=200, color=False)
        assert "… and 52 more: --json F or --html F has all" in text

    def test_the_page_names_everybody(self) -> None:
        many = [msgspec.structs.replace(row, ports=str(1000 + place)) for place, row in enumerate(self.REPORT.checks)]
        page = html.render(example.report(many)).decode()
        members = page[: page.index('<section id="checks">')]
        assert all(
            f"{row.source} → {row.target} ({row.address})  {row.transport} {row.ports}" in members for row in many
        )

    def test_json_names_each_check(self) -> None:
        data = standard.loads(json.render(self.REPORT))
        (finding,) = data["findings"]
        assert finding["checks"] == [row.id for row in self.REPORT.checks]
        assert (finding["rows"], finding["weight"], finding["cause"]) == (60, "deviation", "network")
        assert finding["where"] == {"address": "10.0.0.1", "hop": 2, "side": "after"}
        assert finding["more"] == "docs/verdicts.md#network"

    def test_junit_says_what_a_test_fails_with(self) -> None:
        text = junit.render(self.REPORT).decode()
        assert text.count("one of 60 checks with this cause: 10.0.0.1, or a device behind it, drops") == 60


words = st.sampled_from(["a", "b", "c"])
PATTERN = rows(WEB[:1], SERVICES[:1], "redis")[0]
outcomes = st.sampled_from(
    [(Verdict.PASS, None), (Verdict.BLOCKED, None), (Verdict.MISMATCH, None), (Verdict.INCONCLUSIVE, None)]
    + [(Verdict.BLOCKED, cause) for cause in Cause]
)
anything = st.builds(
    lambda outcome, **fields: msgspec.structs.replace(PATTERN, verdict=outcome[0], cause=outcome[1], **fields),
    outcome=outcomes,
    source=words,
    target=words,
    source_role=words,
    target_role=words,
    address=words,
    service=words,
    ports=st.sampled_from(["1", "2-3", "4,6"]),
    state=st.none() | st.sampled_from(State),
    where=st.none()
    | st.builds(
        Where, address=st.none() | words, hop=st.none() | st.integers(0, 2), side=st.sampled_from(["at", "after"])
    ),
    expect=st.sampled_from(Expect),
    policy=st.sampled_from([Policy.ENFORCE, Policy.ADVISE]),
    need=st.sampled_from(Need),
    severity=st.none() | st.sampled_from(["high", "low"]),
    rule=st.sampled_from(["flows[0]", "policy.inside"]),
    instead=st.sampled_from(["", "another"]),
)


@settings(max_examples=60, deadline=None)
@given(checks=st.lists(anything, max_size=30))
def test_whatever_comes_each_row_is_in_one_finding_that_can_be_told(checks: list[CheckResult]) -> None:
    report = example.report(checks)
    found = findings(report)
    members = [row for finding in found for row in finding.members]
    assert sorted(map(id, members)) == sorted(id(row) for row in checks if weight(row) is not Weight.PASS)
    for finding in found:
        assert {(weight(row), row.verdict, row.cause) for row in finding.members} == {
            (finding.weight, finding.example.verdict, finding.example.cause)
        }
        assert title(finding)
        assert all(expected(finding))
    for form in (json.render, html.render, junit.render):
        form(report)
    assert terminal.render(report, width=80, color=False)
