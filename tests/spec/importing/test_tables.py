"""The readers of Markdown, HTML and CSV, and what columns are taken for."""

from __future__ import annotations

import pytest

from probe.spec.importing import document
from probe.spec.importing.columns import Column, Kind, column, layout
from probe.spec.importing.tables import Table


def read(text: str, file: str = "x.md") -> list[tuple[str, int, tuple[str, ...], list[tuple[str, ...]]]]:
    return [
        (table.heading, table.line, table.columns, [row.cells for row in table.rows])
        for table in document.read(text, file).tables
    ]


AB = ("a", "b")


@pytest.mark.parametrize(
    "text",
    [
        "|a|b|\n|---|---|\n|1|2|",
        "| a | b |\n|---|\n| 1 | 2 |",
        "  | a | b |  \r\n  |:--|--:|  \r\n  | 1 | 2 |  \r\n",
        "a | b\n--- | ---\n1 | 2\n\nno | row",
        "| a | b |\n| 1 | 2 |",
        "```\n| a | b |\n|---|---|\n| 1 | 2 |\n```",
        "| a | b |\n|---|---|\n| 1 | 2 |\n|---|---|\n|   |  |",
    ],
)
def test_pipe_tables(text: str) -> None:
    (((_, _, columns, rows)),) = read(text)
    assert (columns, rows) == (AB, [("1", "2")])


@pytest.mark.parametrize(
    "text", ["cat x | sort\nls", "cat x \\\n  | grep y \\\n  | sort", "|---|---|\n|---|---|", "| a |"]
)
def test_no_pipe_tables(text: str) -> None:
    with pytest.raises(Exception, match="there is no table"):
        read(text)


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        ("`code` and **bold**", "code and bold"),
        ("*all*", "all"),
        ("Services (core-*) and nsq-*", "Services (core-*) and nsq-*"),
        ("[Docs](https://example.com)", "Docs"),
        ("one<br/>two", "one two"),
        (r"a \| b", "a | b"),
        ("R&amp;D <sup>[1](#x)</sup>", "R&D 1"),
        ("tab\there", "tab here"),
        ("bell\x07", "bell\\x07"),
        ("left\u202eright", "left\\u202eright"),
    ],
)
def test_cells_as_they_are_shown(cell: str, text: str) -> None:
    assert read(f"|a|b|\n|-|-|\n|{cell}|2|")[0][3] == [(text, "2")]


def test_rows_that_are_shorter_or_longer() -> None:
    assert read("|a|b|\n|-|-|\n|1|\n|1|2|3|")[0][2:] == (("a", "b", ""), [("1", "", ""), ("1", "2", "3")])


def test_headings() -> None:
    marked = "# Title\n## Ports #\nSentence.\n|a|b|\n|-|-|\n|1|2|\n```\n# comment\n```\n|a|b|\n|-|-|\n|1|2|\n"
    assert [(table[0], table[1]) for table in read(marked)] == [("Ports", 4), ("Ports", 10)]
    assert document.read(marked, "x").title == "Title"
    plain = "This is a sentence.\nPorts of it\nIt says so:\n|a|b|\n|-|-|\n|1|2|\n"
    assert read(plain)[0][0] == "Ports of it"
    assert document.read(plain, "x").title == ""


def html(rows: str, before: str = "") -> list[tuple[str, ...]]:
    ((_, _, columns, found),) = read(f"{before}<table>{rows}</table>", "x.html")
    return [columns, *found]


HEAD = "<tr><th>a<th>b</tr>"


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ("<tr><td>1</td><td>2</td></tr>", [("1", "2")]),
        ("<TR><TD CLASS='x > y'>1<TD>2", [("1", "2")]),
        ("<tr><td rowspan=2>1<td>2<tr><td>3", [("1", "2"), ("1", "3")]),
        ("<tr><td>1<td rowspan='2'>2<tr><td>3", [("1", "2"), ("3", "2")]),
        ("<tr><td colspan=2>1", [("1", "1")]),
        ("<tr><td colspan=99999>1", [("1", "1")]),
        ("<tr><td rowspan=99999>1<td>2", [("1", "2")]),
        ("<tr><td><b>1</b>&nbsp;<i>x</i><td><p>2</p><p>3", [("1 x", "2 3")]),
        ("<tr><td>1<!-- <td>no --><td>2", [("1", "2")]),
        ("<tr><td>1<script>if (a<b) '<td>'</script><td>2", [("1", "2")]),
        ("<tr><td width=5'>1<td>a < b &lt; &#99999999999;", [("1", "a < b < \ufffd")]),
        ("<tr><td>1<td>2<!-- never closed", [("1", "2 never closed")]),
    ],
)
def test_html(rows: str, expected: list[tuple[str, ...]]) -> None:
    assert html(HEAD + rows) == [AB, *expected]


