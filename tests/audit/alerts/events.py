"""Runs of one audit as the service tells of them, made by hand, with what a history would say of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from probe.audit.values import Ended
from probe.history.compare import compare
from probe.history.values import RunRecord, RunState
from probe.model.change import Turn
from probe.model.words import Cause, Phase, Policy, State, Verdict
from probe.report.answer import answer
from tests.report.example import report
from tests.report.rows import check

if TYPE_CHECKING:
    from probe.model.result import CheckResult, Report

AUDIT = "nightly"
BLOCKED: dict[str, Any] = {
    "verdict": Verdict.BLOCKED,
    "cause": Cause.NETWORK,
    "state": State.FILTERED,
    "advice": "Ask the network team.",
    "rtt_ms": None,
}
UNKNOWN: dict[str, Any] = {"verdict": Verdict.INCONCLUSIVE, "cause": Cause.AGENT_LOST, "state": None}


def redis(number: int = 1, **given: Any) -> CheckResult:
    """A check of its own for each number up to 3; passes unless told otherwise."""
    return check(f"engine-{number}", "redis-1", "redis", "flows[9]", **given)


def postgresql(**given: Any) -> CheckResult:
    return check("svc-1", "db-1", "postgresql", "flows[5]", **given)


def advised(**given: Any) -> CheckResult:
    return redis(**BLOCKED | {"policy": Policy.ADVISE} | given)


class Course:
    """One run after the other: `run(rows)` is the Ended of the next. `flapping` are ids that the history calls so."""

    def __init__(self, audit: str = AUDIT) -> None:
        self.audit = audit
        self.number = 0
        self.last: Report | None = None

    def run(self, *rows: CheckResult, flapping: tuple[str, ...] = (), **given: Any) -> Ended:
        self.number += 1
        found = report(list(rows), phase=Phase.LIVE)
        run = msgspec.structs.replace(found.run, id=f"run-{self.number}")
        found = msgspec.structs.replace(found, run=run, waivers=given.pop("waivers", ()))
        changes = compare(self.last, found)
        turned = tuple(
            msgspec.structs.replace(change, turn=Turn.FLAPPING)
            if change.row.id in flapping and change.now is not None
            else change
            for change in changes.changes
        )
        changes = msgspec.structs.replace(changes, changes=turned)
        self.last = found
        return Ended(audit=self.audit, run=self.record(answer(found).value), report=found, changes=changes, **given)

    def failed(self, problem: str) -> Ended:
        self.number += 1
        return Ended(audit=self.audit, run=self.record("", RunState.FAILED), problem=problem)

    def record(self, outcome: str, state: RunState = RunState.FINISHED) -> RunRecord:
        return RunRecord(
            audit=self.audit,
            number=self.number,
            id=f"run-{self.number}",
            state=state,
            started="2025-03-14T09:26:53Z",
            finished="2025-03-14T09:27:01Z",
            outcome=outcome,
            seconds=8.0,
        )
