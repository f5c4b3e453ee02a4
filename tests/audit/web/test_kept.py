from __future__ import annotations

import asyncio
import gzip
from typing import TYPE_CHECKING

from probe.audit.web import kept
from probe.audit.web.kept import Kept, Shelf
from probe.audit.web.templates import Templates
from probe.errors import UserError

if TYPE_CHECKING:
    import pytest

    from .desk import Desk


def test_a_shelf_has_room_for_so_much_and_keeps_what_is_asked_for() -> None:
    shelf = Shelf(10)
    a, b, c, d = (("nightly", str(number)) for number in range(4))
    shelf.put(a, b"1234")
    shelf.put(b, b"1234")
    assert shelf.get(a) == b"1234"
    shelf.put(c, b"1234")
    assert (shelf.get(a), shelf.get(b), shelf.get(c)) == (b"1234", None, b"1234")
    shelf.put(c, b"12345678901")
    assert shelf.get(c) is None
    assert shelf.get(a) == b"1234"
    shelf.put(a, b"1")
    shelf.put(d, b"123456789")
    assert (shelf.get(a), shelf.get(d)) == (b"1", b"123456789")


async def test_the_newest_run_is_ready_before_anybody_asks(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "_LOOK", 0.01)
    made: asyncio.Queue[bytes] = asyncio.Queue()
    put = Shelf.put

    def noted(self: Shelf, key: tuple[str, str], data: bytes) -> None:
        put(self, key, data)
        made.put_nowait(data)

    def broken(*_: object) -> None:
        raise UserError("no permission")

    monkeypatch.setattr(Shelf, "put", noted)
    pages = Kept(desk, Templates())
    told, desk.history.told = desk.history.told, broken  # type: ignore[method-assign, assignment]
    warming = asyncio.create_task(pages.warm())
    await asyncio.sleep(0.05)
    assert made.empty(), "a history that fails is told in the log"
    desk.history.told = told  # type: ignore[method-assign]
    desk.keep("nightly", desk.history.report("nightly", 1).checks, 9)
    async with asyncio.timeout(5):
        page = await made.get()
    assert b"portcheck" in gzip.decompress(page)
    desk.history.told = broken  # type: ignore[method-assign, assignment]
    last = desk.audits["nightly"].last
    assert last is not None
    assert await pages.page("nightly", last) == page
    warming.cancel()
