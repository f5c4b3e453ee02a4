"""The life of one audit's runs.

    lock → what was left of the last time → the run, in a process of its own → spooled → in the history → told

Each step holds by itself: whatever ends the service between two of them, the next start goes on behind the last one
that was done.
"""

from __future__ import annotations

import asyncio
import secrets
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from probe.audit import log, schedule
from probe.audit.keeping import Folder, Kept
from probe.audit.order import Began, Broken, Going, Warned
from probe.audit.problems import DISK, FILES, HISTORY, RUN, Problems
from probe.audit.records import as_text, first_line, unrecorded
from probe.audit.runner import RunFailed, Runner
from probe.audit.values import AuditState, Ended, Progress
from probe.errors import UserError
from probe.history.values import RunRecord, RunState
from probe.model import instant

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from probe.audit.archive import Archive
    from probe.audit.config import Audit
    from probe.audit.order import Word
    from probe.audit.runner import Outcome
    from probe.history.database import Lock
    from probe.model.change import Changes
    from probe.model.result import Report

_TRIES = 2  # runs for one due time that took the service with them; then the next one is waited for
# A run of another coordinator for the same due time is none for us to make; one that came to no end is.
_MADE = (RunState.RUNNING, RunState.FINISHED, RunState.FAILED)


class Making:
    """One audit. `changed` is called whenever its state has, `tell` with each run that has ended. `recover` first,
    then `make` or `catch_up`, one at a time. `asked`: a run is wanted whether one is due or
    not; `running`: one was ordered; `ready`: it was recovered. `answer` is how the last
    run that was made here ended, in the word that its exit code is called.
    """

    def __init__(
        self,
        audit: Audit,
        state: Path,
        archive: Archive,
        tell: Callable[[Ended], Awaitable[None]],
        changed: Callable[[str], None],
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.audit = audit
        self._folder = Folder(state / "audits", audit.name)
        self._archive = archive
        self._tell = tell
        self._changed = changed
        self._clock = clock
        self._problems = Problems({})
        self._marks: schedule.Marks | None = None
        self._told = ""
        self._progress: Progress | None = None
        self._last: RunRecord | None = None
        self._runner: Runner | None = None
        self._begun = self._broken = ""
        self._beginning: asyncio.Task[None] | None = None
        self._stopping = ""
        self._busy = asyncio.Lock()
        self.asked = self.running = self.ready = False
        self.answer = ""

    @property
    def name(self) -> str:
        return self.audit.name

    @property
    def busy(self) -> bool:
        return self._busy.locked()

    def open(self) -> None:
        """Raises UserError where nothing can be kept."""
        self._folder.make()
        kept = self._folder.load()
        self._problems = Problems(kept.problems)
        self._marks, self._told = kept.marks, kept.told
        self.plan(self.audit)

    def plan(self, audit: Audit) -> None:
        """From now on, by these terms."""
        self.audit = audit
        if audit.schedule is not None:
            self._marks = schedule.begin(audit.schedule, self._marks, self._clock())
        self._changed(self.name)

    # --- when ---------------------------------------------------------------------------------------------------------

    def due(self) -> tuple[datetime, datetime] | None:
        """The due time that is next, and when its run is to be made; None where none is."""
        if self.audit.schedule is None or self._marks is None:
            return None
        return schedule.due(self.audit.schedule, self._marks, self._clock())

    def wants(self) -> bool:
        """Whether a run is to be made now."""
        if self.busy or self.running or not self.ready:
            return False
        return self.asked or self.wait() == 0

    def wait(self) -> float | None:
        """Seconds until a run is to be made; None where none is."""
        found = self.due()
        return max(0.0, (found[1] - self._clock()).total_seconds()) if found is not None else None

    def skip(self) -> None:
        """The run that is due is not made."""
        self.asked = False
        self._settle()

    def _settle(self) -> None:
        if self.audit.schedule is not None and self._marks is not None:
            self._marks = schedule.settle(self.audit.schedule, self._marks, self._clock())
        self._save()

    def _over(self) -> None:
        """A run that was ended with the service is made up when it is back."""
        if not self._stopping:
            self._settle()
        elif self._marks is not None:
            self._marks = msgspec.structs.replace(self._marks, trying=None, tries=0)
            self._save()

    def _save(self) -> None:
        self._folder.save(Kept(marks=self._marks, problems=self._problems.now, told=self._told))

    @property
    def state(self) -> AuditState:
        found = self.due()
        return AuditState(
            name=self.name,
            schedule=str(self.audit.schedule) if self.audit.schedule is not None else "when asked",
            next=as_text(max(found[1], self._clock())) if found is not None else None,
            progress=self._progress,
            last=self._last,
            problem=str(self._problems),
        )

    # --- a run --------------------------------------------------------------------------------------------------------

    async def make(self) -> bool:
        """A run, if nobody else is making one. Returns whether one was made."""
        async with self._busy:
            asked, self.asked = self.asked, False
            self.answer = ""
            found = None if asked else self.due()
            with self._folder.lock() as ours:
                if not ours:
                    log.event("skipped", self.name, why="another process makes a run of it")
                    self._settle()
                    return False
                return await self._locked(found[0] if found is not None else None)

    async def _locked(self, found: datetime | None) -> bool:
        lock: Lock | None = None
        try:
            lock = await self._archive.lock(self.name)
            if lock is None:
                log.event("skipped", self.name, why="another coordinator makes a run of it")
                self._settle()
                return False
        except UserError:
            pass  # no history: the run is made all the same, and catching up tells of it
        try:
            kept = await self._catch_up(recover=True)
            if found is not None and (why := await self._needless(found)):
                log.event("skipped", self.name, due=as_text(found), why=why)
                self._settle()
                return False
            await self._run(found, kept=kept)
        finally:
            self._progress, self._runner, self._begun, self._beginning = None, None, "", None
            if lock is not None:
                await self._archive.release(lock)
            self._changed(self.name)
        return True

    async def _needless(self, found: datetime) -> str:
        """Why no run is to be made for this due time, or nothing."""
        if self._marks is not None and self._marks.trying == found and self._marks.tries >= _TRIES:
            return f"{self._marks.tries} runs for it came to no end"
        if self._marks is None or (self._marks.settled is None and self._marks.trying != found):
            return ""
        try:
            newest = next(iter(await self._archive.ask(lambda history: history.runs(self.name, limit=1))), None)
        except UserError:
            return ""
        if newest is not None and newest.state in _MADE and instant.read(newest.started) >= found:
            return f"run {newest.number} was made for it"
        return ""

    async def _run(self, found: datetime | None, *, kept: bool) -> None:
        if found is not None:
            self._attempt(found)
        order = msgspec.structs.replace(self.audit.order, kept=self._folder.inputs)
        self._runner = Runner(order, self.audit.deadline, lambda word: self._hear(word, kept=kept))
        if self._stopping:
            self._runner.stop(self._stopping)
        self._broken = ""
        self._progress = Progress(audit=self.name, run="", started=as_text(self._clock()), words="reading its files")
        self._changed(self.name)
        log.event("began", self.name, due=as_text(found) if found is not None else "asked-for")
        try:
            outcome = await self._runner.make()
        except RunFailed as error:
            await self._failed(str(error))
        else:
            await self._made(outcome)
        finally:
            if self._beginning is not None:
                await self._beginning

    def _attempt(self, found: datetime) -> None:
        if self._marks is not None:
            self._marks = schedule.attempt(self._marks, found)
            self._save()

    def stop(self, why: str) -> None:
        """End what is under way in order, with what is known by then."""
        self._stopping = why
        if self._runner is not None:
            self._runner.stop(why)

    def _hear(self, word: Word, *, kept: bool) -> None:
        match word:
            case Warned(words=words):
                log.warning("files", self.name, said=words)
            case Broken(words=words):
                self._broken = f"{words}\nthe files of the last run were used instead"
                log.event("files-broken", self.name, said=words, instead="those of the last run")
            case Began(id=run, started=started):
                self._progress = Progress(audit=self.name, run=run, started=started)
                self._begun = run
                # Behind reports that wait for the history, its number would be too low.
                if kept:
                    self._beginning = asyncio.create_task(self._begin(run, started))
            case Going(done=done, total=total, failing=failing, words=words) if self._progress is not None:
                self._progress = msgspec.structs.replace(
                    self._progress, done=done, total=total, failing=failing, words=words
                )
        self._changed(self.name)

    async def _begin(self, run: str, started: str) -> None:
        try:
            await self._archive.ask(lambda history: history.begin(self.name, run, started))
        except UserError as error:
            log.warning("history", self.name, why=first_line(error))

    async def _failed(self, why: str) -> None:
        run = self._begun or secrets.token_hex(8)
        started = self._progress.started if self._progress is not None else as_text(self._clock())
        state = RunState.INTERRUPTED if self._stopping else RunState.FAILED
        log.event(state.value, self.name, why=why)
        if not self._stopping:
            self._problems.note(RUN, why)
            # What was wrong with other files, before, is no reason for this.
            self._problems.note(FILES, self._broken)
        self._over()
        try:
            self._last = await self._archive.ask(lambda history: history.fail(self.name, run, started, state, why))
        except UserError:
            self._last = RunRecord(audit=self.name, number=0, id=run, state=state, started=started, problem=why)
        await self._ended(self._last)

    async def _made(self, outcome: Outcome) -> None:
        assert self._progress is not None  # noqa: S101  (a run that has a report has begun)
        run = self._progress.run
        self._problems.note(FILES, self._broken)
        self._problems.note(RUN, "")
        trouble = await asyncio.to_thread(self._folder.spool.put, run, outcome.data, well=outcome.answer == "conforms")
        self._problems.note(DISK, trouble and f"reports wait in memory only: {trouble}")
        log.event("finished", self.name, id=run, bytes=len(outcome.data))
        self.answer = outcome.answer
        self._over()
        await self._catch_up(recover=False)

    # --- what waits ---------------------------------------------------------------------------------------------------

    async def recover(self) -> None:
        """At a start: what the last process has left. Where another makes a run now, that one sees to it."""
        try:
            async with self._busy:
                with self._folder.lock() as ours:
                    if ours:
                        await self._recover()
                runs = await self._archive.ask(lambda history: history.runs(self.name, limit=1))
                self._last = next(iter(runs), None)
        except UserError:
            pass
        finally:
            self.ready = True
            self._changed(self.name)

    async def _recover(self) -> None:
        try:
            lock = await self._archive.lock(self.name)
        except UserError:
            lock = None
        try:
            await self._catch_up(recover=lock is not None)
        finally:
            if lock is not None:
                await self._archive.release(lock)

    async def catch_up(self) -> None:
        """What waits for a history that was away."""
        async with self._busy:
            waiting = await asyncio.to_thread(self._folder.spool.waiting)
            if waiting or HISTORY in self._problems.now:
                await self._catch_up(recover=False)
        self._changed(self.name)

    async def _catch_up(self, *, recover: bool) -> bool:
        """Record and tell what is spooled, in order. `recover`: under the history's lock. Returns whether nothing
        waits any more.
        """
        spool = self._folder.spool
        try:
            for one in await asyncio.to_thread(spool.waiting):
                report = await asyncio.to_thread(spool.read, one.name)
                if report is None:
                    log.warning("damaged", self.name, report=one.name)
                    continue
                await self._record(report)
                await asyncio.to_thread(spool.remove, one.name)
            if recover:
                for lost in await self._archive.ask(lambda history: history.recover(self.name)):
                    log.warning("lost", self.name, run=lost.number, id=lost.id)
                    await self._ended(lost)
            else:
                await self._archive.ask(lambda history: history.runs(self.name, limit=1))
        except Exception as error:  # noqa: BLE001  (a defect there must not keep runs from being made, either)
            await self._no_history(error if isinstance(error, UserError) else f"{type(error).__name__}: {error}")
            return False
        self._problems.note(HISTORY, "")
        await self._news()
        return True

    async def _record(self, report: Report) -> None:
        """Raises UserError. What is spooled still and was told already is not told again."""
        try:
            record, changes = await self._archive.ask(lambda history: history.record(self.name, report))
        except Exception:
            self._last = unrecorded(self.name, report)
            raise
        self._problems.note(HISTORY, "")
        self._last = record
        log.event(
            "recorded",
            self.name,
            run=record.number,
            outcome=record.outcome or record.state.value,
            deviations=report.summary.deviations,
            seconds=record.seconds,
        )
        if record.id == self._told:
            return
        self._told = record.id
        if record.state is RunState.FINISHED:
            await self._ended(record, report, changes)
        else:
            await self._ended(record)

    async def _no_history(self, error: UserError | str) -> None:
        words = f"reports are kept until the history can be written again: {error}"
        if self._problems.now.get(HISTORY) != words:  # it is tried every minute
            log.event("history", self.name, why=first_line(error))
        self._problems.note(HISTORY, words)
        await self._news()

    async def _ended(self, run: RunRecord, report: Report | None = None, changes: Changes | None = None) -> None:
        problem, recovered = self._problems.news
        was = self._problems.was if recovered else ""
        if recovered:
            log.event("mended", self.name, was=was.replace("\n", "; "))
        ended = Ended(
            audit=self.name, run=run, report=report, changes=changes, problem=problem, recovered=recovered, was=was
        )
        await self._tell(ended)
        self._problems.told()
        self._save()

    async def _news(self) -> None:
        """Of the audit, not of a run."""
        if any(self._problems.news):
            now, number = as_text(self._clock()), self._last.number if self._last is not None else 0
            run = secrets.token_hex(8)
            await self._ended(RunRecord(audit=self.name, number=number, id=run, state=RunState.RUNNING, started=now))
