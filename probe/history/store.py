"""The history of audits: each run with its rows, and what changed.

What goes on from run to run is an interval, written when it begins and when it ends, so that a run that finds what the
one before found costs a few hundred bytes. What fails keeps its evidence of every run in which it was new.
"""

from __future__ import annotations

import datetime as dt
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from probe.encoding import encode
from probe.errors import UserError
from probe.history import documents, exporting, lives, retention, trends
from probe.history.compare import compare
from probe.history.database import OPEN
from probe.history.outline import outline
from probe.history.rebuilding import parts, rebuilt
from probe.history.recording import write_parts, write_rows
from probe.history.runs import (
    FINISHED,
    add_run,
    audit_number,
    ended,
    find_runs,
    finished_runs,
    put_run,
    seconds_from,
)
from probe.history.values import AuditRecord, Interval, NotKept, RunRecord, RunState, Tally, run_name
from probe.model.change import Changes, Turn
from probe.text import printable, printable_lines

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from probe.history.database import Database, Lock, Session
    from probe.history.retention import Pruned, Retention
    from probe.model.result import Report, Summary

__all__ = ["History", "NotKept", "open_history"]

_TALLY = "tally"  # the name of that part


def open_history(place: str) -> History:
    """The history in a file (made if it is not there), or in the database of a `postgresql://` URL. Raises UserError
    that says what to do.
    """
    if place.startswith(("postgresql://", "postgres://")):
        from probe.history.postgresql import Postgresql  # noqa: PLC0415  (its library is an extra of its own)

        return History(Postgresql(place))
    from probe.history.sqlite import Sqlite  # noqa: PLC0415  (nor is this one for those who need it not)

    return History(Sqlite(place))


