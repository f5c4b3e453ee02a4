"""Tells who is to be told. A run is never held up: what is to be sent is written down, and sent by another task."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Self

import msgspec

from probe.audit.alerts import alertmanager, slack, webhook
from probe.audit.alerts.config import Alert, Type
from probe.audit.alerts.delivery import Clock, Request, Result, deliver
from probe.audit.alerts.message import message
from probe.audit.alerts.news import Memory, news
from probe.audit.alerts.outbox import Outbox, State
from probe.model.instant import stamp

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from probe.audit.values import Ended

log = logging.getLogger("portcheck.alerts")

AGAIN = 900.0  # seconds until what failed is tried anew
_UNSCHEDULED = 24 * 3600.0  # the interval of an audit that nobody knows one of
_SHORTEST = 300.0


class Alerts:
    """A Listener. `folder` is where it keeps what must outlive the process, in a folder `alerts`; `base` the URL of the
    dashboard, for links; `due` tells when the next run of an audit is due (RFC 3339), `count` is told what became of
    each message: `delivered`, `failed` (it will be tried again) or `lost`.
    """

    def __init__(
        self,
        alerts: Iterable[Alert],
        *,
        folder: Path | None = None,
        base: str = "",
        due: Callable[[str], str | None] = lambda _: None,
        count: Callable[[str, str], None] = lambda _alert, _result: None,
        clock: Clock | None = None,
        again: float = AGAIN,
    ) -> None:
        place = folder / "alerts" if folder is not None else None
        self._boxes = [
            _Box(alert, Outbox(place, alert.name), base, due, count, clock or Clock(), again) for alert in alerts
        ]

    async def start(self) -> None:
        """What was left of the last time is sent."""
        for box in self._boxes:
            await box.start()

    async def ended(self, ended: Ended) -> None:
        for box in self._boxes:
            try:
                await box.ended(ended)
            except Exception:  # one alert must not cost the others theirs
                log.exception("alert=%s event=not-told id=%s", box.name, ended.run.id)

    async def idle(self) -> None:
        """Until everything that there is to send has been tried."""
        for box in self._boxes:
            await box.idle()

    async def close(self, grace: float = 5.0) -> None:
        """What is waiting gets this many seconds in all, and what is not sent by then is sent next time."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace):
                await self.idle()
        for box in self._boxes:
            await box.stop()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


class _Box:
    """One alert: what it knows, what it has to send, and the task that does."""

    def __init__(
        self,
        alert: Alert,
        outbox: Outbox,
        base: str,
        due: Callable[[str], str | None],
        count: Callable[[str, str], None],
        clock: Clock,
        again: float,
    ) -> None:
        self.name = alert.name
        self._alert, self._outbox, self._base = alert, outbox, base
        self._due, self._count, self._clock, self._again = due, count, clock, again
        self._state = State()
        self._changing = asyncio.Lock()
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._state = await asyncio.to_thread(self._outbox.load)
        self._wake.set()
        self._task = asyncio.create_task(self._work())

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def idle(self) -> None:
        await self._idle.wait()

    async def ended(self, ended: Ended) -> None:
        if not self._alert.wants(ended.audit):
            return
        async with self._changing:
            # Thousands of rows to group: the loop has others to serve.
            await self._keep(await asyncio.to_thread(self._told, ended, self._state))
            self._idle.clear()
            self._wake.set()

    def _told(self, ended: Ended, state: State) -> State:
        alert, now = self._alert, self._clock.now()
        known = state.memory.get(ended.audit, Memory())
        if ended.report is not None and ended.run.id == known.run:
            # The service was killed before it could note that this was told. What is wrong with the audit may be news.
            ended = msgspec.structs.replace(ended, report=None, changes=None)
        found, memory = news(ended, known)
        state = msgspec.structs.replace(state, memory=state.memory | {ended.audit: memory})
        if alert.type is Type.ALERTMANAGER:
            firing = state.firing.get(ended.audit, {})
            fires = alertmanager.update(firing, ended, memory, alert.least, self._base, now)
            return state.with_firing(ended.audit, fires, now, self._until(ended, now))
        made = message(ended, found, alert.on, alert.least, self._base)
        return state if made is None else state.with_message(made, now)

    def _until(self, ended: Ended, now: float) -> float:
        """Two intervals ahead, and twice the time that a run takes."""
        due = stamp(self._due(ended.audit) or "")
        interval = max(due - now, _SHORTEST) if due > now else _UNSCHEDULED
        return now + 2 * (interval + ended.run.seconds)

    async def _keep(self, state: State) -> None:
        """To be called with `_changing` held."""
        lost = state.lost - self._state.lost
        if lost > 0:
            log.warning("alert=%s event=given-up messages=%d", self.name, lost)
            for _ in range(lost):
                self._count(self.name, "lost")
        if state != self._state:
            self._state = state
            await asyncio.to_thread(self._outbox.save, state)

    async def _work(self) -> None:
        while True:
            async with self._changing:
                self._idle.clear()
                self._wake.clear()
            try:
                await (self._send_firing() if self._alert.type is Type.ALERTMANAGER else self._send_waiting())
            except Exception:
                log.exception("alert=%s event=not-sent", self.name)
            if self._wake.is_set():
                continue
            self._idle.set()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._again if self._state.waiting or self._state.unsent else None):
                    await self._wake.wait()

    async def _send_waiting(self) -> None:
        """Message by message, the oldest first, until one cannot be delivered."""
        async with self._changing:
            await self._keep(self._state.without_old(self._clock.now()))
        while self._state.waiting:
            first, lost = self._state.waiting[0].message, self._state.lost
            said = msgspec.structs.replace(first, undelivered=lost)
            content = slack.body(said) if self._alert.type is Type.SLACK else webhook.body(said)
            result = await self._sent(content, first.id, f"audit={first.audit} run={first.run.number}")
            if result is Result.FAILED:
                return
            async with self._changing:
                delivered = result is Result.DELIVERED
                await self._keep(self._state.delivered(first, lost) if delivered else self._state.refused(first))

    async def _send_firing(self) -> None:
        state = self._state
        if not state.unsent:
            return
        now = self._clock.now()
        pairs = [
            (one, state.until[audit])
            for audit, fires in state.firing.items()
            for one in fires.values()
            if one.ends or state.until[audit] > now
        ]
        if await self._sent(alertmanager.body(pairs), "", f"alerts={len(pairs)}") is not Result.FAILED:
            async with self._changing:
                await self._keep(self._state.with_sent(state))

    async def _sent(self, content: bytes, key: str, what: str) -> Result:
        def make() -> Request:
            headers = {"Content-Type": "application/json"}
            if self._alert.type is Type.WEBHOOK:
                headers = webhook.headers(key, content, self._alert.secret, self._clock.now())
            return Request(url=_url(self._alert), body=content, headers=headers | {"User-Agent": "portcheck"})

        result, why = await deliver(make, self._alert, self._clock)
        match result:
            case Result.DELIVERED:
                log.info("alert=%s event=delivered %s", self.name, what)
                self._count(self.name, "delivered")
            case Result.REFUSED:
                log.warning('alert=%s event=refused %s why="%s"', self.name, what, why)
            case Result.FAILED:
                log.warning('alert=%s event=not-delivered %s again=%.0fs why="%s"', self.name, what, self._again, why)
                self._count(self.name, "failed")
        return result


def _url(alert: Alert) -> str:
    url = alert.url.value.decode()
    if alert.type is Type.ALERTMANAGER and not url.rstrip("/").endswith(alertmanager.PATH):
        return url.rstrip("/") + alertmanager.PATH
    return url
