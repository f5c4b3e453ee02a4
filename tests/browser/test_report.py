from __future__ import annotations

from typing import TYPE_CHECKING

from probe.report import html
from tests.report import example

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import Opener


async def test_the_first_screen_answers(opened: Opener, tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    file.write_bytes(html.render(example.rich()))
    page = await opened(file.as_uri())
    assert await page.locator("h1").inner_text() == "No, do not install yet."
