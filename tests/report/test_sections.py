from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from probe.model.words import Cause
from probe.report.causes import MEANINGS
from probe.report.sections import section_html


class Elements(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.links: list[str] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open.append(tag)
        self.links += [value or "" for key, value in attrs if key == "href"]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


@pytest.mark.parametrize("cause", Cause)
def test_the_section_of_each_cause_is_whole(cause: Cause) -> None:
    shown = Elements(section_html(cause, list(Cause)))
    text = " ".join("".join(shown.words).split())
    assert shown.open == []
    assert text.startswith(MEANINGS[cause].sentence)
    assert "Do:" in text
    # No mark of Markdown is left.
    assert not re.search(r"[`#]|\*\*|\]\(|^- ", text, re.MULTILINE)


def test_links_lead_to_what_is_there() -> None:
    assert Elements(section_html(Cause.PAYLOAD, list(Cause))).links == ["#cause-intercepted"]
    alone = section_html(Cause.PAYLOAD, [Cause.PAYLOAD])
    assert Elements(alone).links == []
    assert "is intercepted." in alone
