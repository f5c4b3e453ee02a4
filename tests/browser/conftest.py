"""Pages in a real browser, Debian's Chromium. Whatever a page asks of the network, an error of its script, and what its
security policy forbids fail the test.

Tests are coroutines, so that a server can run in the loop in which the browser is driven. A file shares one browser;
each page has a profile of its own.
"""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Error, Page, Request

    Opener = Callable[..., Awaitable[Page]]

CHROMIUM = shutil.which("chromium")
DEADLINE = 10_000  # milliseconds for any one step
# They ask no network, and stay on the page.
_LOCAL = ("blob:", "data:", "about:")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent.name == "browser":
            item.add_marker(pytest.mark.asyncio(loop_scope="module"), append=False)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    if CHROMIUM is None:
        if os.environ.get("PORTCHECK_REQUIRE_NETNS") == "1":
            pytest.fail("the browser tests are required, and there is no chromium")
        pytest.skip("no browser: apt-get install chromium")
    from playwright.async_api import async_playwright

    # Chromium's own sandbox does not start as root; what is opened is made by the tests.
    options = ["--no-sandbox"] if os.geteuid() == 0 else []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=options)
        yield browser
        await browser.close()


class Watch:
    """What no page may do. `allowed` are the beginnings of addresses that it may ask."""

    def __init__(self) -> None:
        self.allowed: list[str] = []
        self.wrong: list[str] = []

    def follow(self, context: BrowserContext) -> None:
        context.on("request", self._request)
        context.on("console", self._console)
        context.on("weberror", lambda error: self._error(error.error))

    def _request(self, request: Request) -> None:
        if not request.url.startswith((*_LOCAL, *self.allowed)):
            self.wrong.append(f"asked for {request.url[:200]}")

    def _console(self, message: ConsoleMessage) -> None:
        # What a policy forbids is told here too.
        if message.type in ("error", "warning"):
            self.wrong.append(f"said: {message.text[:500]}")

    def _error(self, error: Error) -> None:
        self.wrong.append(f"raised: {error.message[:500]}")


@pytest_asyncio.fixture(loop_scope="module")
async def watch() -> AsyncIterator[Watch]:
    """A test that means an error, such as an answer of 404, empties `watch.wrong`."""
    watch = Watch()
    yield watch
    assert watch.wrong == [], "the page did what no page may do"


@pytest_asyncio.fixture(loop_scope="module")
async def opened(browser: Browser, watch: Watch) -> AsyncIterator[Opener]:
    """`await opened(url, color_scheme="dark", java_script_enabled=False, …)`: a page of a fresh profile. It may ask
    nothing but what begins with `url` less its fragment, or with `origin`.
    """
    contexts: list[BrowserContext] = []

    async def open_page(url: str, *, origin: str = "", **options: Any) -> Page:
        watch.allowed.append(origin or url.partition("#")[0])
        context = await browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
        contexts.append(context)
        context.set_default_timeout(DEADLINE)
        watch.follow(context)
        page = await context.new_page()
        await page.goto(url)
        return page

    yield open_page
    for context in contexts:
        await context.close()
