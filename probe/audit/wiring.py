"""Who listens to the service: metrics, alerts, the pages. Their libraries are imported where they are of use."""

from __future__ import annotations

import asyncio
import contextlib
import os
from functools import partial
from typing import TYPE_CHECKING, Self

from probe.audit import log
from probe.errors import UserError
from probe.text import printable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from probe.audit.alerts import Alerts
    from probe.audit.config import Config
    from probe.audit.metrics import Metrics
    from probe.audit.service import Service
    from probe.audit.values import Ended, Listener
    from probe.history.store import History
    from probe.history.values import RunRecord
    from probe.model.result import Report


class Wiring:
    """Of one service, while the block lasts."""

    def __init__(self, config: Config, service: Service) -> None:
        """Raises UserError for alerts that make no sense."""
        self._config = config
        self._service = service
        self._metrics: Metrics | None = None
        if config.listen or config.textfile:
            from probe.audit.metrics import Metrics  # noqa: PLC0415

            self._metrics = Metrics(service.states)
        self._alerts = self._new_alerts(config)
        self._next = self._alerts
        self._changing = asyncio.Lock()
        self._replacing: asyncio.Task[None] | None = None

    @property
    def listeners(self) -> list[Listener]:
        return [self]

    async def __aenter__(self) -> Self:
        if self._alerts is not None:
            await self._alerts.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._alerts is not None:
            await self._alerts.close()

    async def ended(self, ended: Ended) -> None:
        """Alerts write down what they have to send, and know a run that they were told of."""
        async with self._changing:
            if self._alerts is not None:
                await self._alerts.ended(ended)

    async def noted(self, ended: Ended) -> None:
        if self._metrics is not None:
            await self._metrics.noted(ended)
            await self._write_textfile()

    def reload(self, config: Config) -> None:
        """Raises UserError, and then nothing has changed."""
        self._next = self._new_alerts(config)
        self._config = config
        if self._replacing is None or self._replacing.done():
            self._replacing = asyncio.create_task(self._replace())

    async def _replace(self) -> None:
        """Those of the last reading: what was read in between is passed over, for to let go of alerts takes seconds
        while a receiver is silent.
        """
        while self._alerts is not self._next:
            async with self._changing:
                if self._alerts is not None:
                    await self._alerts.close()
                self._alerts = self._next
                if self._alerts is not None:
                    await self._alerts.start()

    def _new_alerts(self, config: Config) -> Alerts | None:
        if not config.alerts:
            return None
        from probe.audit.alerts import Alerts, read_all  # noqa: PLC0415

        metrics = self._metrics
        return Alerts(
            read_all(config.alerts),
            folder=config.state,
            base=config.url,
            due=self._due,
            count=metrics.alerted if metrics is not None else lambda _alert, _result: None,
        )

    def _due(self, audit: str) -> str | None:
        state = self._service.state(audit)
        return state.next if state is not None else None

    # --- metrics and pages --------------------------------------------------------------------------------------------

    async def fill(self) -> None:
        """Metrics as they were when the last service ended."""
        if self._metrics is None:
            return
        try:
            for audit in [state.name for state in self._service.states() if not self._metrics.knows(state.name)]:
                known = await self._service.ask(partial(_newest, audit))
                if known is not None and not self._metrics.knows(audit):
                    self._metrics.fill(*known)
        except UserError as error:
            log.warning("history", why=str(error).partition("\n")[0])
        await self._write_textfile()

    async def _write_textfile(self) -> None:
        if self._metrics is None or not self._config.textfile:
            return
        try:
            await asyncio.to_thread(self._metrics.write_textfile, self._config.textfile)
        except UserError as error:
            log.warning("textfile", why=str(error).partition("\n")[0])

    @contextlib.asynccontextmanager
    async def pages(self) -> AsyncIterator[str]:
        """The dashboard, while the block lasts; gives its URL, empty where there is none. Raises UserError."""
        config = self._config
        if not config.listen or self._metrics is None:
            yield ""
            return
        from probe.audit.web import Listen, read_token, serve  # noqa: PLC0415

        address, port = split(config.listen)
        listen = Listen(
            address=address,
            port=port,
            certificate=config.certificate,
            key=config.key,
            token=read_token(config.token_file, os.environ),
            outside=config.url,
        )
        async with serve(self._service, self._metrics, listen) as found:
            yield found.url


def split(listen: str) -> tuple[str, int]:
    """Of `127.0.0.1:8080`, `[::1]:8080`, or a port alone, which is on loopback. Raises UserError."""
    address, _, port = listen.rpartition(":")
    address = address.removeprefix("[").removesuffix("]")
    # Whoever opens a page at `localhost` tries ::1 first, which on a shared machine may be somebody else's.
    address = "127.0.0.1" if address.lower() in ("", "localhost") else address
    if not port.isascii() or not port.isdecimal() or int(port) > 65535:
        raise UserError(f"{printable(listen)!r} is no ADDR:PORT\n  hint: such as 127.0.0.1:8080")
    return address, int(port)


def _newest(audit: str, history: History) -> tuple[RunRecord, Report | None] | None:
    """The last run, and the report of the last finished one."""
    last = next(iter(history.runs(audit, limit=1)), None)
    if last is None:
        return None
    finished = next(iter(history.finished(audit, limit=1)), None)
    return last, history.report(audit, finished.number) if finished is not None else None