class History:
    """Used by one thread at a time. Every method raises UserError for a database that fails."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @property
    def place(self) -> str:
        """As it is called in messages, without a password."""
        return self._database.place

    def size(self) -> int:
        """In bytes."""
        return self._database.size()

    def close(self) -> None:
        self._database.close()

    # --- what there is ------------------------------------------------------------------------------------------------

    def audits(self) -> tuple[AuditRecord, ...]:
        """By name."""

        def work(session: Session) -> tuple[AuditRecord, ...]:
            return tuple(
                AuditRecord(
                    name=name,
                    runs=int(session.rows("SELECT count(*) FROM runs WHERE audit = ?", audit)[0][0]),
                    latest=next(iter(find_runs(session, name, "", 1)), None),
                    finished=next(iter(find_runs(session, name, FINISHED, 1)), None),
                )
                for audit, name in session.rows("SELECT number, name FROM audits ORDER BY name")
            )

        return self._database.read(work)

    def runs(self, audit: str, *, limit: int = 50, before: int | None = None) -> tuple[RunRecord, ...]:
        """The newest first; of an audit that nobody knows, none."""
        if before is None:
            return self._database.read(lambda session: find_runs(session, audit, "", limit))
        return self._database.read(lambda session: find_runs(session, audit, "AND runs.number < ?", limit, before))

    def finished(self, audit: str, limit: int = 50) -> tuple[RunRecord, ...]:
        """Of its runs those that are finished, the newest first."""
        return self._database.read(lambda session: find_runs(session, audit, FINISHED, limit))

    def run(self, audit: str, number: int) -> RunRecord:
        """Raises NotKept."""
        return self._database.read(lambda session: self._run(session, audit, number))

    def report(self, audit: str, number: int) -> Report:
        """The run's report again. Of what passed, times and sentences are those of the run that first saw it so. Raises
        NotKept for a run without rows.
        """
        return self._database.read(lambda session: self._report(session, audit, number))

    def changes(self, audit: str, old: int | None, new: int) -> Changes:
        """From run `old`, or from the finished run before `new`. Raises NotKept."""

        return self._database.read(lambda session: self._changes(session, audit, old, new))

    def tallies(self, audit: str, first: int, last: int) -> dict[int, Tally]:
        """What changed in each of the finished runs from `first` to `last`, counted when they were recorded: for lists,
        where to compare them all would take seconds.
        """

        def work(session: Session) -> dict[int, Tally]:
            found = session.rows(
                "SELECT parts.run, documents.body FROM parts JOIN documents ON documents.digest = parts.document "
                "WHERE parts.audit = ? AND parts.name = ? AND parts.run BETWEEN ? AND ?",
                audit_number(session, audit),
                _TALLY,
                first,
                last,
            )
            try:
                return {run: msgspec.json.decode(documents.unpacked(bytes(body)), type=Tally) for run, body in found}
            except ValueError as error:
                raise self._database.damaged(error) from None

        return self._database.read(work)

    def told(self, audit: str, number: int, old: int | None = None) -> tuple[Report, Changes]:
        """A run's report and what changed since run `old`, or the finished run before, read at once. Raises NotKept."""

        def work(session: Session) -> tuple[Report, Changes]:
            report = self._report(session, audit, number)
            return report, self._changes(session, audit, old, number, report)

        return self._database.read(work)

    def intervals(self, audit: str, check_id: str, *, limit: int = 500) -> tuple[Interval, ...]:
        """The life of one check, the newest first."""

        def work(session: Session) -> tuple[Interval, ...]:
            try:
                return lives.intervals(session, audit_number(session, audit), check_id, limit)
            except ValueError as error:
                raise self._database.damaged(error) from None

        return self._database.read(work)

    def export(self, audit: str, first: int = 1, last: int = OPEN) -> Iterator[bytes]:
        """JSON Lines of these runs, and of their rows: docs/history.md says what stands in them."""
        yield encode({"schema": exporting.SCHEMA, "audit": audit}) + b"\n"
        wanted = [run for run in reversed(self.runs(audit, limit=OPEN)) if first <= run.number <= last]
        number = self._database.read(lambda session: audit_number(session, audit))
        try:
            for run in wanted:
                yield exporting.run_line(run, self._database.read(partial(parts, audit=number, number=run.number)))
            finished = [run.number for run in wanted if run.state is RunState.FINISHED]
            yield from exporting.row_lines(self._database, number, finished)
        except ValueError as error:
            raise self._database.damaged(error) from None

    # --- what is added ------------------------------------------------------------------------------------------------

    def begin(self, audit: str, run_id: str, started: str) -> RunRecord:
        """A run that is under way. One that is known already stays as it is."""

        def work(session: Session) -> RunRecord:
            return self._known(session, audit, run_id) or add_run(session, audit, run_id, started)

        return self._database.write(work)

    def record(self, audit: str, report: Report) -> tuple[RunRecord, Changes]:
        """All of a report or nothing of it; a second time it does nothing. One that was interrupted, or comes when a
        later one has been recorded, is kept as a run without rows, and nothing changed.
        """

        def work(session: Session) -> tuple[RunRecord, Changes]:
            nothing = Changes(old=None, new=report.run)
            known = self._known(session, audit, report.run.id)
            if known is not None and known.state is RunState.FINISHED:
                return known, self._changes(session, audit, None, known.number, report)
            if known is not None and known.state is RunState.INTERRUPTED:
                return known, nothing
            run = known or add_run(session, audit, report.run.id, report.run.started)
            record = ended(run, report)
            number = audit_number(session, audit)
            later = find_runs(session, audit, f"{FINISHED} AND runs.number > ?", 1, run.number)
            if later:
                late = f"its report came after that of run {later[0].number}, and is not kept"
                record = msgspec.structs.replace(record, state=RunState.LOST, problem=late)
            put_run(session, number, record)
            if record.state is not RunState.FINISHED:
                return record, nothing
            before = next(iter(finished_runs(session, number, run.number)[-2:-1]), 0)
            write_rows(session, number, run.number, before, report.checks)
            write_parts(session, number, run.number, documents.parts(report))
            changes = self._changes(session, audit, None, run.number, report)
            write_parts(session, number, run.number, {_TALLY: encode(Tally.of(changes))})
            return record, changes

        return self._database.write(work)

    def fail(self, audit: str, run_id: str, started: str, state: RunState, problem: str) -> RunRecord:
        """A run that came to nothing. One that has ended already stays as it is."""

        def work(session: Session) -> RunRecord:
            known = self._known(session, audit, run_id)
            if known is not None and known.state is not RunState.RUNNING:
                return known
            run = known or add_run(session, audit, run_id, started)
            now = dt.datetime.now(dt.UTC)
            record = msgspec.structs.replace(
                run,
                state=state,
                problem=printable_lines(problem)[:2000],
                finished=now.isoformat(timespec="seconds").replace("+00:00", "Z"),
                seconds=seconds_from(started, now),
            )
            put_run(session, audit_number(session, audit), record)
            return record

        return self._database.write(work)

    def lost(self, audit: str) -> tuple[RunRecord, ...]:
        """Runs of which nobody will say any more how they ended, as `recover` will call them."""
        return self._database.read(lambda session: _lost(session, audit))

    def recover(self, audit: str) -> tuple[RunRecord, ...]:
        """The same are called lost from now on: whoever calls holds the lock."""

        def work(session: Session) -> tuple[RunRecord, ...]:
            lost = _lost(session, audit)
            for run in lost:
                put_run(session, audit_number(session, audit), run)
            return lost

        return self._database.write(work)

    def lock(self, audit: str) -> Lock | None:
        """Whoever has it may run the audit; None where another has. It ends with its process."""
        return self._database.lock(audit)

    def prune(self, keep: Retention, *, now: dt.datetime | None = None, dry_run: bool = False) -> Pruned:
        """Drop what is older than it has to be kept as of `now`; with `dry_run` only say what that would be."""

        def work(session: Session) -> Pruned:
            done = retention.prune(session, keep, now or dt.datetime.now(dt.UTC))
            if dry_run:
                raise _NotMeantError(done)
            return done

        before = self._database.size()
        try:
            done = self._database.write(work)
        except _NotMeantError as planned:
            return planned.done
        try:
            self._database.shrink()
        except UserError:
            pass  # what was dropped is dropped, and its room is used again
        return msgspec.structs.replace(done, freed=max(0, before - self._database.size()))

    # --- how it is done -----------------------------------------------------------------------------------------------

    def _run(self, session: Session, audit: str, number: int) -> RunRecord:
        found = find_runs(session, audit, "AND runs.number = ?", 1, number)
        if not found:
            raise NotKept(
                f"{self.place}: audit {printable(audit)!r} has no run {number}\n"
                "  hint: `portcheck history list` tells which there are"
            )
        return found[0]

    def _finished(self, session: Session, audit: str, number: int) -> tuple[RunRecord, Summary]:
        run = self._run(session, audit, number)
        if run.state is not RunState.FINISHED or run.summary is None:
            raise NotKept(
                f"{self.place}: run {number} of {printable(audit)!r} has no rows: {run.state}"
                + (f" ({run.problem.splitlines()[0]})" if run.problem else "")
                + "\n  hint: `portcheck history list` tells which runs are finished"
            )
        return run, run.summary

    def _report(self, session: Session, audit: str, number: int, some: Sequence[int] | None = None) -> Report:
        """With `some`, the rows of these intervals alone (probe.history.outline)."""
        run, summary = self._finished(session, audit, number)
        try:
            report = rebuilt(session, audit_number(session, audit), run, summary, some)
        except ValueError as error:
            raise self._database.damaged(error) from None
        if report is None:
            raise NotKept(
                f"{self.place}: of run {number} of {printable(audit)!r} only how it ended is kept: {run.outcome}\n"
                "  hint: `portcheck history prune --days` says how long runs are kept whole"
            )
        return report

    def _changes(
        self, session: Session, audit: str, old: int | None, number: int, report: Report | None = None
    ) -> Changes:
        """`report` is that of run `number`, where it is at hand: otherwise as little of it is read as can be."""
        for one in (number, old):
            if one is not None:
                self._finished(session, audit, one)
        key = audit_number(session, audit)
        finished = finished_runs(session, key, number)
        before = old if old is not None else next(iter(finished[-2:-1]), None)
        seen = outline(session, key, before, finished)
        new = report if report is not None else self._report(session, audit, number, seen.new)
        older = self._report(session, audit, before, seen.old) if before is not None else None
        found = compare(older, new)
        if report is None and any(one.turn is Turn.FIXED and one.now is None for one in found.changes):
            # Closed, it says. Whether it was tried under another rule now is in a row that may pass.
            new = self._report(session, audit, number)
            found = compare(older, new)
        found = msgspec.structs.replace(found, appeared=seen.appeared, vanished=seen.vanished)
        told = trends.told(session, key, finished, seen, found, older.checks if older is not None else (), new.checks)
        return msgspec.structs.replace(told, names=(run_name(audit, before or 0), run_name(audit, number)))

    def _known(self, session: Session, audit: str, run_id: str) -> RunRecord | None:
        return next(iter(find_runs(session, audit, "AND id = ?", 1, run_id)), None)


def _lost(session: Session, audit: str) -> tuple[RunRecord, ...]:
    return tuple(
        msgspec.structs.replace(run, state=RunState.LOST, problem="its coordinator ended without a word")
        for run in find_runs(session, audit, f"AND state = '{RunState.RUNNING.value}'", 1000)
    )


class _NotMeantError(Exception):
    """Undoes what was only tried."""

    def __init__(self, done: Pruned) -> None:
        super().__init__()
        self.done = done
