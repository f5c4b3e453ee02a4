from __future__ import annotations

import csv
import html as entities
import io
import json
import re
from typing import TYPE_CHECKING
from urllib.parse import quote

import msgspec

from probe.audit.web import pages
from probe.history.values import RunState
from probe.resources import folder
from tests.report import example

from .conftest import HOSTILE
from .desk import progress

if TYPE_CHECKING:
    import aiohttp
    import pytest

    from .conftest import Opened
    from .desk import Desk


async def read(client: aiohttp.ClientSession, path: str) -> str:
    async with client.get(path) as answer:
        assert answer.status == 200, path
        return await answer.text()


async def test_the_first_page_tells_each_audit_in_one_sentence(opened: Opened, desk: Desk) -> None:
    desk.tell("nightly", progress=progress("nightly", 50, failing=2), problem="hosts.txt:3:1: what is this?")
    async with opened() as client:
        page = await read(client, "/")
    assert "<h1" in page
    assert "1 of 2 audits deviates." in page
    assert "9 of 47 checks deviate, 5 could not be measured." in page
    assert "50 of 200 ports" in page
    assert "hosts.txt:3:1: what is this?" in page
    assert "daily at 02:00 Europe/Berlin" in page
    assert page.count('href="/audits/nightly/runs/3"') == 2, "one in the strip, one in words"
    assert '<time datetime="2026-11-21T01:00:00Z">2026-11-21 01:00 UTC</time>' in page


async def test_hostile_names_are_text_everywhere(opened: Opened, desk: Desk) -> None:
    rows = [
        msgspec.structs.replace(row, source=HOSTILE, service=HOSTILE, detail=HOSTILE) for row in example.rich().checks
    ]
    desk.keep(HOSTILE, rows, 1)
    desk.keep(HOSTILE, example.rich().checks, 2)
    desk.lose(HOSTILE, 3, RunState.FAILED, HOSTILE)
    desk.tell(HOSTILE, progress=progress(HOSTILE, 1, words=HOSTILE), schedule=HOSTILE)
    base = f"/audits/{quote(HOSTILE, safe='')}"
    async with opened() as client:
        for path in (
            "",
            "/live",
            "/diff",
            "/checks",
            "/checks?q=%3Cimg%20x",
            f"/checks/{rows[0].id}",
            "/runs/1",
            "/runs/3",
        ):
            page = await read(client, base + path)
            assert "<img" not in page.lower(), path
            assert "\u202e" not in page, path
        page = await read(client, "/")
        assert "<img" not in page
        assert entities.escape("<img src=x onerror=") in page.replace("&#34;", "&quot;")


async def test_runs_are_paged_and_tell_what_changed(
    opened: Opened, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "_PAGE", 2)
    rows = list(example.rich().checks)
    desk.keep("nightly", [row for row in rows if not row.deviates], 4)
    desk.lose("nightly", 5, RunState.LOST, "its coordinator ended without a word")
    async with opened() as client:
        page = await read(client, "/audits/nightly")
        assert re.search(r'/runs/5">5</a></th>', page)
        assert 'href="/audits/nightly?before=4#runs"' in page
        assert "9 no longer checked" in page
        page = await read(client, "/audits/nightly?before=4")
        assert re.search(r'/runs/3">3</a></th>', page)
        assert "nothing" in page
        assert "Newer" in page
        page = await read(client, "/audits/nightly?before=2")
        assert "the first run" in page
        assert "Older" not in page
        page = await read(client, "/audits/nightly/runs/5")
        assert "its coordinator ended without a word" in page


async def test_what_changed_between_any_two(opened: Opened, desk: Desk) -> None:
    rows = example.rich().checks
    desk.keep("nightly", [row for row in rows if row.verdict.value == "pass"], 4)
    async with opened() as client:
        page = await read(client, "/audits/nightly/diff?old=4&new=2")
        assert "9 new deviations" in page
        assert "since run 4" in page
        assert 'id="new"' in page
        assert f'href="/audits/nightly/checks/{next(row.id for row in rows if row.deviates)}"' in page
        page = await read(client, "/audits/nightly/diff?new=2")
        assert "Nothing changed." in page
        page = await read(client, "/audits/nightly/diff?new=1")
        assert "There is no earlier run" in page
        async with client.get("/audits/nightly/diff?old=77&new=2") as answer:
            assert answer.status == 404


async def test_the_life_of_a_check_is_drawn_and_told(opened: Opened, desk: Desk) -> None:
    row = next(row for row in example.rich().checks if row.deviates)
    desk.keep("nightly", [each for each in example.rich().checks if each.id != row.id], 4)
    async with opened() as client:
        page = await read(client, f"/audits/nightly/checks/{row.id}")
    assert "<svg" in page
    assert f"{row.verdict.value} ({row.cause.value if row.cause else ''}), runs 1 to 3" in page
    assert page.count(f"/runs/3#check={row.id}") == 1


