"""The one question that every run answers."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from probe.model.words import Verdict

if TYPE_CHECKING:
    from probe.model.result import Report


class Answer(Enum):
    """How a run ended; the value is what its exit code is called."""

    CONFORMS = "conforms"
    DEVIATIONS = "deviations"
    INTERRUPTED = "interrupted"
    NOTHING = "nothing to check"
    INCONCLUSIVE = "inconclusive"


def answer(report: Report) -> Answer:
    """The first that holds, so that none hides a worse one. Never `CONFORMS` where nothing was measured."""
    if report.run.interrupted:
        return Answer.INTERRUPTED
    if not report.checks:
        return Answer.NOTHING
    if any(check.deviates for check in report.checks):
        return Answer.DEVIATIONS
    if any(check.unsettled for check in report.checks) or not measured(report):
        return Answer.INCONCLUSIVE
    return Answer.CONFORMS


def measured(report: Report) -> bool:
    """Whether anything was."""
    return any(check.verdict is not Verdict.INCONCLUSIVE for check in report.checks)
