"""What the service tells Prometheus: of each audit its last run, and counts of what has happened since it began."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily
from prometheus_client.exposition import choose_encoder, generate_latest

from probe.history.values import RunState
from probe.model.instant import stamp
from probe.report import files
from probe.report.prometheus import (
    Collected,
    Histogram,
    connect_family,
    connect_seconds,
    found,
    gauge,
    last_run,
)
from probe.report.text import name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from prometheus_client.core import Metric

    from probe.audit.values import AuditState, Ended
    from probe.history.values import RunRecord
    from probe.model.result import Report

_DURATIONS = (1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 14400.0)


@dataclass
class _Audit:
    """`found` is of the last finished run, `ended` of the last one; the rest adds up while the service runs."""

    found: list[Metric] = field(default_factory=list)
    ended: list[Metric] = field(default_factory=list)
    runs: Counter[str] = field(default_factory=Counter)
    durations: Histogram = field(default_factory=lambda: Histogram(_DURATIONS))
    connect: Histogram = field(default_factory=Histogram)
    problem: bool = False


class Metrics:
    """`states` tells the audits as they stand when somebody asks: audits that are no more drop out of the answer."""

    def __init__(self, states: Callable[[], Iterable[AuditState]] = tuple) -> None:
        self._states = states
        self._audits: dict[str, _Audit] = {}
        self._alerts: Counter[tuple[str, str]] = Counter()

    def fill(self, record: RunRecord, report: Report) -> None:
        """What the history knows of an audit's last finished run, for a service that has just begun."""
        audit = self._audits.setdefault(record.audit, _Audit())
        audit.found = found(report, _labels(record.audit))
        audit.ended = _ended(record)

    async def ended(self, ended: Ended) -> None:
        audit = self._audits.setdefault(ended.audit, _Audit())
        audit.problem = bool(ended.problem) or (audit.problem and not ended.recovered)
        record, report = ended.run, ended.report
        if record.state is RunState.RUNNING:  # news of the audit, not of a run
            return
        audit.ended = _ended(record)
        audit.runs[_outcome(record)] += 1
        audit.durations.add([record.seconds])
        if report is not None and record.state is RunState.FINISHED:
            # Some 0.1 s for 100,000 checks, in which the pages would stand still.
            audit.found = await asyncio.to_thread(found, report, _labels(ended.audit), ended.changes)
            audit.connect.add(connect_seconds(report))

    def alerted(self, alert: str, result: str) -> None:
        """What became of one message of the alert of this name: a word of the alerts' own."""
        self._alerts[alert, result] += 1

    def render(self, accept: str = "") -> tuple[bytes, str]:
        """The metrics and their content type: OpenMetrics where the Accept header asks for it."""
        encode, content_type = choose_encoder(accept)
        return encode(Collected(self._families())), content_type

    def write_textfile(self, path: str | Path) -> None:
        """For node_exporter's textfile collector: whole or not at all. Raises UserError."""
        files.write(path, generate_latest(Collected(self._families())))

    def _families(self) -> Iterator[Metric]:
        states = tuple(self._states())
        for audit, known in sorted(self._audits.items()):
            if states and all(state.name != audit for state in states):
                continue
            labels = _labels(audit)
            yield from known.found
            yield from known.ended
            yield known.durations.family("portcheck_run_duration_seconds", "How long runs took.", labels)
            yield connect_family(known.connect, labels)
            yield gauge("problem", "Whether something is wrong with the audit itself.", labels, known.problem)
            runs = CounterMetricFamily("portcheck_runs", "Runs by how they ended.", labels=["audit", "outcome"])
            for outcome, number in sorted(known.runs.items()):
                runs.add_metric([labels["audit"], outcome], number)
            yield runs
        for state in states:
            labels = _labels(state.name)
            yield gauge("running", "Whether a run is under way.", labels, state.progress is not None)
            if state.next is not None:
                yield gauge("next_run_timestamp_seconds", "When the next run is due.", labels, stamp(state.next))
        alerts = CounterMetricFamily("portcheck_alerts", "Messages by what became of them.", labels=["alert", "result"])
        for (alert, result), number in sorted(self._alerts.items()):
            alerts.add_metric([name(alert), result], number)
        yield alerts


def _labels(audit: str) -> dict[str, str]:
    return {"audit": name(audit)}


def _outcome(record: RunRecord) -> str:
    return record.outcome or record.state.value


def _ended(record: RunRecord) -> list[Metric]:
    when = stamp(record.finished or record.started)
    return last_run(_outcome(record), when, record.seconds, _labels(record.audit))
