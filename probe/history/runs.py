"""The table of runs."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import msgspec

from probe.history.values import RunRecord, RunState
from probe.model.answer import answer
from probe.model.result import Summary

if TYPE_CHECKING:
    from probe.history.database import Row, Session
    from probe.model.result import Report

FINISHED = f"AND state = '{RunState.FINISHED.value}'"
_RUN = "number, id, state, started, finished, outcome, problem, seconds, summary"


def find_runs(session: Session, audit: str, condition: str, limit: int, *values: object) -> tuple[RunRecord, ...]:
    """The newest first. `condition` is SQL of our own, with a `?` for each of the values."""
    found = session.rows(
        f"SELECT runs.{_RUN.replace(', ', ', runs.')} FROM runs JOIN audits ON audits.number = runs.audit "  # noqa: S608
        f"WHERE audits.name = ? {condition} ORDER BY runs.number DESC LIMIT ?",
        audit,
        *values,
        max(limit, 0),
    )
    return tuple(_record(audit, row) for row in found)


def add_run(session: Session, audit: str, run_id: str, started: str) -> RunRecord:
    """A run that is under way, under the next number; the audit is added with its first."""
    if not session.run("UPDATE audits SET latest = latest + 1 WHERE name = ?", audit):
        session.run(
            "INSERT INTO audits (number, name, latest, whole_from, failures_from) "
            "SELECT coalesce(max(number), 0) + 1, ?, 1, 1, 1 FROM audits",
            audit,
        )
    number, latest = session.rows("SELECT number, latest FROM audits WHERE name = ?", audit)[0]
    made = RunRecord(audit=audit, number=latest, id=run_id, state=RunState.RUNNING, started=started)
    session.run(
        f"INSERT INTO runs (audit, {_RUN}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608  (our own names)
        number,
        latest,
        *_columns(made),
    )
    return made


def put_run(session: Session, audit: int, run: RunRecord) -> None:
    """As it is now."""
    session.run(
        "UPDATE runs SET id = ?, state = ?, started = ?, finished = ?, outcome = ?, problem = ?, seconds = ?, "
        "summary = ? WHERE audit = ? AND number = ?",
        *_columns(run),
        audit,
        run.number,
    )


def _record(audit: str, row: Row) -> RunRecord:
    number, id_, state, started, finished, outcome, problem, seconds, summary = row
    return RunRecord(
        audit=audit,
        number=number,
        id=id_,
        state=RunState(state),
        started=started,
        finished=finished,
        outcome=outcome,
        problem=problem,
        seconds=seconds,
        summary=msgspec.json.decode(bytes(summary), type=Summary) if summary is not None else None,
    )


def _columns(run: RunRecord) -> tuple[object, ...]:
    summary = msgspec.json.encode(run.summary) if run.summary is not None else None
    return (run.id, run.state.value, run.started, run.finished, run.outcome, run.problem, run.seconds, summary)


def ended(run: RunRecord, report: Report) -> RunRecord:
    state = RunState.INTERRUPTED if report.run.interrupted else RunState.FINISHED
    return msgspec.structs.replace(
        run,
        state=state,
        started=report.run.started,
        finished=report.run.finished,
        outcome=answer(report).value,
        problem="",
        seconds=seconds_from(report.run.started, report.run.finished),
        summary=report.summary,
    )


def seconds_from(started: str, finished: str | dt.datetime) -> float:
    """0 where a time is none."""
    try:
        end = dt.datetime.fromisoformat(finished) if isinstance(finished, str) else finished
        return max(0.0, round((end - dt.datetime.fromisoformat(started)).total_seconds(), 3))
    except (ValueError, TypeError):
        return 0.0


def audit_number(session: Session, audit: str) -> int:
    """0, which none has, for an audit that nobody knows."""
    found = session.rows("SELECT number FROM audits WHERE name = ?", audit)
    return int(found[0][0]) if found else 0


def finished_runs(session: Session, audit: int, number: int) -> list[int]:
    """The finished runs up to this one, in order."""
    found = session.rows(
        "SELECT number FROM runs WHERE audit = ? AND state = ? AND number <= ? ORDER BY number",
        audit,
        RunState.FINISHED.value,
        number,
    )
    return [one for (one,) in found]