async def test_checks_are_found_by_their_words(opened: Opened) -> None:
    async with opened() as client:
        page = await read(client, "/audits/nightly/checks")
        assert "24 checks that do not pass" in page
        assert "<small>listening, advice</small>" in page
        page = await read(client, "/audits/nightly/checks?q=redis-1+BLOCKED&run=2")
        assert "5 checks with" in page
        page = await read(client, "/audits/nightly/checks?q=nowhere-to-be-found")
        assert "0 checks with" in page


async def test_a_run_can_be_taken_along(opened: Opened) -> None:
    async with opened() as client:
        async with client.get("/audits/nightly/runs/2.json") as answer:
            assert answer.headers["Content-Disposition"] == 'attachment; filename="nightly-2.json"'
            assert len(json.loads(await answer.text())["checks"]) == 47
        async with client.get("/audits/nightly/runs/2.csv") as answer:
            assert answer.headers["Content-Type"].startswith("text/csv")
            assert len(list(csv.reader(io.StringIO(await answer.text())))) == 48
        async with client.get("/audits/nightly/runs/2", headers={"Accept-Encoding": "identity"}) as answer:
            assert "Content-Encoding" not in answer.headers
            assert b"<h1" in await answer.read()


async def test_who_comes_late_is_told_so(opened: Opened, desk: Desk) -> None:
    async with opened() as client:
        page = await read(client, "/audits/nightly/live?busy")
        assert "no second one was started" in page
        desk.tell("nightly", progress=progress("nightly", 3))
        assert "A run is under way" in await read(client, "/audits/nightly/live")
        async with client.get("/audits/nightly/live") as answer:
            assert '<noscript><meta http-equiv="refresh" content="5"></noscript>' in await answer.text()


async def test_that_a_run_was_asked_for_is_said_until_there_is_one(opened: Opened, desk: Desk) -> None:
    async with opened() as client:
        page = await read(client, "/audits/nightly/live?started=3")
        assert "A run was asked for" in page
        assert "<button>Run now" not in page
        desk.lose("nightly", 4, RunState.FAILED, "hosts.txt: there is no such file")
        page = await read(client, "/audits/nightly/live?started=3")
        assert "No run is under way" in page
        assert "<button>Run now" in page


async def test_an_audit_whose_runs_all_failed_has_failed(opened: Opened, desk: Desk) -> None:
    """And is not one without a run."""
    address = f"/audits/{quote(HOSTILE, safe='')}"
    async with opened() as client:
        page = await read(client, address)
        assert ": no run yet · portcheck</title>" in page
        assert "<button>Run now" in page
        desk.lose(HOSTILE, 1, RunState.FAILED, "hosts.txt: there is no such file")
        assert ": failed · portcheck</title>" in await read(client, address)
        desk.tell(HOSTILE, progress=progress(HOSTILE, 3))
        assert "<button>Run now" not in await read(client, address), "one is under way"


async def test_what_is_wrong_is_told_in_its_lines(opened: Opened, desk: Desk) -> None:
    desk.lose("nightly", 4, RunState.FAILED, "<hosts>:3:1: no such group\n  hint: \x1b[31mname it")
    async with opened() as client:
        for path in ("/", "/audits/nightly", "/audits/nightly/runs/4"):
            assert "&lt;hosts&gt;:3:1: no such group\n  hint: \\x1b[31mname it</bdi>" in await read(client, path), path


async def test_metrics_say_what_they_are_asked_for(opened: Opened) -> None:
    asked = {"Accept": "application/openmetrics-text"}
    async with opened() as client, client.get("/metrics", headers=asked) as answer:
        assert answer.headers["Content-Type"] == "application/openmetrics-text"


async def test_an_audit_that_is_no_more_keeps_its_runs(opened: Opened, desk: Desk) -> None:
    del desk.audits["nightly"]
    async with opened() as client:
        assert "Kept, and audited no more" in await read(client, "/")
        page = await read(client, "/audits/nightly")
        assert "Run now" not in page
        async with client.get("/audits/nightly/live/events") as answer:
            assert answer.status == 404


def test_the_colours_are_those_of_the_report() -> None:
    def palette(file: str) -> dict[str, str]:
        return dict(re.findall(r"(--[a-z-]+): (light-dark\([^)]*\))", (folder("reports") / file).read_text("utf-8")))

    ours, theirs = palette("dashboard/board.css"), palette("report.css")
    assert len(ours) == 17
    assert {key: theirs.get(key) for key in ours} == ours
