from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import pytest_asyncio

from probe.audit.web import Listen, keys, serve
from tests.audit.web.desk import Desk, Metrics, blocked, dated, month, passing, progress
from tests.report import example

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    import pytest
    from playwright.async_api import Page

    from .conftest import Opener, Watch

HOSTILE = '<img src=x onerror="alert(1)"></script><script>alert(2)</script>\u202e'
CHECK = f"audits/nightly/checks/{example.rich().checks[0].id}"
TOKEN = "a token of some length"


class Board(NamedTuple):
    desk: Desk
    url: str


@pytest_asyncio.fixture(loop_scope="module")
async def started(tmp_path: Path) -> AsyncIterator[Callable[..., AbstractAsyncContextManager[Board]]]:
    """`nightly` with four runs, in the last of which the first check is blocked, and a hostile one with one."""
    desk = Desk(tmp_path / "history.db", "nightly", HOSTILE)
    month(desk, "nightly", 3)
    rows = example.rich().checks
    desk.keep("nightly", [blocked(rows[0]), *(passing(row) for row in rows[1:])], 3)
    strange = [msgspec.structs.replace(row, source=HOSTILE, service=HOSTILE, detail=HOSTILE) for row in rows]
    desk.keep(HOSTILE, strange, 1)

    @contextlib.asynccontextmanager
    async def start(**listen: str) -> AsyncIterator[Board]:
        async with serve(desk, Metrics(), Listen(port=0, **listen)) as at:
            yield Board(desk, at.url)

    yield start
    desk.close()


@pytest_asyncio.fixture(loop_scope="module")
async def board(started: Callable[..., AbstractAsyncContextManager[Board]]) -> AsyncIterator[Board]:
    async with started() as board:
        yield board


async def heading(page: Page) -> str:
    return (await page.locator("h1").inner_text()).strip()


async def test_from_the_list_to_a_run_to_a_check_to_what_changed(board: Board, opened: Opener) -> None:
    page = await opened(board.url)
    assert await heading(page) == "2 of 2 audits deviate."
    await page.get_by_role("link", name="nightly", exact=True).click()
    assert await heading(page) == "nightly"
    await page.get_by_role("link", name="The report").click()
    assert page.url == f"{board.url}audits/nightly/runs/4"
    await page.get_by_role("navigation", name="Dashboard").get_by_role("link", name="History of its checks").click()
    assert await heading(page) == "Checks of run 4"
    await page.locator("tbody a").first.click()
    assert await page.locator("svg rect.deviation").count() == 1
    assert await page.locator("svg rect.pass").count() == 1
    await page.locator("tbody").get_by_role("link", name="run 4").first.click()
    await page.locator("#found", has_text="1 of 47 checks").wait_for()
    await page.get_by_role("link", name="nightly").click()
    await page.get_by_role("link", name="1 new").click()
    assert await heading(page) == "1 new deviation, 9 fixed since run 3."
    await page.locator("select[name=old]").select_option("1")
    await page.locator("select[name=new]").select_option("2")
    await page.get_by_role("button", name="Compare").click()
    assert await heading(page) == "Nothing changed."


async def test_a_run_is_seen_from_begin_to_end(board: Board, opened: Opener) -> None:
    page = await opened(f"{board.url}audits/nightly/live", origin=board.url)
    assert await heading(page) == "No run is under way"
    await board.desk.until_watched(1)
    board.desk.tell("nightly", progress=progress("nightly", 17, words=HOSTILE))
    await page.get_by_role("heading", name="A run is under way").wait_for()
    assert await page.locator("#live-done").inner_text() == "17"
    assert await page.locator("#live-words").inner_text() == HOSTILE.replace("\u202e", "\\u202e")
    board.desk.tell("nightly", progress=progress("nightly", 150, failing=3))
    await page.locator("#live-done", has_text="150").wait_for()
    assert await page.locator("#live-failing").inner_text() == "3"
    assert await page.locator("progress").get_attribute("value") == "150"
    run, _ = board.desk.history.record("nightly", dated(example.rich(), "nightly", 9))
    board.desk.tell("nightly", progress=None, last=run)
    end = page.get_by_role("status").get_by_role("link")
    await end.wait_for()
    assert await end.inner_text() == "Run 5 has ended. 9 of 47 checks deviate, 5 could not be measured."
    await end.click()
    assert page.url == f"{board.url}audits/nightly/runs/5"


async def test_a_run_is_started_by_keyboard_alone(board: Board, opened: Opener) -> None:
    page = await opened(f"{board.url}audits/nightly", origin=board.url)
    await page.keyboard.press("Tab")
    assert await page.evaluate("document.activeElement.className") == "skip"
    await page.keyboard.press("Enter")
    for _ in range(3):
        await page.keyboard.press("Tab")
        if await page.evaluate("document.activeElement.textContent") == "Run now: nightly":
            break
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/live?started=4")
    assert board.desk.started == ["nightly"]
    assert await heading(page) == "A run was asked for"
    board.desk.tell("nightly", progress=progress("nightly", 1))
    await page.get_by_role("heading", name="A run is under way").wait_for()
    assert await page.title() == "nightly: a run is under way · portcheck"


