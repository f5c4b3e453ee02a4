"""A service made up for the pages: a real history in SQLite, states that a test sets, and nothing that runs."""

from __future__ import annotations

import asyncio
import datetime as dt
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from probe.audit.values import AuditState, Progress
from probe.history.store import History, open_history
from probe.model.result import CheckResult, summarise
from probe.model.words import Cause, State, Verdict
from tests.report import example

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable
    from pathlib import Path

    from probe.history.values import RunState
    from probe.model.result import Report

T = TypeVar("T")
BEGIN = dt.datetime(2026, 11, 1, 2, 0, tzinfo=dt.UTC)


class Metrics:
    def render(self, accept: str = "") -> tuple[bytes, str]:
        return b"portcheck_up 1\n", "application/openmetrics-text" if "openmetrics" in accept else "text/plain"


class Desk:
    """Its audits stand in `audits`; `tell` changes one, and whoever watches sees it. `started` are those that were
    asked to run.
    """

    def __init__(self, place: Path, *names: str) -> None:
        self.history: History = open_history(str(place))
        self._thread = ThreadPoolExecutor(1)
        self.audits = {
            name: AuditState(name=name, schedule="daily at 02:00 Europe/Berlin", next="2026-11-21T01:00:00Z")
            for name in names
        }
        self.started: list[str] = []
        self._watchers: list[tuple[str, asyncio.Queue[AuditState]]] = []
        self._moved = asyncio.Event()

    def states(self) -> tuple[AuditState, ...]:
        return tuple(self.audits.values())

    def state(self, audit: str) -> AuditState | None:
        return self.audits.get(audit)

    def start(self, audit: str) -> bool:
        if self.audits[audit].progress is not None:
            return False
        self.started.append(audit)
        return True

    def tell(self, audit: str, **fields: Any) -> None:
        self.audits[audit] = msgspec.structs.replace(self.audits[audit], **fields)
        for name, queue in self._watchers:
            if name == audit:
                queue.put_nowait(self.audits[audit])

    @property
    def watched(self) -> int:
        return len(self._watchers)

    async def until_watched(self, number: int) -> None:
        async with asyncio.timeout(5):
            while self.watched != number:
                self._moved.clear()
                await self._moved.wait()

    async def watch(self, audit: str) -> AsyncIterator[AuditState]:
        queue: asyncio.Queue[AuditState] = asyncio.Queue()
        entry = (audit, queue)
        self._watchers.append(entry)
        self._moved.set()
        try:
            yield self.audits[audit]
            while True:
                yield await queue.get()
        finally:
            self._watchers.remove(entry)
            self._moved.set()

    async def ask(self, question: Callable[[History], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, question, self.history)

    def close(self) -> None:
        self._thread.shutdown()
        self.history.close()

    # --- what a service would do ---

    def keep(self, audit: str, rows: Iterable[CheckResult], number: int, **run: Any) -> None:
        """A finished run of these rows, on the day of its number."""
        record, _ = self.history.record(audit, dated(example.report(list(rows), **run), audit, number))
        self.tell(audit, last=record)

    def lose(self, audit: str, number: int, state: RunState, problem: str) -> None:
        started = (BEGIN + dt.timedelta(days=number)).isoformat().replace("+00:00", "Z")
        record = self.history.fail(audit, f"{audit}-{number}", started, state, problem)
        self.tell(audit, last=record, problem=problem)


def dated(report: Report, audit: str, number: int) -> Report:
    started = BEGIN + dt.timedelta(days=number)
    run = msgspec.structs.replace(
        report.run,
        id=f"{audit}-{number}",
        started=started.isoformat().replace("+00:00", "Z"),
        finished=(started + dt.timedelta(seconds=125)).isoformat().replace("+00:00", "Z"),
    )
    return msgspec.structs.replace(report, run=run)


def progress(audit: str, done: int, *, failing: int = 0, words: str = "asks services") -> Progress:
    return Progress(
        audit=audit, run="under-way", started="2026-11-20T02:00:00Z", done=done, total=200, failing=failing, words=words
    )


def passing(row: CheckResult) -> CheckResult:
    return msgspec.structs.replace(
        row, state=State.OPEN, verdict=Verdict.PASS, cause=None, where=None, evidence=(), detail="", advice=""
    )


def blocked(row: CheckResult) -> CheckResult:
    return msgspec.structs.replace(
        row, state=State.FILTERED, verdict=Verdict.BLOCKED, cause=Cause.NETWORK, detail="no answer to 3 SYN in 0.9 s"
    )


def month(desk: Desk, audit: str, runs: int = 24) -> None:
    """A life: nine deviations that are mended after ten days, one that comes back and goes to and fro, and stays."""
    rows = example.rich().checks
    for number in range(runs):
        made = []
        for place, row in enumerate(rows):
            if row.deviates and number >= 10 and place % 4:
                made.append(passing(row))
            elif place == 0:
                made.append(blocked(row) if number in (13, 15) or number >= 19 else row)
            else:
                made.append(row)
        desk.keep(audit, made, number)


__all__ = ["BEGIN", "Desk", "Metrics", "blocked", "dated", "month", "passing", "progress", "summarise"]
