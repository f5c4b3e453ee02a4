from __future__ import annotations

import base64
import hashlib
import json
import re
import time
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from probe.model.result import CheckResult, Evidence, HostResult, Report, Where
from probe.model.waiver import WaiverState
from probe.report import html

if TYPE_CHECKING:
    from collections.abc import Iterator

EVIL = "</style></script><script>alert(1)</script><img src=x onerror=alert(1)>\"'`{{7*7}}&amp;\x1b[31m\x00\u202e\ud800"
_VOID = {"meta", "input", "br", "img", "link"}


class Page(HTMLParser):
    """The elements of a page, with what is open at its end."""

    def __init__(self, data: bytes) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.inline: dict[str, str] = {}
        self.words: list[str] = []
        self.feed(data.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in _VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> closes nothing"

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in {"style", "script"}:
            attributes = self.elements[-1][1]
            self.inline["data" if attributes.get("id") == "data" else self.open[-1]] = data
        else:
            self.words.append(data)

    @property
    def links(self) -> set[str]:
        """Where it leads without script."""
        return {href for link in self.all("a") if (href := link.get("href"))}

    def all(self, tag: str) -> Iterator[dict[str, str | None]]:
        return (attributes for name, attributes in self.elements if name == tag)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def page(report: Report) -> Page:
    return Page(html.render(report))


def test_every_element_is_closed(one: Report) -> None:
    assert page(one).open == []


def test_nothing_is_asked_of_any_network(one: Report) -> None:
    for tag, attributes in page(one).elements:
        assert tag not in {"link", "img", "iframe", "object", "embed", "base", "form", "audio", "video"}
        assert not {"src", "srcset", "style", "action"} & attributes.keys()
        assert not any(key.startswith("on") for key in attributes)
        assert (attributes.get("href") or "#").startswith("#")
    assert not re.search(r"url\(|@import|https?:", (page(one).inline["style"] + page(one).inline["script"]))


def test_the_policy_allows_exactly_our_own_style_and_script(rich: Report) -> None:
    found = page(rich)
    policy = next(meta["content"] for meta in found.all("meta") if meta.get("http-equiv") == "Content-Security-Policy")
    digests = {
        tag: "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"
        for tag, text in found.inline.items()
    }
    assert policy == html.policy()
    assert policy == (
        f"default-src 'none'; style-src {digests['style']}; script-src {digests['script']}; "
        "base-uri 'none'; form-action 'none'"
    )


def test_links_lead_somewhere(one: Report) -> None:
    found = page(one)
    places = {attributes["id"] for _, attributes in found.elements if "id" in attributes}
    assert {href[1:] for href in found.links} <= places


def test_the_first_screen_answers(rich: Report) -> None:
    assert "No, do not install yet. 9 of 47 checks deviate. 5 could not be measured." in page(rich).text


def test_a_finding_is_told_with_evidence_from_both_ends(rich: Report) -> None:
    text = page(rich).text
    for part in (
        "10.20.0.254, or a device behind it, drops tcp 6379, 26379 from engine (2 hosts), services (2 hosts), ctrl-1",
        "source svc-1 no answer to 3 SYN in 0.9 s, from fresh ports",
        "target redis-1 the stand-in was open on 10.20.0.40:6379",
        "Rule redis, tcp 6379 must be reachable (aiware flows[4], cites connections), severity critical",
        "For whom the owner of 10.20.0.254, or of what is behind it",
        "Path svc-1 10.20.0.254 goes no further redis-1 (not come to)",
        "Where after 10.20.0.254 (the last",
        "Meaning A device on the way drops it, rejects it, or refuses it in the target's name. More",
        "What to do Ask who runs what is behind 10.20.0.254",
    ):
        assert part in text


def test_every_check_is_in_the_page(rich: Report) -> None:
    data = json.loads(page(rich).inline["data"])
    texts, ids, ports = data["texts"], [check.id for check in rich.checks], data["fields"].index("ports")
    assert sorted(data["ids"]) == sorted(ids)
    told = {
        (one, texts[source], texts[target], texts[data["kinds"][kind][ports]])
        for one, source, target, kind in zip(data["ids"], data["source"], data["target"], data["kind"], strict=True)
    }
    assert told == {(check.id, check.source, check.target, check.ports) for check in rich.checks}


def test_tables_have_headers_and_meaning_without_colour(rich: Report) -> None:
    found = page(rich)
    assert all(cell.get("scope") in {"col", "row"} for cell in found.all("th"))
    for symbol in ("✗ deviation", "? inconclusive", "! advice", "✓ pass", "· nothing to check"):
        assert symbol in found.text


def test_what_cannot_be_checked_has_its_section(rich: Report, examples: dict[str, Report]) -> None:
    found = page(rich)
    assert "#not-checkable" in found.links
    row = "aiware flows[14] lb lb keepalived, vrrp the balancers find out which of them holds the floating address"
    assert f"{row} IP protocol 112 has no ports balancers" in found.text
    assert "4 rows of the matrix cannot be checked." in found.text
    assert not any(section.get("id") == "not-checkable" for section in page(examples["conforms"]).all("section"))


def test_what_cannot_be_checked_is_bounded(rich: Report) -> None:
    found = page(msgspec.structs.replace(rich, not_checkable=rich.not_checkable * 200))
    assert found.text.count("IP protocol 112 has no ports") <= 500
    assert "300 more: the JSON report has each." in found.text


def test_each_cause_leads_to_what_the_page_of_verdicts_says_of_it(rich: Report) -> None:
    found = page(rich)
    causes = {check.cause for check in rich.checks if check.cause}
    assert found.links >= {f"#cause-{cause}" for cause in causes}
    assert "The path trace says how far it came." in found.text
    assert not any((article.get("id") or "").endswith("-mtu") for article in found.all("article"))


def test_severity_and_what_stands_in_are_shown(rich: Report) -> None:
    text = page(rich).text
    assert "ctrl-1 to redis-1 severity critical" in text
    assert "Instead one of these ways is enough, and this one is free: registry on mirror.example.com" in text
    assert "syslog, udp 514 should be reachable (deprecated)" in text


def test_parties_outside_the_inventory_are_no_hosts_without_an_agent(rich: Report) -> None:
    text = page(rich).text
    assert "11 hosts, 2 external" in text
    assert "mirror.example.com mirror.example.com external outside none, a target only" in text


def hostile(report: Report) -> Report:
    """The report with everything that comes from files or the network replaced by what an attacker would put there."""
    check_fields = (
        "source",
        "target",
        "source_role",
        "target_role",
        "address",
        "service",
        "matrix",
        "rule",
        "cite",
        "detail",
        "advice",
        "ports",
        "application",
        "instead",
    )
    checks = tuple(
        msgspec.structs.replace(
            check, **dict.fromkeys(check_fields, EVIL), evidence=(Evidence(at=EVIL, what=EVIL * 300),), also=(EVIL,)
        )
        for check in report.checks
    )
    hosts = tuple(HostResult(name=EVIL, addresses=(EVIL,), roles=(EVIL,), problem=EVIL) for _ in report.hosts)
    words = ("rule", "matrix", "service", "protocol", "ports", "reason", "help", "cite")
    gaps = tuple(
        msgspec.structs.replace(row, **dict.fromkeys(words, EVIL), sources=(EVIL,), targets=(EVIL,) * 100)
        for row in report.not_checkable
    )
    run = msgspec.structs.replace(report.run, id=EVIL, started=EVIL, inventory=EVIL, matrix=(EVIL,), version=EVIL)
    return msgspec.structs.replace(report, run=run, checks=checks, hosts=hosts, not_checkable=gaps, notes=(EVIL,))


def test_hostile_strings_are_text_and_nothing_else(rich: Report) -> None:
    found = page(hostile(rich))
    assert found.open == []
    assert [script.get("type") for script in found.all("script")] == ["application/json", None]
    assert not list(found.all("img"))
    assert "{{7*7}}" in found.text
    assert r"\x1b[31m\x00\u202e\ud800" in found.text
    raw = html.render(hostile(rich)).decode()
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]", raw)