async def test_a_second_run_is_not_started(board: Board, opened: Opener) -> None:
    page = await opened(f"{board.url}audits/nightly", origin=board.url)
    board.desk.tell("nightly", progress=progress("nightly", 1))
    await page.get_by_role("button", name="Run now").click()
    await page.wait_for_url("**/live?busy")
    assert board.desk.started == []


async def test_the_theme_is_the_readers(board: Board, opened: Opener) -> None:
    ground = "getComputedStyle(document.body).backgroundColor"
    light, dark = "rgb(245, 246, 248)", "rgb(19, 23, 26)"
    page = await opened(board.url, color_scheme="dark")
    assert await page.evaluate(ground) == dark
    await page.get_by_role("button", name="Theme: system").click()
    assert await page.evaluate(ground) == light
    await page.reload()
    assert await page.evaluate(ground) == light
    await page.get_by_role("button", name="Theme: light").click()
    assert await page.evaluate(ground) == dark
    await page.emulate_media(media="print")
    assert await page.evaluate(ground) == "rgb(255, 255, 255)", "paper is white"
    assert await page.evaluate("getComputedStyle(document.body).color") == "rgb(27, 33, 38)"


async def test_strangers_names_are_text(board: Board, opened: Opener) -> None:
    page = await opened(board.url)
    board.desk.tell(HOSTILE, progress=progress(HOSTILE, 1, words=HOSTILE), problem=HOSTILE)
    shown = HOSTILE.replace("\u202e", "\\u202e")
    await page.get_by_role("link", name=shown, exact=True).click()
    assert await heading(page) == shown
    base = page.url
    for path in ("/live", "/diff", "/checks", f"/checks/{example.rich().checks[0].id}", "/runs/1"):
        await page.goto(base + path)
        assert await page.locator("img").count() == 0
        assert "<img src=x" in await page.locator("body").inner_text()


async def test_without_script_all_can_be_read(board: Board, opened: Opener) -> None:
    board.desk.tell("nightly", progress=progress("nightly", 17))
    page = await opened(board.url, java_script_enabled=False)
    await page.get_by_role("link", name="Watch the run").click()
    assert await heading(page) == "A run is under way"
    assert await page.locator("#live-done").inner_text() == "17"
    assert await page.locator("meta[http-equiv=refresh]").count() == 1, "it loads itself again"
    await page.get_by_role("link", name="nightly").click()
    assert "2026-11-04 02:00 UTC" in await page.locator("tbody").inner_text()


async def test_times_are_the_readers(board: Board, opened: Opener) -> None:
    page = await opened(f"{board.url}audits/nightly", origin=board.url, timezone_id="Asia/Tokyo", locale="en-GB")
    time = page.locator("tbody time").first
    assert await time.inner_text() == "4 Nov 2026, 11:00"
    assert await time.get_attribute("title") == "2026-11-04 02:00 UTC"


async def test_nobody_scrolls_sideways_on_a_phone(board: Board, opened: Opener) -> None:
    page = await opened(board.url, viewport={"width": 360, "height": 700})
    for path in (
        "",
        "audits/nightly",
        "audits/nightly/live",
        "audits/nightly/diff",
        "audits/nightly/checks",
        CHECK,
        "audits/nightly/runs/4",
    ):
        await page.goto(board.url + path)
        assert await page.evaluate("document.documentElement.scrollWidth") <= 360, path


async def test_people_log_in_and_come_back_by_a_link_from_elsewhere(
    opened: Opener,
    watch: Watch,
    started: Callable[..., AbstractAsyncContextManager[Board]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(keys, "_FIRST_WAIT", 0.0)
    async with started(token=TOKEN) as board:
        page = await opened(f"{board.url}audits/nightly#here", origin=board.url)
        await page.get_by_label("Token").fill("wrong")
        await page.keyboard.press("Enter")
        assert await page.get_by_role("alert").inner_text() == "That is not the token."
        watch.wrong.clear()  # the browser tells of an answer of 401
        await page.get_by_label("Token").fill(TOKEN)
        await page.keyboard.press("Enter")
        await page.wait_for_url("**/audits/nightly#here")
        await page.goto("data:text/html,a message")
        await page.evaluate("url => { location.href = url }", f"{board.url}audits/nightly/runs/1#finding-1")
        await page.wait_for_url("**/runs/1#finding-1")
        await page.get_by_role("link", name="nightly").click()
        await page.get_by_role("button", name="Run now").click()
        await page.wait_for_url("**/live?started=4")
        await page.get_by_role("button", name="Log out").click()
        await page.wait_for_url("**/login")
        await page.goto(board.url)
        assert await heading(page) == "Log in"
