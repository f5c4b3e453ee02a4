"""What a report of each format must be, told by somebody else's parser. Each raises or fails for one that is not."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import lxml.etree
from markdown_it import MarkdownIt
from prometheus_client.parser import text_string_to_metric_families
from referencing import Registry, Resource

from probe.report.csv import COLUMNS
from probe.resources import folder

SCHEMAS = Path(__file__).parent / "schemas"
JUNIT = lxml.etree.XMLSchema(file=SCHEMAS / "junit.xsd")
DTDS = [lxml.etree.DTD(file=path) for path in (SCHEMAS / "nmap.dtd", Path("/usr/share/nmap/nmap.dtd")) if path.exists()]
_KNOWN = {name: json.loads((folder("reports") / f"{name}.schema.json").read_text()) for name in ("report", "lines")}
_REGISTRY: Registry[Any] = Registry().with_resources(
    (schema["$id"], Resource.from_contents(schema)) for schema in _KNOWN.values()
)
REPORT, LINE = (jsonschema.Draft202012Validator(_KNOWN[name], registry=_REGISTRY) for name in ("report", "lines"))
# With GitHub's and GitLab's tables and strokes. Bare links and mentions are found before there is a tree.
MARKDOWN = MarkdownIt("commonmark").enable(["table", "strikethrough"])
_FOREIGN = {"html_block", "code_block", "fence", "blockquote_open", "hr", "ordered_list_open"}
_BARE = re.compile(r"(?<!\\)(?:://|@)|[wW]{3}\.")
_XML = lxml.etree.XMLParser(no_network=True, resolve_entities=False)


def text(data: bytes) -> str:
    """Without anything that steers a terminal."""
    shown = data.decode()
    assert all(char.isprintable() or char == "\n" for char in shown)
    return shown


def xml(data: bytes) -> Any:
    return lxml.etree.fromstring(data, _XML)


def junit(data: bytes) -> Any:
    root = xml(data)
    JUNIT.assertValid(root)
    return root


def nmap(data: bytes) -> Any:
    root = xml(data)
    for dtd in DTDS:
        assert dtd.validate(root), dtd.error_log
    return root


def report(data: bytes) -> Any:
    found = json.loads(data)
    REPORT.validate(found)
    return found


def lines(data: bytes) -> list[Any]:
    assert data.endswith(b"}\n")
    found = [json.loads(line) for line in data.decode().split("\n")[:-1]]
    for one in found:
        LINE.validate(one)
    kinds = [one["line"] for one in found]
    assert (kinds[0], kinds[-1]) == ("run", "summary")
    order = [kind["properties"]["line"]["const"] for kind in _KNOWN["lines"]["oneOf"]]
    assert kinds == sorted(kinds, key=order.index)
    return found


def table(data: bytes) -> list[dict[str, str]]:
    """RFC 4180: CRLF at the end of each line, as many cells in each; and no cell is a formula, nor becomes one where
    semicolons part cells.
    """
    assert data.endswith(b"\r\n")
    assert data.count(b"\n") == data.count(b"\r\n")
    header, *rows = csv.reader(io.StringIO(data.decode(), newline=""), strict=True)
    assert tuple(header) == COLUMNS
    for row in rows:
        assert len(row) == len(header)
        pieces = [piece.strip() for cell in row for piece in cell.split(";")]
        assert not any(piece.startswith(("=", "+", "-", "@")) for piece in pieces)
    return [dict(zip(header, row, strict=True)) for row in rows]


def markdown(data: bytes) -> str:
    """The text of the page, a line for each piece. What makes markup of anything but our own fails."""
    page = data.decode()
    assert not _BARE.search(page)
    pieces = []
    for token in MARKDOWN.parse(page):
        assert token.type not in _FOREIGN, token
        for child in token.children or ():
            assert child.type in ("text", "strong_open", "strong_close", "softbreak"), child
        if token.type == "inline":
            pieces.append("".join(child.content for child in token.children or ()))
    return "\n".join(pieces)


def prometheus(data: bytes) -> list[Any]:
    return list(text_string_to_metric_families(data.decode()))


def html(data: bytes) -> Any:
    page = data.decode()
    assert page.lower().startswith("<!doctype html>")
    return lxml.etree.fromstring(page.encode(), lxml.etree.HTMLParser(encoding="utf-8"))


JUDGES = {
    "text": text,
    "json": report,
    "jsonl": lines,
    "html": html,
    "junit": junit,
    "markdown": markdown,
    "csv": table,
    "nmap": nmap,
    "prometheus": prometheus,
}
