"""Documents that nobody meant well: bounded in time and size, and never more in the draft than text."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from probe.errors import UserError
from probe.spec.importing import Draft, import_text
from probe.spec.importing.tables import MAX_TEXT
from probe.spec.matrix import load_text

FLOWS = "| Source | Target | Port | Protocol | Description |\n|---|---|---|---|---|\n"


def drafted(text: str, file: str) -> Draft | None:
    """None where there is nothing to draft, and an error says so."""
    try:
        return import_text(text, file)
    except UserError as error:
        message = str(error)
    assert message.startswith(f"{file}:")
    assert len(message) < 2000
    return None


def checked(draft: Draft) -> dict[str, Any]:
    """The draft loads, has as many questions as it counts, and no character that cannot be shown."""
    matrix = load_text(draft.text)
    assert (len(matrix.roles), len(matrix.services), len(matrix.flows)) >= (draft.roles, draft.services, draft.flows)
    assert len(matrix.services) == draft.services
    assert len(re.findall(r"^ *# \?", draft.text, re.MULTILINE)) == len(draft.questions)
    assert all(line.isprintable() for line in draft.text.split("\n"))
    return YAML(typ="safe", pure=True).load(draft.text)  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    "text",
    [
        '": {',
        "a: b",
        "x #y",
        "- z",
        "'",
        '"',
        "\\",
        "{a: 1}",
        "[1, 2]",
        "&a *b !c",
        "%YAML 1.2",
        "---",
        "? key",
        "# ? no question",
        "null",
        "no",
        "1e5",
        "2024-01-01",
        "@x `y",
        "\x00\x1b[31m\x7f",
        "\u2028\u2029\x85\ufeff\u202e",
        "\ud800",
        "é ü ß 中文 😀",
        "&#10;flows: []",
        "<br>flows: []",
        "x" * 3000,
        "word " * 700,
        "'" * 300 + " " + '"' * 300,
    ],
)
def test_cells_that_look_like_yaml(text: str) -> None:
    plain = checked(
        import_text(
            FLOWS
            + f"|a|b|1|TCP|{text}|\n|{text}|b|2|TCP|x|\n|a|{text}|3|TCP|x|\n|a|b|{text}|TCP|x|\n|a|b|5|{text}|x|\n",
            "x.md",
        )
    )
    assert set(plain) <= {"portcheck", "name", "sources", "roles", "services", "flows"}
    if not re.search(r"[<&\\\ud800]|[^ -~]", text):
        assert plain["flows"][0].get("help", "") == " ".join(text.split())


def test_headings_and_names_that_look_like_yaml() -> None:
    text = f'# a: [b\n## ? "c": {{d}}\n{FLOWS}|a|b|1|TCP||\n'
    plain = checked(import_text(text, 'x": [\n.md'))
    assert plain["title"] == "a: [b"
    assert plain["sources"]["table-1"]["title"] == '? "c": {d}'


@pytest.mark.parametrize(
    "piece",
    [
        "<a ",
        "<!--",
        "<",
        "</",
        "&",
        "&#9",
        '<a b="',
        "<table><tr><td>",
        "<td ",
        "<td>",
        "<script>",
        "<h1>",
        "<tr>",
        "<td rowspan=9999 colspan=99>",
        "'\"",
        "|",
        "|-",
        "`",
        "*",
        "[",
        "[](",
        "\\",
        "#",
        "# \n",
        "| a |\n",
        "|a|b|\n|-|-|\n",
        ",",
        '"',
        "\t",
        "port,",
        "\x00",
        " ",
        "\n",
    ],
)
@pytest.mark.parametrize("start", ["", "<table><tr><th>Role<th>Port<tr><td>a<td>1<td>", FLOWS + "|a|b|1|TCP|"])
def test_repeated_without_end(piece: str, start: str) -> None:
    """What looks at all the rest for each character would take minutes."""
    text = start + piece * (200_000 // len(piece))
    began = time.process_time()
    drafted(text, "x.md")
    assert time.process_time() - began < 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x" * (MAX_TEXT + 1), "x.md: more than 4194304 characters"),
        (FLOWS + "|a" * 10_000 + "|\n", "x.md:3:1: a row of more than 64 cells"),
        ("<table><tr>" + "<td>a" * 10_000, "x.md:1:1: a row of more than 64 cells"),
        ("Port," * 10_000 + "\n1,2\n", "x.md:1:1: a row of more than 64 cells"),
        (FLOWS + f"|a|b|1|TCP|{'x' * 5000}|\n", "x.md:3:1: a cell of more than 4000 characters"),
        (FLOWS + "|a|b|1|TCP||\n" * 6000, "x.md:5002:1: more than 5000 rows in tables"),
        ("<table>" * 600, "x.md:1:1: more than 500 tables"),
        ("|a|b|\n|-|-|\n|1|2|\n\n" * 600, "x.md:2001:1: more than 500 tables"),
        (FLOWS + "".join(f"|a{number}|b|1|TCP||\n" for number in range(1000)), "x.md: more than 800 names of roles"),
        (
            FLOWS
            + "".join(
                f"|a|b{number % 700}|{','.join(map(str, range(1 + number, 50 + number)))}|TCP||\n"
                for number in range(1500)
            ),
            "x.md: the draft would be larger than a matrix may be",
        ),
    ],
)
def test_bounds(text: str, message: str) -> None:
    with pytest.raises(UserError) as caught:
        import_text(text, "x.md")
    assert str(caught.value).startswith(message)
    assert "hint: " in str(caught.value)


# Pieces that cells, rows and documents are made of, so that random texts get past the first line.
_WORDS = """
    web db agent all any outside Internet every-host inside (all nodes) (app, api) (core-*) controller API * , / & - –
    and 80 443 5000-6000 1024-65536 53/udp tcp/80 TCP UDP HTTP HTTPS HTTP/HTTPS DNS ICMP n/a 0 4150, 4151 65,535 : " '
    { } [ ] # ? ! % @ \\ ` ** &amp; <br> <b> é null yes 1e5 --- | can be changed If no LB
