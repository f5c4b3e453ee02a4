"""The HTML report as a reader has it: in a browser, from a file."""

from __future__ import annotations

import csv
import re
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from probe.model.result import CheckResult, Evidence
from probe.report import html
from tests.report import example
from tests.report.test_html import hostile

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from playwright.async_api import Page

    from probe.model.result import Report

    from .conftest import Opener


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("reports")


@pytest.fixture(scope="module")
def address(folder: Path) -> Callable[[str], str]:
    """Of the report of this name, made when it is first asked for."""
    made: dict[str, Callable[[], Report]] = {
        "rich": example.rich,
        "large": example.large,
        "hostile": lambda: hostile(example.rich()),
        "formula": formula,
        "namesake": namesake,
    }

    def of(name: str) -> str:
        file = folder / f"{name}.html"
        if not file.exists():
            file.write_bytes(html.render(made[name]()))
        return file.as_uri()

    return of


def formula() -> Report:
    """One failing row of which each text would be a formula in a spreadsheet."""
    report = example.rich()
    row = next(check for check in report.checks if check.deviates)
    given = {field: getattr(row, field) for field in CheckResult.__struct_fields__}
    given |= {"detail": "=1+1", "service": "@SUM(A1)", "source": "-2", "advice": "+3; =6", "rule": "\t=4", "also": ()}
    given["evidence"] = (Evidence(at="=source", what='said "=5", twice'),)
    return msgspec.structs.replace(report, checks=(CheckResult(**given),))


def namesake() -> Report:
    """A host that is called as a role is, of which it is none."""
    report = example.rich()
    rows = (msgspec.structs.replace(row, source="engine") if row.source == "lb-1" else row for row in report.checks)
    hosts = (msgspec.structs.replace(host, name="engine") if host.name == "lb-1" else host for host in report.hosts)
    return msgspec.structs.replace(report, checks=tuple(rows), hosts=tuple(hosts))


async def ready(page: Page) -> Page:
    await page.wait_for_selector("html.ready")
    return page


async def found(page: Page, text: str) -> None:
    """Wait until the live region says it."""
    await page.wait_for_function("text => document.getElementById('found').textContent === text", arg=text)


async def shown(page: Page) -> list[str]:
    """What the table of checks shows, a line for each check."""
    return [" ".join(text.split()) for text in await page.locator("#table tbody tr:not(.more)").all_inner_texts()]


# Field, value, how many checks and findings fit.
FILTERS = (
    ("text", "no answer SYN", 7, 3),
    ("text", "SENTINEL", 2, 1),
    ("from", "engine", 16, 5),
    ("from", "engine-1", 7, 4),
    ("to", "redis", 10, 2),
    ("host", "redis-1", 11, 2),
    ("port", "5505", 1, 1),
    ("port", "5000-6000", 9, 1),
    ("verdict", "blocked", 8, 4),
    ("verdict", "failing", 24, 11),
    ("verdict", "advice", 10, 5),
    ("cause", "target-firewall", 1, 1),
)


async def test_each_filter_narrows_findings_map_and_table(opened: Opener, address: Callable[[str], str]) -> None:
    page = await ready(await opened(address("rich")))
    for field, value, checks, findings in FILTERS:
        place = page.locator(f"#{field}")
        await (place.select_option(value) if field in ("verdict", "cause") else place.fill(value))
        await found(page, f"{checks} of 47 checks, {findings} of 11 findings")
        assert page.url.endswith(f"#{field}={value.replace(' ', '+')}")
        assert len(await shown(page)) == checks
        assert await page.locator("details.finding:visible").count() == findings
        assert 0 < await page.locator("#map tbody td a").count() <= checks
        await page.click("#clear")
        await found(page, "47 checks, 11 findings")


async def test_a_view_is_the_same_again_from_its_address(opened: Opener, address: Callable[[str], str]) -> None:
    page = await ready(
        await opened(address("rich") + "#text=redis&from=services&verdict=blocked&cause=network&port=6379")
    )
    await found(page, "2 of 47 checks, 1 of 11 findings")
    fields = ("text", "from", "to", "host", "port", "verdict", "cause")
    values = [await page.locator(f"#{field}").input_value() for field in fields]
    assert values == ["redis", "services", "", "", "6379", "blocked", "network"]


async def test_a_host_that_is_called_like_a_role_is_not_mistaken_for_it(
    opened: Opener, address: Callable[[str], str]
) -> None:
    page = await ready(await opened(address("namesake") + "#from=engine"))
    await found(page, "16 of 47 checks, 5 of 11 findings")
    await page.locator("#hosts tbody a", has_text="engine").first.click()
    await page.wait_for_url("**#host=host%3Aengine&at=checks")
    assert all("engine" in line for line in await shown(page))
    assert len(await shown(page)) == sum(row.source == "lb-1" for row in example.rich().checks)


