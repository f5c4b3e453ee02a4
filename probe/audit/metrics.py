"""What the service tells Prometheus: of each audit its last run, and counts of what has happened."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from prometheus_client.core import CounterMetricFamily
from prometheus_client.exposition import choose_encoder, generate_latest

from probe.history.values import RunState
from probe.model.instant import stamp
from probe.report import files
from probe.report.prometheus import (
    Collected,
    connect_family,
    found,
    gauge,
    histogram_family,
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


class _Known(NamedTuple):
    """Of one audit: what its last finished run found, and how its last one ended."""

    found: list[Metric]
    ended: list[Metric]


class Metrics:
    """`states` tells the audits as they stand when somebody asks: only of those there is an answer."""

    def __init__(self, states: Callable[[], Iterable[AuditState]]) -> None:
        self._states = states
        self._audits: dict[str, _Known] = {}
        self._alerts: Counter[tuple[str, str]] = Counter()

    def knows(self, audit: str) -> bool:
        return audit in self._audits

    def fill(self, last: RunRecord, report: Report | None) -> None:
        """What the history knows of an audit: its last run, and the report of its last finished one."""
        labels = _labels(last.audit)
        ended = [] if last.state is RunState.RUNNING else _ended(last)
        self._audits[last.audit] = _Known(found(report, labels) if report is not None else [], ended)

    async def noted(self, ended: Ended) -> None:
        record, report = ended.run, ended.report
        if record.state is RunState.RUNNING:  # news of the audit, not of a run
            return
        known = self._audits.get(ended.audit, _Known([], []))
        if report is not None and record.state is RunState.FINISHED:
            # Some 0.1 s for 100,000 checks, in which the pages would stand still.
            known = known._replace(found=await asyncio.to_thread(found, report, _labels(ended.audit), ended.changes))
        self._audits[ended.audit] = known._replace(ended=_ended(record))

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
        for state in sorted(self._states(), key=lambda state: state.name):
            labels, counts = _labels(state.name), state.counts
            for known in self._audits.get(state.name, ()):
                yield from known
            durations = counts.durations
            yield histogram_family("portcheck_run_duration_seconds", "How long runs took.", labels, durations)
            yield connect_family(counts.connect, labels)
            runs = CounterMetricFamily("portcheck_runs", "Runs by how they ended.", labels=["audit", "outcome"])
            for outcome, number in sorted(counts.runs.items()):
                runs.add_metric([labels["audit"], outcome], number)
            yield runs
            yield gauge("problem", "Whether something is wrong with the audit itself.", labels, bool(state.problem))
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