"""
CELLS = st.lists(st.sampled_from(_WORDS.split()) | st.text(max_size=3), max_size=4).map(" ".join)
HEADINGS = st.sampled_from(
    ["", "# Title", "## Exposed outside", "Inbound ports", "## Connections from the web", "## Connections to db"]
)
# Mostly what a column with such a head has, sometimes anything.
ROLE = st.sampled_from(
    ["web", "db", "DB (pg)", "app, web", "all nodes", "Web server", "services (app, api)", "outside"]
)
PORT = st.sampled_from(["80", "80, 443", "5000-6000", "53/udp", "80", "8080", "1-65535", "TCP 80; UDP 53"])
PROTOCOL = st.sampled_from(["TCP", "UDP", "HTTP", "HTTP, TCP", "TCP/UDP", "DNS", ""])
COLUMNS: dict[str, st.SearchStrategy[str]] = {
    "Source": ROLE,
    "Target": ROLE,
    "Role": ROLE,
    "Port": PORT,
    "UDP ports": PORT,
    "Protocol": PROTOCOL,
    "Description": CELLS,
    "Protocol and use": CELLS,
    "Cluster type": CELLS,
    "": CELLS,
}
USUAL = [
    ["Role", "Port", "Protocol", "Description"],
    ["Source", "Target", "Port", "Protocol and use"],
    ["Target", "Port", ""],
    ["Cluster type", "Role"],
]
HEADS = st.sampled_from(USUAL) | st.lists(st.sampled_from(list(COLUMNS)), min_size=1, max_size=6)


def rows_under(heads: list[str]) -> st.SearchStrategy[tuple[list[str], list[list[str]]]]:
    usual = st.tuples(*(COLUMNS[head] for head in heads)).map(list)
    return st.tuples(st.just(heads), st.lists(usual | usual | st.lists(CELLS, max_size=7), max_size=6))


TABLES = st.tuples(HEADINGS, HEADS.flatmap(rows_under)).map(lambda table: (table[0], *table[1]))


def as_markdown(table: tuple[str, list[str], list[list[str]]]) -> str:
    heading, heads, rows = table
    return "\n".join([heading, *(f"| {' | '.join(row)} |" for row in (heads, ["---"], *rows)), "", ""])


def as_html(table: tuple[str, list[str], list[list[str]]]) -> str:
    heading, heads, rows = table
    cells = "".join("<tr>" + "".join(f"<td>{cell}" for cell in row) for row in (heads, *rows))
    return f"<h2>{heading}</h2><table>{cells}</table>\n"


def as_csv(table: tuple[str, list[str], list[list[str]]]) -> str:
    return "\n".join(";".join(row) for row in (table[1], *table[2]))


@settings(max_examples=400)
@given(st.lists(TABLES, min_size=1, max_size=3), st.sampled_from([as_markdown, as_html, as_csv]))
def test_any_tables(tables: list[tuple[str, list[str], list[list[str]]]], form: Any) -> None:
    """A draft that loads, or an error that says why there is none."""
    if draft := drafted("".join(map(form, tables)), "x.csv" if form is as_csv else "x.md"):
        checked(draft)


@settings(max_examples=200)
@given(st.text(max_size=200), st.sampled_from(["x.md", "x.csv", "x.html"]))
def test_any_text(text: str, file: str) -> None:
    if draft := drafted(text, file):
        checked(draft)