async def test_an_address_that_leads_nowhere_does_no_harm(opened: Opener, address: Callable[[str], str]) -> None:
    page = await ready(await opened(address("rich") + "#clear"))
    for fragment in ("nowhere", "at=clear&page=99", "check=0&finding=0&map=x&page=-1", "%E0%A4%A", "=&&="):
        await page.evaluate("fragment => { location.hash = fragment; }", fragment)
        assert await page.locator("h1").is_visible()
    await found(page, "47 checks, 11 findings")


async def test_filters_add_up_and_a_finding_says_how_much_of_it_is_left(
    opened: Opener, address: Callable[[str], str]
) -> None:
    page = await ready(await opened(address("rich") + "#verdict=blocked&from=services"))
    await found(page, "2 of 47 checks, 1 of 11 findings")
    assert await page.locator("details.finding:visible .number").first.inner_text() == "2 of 5 checks"
    await page.click("#clear")
    await found(page, "47 checks, 11 findings")
    await page.go_back()
    await found(page, "2 of 47 checks, 1 of 11 findings")


async def test_a_pair_of_roles_opens_to_its_hosts_and_they_to_their_checks(
    opened: Opener, address: Callable[[str], str]
) -> None:
    page = await ready(await opened(address("rich")))
    cell = page.locator("#map tbody tr", has=page.locator("th", has_text="engine")).locator("td.deviation a").last
    await cell.hover()
    assert await cell.get_attribute("title") == "engine → redis: 2 deviations, 2 advice"
    await cell.click()
    await found(page, "4 of 47 checks, 2 of 11 findings")
    heads = await page.locator("#map tbody th").all_inner_texts()
    assert heads == ["engine-1", "engine-2"]
    await page.locator("#map tbody td a").first.click()
    await found(page, "2 of 47 checks, 2 of 11 findings")
    assert await shown(page) == [
        "✗ blocked network engine-1 redis-1 sentinel 10.20.0.40 tcp 26379 reach",
        "! exposed stand-in engine-1 redis-1 redis 10.20.0.40 tcp 6379 block (advise)",
    ]
    await page.locator("#table button.badge").first.click()
    told = await page.locator("#table .more").inner_text()
    assert "source engine-1" in told
    assert "target redis-1" in told
    assert "cites connections" in told
    await page.locator("#table .more a", has_text="Its finding").click()
    assert await page.evaluate("document.activeElement.parentElement.classList.contains('finding')")


async def test_each_finding_and_each_check_has_an_address_of_its_own(
    opened: Opener, address: Callable[[str], str]
) -> None:
    page = await ready(await opened(address("rich"), permissions=["clipboard-read", "clipboard-write"]))
    finding = page.locator("details.finding").nth(3)
    await finding.locator("summary").first.click()  # closed now
    await page.locator("details.finding").nth(2).get_by_text("Copy link").click()
    copied = await page.evaluate("navigator.clipboard.readText()")
    anchor = await page.locator("details.finding").nth(2).get_attribute("id")
    assert copied.endswith(f"rich.html#{anchor}")
    assert await page.locator("#said").inner_text() == "Link copied"
    again = await ready(await opened(copied))
    assert await again.evaluate("document.activeElement.parentElement.id") == anchor

    check = example.blocked()[0].id
    page = await ready(await opened(address("rich") + f"#check={check}&at=checks"))
    await found(page, "1 of 47 checks, 1 of 11 findings")
    assert "Ask who runs what is behind 10.20.0.254" in await page.locator("#table .more").inner_text()


async def test_the_theme_follows_the_system_until_the_reader_chooses(
    opened: Opener, address: Callable[[str], str]
) -> None:
    page = await ready(await opened(address("rich"), color_scheme="dark"))

    async def dark() -> bool:
        colour = await page.evaluate("getComputedStyle(document.body).backgroundColor")
        return max(map(int, re.findall(r"\d+", colour))) < 60

    assert await dark()
    await page.click("#theme")
    assert not await dark()
    assert await page.inner_text("#theme") == "Theme: light"
    await page.reload()
    assert not await dark()
    await page.click("#theme")
    assert await dark()


async def test_everything_is_reached_by_keyboard(opened: Opener, address: Callable[[str], str]) -> None:
    page = await ready(await opened(address("rich")))
    await page.keyboard.press("/")
    await page.keyboard.type("sentinel")
    await found(page, "2 of 47 checks, 1 of 11 findings")
    await page.keyboard.press("Escape")
    await found(page, "47 checks, 11 findings")
    await page.keyboard.press("Escape")
    assert await page.evaluate("document.activeElement === document.body")
    # One stop for the map; arrows from cell to cell.
    await page.locator("#by-host").focus()
    await page.keyboard.press("Tab")
    await page.keyboard.press("Tab")
    assert await page.evaluate("document.activeElement.title") == "automate → lb: 1 pass"
    assert await page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    await page.keyboard.press("ArrowRight")
    await page.keyboard.press("ArrowDown")
    assert await page.evaluate("document.activeElement.title") == "controller → redis: 1 deviation"
    await page.keyboard.press("Enter")
    await found(page, "1 of 47 checks, 1 of 11 findings")
    await page.keyboard.press("Escape")
    await found(page, "47 checks, 11 findings")


