"""Runs that no history has yet, and times as records have them (RFC 3339)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from probe.history.values import RunRecord, RunState

if TYPE_CHECKING:
    from probe.errors import UserError
    from probe.model.result import Report


def unrecorded(audit: str, report: Report) -> RunRecord:
    """Of a run that no history has yet: it has no number."""
    state = RunState.INTERRUPTED if report.run.interrupted else RunState.FINISHED
    return RunRecord(
        audit=audit,
        number=0,
        id=report.run.id,
        state=state,
        started=report.run.started,
        finished=report.run.finished,
        summary=report.summary,
    )


def first_line(error: UserError | str) -> str:
    return str(error).partition("\n")[0]


def as_text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
