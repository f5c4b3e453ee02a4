"""How long answers took, in buckets."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING

import msgspec

from probe.model.words import State, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from probe.model.result import Report

CONNECT = (0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
"""Seconds; from a switch to a satellite."""


class Histogram(msgspec.Struct, frozen=True, kw_only=True):
    """`counts` of values of at most so many seconds each, and of those beyond the last bound; none yet where there are
    no counts.
    """

    bounds: tuple[float, ...]
    counts: tuple[int, ...] = ()
    sum: float = 0.0

    def adding(self, seconds: Iterable[float]) -> Histogram:
        counts, total = list(self.counts) or [0] * (len(self.bounds) + 1), self.sum
        for value in seconds:
            counts[bisect_left(self.bounds, value)] += 1
            total += value
        return msgspec.structs.replace(self, counts=tuple(counts), sum=total)


def connect_seconds(report: Report) -> Iterator[float]:
    """How long an answer took in this run: what was measured of it, of what passed."""
    for row in report.checks:
        taken = row.rtt_ms if row.rtt_ms is not None else row.elapsed_ms
        if row.verdict is Verdict.PASS and row.state is State.OPEN and taken is not None:
            yield taken / 1000
