"""What is exposed is told by who listens, once for all who reach it."""

from __future__ import annotations

import json as standard
from typing import TYPE_CHECKING

import pytest

from probe.model.exposed import Listener
from probe.report import json, junit, listeners, terminal
from probe.report.findings import Weight, findings
from probe.report.grouping import Kind

from . import exposures
from .rows import exposed

if TYPE_CHECKING:
    from probe.model.result import Report


@pytest.fixture
def report(examples: dict[str, Report]) -> Report:
    return examples["exposed"]


def test_one_listener_is_one_finding_and_worth_its_worst_row(report: Report) -> None:
    told = [finding for finding in findings(report) if finding.kind is Kind.LISTENER]
    weights = {
        (finding.example.target, finding.example.ports): (finding.weight, len(finding.members)) for finding in told
    }
    assert weights == {
        ("redis-1", "6379"): (Weight.DEVIATION, 3),
        ("ctrl-1", "8001"): (Weight.DEVIATION, 1),
        ("db-1", "4444"): (Weight.DEVIATION, 3),
        ("db-1", "31337"): (Weight.DEVIATION, 1),
        ("db-1", "9999"): (Weight.ADVICE, 1),
    }


def test_the_sentence_names_who_listens_who_reaches_it_and_who_may(report: Report) -> None:
    (redis,) = (finding for finding in findings(report) if finding.example.target == "redis-1")
    assert listeners.exposed(redis.members) == (
        "redis-server (pid 812, user redis) on redis-1 listens on 0.0.0.0:6379; reachable from outside (laptop) and "
        "role engine (engine-1, engine-2); the matrix allows controller and services"
    )


def test_many_hosts_are_counted_and_what_differs_is_left_out() -> None:
    rows = []
    for number in (1, 2):
        listener = Listener(address="0.0.0.0", process="sshd", pid=number, user="root")
        row = exposed("engine-1", f"engine-{number}", "agent-metrics", listener=listener)
        rows += [exposures.replaced(row, source=f"svc-{each}", source_role="services") for each in range(8)]
    assert listeners.exposed(rows) == (
        "sshd (user root) on engine-1, engine-2 listens on 0.0.0.0:8000; reachable from role services (8 hosts); "
        "no flow of the matrix allows anybody"
    )


def test_a_program_says_nothing_to_the_terminal(report: Report) -> None:
    text = terminal.render(report, width=80, color=False)
    assert "\x1b" not in text
    assert "nc\\x1b[31m<b> (pid 4242" in text


def test_what_nobody_reaches_is_a_note_and_no_finding(report: Report) -> None:
    text = terminal.render(report, width=200, color=False)
    assert "cupsd (pid 9, user root) on db-1, tcp 0.0.0.0:7001, [::]:7001" in text.partition("Beyond the matrix")[2]
    assert not any("7001" in finding.example.ports for finding in findings(report))


def test_every_width_is_kept(report: Report) -> None:
    for width in (40, 80, 200):
        assert max(map(len, terminal.render(report, width=width, color=False).splitlines())) <= width


def test_a_test_of_junit_keeps_its_name_while_ports_change_their_state(report: Report) -> None:
    text = junit.render(report).decode()
    assert 'name="laptop -&gt; db-1 undeclared tcp/rest"' in text
    assert 'name="laptop -&gt; db-1 undeclared tcp/31337"' in text


def test_json_has_the_search_and_the_listener_of_each_row(report: Report) -> None:
    data = standard.loads(json.render(report))
    assert data["exposure"]["scope"] == "all"
    assert data["exposure"]["sweeps"][0]["states"]["open"] == "4444,31337"
    (row,) = (row for row in data["checks"] if row["target"] == "redis-1" and row["source"] == "laptop")
    assert row["listener"] == {"address": "0.0.0.0", "process": "redis-server", "pid": 812, "user": "redis"}
    assert (row["allowed"], row["undeclared"]) == (["controller", "services"], False)
    assert json.parse(json.render(report)) == report
