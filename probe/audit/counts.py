"""How many runs of an audit there were, and how long they took: kept with what was told, so that a run that is told
again after a kill counts once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from probe.history.values import RunState
from probe.report.latency import CONNECT, Histogram, connect_seconds

if TYPE_CHECKING:
    from probe.audit.values import Ended

DURATIONS = (1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 14400.0)


class Counts(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`runs` by how they ended; `durations` of runs, and of the answers of open ports in them, in seconds."""

    runs: dict[str, int] = {}
    durations: Histogram = Histogram(bounds=DURATIONS)
    connect: Histogram = Histogram(bounds=CONNECT)

    def of_these_bounds(self) -> Counts:
        """Those of a portcheck that had other buckets cannot be gone on with."""
        known = (self.durations.bounds, self.connect.bounds) == (DURATIONS, CONNECT)
        return self if known else Counts(runs=self.runs)

    def adding(self, ended: Ended) -> Counts:
        run, report = ended.run, ended.report
        word = run.outcome or run.state.value
        measured = report is not None and run.state is RunState.FINISHED
        return Counts(
            runs=self.runs | {word: self.runs.get(word, 0) + 1},
            durations=self.durations.adding([run.seconds]),
            connect=self.connect.adding(connect_seconds(report)) if report is not None and measured else self.connect,
        )