async def test_paper_has_the_findings_whole_and_no_controls(opened: Opener, address: Callable[[str], str]) -> None:
    page = await ready(await opened(address("rich")))
    await page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = false; })")
    await page.emulate_media(media="print")
    assert await page.locator("details.finding .field dd").first.is_visible()
    assert await page.locator(".do").count() == await page.locator(".do:visible").count()
    for gone in ("#filter", "nav", "#theme", "#checks", ".tools"):
        assert not await page.locator(gone).first.is_visible(), gone
    assert len(await page.pdf()) > 20_000


async def test_hostile_strings_are_text_wherever_they_are_shown(opened: Opener, address: Callable[[str], str]) -> None:
    page = await ready(await opened(address("hostile")))
    assert await page.locator("img, iframe, object").count() == 0
    assert await page.locator("script").count() == 2
    await page.locator("#table button.badge").first.click()
    said = await page.locator("#table .more").inner_text()
    assert "<script>alert(1)</script><img src=x onerror=alert(1)>" in said
    assert r"\u202e" in said
    await page.locator("#map tbody td a").first.click()
    await page.locator("#map tbody td a").first.click()
    assert len(await shown(page)) > 0
    assert await page.locator("img").count() == 0
    # From the address, too.
    page = await ready(
        await opened(address("hostile") + "#text=%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E&from=" + "A" * 999)
    )
    assert await page.locator("img").count() == 0


async def test_it_reads_without_script(opened: Opener, address: Callable[[str], str]) -> None:
    page = await opened(address("rich"), java_script_enabled=False)
    text = await page.inner_text("body")
    for part in (
        "No, do not install yet.",
        "Ask who runs what is behind 10.20.0.254",
        "This table needs JavaScript.",
        "With JavaScript the map opens",
        "registry.example.com",
    ):
        assert part in text
    assert await page.locator("#map td.deviation").count() == 7
    for control in ("#filter", "#theme", ".tools", "#by-host", "#table"):
        assert not await page.locator(control).first.is_visible(), control


async def downloaded(page: Page, folder: Path) -> list[dict[str, str]]:
    async with page.expect_download() as waiting:
        await page.click("#csv")
    file = folder / "portcheck.csv"
    await (await waiting.value).save_as(file)
    with file.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


async def test_what_is_filtered_is_there_as_csv(opened: Opener, address: Callable[[str], str], tmp_path: Path) -> None:
    page = await ready(await opened(address("rich") + "#verdict=blocked&to=redis-1"))
    rows = await downloaded(page, tmp_path)
    assert {row["source"] for row in rows} == {"ctrl-1", "svc-1", "svc-2", "engine-1", "engine-2"}
    one = next(row for row in rows if row["source"] == "svc-1")
    assert (one["ports"], one["verdict"], one["cause"]) == ("6379", "blocked", "network")
    assert one["evidence"].startswith("source: no answer to 3 SYN in 0.9 s, from fresh ports; target: ")


async def test_no_cell_of_it_becomes_a_formula(opened: Opener, address: Callable[[str], str], tmp_path: Path) -> None:
    page = await ready(await opened(address("formula")))
    (row,) = await downloaded(page, tmp_path)
    assert [row[key] for key in ("detail", "service", "source", "advice")] == ["'=1+1", "'@SUM(A1)", "'-2", "'+3;' =6"]
    assert row["evidence"] == '\'=source: said "=5", twice'
    assert not any(value.startswith(("=", "+", "-", "@", "\t")) for value in row.values())


async def test_many_rows_are_unpacked_and_turned_page_by_page(opened: Opener, address: Callable[[str], str]) -> None:
    page = await ready(await opened(address("large")))
    await found(page, "20,000 checks, 1 finding")
    assert len(await shown(page)) == 100
    await page.get_by_role("button", name="Next").click()
    assert await page.locator(".pager span").inner_text() == "101–200 of 20,000"
    assert page.url.endswith("#page=2&at=checks")
    await page.locator("#host").fill("host-7")
    await page.wait_for_url("**host=host-7")
    first: dict[str, Any] = await page.evaluate("({...document.querySelector('#table tbody tr').cells[1].dataset})")
    assert first == {"head": "From"}
    assert all("host-7 " in f"{line} " for line in await shown(page))