def test_html_headings_and_captions() -> None:
    page = (
        "<title>T</title><h2>Ports <i>of</i> it</h2><table><caption>Out&shy;side</caption>"
        + HEAD
        + "<tr><td>1<td>2</table>"
    )
    assert read(page)[0][0] == "Ports of it: Out\\xadside"
    assert document.read(page, "x").title == "T"
    assert html(f"<tr><td colspan=2>Inbound</tr>{HEAD}<tr><td>1<td>2")[0] == AB


def test_tables_in_tables_and_in_markdown() -> None:
    text = (
        "# Ports\n|a|b|\n|-|-|\n|1|2|\n\n## More\n<table>"
        + HEAD
        + "<tr><td>x\n<table><tr><th>c<tr><td>3</table><td>y</table>\n"
    )
    assert read(text) == [
        ("Ports", 2, AB, [("1", "2")]),
        ("More", 7, AB, [("x", "y")]),
        ("More", 8, ("c",), [("3",)]),
    ]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("file", ["x.csv", "x.txt"])
def test_csv(delimiter: str, file: str) -> None:
    text = "\r\n".join(delimiter.join(row) for row in (("Role", "Port"), ("db", "5432"), ("", ""), ('"a ""b"""', "1")))
    assert read(text, file) == [("", 1, ("Role", "Port"), [("db", "5432"), ('a "b"', "1")])]


def test_csv_lines() -> None:
    tables = document.read('sep=;\nRole;Port\n"two\nlines";1\ndb;2\n', "x.csv").tables
    assert [(row.line, row.cells[0]) for row in tables[0].rows] == [(3, "two lines"), (5, "db")]


def test_sentences_are_no_csv() -> None:
    with pytest.raises(Exception, match="there is no table"):
        read("Services, ports and protocols\nApache serves, on port 80, the API\n")


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        ("Source Run Mode", Column.SOURCE),
        ("From", Column.SOURCE),
        ("Destination host", Column.TARGET),
        ("To", Column.TARGET),
        ("Run Mode", Column.ROLE),
        ("Component", Column.ROLE),
        ("Service name", Column.ROLE),
        ("Port(s)", Column.PORT),
        ("Default Port", Column.PORT),
        ("Port/Protocol", Column.PORT),
        ("Target port", Column.PORT),
        ("Source port", Column.OTHER),
        ("From port", Column.OTHER),
        ("Port description", Column.USE),
        ("Transport protocol", Column.PROTOCOL),
        ("Protocol and use", Column.PROTOCOL_AND_USE),
        ("Notes", Column.USE),
        ("Cluster Type", Column.PROFILE),
        ("Source and destination", Column.OTHER),
        ("Since", Column.OTHER),
        ("", Column.OTHER),
    ],
)
def test_heads(head: str, kind: Column) -> None:
    assert column(head) is kind


@pytest.mark.parametrize(
    ("heading", "columns", "kind", "source", "target"),
    [
        ("", "Role|Port|Description", Kind.SERVICES, None, 0),
        ("", "Service|Host|Port", Kind.SERVICES, None, 1),
        ("", "Port|Protocol", Kind.SERVICES, None, None),
        ("", "Source|Target|Port", Kind.FLOWS, 0, 1),
        ("", "Component|Target run mode|Port", Kind.FLOWS, 0, 1),
        ("", "Source|Component|Port", Kind.FLOWS, 0, 1),
        ("Connections to controller", "Target|Port", Kind.FLOWS, None, 0),
        ("Connections from the agent", "Component|Port", Kind.FLOWS, None, 0),
        ("Exposed ports", "Role|Port", Kind.FLOWS, None, 0),
        ("Exposed ports", "Source|Target|Port", Kind.FLOWS, 0, 1),
        ("", "Cluster type|Run modes|Description", Kind.PROFILES, 0, 1),
        ("", "Version|Date", Kind.UNKNOWN, None, None),
    ],
)
def test_layouts(heading: str, columns: str, kind: Kind, source: int | None, target: int | None) -> None:
    found = layout(Table(heading, 1, tuple(columns.split("|")), ()))
    assert (found.kind, found.source, found.target) == (kind, source, target)
    assert found.outside == (heading == "Exposed ports" and source is None)
