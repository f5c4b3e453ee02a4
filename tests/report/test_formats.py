"""Every format over every way to end, judged by somebody else's parser, and with strangers' text in every field."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from probe.cli.outputs import NAMES
from probe.errors import UserError
from probe.model.result import CheckResult, Evidence, Report
from probe.model.waiver import WaiverState, WaiverUse
from probe.report import formats
from probe.report.formats import FORMATS, by_extension
from probe.text import printable

from .judges import JUDGES

if TYPE_CHECKING:
    from collections.abc import Iterator

EVIL = [
    "<script>alert(1)</script>",
    "</script><img src=x onerror=alert(2)>",
    "**bold** _it_ `code` ~~gone~~ [a](http://evil.example) ![b](http://evil.example/x.png) | cell | @all #1 &lt; $x$",
    "http://evil.example www.evil.example root@evil.example <http://evil.example> :bug:",
    "# heading",
    "- item",
    "1. item",
    "> quote",
    "=1+cmd|' /C calc'!A0",
    "+1",
    "-1",
    "@SUM(1)",
    "\t=1",
    "a;=1;+1; @SUM(1)",
    'a,b"c\r\nd;e',
    "]]><failure/>&amp;\x00\x1b[31m\x85\u2028\u202e\ud800\ufffe",
    "```\nfence",
    "    indented",
    "\\",
    "===\n---\n***",
    "[a]: http://evil.example",
    'x" onmouseover="alert(3)',
    "{{ 7 * 7 }} ${7} {% x %}",
]


def made(name: str, report: Report) -> bytes:
    return b"".join(formats.render(name, report))


def poisoned(value: Any, evil: str, *, keep: tuple[str, ...] = ()) -> Any:
    """The same with that in place of each free text, down to the last list. Words of closed lists stay."""
    if isinstance(value, msgspec.Struct):
        fields = {
            field: value_ if field in keep else poisoned(value_, evil, keep=keep)
            for field in value.__struct_fields__
            if (value_ := getattr(value, field)) is not msgspec.UNSET
        }
        return msgspec.structs.replace(value, **fields)
    if type(value) is str:
        return evil if value else value
    if isinstance(value, tuple):
        return tuple(poisoned(item, evil, keep=keep) for item in value)
    return value


# Of these our own code makes the text, and a schema its form.
_OURS = ("schema", "ports", "started", "finished", "side", "at", "until", "id")


@pytest.mark.parametrize("name", FORMATS)
def test_each_is_what_it_says(name: str, one: Report) -> None:
    JUDGES[name](made(name, one))


@pytest.mark.parametrize("evil", EVIL, ids=range(len(EVIL)))
@pytest.mark.parametrize("name", FORMATS)
def test_what_strangers_say_is_shown_as_text(name: str, evil: str, waived: Report) -> None:
    # A target without an address is no host of nmap's.
    keep = (*_OURS, "address") if name == "nmap" else _OURS
    found = JUDGES[name](made(name, poisoned(waived, evil, keep=keep)))
    if name == "markdown":
        assert printable(" ".join(evil.split())) in found
    if name == "html":
        # Our one script and style; nothing that loads, and no handler.
        assert {element.tag for element in found.iter("img", "iframe", "object", "embed", "base")} == set()
        assert not [key for element in found.iter() for key in element.attrib if key.startswith("on")]
        assert not [link for link in found.iter("a") if not (link.get("href") or "#").startswith("#")]


def test_the_poison_is_everywhere(waived: Report) -> None:
    """So that the test above cannot pass by poisoning nothing."""
    report = poisoned(waived, "EVIL", keep=(*_OURS, "address"))
    assert {row.source for row in report.checks} == {"EVIL"}
    assert any("EVIL" in piece.what for row in report.checks for piece in row.evidence)
    for name in ("text", "json", "jsonl", "html", "junit", "markdown", "csv", "nmap"):
        assert b"EVIL" in made(name, report)


def test_one_place_knows_them_all() -> None:
    assert tuple(FORMATS) == NAMES
    assert JUDGES.keys() == FORMATS.keys()


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("out/Report.HTML", "html"),
        ("a.htm", "html"),
        ("a.xml", "junit"),
        ("a.junit.xml", "junit"),
        ("a.nmap.xml", "nmap"),
        ("a.json.jsonl", "jsonl"),
        ("node.prom", "prometheus"),
        ("-", "text"),
    ],
)
def test_the_format_of_a_name(path: str, name: str) -> None:
    assert by_extension(path) == name


@pytest.mark.parametrize("path", ["report", "a.pdf", "json", "html/a"])
def test_a_name_that_says_nothing(path: str) -> None:
    with pytest.raises(UserError, match=r"which format\?.*\n.*--format NAME before --output"):
        by_extension(path)


def test_lines_are_made_as_they_are_read(example: Any) -> None:
    """Not all of them before the first: memory does not grow with the report."""
    report = example.large(50)
    seen = 0

    def rows() -> Iterator[CheckResult]:
        nonlocal seen
        for row in report.checks:
            seen += 1
            yield row

    class Lazy:
        """A report whose rows tell when they are asked for."""

        run, hosts, summary = report.run, (), report.summary
        not_checkable, notes, exposure, waivers = (), (), None, ()

        @property
        def checks(self) -> Iterator[CheckResult]:
            return rows()

    for name in ("jsonl", "csv"):
        seen = 0
        made = iter(formats.render(name, Lazy()))  # type: ignore[arg-type]
        next(made)
        next(made)
        assert seen <= 1, name


class TestMarkdown:
    def test_it_answers_first(self, rich: Report) -> None:
        page = made("markdown", rich).decode().split("\n")
        assert page[0] == "# ❌ No, do not install yet."
        assert page[2] == "9 of 47 checks deviate. 5 could not be measured. 4 rows of the matrix cannot be checked."

    def test_it_says_who_and_what_to_do(self, rich: Report) -> None:
        text = JUDGES["markdown"](made("markdown", rich))
        assert "10.20.0.254, or a device behind it, drops tcp 6379, 26379" in text
        assert "what to do: Ask who runs what is behind 10.20.0.254" in text
        assert "critical: network. A device on the way drops it" in text

    def test_waived_rows_have_a_part_of_their_own(self, waived: Report) -> None:
        text = JUDGES["markdown"](made("markdown", waived))
        part = text.partition("\nWaived: accepted for a time\n")[2]
        assert "accepted: until 2025-06-30 by jane@example.com: ticket 4711" in part
        assert "waivers.yaml:20 (service syslgo) is about no check of this run" in part

    def test_it_is_bounded_and_says_what_it_leaves_out(self, example: Any, rich: Report) -> None:
        """600 findings, each with a long story."""
        row = next(row for row in rich.checks if row.deviates)
        story = tuple(Evidence(at="source", what=f"{'ä' * 300} {number}") for number in range(6))
        rows = [
            msgspec.structs.replace(
                row,
                id=f"{number:016x}",
                service=f"s{number}",
                where=None,
                cause=None,
                evidence=story,
                source=f"h{number}x",
            )
            for number in range(600)
        ]
        page = made("markdown", example.report(rows))
        assert 40_000 < len(page) <= 60_000
        text = JUDGES["markdown"](page)
        assert "left out of this summary: the JSON and the HTML report have them all" in text.replace(
            "checks left", "left"
        )

    def test_many_hosts_that_failed_and_many_notes_are_bounded_too(self, rich: Report) -> None:
        for letter in ("x", "\U0001f6d1"):
            lost = msgspec.structs.replace(rich.hosts[0], agent=None, problem=letter * 5000)
            use = WaiverUse(
                place=letter * 500, matches=letter, reason=letter * 500, owner="o", until="", state=WaiverState.UNUSED
            )
            report = msgspec.structs.replace(
                rich, hosts=(lost,) * 500, notes=(letter * 5000,) * 500, waivers=(use,) * 500
            )
            page = made("markdown", report)
            assert len(page) <= 60_000
            assert "more" in JUDGES["markdown"](page).rpartition("\nNotes\n")[2]
            assert b"what to do" in page


class TestCsv:
    def test_every_row_with_what_is_known(self, waived: Report) -> None:
        rows = JUDGES["csv"](made("csv", waived))
        assert len(rows) == len(waived.checks)
        row = next(row for row in rows if row["waived_owner"] == "jane@example.com")
        assert (row["verdict"], row["cause"], row["weight"], row["where"]) == (
            "blocked",
            "network",
            "waived",
            "10.20.0.254",
        )
        assert row["waived_until"] == "2025-06-30"
        assert next(row for row in rows if row["verdict"] == "pass")["cause"] == ""

    @pytest.mark.parametrize("evil", ["=1", "+1", "-1", "@x", "\t=1", "\r=1", "\uff1d1"])
    def test_a_formula_is_text(self, evil: str, rich: Report) -> None:
        row = JUDGES["csv"](made("csv", poisoned(rich, evil, keep=_OURS)))[0]
        assert row["source"].startswith("'")
        assert row["source"][1:].replace("\\t", "\t").replace("\\r", "\r") == evil


class TestNmap:
    def test_a_host_for_each_target_with_its_ports(self, rich: Report) -> None:
        root = JUDGES["nmap"](made("nmap", rich))
        ports = {
            (host.find("hostnames/hostname").get("name"), port.get("protocol"), port.get("portid")): port
            for host in root.iter("host")
            for port in host.iter("port")
        }
        state = {
            key: (port.find("state").get("state"), port.find("state").get("reason")) for key, port in ports.items()
        }
        assert state["redis-1", "tcp", "26379"] == ("filtered", "no-response")
        assert state["ctrl-1", "tcp", "8001"] == ("closed", "conn-refused")
        # One source was kept out, another was not: the most open counts, and both are told.
        assert state["db-1", "tcp", "5432"] == ("open", "syn-ack")
        told = ports["db-1", "tcp", "5432"].find("script").get("output")
        assert "db-1, svc-1, svc-2: open, pass" in told
        assert "laptop, lb-1: filtered, pass" in told

    def test_a_party_without_an_address_is_told_of(self, rich: Report) -> None:
        summary = JUDGES["nmap"](made("nmap", rich)).find("runstats/finished").get("summary")
        assert "left out, for they have no address: mirror.example.com, registry.example.com" in summary

    def test_many_ports_that_are_not_open_are_counted(self, rich: Report) -> None:
        row = next(row for row in rich.checks if row.ports == "26379")
        report = msgspec.structs.replace(rich, checks=(msgspec.structs.replace(row, ports="1-100"),))
        (extra,) = JUDGES["nmap"](made("nmap", report)).iter("extraports")
        assert (extra.get("state"), extra.get("count")) == ("filtered", "100")
        assert [(one.get("reason"), one.get("ports")) for one in extra] == [("no-response", "1-100")]

    def test_an_interrupted_run_is_no_success(self, examples: dict[str, Report]) -> None:
        finished = JUDGES["nmap"](made("nmap", examples["interrupted"])).find("runstats/finished")
        assert (finished.get("exit"), finished.get("errormsg")) == ("error", "interrupted")
