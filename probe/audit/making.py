"""The life of one audit's runs.

    lock → what was left of the last time → the run, in a process of its own → spooled → told (`telling`)

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
from probe.audit.keeping import Asked, Book, Folder
from probe.audit.order import Began, Broken, Going, Warned
from probe.audit.problems import DISK, FILES, HISTORY, RUN
from probe.audit.records import as_text
from probe.audit.runner import RunFailed, Runner
from probe.audit.telling import Telling
from probe.audit.values import AuditState, Progress
from probe.errors import UserError
from probe.history.values import RunState
from probe.model import instant

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from probe.audit.archive import Archive
    from probe.audit.config import Audit
    from probe.audit.order import Word
    from probe.audit.runner import Outcome
    from probe.audit.values import Listener

_TRIES = 2  # runs for one due time that took the service with them; then the next one is waited for
_HOLDING = 5.0  # seconds between two looks whether the audit is still ours, while a run of it is made
_ANOTHERS = "another coordinator makes a run of it"
# A run of another coordinator for the same due time is none for us to make; one that came to no end is.
_MADE = (RunState.RUNNING, RunState.FINISHED, RunState.FAILED)


class Making:
    """One audit. `changed` is called whenever its state has. `recover` first, then `make` or `catch_up`, one at a time.
    `asked`: a run is wanted whether one is due or not; `running`: one was ordered; `ready`: it was recovered. `answer`
    is how the last run that was made here ended, in the word that its exit code is called.
    """

    def __init__(
        self,
        audit: Audit,
        state: Path,
        archive: Archive,
        listener: Listener,
        changed: Callable[[str], None],
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.audit = audit
        self._folder = Folder(state / "audits", audit.name)
        self._book = Book(self._folder)
        self._archive = archive
        self._changed = changed
        self._clock = clock
        self._telling = Telling(audit.name, self._folder.spool, self._book, archive, listener, clock)
        self._progress: Progress | None = None
        self._runner: Runner | None = None
        self._begun = self._broken = ""
        self._beginning: asyncio.Task[None] | None = None
        self._stopping = ""
        self._busy = asyncio.Lock()
        self.running = self.ready = False
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
        self._book.load()
        self.plan(self.audit)

    def plan(self, audit: Audit) -> None:
        """From now on, by these terms."""
        self.audit = audit
        self._look_at_the_clock()
        self._changed(self.name)

    def _look_at_the_clock(self) -> None:
        if self.audit.schedule is not None:
            marks = schedule.begin(self.audit.schedule, self._book.marks, self._clock())
            if marks != self._book.marks:
                self._book.marks = marks
                self._book.save()

    # --- when ---------------------------------------------------------------------------------------------------------

    @property
    def asked(self) -> bool:
        return self._book.asked is not None

    def ask(self) -> None:
        """From now on a run is wanted, and it still is if the service ends before there is one."""
        self._book.asked = Asked(at=self._clock())
        self._book.save()

    def due(self) -> tuple[datetime, datetime] | None:
        """The due time that is next, and when its run is to be made; None where none is."""
        if self.audit.schedule is None or self._book.marks is None:
            return None
        return schedule.due(self.audit.schedule, self._book.marks, self._clock())

    def wants(self) -> bool:
        """Whether a run is to be made now."""
        if self.busy or self.running or not self.ready:
            return False
        self._look_at_the_clock()
        return self.asked or self.wait() == 0

    def wait(self) -> float | None:
        """Seconds until a run is to be made; None where none is."""
        found = self.due()
        return max(0.0, (found[1] - self._clock()).total_seconds()) if found is not None else None

    def skip(self) -> None:
        """The run that is wanted is not made, or was."""
        self._book.asked = None
        if self.audit.schedule is not None and self._book.marks is not None:
            self._book.marks = schedule.settle(self.audit.schedule, self._book.marks, self._clock())
        self._book.save()

    def _over(self) -> None:
        """A run that was ended with the service is made up when it is back."""
        if not self._stopping or self.answer not in {"", "interrupted"}:
            self.skip()
            return
        if self._book.asked is not None:
            self._book.asked = Asked(at=self._book.asked.at)
        if self._book.marks is not None:
            self._book.marks = msgspec.structs.replace(self._book.marks, trying=None, tries=0)
        self._book.save()

    @property
    def state(self) -> AuditState:
        found, last = self.due(), self._telling.last
        under_way = self._progress is not None and (last is None or last.id != self._progress.run)
        return AuditState(
            name=self.name,
            schedule=str(self.audit.schedule) if self.audit.schedule is not None else "when asked",
            next=as_text(max(found[1], self._clock())) if found is not None else None,
            progress=self._progress if under_way else None,
            last=last,
            problem=str(self._book.problems),
            counts=self._book.counts,
        )

    # --- a run --------------------------------------------------------------------------------------------------------

    async def make(self) -> bool:
        """A run, if nobody else is making one. Returns whether one was made."""
        async with self._busy:
            self.answer = ""
            with self._folder.lock() as ours:
                if not ours:
                    log.event("skipped", self.name, why="another process makes a run of it")
                    self.skip()
                    return False
                return await self._locked()

    async def _locked(self) -> bool:
        try:
            ours = await self._archive.holds(self.name)
            if ours is False:
                log.event("skipped", self.name, why=_ANOTHERS)
                self.skip()
                return False
            # Without a history the run is made all the same, and catching up tells of it.
            kept = await self._telling.catch_up(recover=ours is True)
            found = self._book.asked.at if self._book.asked is not None else None
            if found is None and (next_ := self.due()) is not None:
                found = next_[0]
            if found is not None and (why := await self._needless(found)):
                log.event("skipped", self.name, due=as_text(found), why=why)
                self.skip()
                return False
            await self._run(found, kept=kept)
        finally:
            self._progress, self._runner, self._begun, self._beginning = None, None, "", None
            await self._archive.release(self.name)
            self._changed(self.name)
        return True

    async def _needless(self, found: datetime) -> str:
        """Why no run is to be made for this due time, or nothing."""
        tries = self._tries(found)
        if tries >= _TRIES:
            return f"{tries} runs for it came to no end"
        if not tries and (self.asked or self._book.marks is None or self._book.marks.settled is None):
            return ""
        try:
            newest = next(iter(await self._archive.ask(lambda history: history.runs(self.name, limit=1))), None)
        except UserError:
            return ""
        if newest is None or newest.state not in _MADE:
            return ""
        # One that is still to come was made before the clock was set back.
        made_for_it = found <= instant.read(newest.started) <= self._clock() + schedule.SET_BACK
        return f"run {newest.number} was made for it" if made_for_it else ""

    def _tries(self, found: datetime) -> int:
        """Runs for this due time that came to no end."""
        if self._book.asked is not None:
            return self._book.asked.tries
        marks = self._book.marks
        return marks.tries if marks is not None and marks.trying == found else 0

    def _attempt(self, found: datetime) -> None:
        if self._book.asked is not None:
            self._book.asked = Asked(at=found, tries=self._book.asked.tries + 1)
        elif self._book.marks is not None:
            self._book.marks = schedule.attempt(self._book.marks, found)
        self._book.save()

    async def _run(self, found: datetime | None, *, kept: bool) -> None:
        due = "asked-for" if self.asked or found is None else as_text(found)
        if found is not None:
            self._attempt(found)
        order = msgspec.structs.replace(self.audit.order, kept=self._folder.inputs)
        self._runner = runner = Runner(order, self.audit.deadline, lambda word: self._hear(word, kept=kept))
        if self._stopping:
            runner.stop(self._stopping)
        self._broken = ""
        self._progress = Progress(audit=self.name, run="", started=as_text(self._clock()), words="reading its files")
        self._changed(self.name)
        log.event("began", self.name, due=due)
        holding = asyncio.create_task(self._hold(runner))
        try:
            outcome = await runner.make()
        except RunFailed as error:
            await self._failed(str(error), in_order=bool(self._stopping) or runner.stopped == _ANOTHERS)
        else:
            await self._made(outcome)
        finally:
            holding.cancel()
            if self._beginning is not None:
                await self._beginning

    async def _hold(self, runner: Runner) -> None:
        """The lock goes with a database that goes, and another coordinator may have it when that is back."""
        while not runner.stopped:
            await asyncio.sleep(_HOLDING)
            if await self._archive.holds(self.name) is False:
                log.warning("not-ours", self.name, why=_ANOTHERS)
                runner.stop(_ANOTHERS)

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
        except UserError:
            pass  # recording tells of it, if it still is so then

    async def _failed(self, why: str, *, in_order: bool) -> None:
        assert self._progress is not None  # noqa: S101  (since the run was ordered)
        run = self._begun or secrets.token_hex(8)
        self._progress = msgspec.structs.replace(self._progress, run=run)
        state = RunState.INTERRUPTED if in_order else RunState.FAILED
        log.event(state.value, self.name, why=why)
        if not in_order:
            self._book.problems.note(RUN, why)
            # What was wrong with other files, before, is no reason for this.
            self._book.problems.note(FILES, self._broken)
        self._over()
        await self._telling.failed(run, self._progress.started, state, why)

    async def _made(self, outcome: Outcome) -> None:
        assert self._progress is not None  # noqa: S101  (a run that has a report has begun)
        run, problems = self._progress.run, self._book.problems
        problems.note(FILES, self._broken)
        problems.note(RUN, "")
        trouble = await asyncio.to_thread(self._folder.spool.put, run, outcome.data, well=outcome.answer == "conforms")
        problems.note(DISK, trouble and f"reports wait in memory only: {trouble}")
        log.event("finished", self.name, id=run, bytes=len(outcome.data))
        self.answer = outcome.answer
        self._over()
        await self._telling.catch_up(recover=False)

    # --- what waits ---------------------------------------------------------------------------------------------------

    async def recover(self) -> None:
        """At a start: what the last process has left. Where another makes a run now, that one sees to it."""
        try:
            async with self._busy:
                with self._folder.lock() as ours:
                    if ours:
                        await self._recover()
                await self._telling.look()
        except UserError:
            pass
        finally:
            self.ready = True
            self._changed(self.name)

    async def _recover(self) -> None:
        try:
            await self._telling.catch_up(recover=await self._archive.holds(self.name) is True)
        finally:
            await self._archive.release(self.name)

    async def catch_up(self) -> None:
        """What waits for a history that was away."""
        async with self._busy:
            waiting = await asyncio.to_thread(self._folder.spool.waiting)
            if waiting or HISTORY in self._book.problems.now:
                await self._telling.catch_up(recover=False)
        self._changed(self.name)
