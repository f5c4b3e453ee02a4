"""A dashboard that really listens, on a free port of loopback, over the made-up service of desk.py."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import aiohttp
import pytest

from probe.audit.web import Listen, serve

from .desk import Desk, Metrics, month

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    Opened = Callable[..., AbstractAsyncContextManager[aiohttp.ClientSession]]

HOSTILE = '<img src=x onerror="alert(1)">\u202e'


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """Two audits: `nightly` with three runs, `<hostile>` with none."""
    desk = Desk(tmp_path / "history.db", "nightly", HOSTILE)
    month(desk, "nightly", 3)
    yield desk
    desk.close()


@pytest.fixture
def opened(desk: Desk) -> Opened:
    """`async with opened(token=…) as client`: relative addresses, no redirect followed, no cookie kept."""

    @contextlib.asynccontextmanager
    async def open_dashboard(**listen: str) -> AsyncIterator[aiohttp.ClientSession]:
        async with (
            serve(desk, Metrics(), Listen(port=0, **listen)) as at,
            aiohttp.ClientSession(
                at.url, cookie_jar=aiohttp.DummyCookieJar(), timeout=aiohttp.ClientTimeout(10)
            ) as client,
        ):
            yield client

    return open_dashboard