def test_a_huge_value_is_cut(rich: Report) -> None:
    assert len(html.render(hostile(rich))) < 1_000_000


def test_waived_rows_say_who_accepted_them_and_waivers_of_no_use_are_advice(waived: Report) -> None:
    text = page(waived).text
    one = next(check.waived for check in waived.checks if check.waived)
    assert f"Waived until {one.until} by {one.owner}: {one.reason}" in text
    assert "~ waived" in text
    for use in waived.waivers:
        assert (use.place in text) is (use.state is not WaiverState.USED)


def test_many_findings_are_told_by_their_titles_and_then_counted(rich: Report) -> None:
    one = next(check for check in rich.checks if check.cause == "network")
    given = {field: getattr(one, field) for field in CheckResult.__struct_fields__}
    wheres = (Where(address=f"10.9.{n // 250}.{n % 250}", hop=1, side="at") for n in range(2_000))
    checks = tuple(CheckResult(**given | {"where": where, "target": f"host-{n}"}) for n, where in enumerate(wheres))
    data = html.render(msgspec.structs.replace(rich, checks=checks))
    found = Page(data)
    assert len(data) < 1_200_000
    whole = sum(1 for details in found.all("details") if details.get("class") == "finding deviation")
    brief = sum(1 for item in found.all("li") if item.get("class") == "finding deviation")
    assert whole > 50
    assert brief == 1000
    assert f"{2_000 - whole - brief:,} more: the JSON report has each." in found.text


def test_many_rows_are_quick_and_the_file_stays_small(example: Any) -> None:
    report = example.large()
    started = time.process_time()
    data = html.render(report)
    assert time.process_time() - started < 20  # of CPU: an accident of the quadratic kind takes minutes
    assert len(data) < 1_000_000


@pytest.mark.parametrize("part", ["@media print", "light-dark(", "max-width: 40rem"])
def test_paper_dark_and_phone_are_thought_of(rich: Report, part: str) -> None:
    assert part in page(rich).inline["style"]
