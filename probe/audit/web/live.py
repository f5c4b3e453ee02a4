"""A run under way, as server-sent events (WHATWG HTML, 9.2): a line whenever it gets on, a sign of life else."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING

import msgspec
from aiohttp import web

from probe.audit import log
from probe.audit.web import told
from probe.audit.web.guard import Refused
from probe.audit.web.templates import path
from probe.history.values import RunState
from probe.report.text import sentence

if TYPE_CHECKING:
    from probe.audit.values import AuditState, Desk

_MOST = 32  # who may watch at once
_BEAT, _PACE, _WRITE, _LONGEST = 15.0, 0.2, 10.0, 3600.0  # seconds


class Live:
    """Everybody who watches."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._watchers: set[_Slot] = set()
        self._over = False

    async def follow(self, request: web.Request, audit: str) -> web.StreamResponse:
        """Answers until the run has ended, the reader has gone, or an hour has passed; the browser then asks again.
        Raises Refused when too many watch.
        """
        if len(self._watchers) >= _MOST:
            raise Refused(503, "Too many are watching already.", wait=30)
        slot = _Slot()
        if self._over:
            slot.put(None)  # a browser that is told nothing asks again, and then there may be a service again
        self._watchers.add(slot)
        watching = asyncio.create_task(_watch(self._desk, audit, slot))
        try:
            answer = web.StreamResponse(headers={"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"})
            await answer.prepare(request)
            # A reader that reads nothing holds no more than one write, and that one not for long.
            with contextlib.suppress(TimeoutError, ConnectionError):
                await _tell(answer, slot)
            return answer
        finally:
            self._watchers.discard(slot)
            watching.cancel()

    def end(self) -> None:
        """Every stream ends as streams do, those included that are only about to begin."""
        self._over = True
        for slot in self._watchers:
            slot.put(None)


class _Slot:
    """The newest state only: what a reader had no time for is not told. None: there are no more."""

    def __init__(self) -> None:
        self._state: AuditState | None = None
        self._there = asyncio.Event()
        self._closed = False

    def put(self, state: AuditState | None) -> None:
        if not self._closed:
            self._state, self._closed = state, state is None
            self._there.set()

    async def get(self, seconds: float) -> AuditState | None:
        """Raises TimeoutError."""
        async with asyncio.timeout(seconds):
            await self._there.wait()
        if not self._closed:
            self._there.clear()
        return self._state


async def _watch(desk: Desk, audit: str, slot: _Slot) -> None:
    try:
        async for state in desk.watch(audit):
            slot.put(state)
    except Exception:  # noqa: BLE001  (whoever watches is told that it is over)
        log.defect("page-failed", audit)
    finally:
        slot.put(None)


async def _tell(answer: web.StreamResponse, slot: _Slot) -> None:
    over = time.monotonic() + _LONGEST
    shown = last = None  # the run that this reader has seen under way, and the last before it
    await _write(answer, b"retry: 3000\n\n")
    while time.monotonic() < over:
        try:
            state = await slot.get(_BEAT)
        except TimeoutError:
            await _write(answer, b": still here\n\n")
            continue
        if state is None:
            return
        running, latest = state.progress and state.progress.run, state.last.id if state.last else ""
        if (shown and running != shown) or (not running and last is not None and latest != last):
            await _write(answer, _event("ended", _ended(state)))
            return
        shown, last = running, latest
        await _write(answer, _event("state", _state(state)))
        await asyncio.sleep(_PACE)


async def _write(answer: web.StreamResponse, data: bytes) -> None:
    async with asyncio.timeout(_WRITE):
        await answer.write(data)


def _event(name: str, value: dict[str, object]) -> bytes:
    return b"event: " + name.encode() + b"\ndata: " + msgspec.json.encode(value) + b"\n\n"


def _state(state: AuditState) -> dict[str, object]:
    if (progress := state.progress) is None:
        return {"done": None}
    return {
        "done": progress.done,
        "total": progress.total,
        "failing": progress.failing,
        "words": sentence(progress.words),
        "started": progress.started,
    }


def _ended(state: AuditState) -> dict[str, object]:
    """What came of it. The audit's page tells where the last run is not there yet."""
    last = state.last
    if last is None:
        return {"said": "The run has ended.", "tone": "nothing", "to": path("audits", state.name)}
    whole = last.state.value in ("finished", "interrupted")
    ended = f"Run {last.number:,} has ended. " if last.state is RunState.FINISHED else ""
    return {
        "said": ended + told.sentence(last),
        "tone": told.tone(last),
        "to": path("audits", state.name, "runs", last.number) if whole else path("audits", state.name),
    }
