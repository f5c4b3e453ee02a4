"""What becomes of a report that is finished.

    spooled → in the history → told → noted → shown, and no longer spooled

Each step holds by itself. Whoever is killed between two of them goes on behind the last one that was done: what was
told but not noted is told again, which alerts see for themselves, and what is noted counts once.
"""

from __future__ import annotations

import asyncio
import secrets
from typing import TYPE_CHECKING

from probe.audit import log
from probe.audit.problems import HISTORY
from probe.audit.records import as_text, first_line, unrecorded
from probe.audit.values import Ended
from probe.errors import UserError
from probe.history.values import RunRecord, RunState

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from probe.audit.archive import Archive
    from probe.audit.keeping import Book
    from probe.audit.spool import Spool
    from probe.audit.values import Listener
    from probe.model.change import Changes
    from probe.model.result import Report


class Telling:
    """Of one audit, by one task at a time. `last` is its last run, as far as it is known."""

    def __init__(
        self,
        audit: str,
        spool: Spool,
        book: Book,
        archive: Archive,
        listener: Listener,
        clock: Callable[[], datetime],
    ) -> None:
        self._audit = audit
        self._spool = spool
        self._book = book
        self._archive = archive
        self._listener = listener
        self._clock = clock
        self.last: RunRecord | None = None

    async def look(self) -> None:
        """For the last run. Raises UserError."""
        runs = await self._archive.ask(lambda history: history.runs(self._audit, limit=1))
        self.last = next(iter(runs), None)

    async def catch_up(self, *, recover: bool) -> bool:
        """Record and tell what is spooled, in order. `recover`: under the history's lock. Returns whether nothing
        waits any more.
        """
        try:
            for one in await asyncio.to_thread(self._spool.waiting):
                report = await asyncio.to_thread(self._spool.read, one.name)
                if report is None:
                    log.warning("damaged", self._audit, report=one.name)
                    continue
                await self._record(report)
                await asyncio.to_thread(self._spool.remove, one.name)
            if recover:
                await self._recover()
            else:
                await self._archive.ask(lambda history: history.runs(self._audit, limit=1))
        except Exception as error:  # noqa: BLE001  (a defect there must not keep runs from being made, either)
            await self._no_history(error if isinstance(error, UserError) else f"{type(error).__name__}: {error}")
            return False
        self._book.problems.note(HISTORY, "")
        await self.news()
        return True

    async def failed(self, run: str, started: str, state: RunState, why: str) -> None:
        """A run that came to nothing."""
        try:
            self.last = await self._archive.ask(lambda history: history.fail(self._audit, run, started, state, why))
        except UserError:
            self.last = RunRecord(audit=self._audit, number=0, id=run, state=state, started=started, problem=why)
        await self._tell(self.last)

    async def news(self) -> None:
        """Of the audit, not of a run."""
        if any(self._book.problems.news):
            now, number = as_text(self._clock()), self.last.number if self.last is not None else 0
            run = secrets.token_hex(8)
            await self._tell(RunRecord(audit=self._audit, number=number, id=run, state=RunState.RUNNING, started=now))

    async def _record(self, report: Report) -> None:
        """Raises UserError."""
        try:
            record, changes = await self._archive.ask(lambda history: history.record(self._audit, report))
        except Exception:
            self.last = unrecorded(self._audit, report)
            raise
        self._book.problems.note(HISTORY, "")
        self.last = record
        log.event(
            "recorded",
            self._audit,
            run=record.number,
            outcome=record.outcome or record.state.value,
            deviations=report.summary.deviations,
            seconds=record.seconds,
        )
        if record.state is RunState.FINISHED:
            await self._tell(record, report, changes)
        else:
            await self._tell(record)

    async def _recover(self) -> None:
        """Told before that is written down: nobody would find them afterwards."""
        for lost in await self._archive.ask(lambda history: history.lost(self._audit)):
            log.warning("lost", self._audit, run=lost.number, id=lost.id)
            await self._tell(lost)
        await self._archive.ask(lambda history: history.recover(self._audit))

    async def _no_history(self, error: UserError | str) -> None:
        words = f"reports are kept until the history can be written again: {error}"
        if self._book.problems.now.get(HISTORY) != words:  # it is tried every minute
            log.event("history", self._audit, why=first_line(error))
        self._book.problems.note(HISTORY, words)
        await self.news()

    async def _tell(self, run: RunRecord, report: Report | None = None, changes: Changes | None = None) -> None:
        """Once, as far as that is noted."""
        if run.id == self._book.told:
            return
        problem, recovered = self._book.problems.news
        was = self._book.problems.was if recovered else ""
        if recovered:
            log.event("mended", self._audit, was=was.replace("\n", "; "))
        ended = Ended(
            audit=self._audit, run=run, report=report, changes=changes, problem=problem, recovered=recovered, was=was
        )
        await self._listener.ended(ended)
        self._book.problems.told()
        if run.state is not RunState.RUNNING:
            self._book.told = run.id
            # Some 0.1 s for 100,000 checks, in which the pages would stand still.
            self._book.counts = await asyncio.to_thread(self._book.counts.adding, ended)
        self._book.save()
        await self._listener.noted(ended)
