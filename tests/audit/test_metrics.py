"""What Prometheus is told: names and labels, what is bounded, and that it is valid in both formats."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import msgspec
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse

from probe.audit.metrics import Metrics
from probe.audit.values import AuditState, Progress
from probe.errors import UserError
from probe.history.values import RunState
from probe.model.result import summarise
from probe.model.waiver import WaiverState, WaiverUse
from probe.report import prometheus
from probe.report.answer import Answer
from tests.report.example import examples, large, report, rich

from .alerts.events import BLOCKED, Course, redis

if TYPE_CHECKING:
    from pathlib import Path

    from probe.audit.values import Ended

OPENMETRICS = "application/openmetrics-text; version=1.0.0"
Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def samples(text: bytes) -> Samples:
    return {
        (one.name, frozenset(one.labels.items())): one.value
        for family in parse(text.decode())
        for one in family.samples
    }


def value(found: Samples, name: str, **labels: str) -> float:
    return found[f"portcheck_{name}", frozenset(labels.items())]


def lint(text: bytes) -> None:
    if shutil.which("promtool") is None:
        (pytest.fail if os.environ.get("PORTCHECK_REQUIRE_NETNS") == "1" else pytest.skip)("not installed: promtool")
    done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, b"")


class Audits:
    """Metrics of audits as the service keeps them."""

    def __init__(self, *states: AuditState) -> None:
        self.states = {state.name: state for state in states or (AuditState(name="nightly", schedule=""),)}
        self.metrics = Metrics(self.states.values)

    async def tell(self, *runs: Ended) -> Samples:
        for ended in runs:
            state = self.states[ended.audit]
            self.states[ended.audit] = msgspec.structs.replace(state, counts=state.counts.adding(ended))
            await self.metrics.noted(ended)
        return samples(self.metrics.render()[0])


def full() -> Metrics:
    """Of two audits in which everything has happened."""
    audits = Audits(
        AuditState(
            name="nightly",
            schedule="",
            next="2025-03-15T09:00:00Z",
            progress=Progress(audit="nightly", run="r", started=""),
            problem="no inventory",
        ),
        AuditState(name="weekly", schedule=""),
    )
    course, other = Course(), Course("weekly")
    runs = [course.run(*rich().checks), course.run(redis()), course.failed("no inventory")]
    asyncio.run(audits.tell(*runs, other.run(redis(1, **BLOCKED))))
    audits.metrics.alerted("ops", "delivered")
    return audits.metrics


def everything() -> dict[str, set[str]]:
    """The name of every series that the service exports, with its labels."""
    found: dict[str, set[str]] = {}
    for name, labels in samples(full().render()[0]):
        found.setdefault(name, set()).update(label for label, _ in labels)
    return found


def test_the_numbers_of_a_report():
    found = samples(prometheus.render(rich(), labels={"audit": "a"}))
    assert value(found, "deviations", audit="a") == rich().summary.deviations
    assert value(found, "coverage_ratio", audit="a") == rich().summary.coverage
    assert [value(found, "agents", audit="a", state=state) for state in ("wanted", "reachable", "lost")] == [11, 10, 1]
    assert sum(number for (name, _), number in found.items() if name == "portcheck_checks") == len(rich().checks)
    rows = [row for row in rich().checks if (row.source_role, row.target_role) == ("engine", "redis")]
    alike = [row for row in rows if (row.verdict, row.cause) == (rows[0].verdict, rows[0].cause)]
    labels = {"verdict": rows[0].verdict.value, "cause": rows[0].cause.value if rows[0].cause else ""}
    assert value(found, "checks", audit="a", source_role="engine", target_role="redis", **labels) == len(alike)
    assert value(found, "last_run_outcome", audit="a", outcome="deviations") == 1
    assert value(found, "last_run_timestamp_seconds", audit="a") == 1741944421
    assert value(found, "last_run_duration_seconds", audit="a") == 8
    assert value(found, "connect_seconds_count", audit="a") == 18


@pytest.mark.parametrize("name", examples())
def test_every_way_to_end_is_told_and_valid(name: str):
    example = examples()[name]
    text = prometheus.render(example)
    found = samples(text)
    outcomes = {label: value(found, "last_run_outcome", outcome=label) for label in prometheus.OUTCOMES}
    assert sum(outcomes.values()) == 1
    assert value(found, "last_run_success") == (name != "interrupted")
    assert (("portcheck_last_finished_run_timestamp_seconds", frozenset()) in found) == (name != "interrupted")
    lint(text)


def test_changes_and_waivers_are_counted():
    course = Course()
    course.run(redis(1, **BLOCKED), redis(2, **BLOCKED))
    use = WaiverUse(place="", matches="", reason="", owner="", until="", state=WaiverState.EXPIRED)
    ended = course.run(redis(1), redis(2, **BLOCKED), waivers=(use,))
    assert ended.report is not None
    found = samples(prometheus.render(ended.report, ended.changes))
    assert [value(found, "changes", turn=turn) for turn in ("fixed", "still", "new")] == [1, 1, 0]
    assert [value(found, "waivers", state=state) for state in ("expired", "used")] == [1, 0]
    assert not any(name == "portcheck_changes" for name, _ in samples(prometheus.render(ended.report)))


def test_role_pairs_are_bounded_and_those_that_fail_keep_their_names():
    good = [msgspec.structs.replace(redis(), source_role=f"r{number}") for number in range(1500)]
    bad = [msgspec.structs.replace(redis(1, **BLOCKED), source_role=f"z{number}") for number in range(10)]
    found = samples(prometheus.render(report(good + bad)))
    checks = {labels: number for (name, labels), number in found.items() if name == "portcheck_checks"}
    assert len(checks) == prometheus.MOST_PAIRS + 1
    assert sum(checks.values()) == 1510
    assert value(found, "checks", source_role="other", target_role="other", verdict="pass", cause="") == 510
    assert value(found, "checks", source_role="z9", target_role="redis", verdict="blocked", cause="network") == 1


def test_labels_are_one_line_and_short():
    hostile = 'x"\n\\\x1b[31m\u202e' + "A" * 300
    row = msgspec.structs.replace(redis(), source_role=hostile, target_role=hostile + "B")
    text = prometheus.render(report([row, row]), labels={"audit": "a"})
    (labels,) = [dict(labels) for name, labels in samples(text) if name == "portcheck_checks"]
    assert labels["source_role"] == labels["target_role"]
    assert len(labels["source_role"]) == 64
    assert labels["source_role"].startswith('x"\\n\\\\x1b[31m\\u202e') or labels["source_role"].isprintable()
    lint(text)


def test_the_service_tells_of_all_audits_and_of_itself():
    text, content_type = full().render()
    assert content_type.startswith("text/plain; version=0.0.4")
    lint(text)
    found = samples(text)
    assert value(found, "runs_total", audit="nightly", outcome="failed") == 1
    assert value(found, "runs_total", audit="nightly", outcome="conforms") == 1
    assert value(found, "last_run_success", audit="nightly") == 0
    assert value(found, "deviations", audit="nightly") == 0
    assert value(found, "deviations", audit="weekly") == 1
    assert value(found, "problem", audit="nightly") == 1
    assert value(found, "running", audit="nightly") == 1
    assert value(found, "next_run_timestamp_seconds", audit="nightly") == 1742029200
    assert value(found, "run_duration_seconds_bucket", audit="nightly", le="15.0") == 3
    assert value(found, "alerts_total", alert="ops", result="delivered") == 1


def test_openmetrics_for_those_who_ask():
    text, content_type = full().render(OPENMETRICS)
    assert content_type.startswith("application/openmetrics-text")
    names = [family.name for family in parse_openmetrics(text.decode())]
    assert len(names) == len(set(names))
    assert "portcheck_runs" in names


async def test_what_a_failed_or_partial_run_did_not_see_stays_as_it_was():
    audits, course = Audits(), Course()
    await audits.tell(course.run(redis(1, **BLOCKED)))
    partial = course.run(redis())
    record = msgspec.structs.replace(partial.run, state=RunState.INTERRUPTED, outcome="interrupted")
    found = await audits.tell(msgspec.structs.replace(partial, run=record), course.failed("broken"))
    assert value(found, "deviations", audit="nightly") == 1
    assert value(found, "last_run_outcome", audit="nightly", outcome="failed") == 1
    assert value(found, "last_run_outcome", audit="nightly", outcome="deviations") == 0
    assert value(found, "runs_total", audit="nightly", outcome="interrupted") == 1
    assert value(found, "connect_seconds_count", audit="nightly") == 0


async def test_a_problem_is_there_until_it_is_over():
    audits = Audits(AuditState(name="nightly", schedule="", problem="broken"))
    assert value(await audits.tell(), "problem", audit="nightly") == 1
    audits.states["nightly"] = AuditState(name="nightly", schedule="")
    assert value(await audits.tell(), "problem", audit="nightly") == 0


async def test_a_new_service_knows_the_last_run_and_the_last_that_was_finished():
    audits, course = Audits(), Course()
    ended, failed = course.run(redis(1, **BLOCKED)), course.failed("broken")
    audits.metrics.fill(failed.run, ended.report)
    found = await audits.tell()
    assert value(found, "deviations", audit="nightly") == 1
    assert value(found, "last_run_timestamp_seconds", audit="nightly") == 1741944421
    assert value(found, "last_run_success", audit="nightly") == 0
    assert not any(name == "portcheck_runs_total" for name, _ in found)
    assert value(found, "connect_seconds_count", audit="nightly") == 0


async def test_an_audit_that_is_no_more_is_not_told_of():
    audits = Audits(AuditState(name="nightly", schedule=""), AuditState(name="weekly", schedule=""))
    await audits.tell(Course().run(redis()))
    assert "nightly" in audits.metrics.render()[0].decode()
    del audits.states["nightly"]
    assert "nightly" not in audits.metrics.render()[0].decode()


def test_the_textfile_is_whole_or_not_there(tmp_path: Path):
    file = tmp_path / "portcheck.prom"
    metrics = full()
    metrics.write_textfile(file)
    assert samples(file.read_bytes()) == samples(metrics.render()[0])
    assert [path.name for path in tmp_path.iterdir()] == ["portcheck.prom"]
    assert file.stat().st_mode & 0o044 == 0o044
    with pytest.raises(UserError, match="cannot be written"):
        metrics.write_textfile(file / "below")


def test_a_large_report_makes_few_series():
    assert len(samples(prometheus.render(large()))) < 100


def test_all_outcomes_have_a_word():
    assert set(prometheus.OUTCOMES) >= {answer.value for answer in Answer}
    assert summarise(()).checks == 0
