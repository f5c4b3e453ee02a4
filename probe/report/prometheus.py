"""One run as Prometheus metrics: numbers by role and cause, never by host, so that there are few of them."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING

from prometheus_client.core import GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import generate_latest

from probe.model.change import Turn
from probe.model.instant import stamp
from probe.model.waiver import WaiverState
from probe.model.words import Verdict
from probe.report.answer import Answer, answer
from probe.report.findings import agents_wanted
from probe.report.latency import CONNECT, Histogram, connect_seconds
from probe.report.text import name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from probe.model.change import Changes
    from probe.model.result import CheckResult, Report

MOST_PAIRS = 1000
OTHER = "other"
UNFINISHED = ("failed", "lost")  # how a run may end that leaves no report
OUTCOMES = (*(word.value for word in Answer), *UNFINISHED)


def render(report: Report, changes: Changes | None = None, labels: Mapping[str, str] | None = None) -> bytes:
    """Prometheus' text format (version 0.0.4), UTF-8. `labels` stand on every sample."""
    connect = Histogram(bounds=CONNECT).adding(connect_seconds(report))
    made = [*families(report, labels or {}, changes), connect_family(connect, labels or {})]
    return generate_latest(Collected(made))


class Collected:
    """Families as a collector, those of one name made one."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = list(families)

    def collect(self) -> Iterator[Metric]:
        merged: dict[str, Metric] = {}
        for family in self._families:
            if family.name not in merged:
                merged[family.name] = Metric(family.name, family.documentation, family.type)
            merged[family.name].samples += family.samples
        yield from merged.values()


def families(report: Report, labels: Mapping[str, str], changes: Changes | None = None) -> list[Metric]:
    """Everything about one run but its latencies, which add up over runs."""
    finished = stamp(report.run.finished)
    return [
        *found(report, labels, changes),
        *last_run(answer(report).value, finished, finished - stamp(report.run.started), labels),
    ]


def last_run(outcome: str, finished: float, seconds: float, labels: Mapping[str, str]) -> list[Metric]:
    """When and how a run ended: `outcome` is one of OUTCOMES, `finished` in seconds since 1970."""
    success = outcome not in {*UNFINISHED, Answer.INTERRUPTED.value}
    return [
        gauge("last_run_timestamp_seconds", "When the last run ended, however it did.", labels, finished),
        gauge("last_run_duration_seconds", "How long the last run took.", labels, max(seconds, 0.0)),
        gauge("last_run_success", "Whether the last run was made to its end, whatever it found.", labels, success),
        _gauges(
            "last_run_outcome",
            "How the last run ended: 1 at the one outcome that it had.",
            labels,
            "outcome",
            {word: float(word == outcome) for word in OUTCOMES},
        ),
    ]


def found(report: Report, labels: Mapping[str, str], changes: Changes | None = None) -> list[Metric]:
    """What the rows and hosts of a run say."""
    numbers = report.summary
    lost = sum(bool(host.problem) for host in report.hosts)
    wanted = agents_wanted(report)
    made = [
        _checks(report.checks, labels),
        gauge("deviations", "Checks of the last finished run that fail it.", labels, numbers.deviations),
        gauge("coverage_ratio", "Share of the checks that could be measured, 1 being all.", labels, numbers.coverage),
        _gauges(
            "agents",
            "Hosts that should have an agent (wanted), had one (reachable), or had none or lost it (lost).",
            labels,
            "state",
            {"wanted": wanted, "reachable": wanted - lost, "lost": lost},
        ),
        _gauges(
            "waivers",
            "Waivers by what became of them.",
            labels,
            "state",
            {state.value: sum(use.state is state for use in report.waivers) for state in WaiverState},
        ),
    ]
    if not report.run.interrupted:
        when = stamp(report.run.finished)
        made.append(gauge("last_finished_run_timestamp_seconds", "When the last finished run ended.", labels, when))
    if changes is not None:
        turns = Counter(change.turn.value for change in changes.changes)
        made.append(
            _gauges(
                "changes",
                "Rows of the last finished run by what became of them since the one before; `still` are no news.",
                labels,
                "turn",
                {turn.value: turns[turn] for turn in Turn},
            )
        )
    return made


def connect_family(histogram: Histogram, labels: Mapping[str, str]) -> Metric:
    help_ = "How long open ports took to answer: the round trip where it was measured, else the whole attempt."
    return histogram_family("portcheck_connect_seconds", help_, labels, histogram)


def histogram_family(metric: str, help_: str, labels: Mapping[str, str], histogram: Histogram) -> Metric:
    family = HistogramMetricFamily(metric, help_, labels=list(labels))
    total, buckets = 0, []
    counts = histogram.counts or (0,) * (len(histogram.bounds) + 1)
    for bound, number in zip((*histogram.bounds, math.inf), counts, strict=True):
        total += number
        buckets.append(("+Inf" if bound == math.inf else str(bound), float(total)))
    family.add_metric(list(labels.values()), buckets, histogram.sum)
    return family


def _checks(rows: Iterable[CheckResult], labels: Mapping[str, str]) -> Metric:
    """Counted by pair of roles, verdict and cause. Beyond MOST_PAIRS pairs, those with the fewest failures are one."""
    pairs: Counter[tuple[str, str]] = Counter()
    for row in rows:
        pairs[row.source_role, row.target_role] += row.verdict is not Verdict.PASS
    kept = set(sorted(pairs, key=lambda pair: (-pairs[pair], pair))[:MOST_PAIRS])
    counts: Counter[tuple[str, str, str, str]] = Counter()
    for row in rows:
        pair = (row.source_role, row.target_role)
        shown = (name(pair[0]), name(pair[1])) if pair in kept else (OTHER, OTHER)
        counts[*shown, row.verdict.value, row.cause.value if row.cause else ""] += 1
    keys = ("source_role", "target_role", "verdict", "cause")
    family = GaugeMetricFamily("portcheck_checks", "Checks of the last finished run.", labels=[*labels, *keys])
    for key, number in sorted(counts.items()):
        family.add_metric([*labels.values(), *key], number)
    return family


def gauge(metric: str, help_: str, labels: Mapping[str, str], value: float) -> Metric:
    """One value; the name is without its `portcheck_`."""
    family = GaugeMetricFamily(f"portcheck_{metric}", help_, labels=list(labels))
    family.add_metric(list(labels.values()), float(value))
    return family


def _gauges(metric: str, help_: str, labels: Mapping[str, str], key: str, values: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(f"portcheck_{metric}", help_, labels=[*labels, key])
    for word, value in values.items():
        family.add_metric([*labels.values(), word], float(value))
    return family
