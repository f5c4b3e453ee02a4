"""The page that reports send people to has a section for each word, and no page sends them nowhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from probe.model.words import Cause, Verdict
from probe.report.causes import MEANINGS, section

ROOT = Path(__file__).parents[2]
VERDICTS = ROOT / "docs" / "verdicts.md"
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])

FENCED = re.compile(r"^ *```.*?^ *```$", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^(#+) (.+)$", re.MULTILINE)
LINK = re.compile(r"\]\(([^)\s]+)\)")


def _prose(page: Path) -> str:
    return FENCED.sub("", page.read_text(encoding="utf-8"))


def _headings(page: Path) -> list[tuple[int, str]]:
    return [(len(marks), text) for marks, text in HEADING.findall(_prose(page))]


def _anchors(page: Path) -> set[str]:
    """As GitHub makes them: lower case, no punctuation, spaces to hyphens."""
    return {re.sub(r"[^\w -]", "", text.lower()).replace(" ", "-") for _, text in _headings(page)}


def _links(page: Path) -> list[str]:
    return [link for link in LINK.findall(_prose(page)) if "://" not in link and not link.startswith("mailto:")]


@pytest.mark.parametrize("verdict", Verdict)
def test_each_verdict_has_its_section(verdict: Verdict) -> None:
    assert _headings(VERDICTS).count((2, verdict.value)) == 1


@pytest.mark.parametrize("cause", Cause)
def test_each_cause_has_its_section(cause: Cause) -> None:
    assert _headings(VERDICTS).count((3, cause.value)) == 1


@pytest.mark.parametrize("cause", Cause)
def test_each_section_begins_with_the_sentence_of_the_reports(cause: Cause) -> None:
    section = VERDICTS.read_text(encoding="utf-8").partition(f"\n### {cause}\n\n")[2]
    first = " ".join(section.partition("\n\n")[0].split())
    sentence = MEANINGS[cause].sentence
    assert first == sentence or first.startswith(f"{sentence} ")


def test_the_reports_know_each_cause_and_lead_to_its_section() -> None:
    assert MEANINGS.keys() == set(Cause)
    for place in (*(section(Verdict.BLOCKED, cause) for cause in Cause), *(section(one, None) for one in Verdict)):
        page, _, anchor = place.partition("#")
        assert anchor in _anchors(ROOT / page)


def test_the_list_of_causes_is_closed() -> None:
    assert {text for level, text in _headings(VERDICTS) if level == 3} == {cause.value for cause in Cause}


def test_each_section_says_what_to_do() -> None:
    sections = re.split(r"^### ", VERDICTS.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    silent = [section.partition("\n")[0] for section in sections if "**Do:**" not in section]
    assert not silent


def test_there_are_pages_with_links() -> None:
    """So that the test below cannot pass by finding nothing."""
    assert {"README.md", "verdicts.md", "agents.md"} <= {page.name for page in PAGES if _links(page)}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_relative_links_lead_somewhere(page: Path) -> None:
    broken = []
    for link in _links(page):
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        if not target.exists() or (anchor and anchor not in _anchors(target)):
            broken.append(link)
    assert not broken
