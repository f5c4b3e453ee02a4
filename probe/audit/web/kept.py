"""Pages of runs, made once: a run that has finished stays as it is, and making its page takes a fifth of a second."""

from __future__ import annotations

import asyncio
import gzip
from collections import OrderedDict
from typing import TYPE_CHECKING

from probe.audit import log
from probe.errors import UserError
from probe.history.values import RunRecord, RunState
from probe.report import formats, html

if TYPE_CHECKING:
    from probe.audit.values import Desk
    from probe.audit.web.templates import Templates
    from probe.model.change import Changes
    from probe.model.result import Report

_ROOM = 8 * 1024 * 1024  # bytes, compressed: a page shrinks to a tenth

_MOST_READY = 5_000  # checks: what a larger run takes of memory is taken when somebody asks for it
_LOOK = 10.0  # seconds between looks for a run that has ended


class Kept:
    """Those that were asked for last."""

    def __init__(self, desk: Desk, templates: Templates) -> None:
        self._desk, self._templates = desk, templates
        self._pages = Shelf(_ROOM)
        self._making = asyncio.Lock()  # one at a time: a large run takes its time and memory

    async def page(self, audit: str, run: RunRecord) -> bytes:
        """The report of a finished run with our bar on top, compressed with gzip. Raises NotKept."""
        key = (audit, run.id)
        if (packed := self._pages.get(key)) is not None:
            return packed
        async with self._making:
            if (packed := self._pages.get(key)) is None:
                report, changes = await self._desk.ask(lambda history: history.told(audit, run.number))
                bar = self._templates.text("bar.html", audit=audit, run=run).encode()
                packed = await asyncio.to_thread(_framed, report, changes, bar)
                self._pages.put(key, packed)
            return packed

    async def warm(self) -> None:
        """The newest run of each audit is what people open first: its page is ready before they ask. Goes on until
        cancelled.
        """
        tried: set[str] = set()
        while True:
            newest = [(state.name, state.last) for state in self._desk.states() if state.last is not None]
            for audit, run in newest:
                small = run.summary is not None and run.summary.checks <= _MOST_READY
                if small and run.state is RunState.FINISHED and run.id not in tried:
                    await self._try(audit, run)
            tried = {run.id for _, run in newest}
            await asyncio.sleep(_LOOK)

    async def _try(self, audit: str, run: RunRecord) -> None:
        try:
            await self.page(audit, run)
        except UserError as error:
            log.warning("page-failed", audit, run=run.number, why=str(error).partition("\n")[0])
        except Exception:  # noqa: BLE001  (a defect in one page must not cost the others)
            log.defect("page-failed", audit, run=run.number)

    async def file(self, audit: str, run: RunRecord, form: str) -> bytes:
        """The report of a finished run in that format (a key of FORMATS), compressed with gzip. Raises NotKept."""
        async with self._making:
            report = await self._desk.ask(lambda history: history.report(audit, run.number))
            return await asyncio.to_thread(_packed, report, form)


class Shelf:
    """Bytes by key, at most `room` of them in all; what was not asked for longest goes first."""

    def __init__(self, room: int) -> None:
        self._room, self._used = room, 0
        self._kept: OrderedDict[tuple[str, str], bytes] = OrderedDict()

    def get(self, key: tuple[str, str]) -> bytes | None:
        if (found := self._kept.get(key)) is not None:
            self._kept.move_to_end(key)
        return found

    def put(self, key: tuple[str, str], data: bytes) -> None:
        """What is larger than the shelf is not kept."""
        self._used -= len(self._kept.pop(key, b""))
        if len(data) > self._room:
            return
        self._kept[key] = data
        self._used += len(data)
        while self._used > self._room:
            _, gone = self._kept.popitem(last=False)
            self._used -= len(gone)


def _framed(report: Report, changes: Changes, bar: bytes) -> bytes:
    page = html.render(report, changes)
    return gzip.compress(page.replace(b"<header ", bar + b"\n<header ", 1), 5, mtime=0)


def _packed(report: Report, form: str) -> bytes:
    return gzip.compress(b"".join(formats.render(form, report)), 5, mtime=0)
