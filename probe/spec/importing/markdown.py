"""Pipe tables, as Markdown has them; also where the line under the head is sloppy, or missing."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING, NamedTuple

from probe.spec.importing.tables import MAX_CELL, MAX_COLUMNS, Document, Table, Tables

if TYPE_CHECKING:
    from collections.abc import Sequence

_HEADING = re.compile(r" {0,3}(#{1,6})[ \t]+(.*?)[ \t#]*$")
_FENCE = re.compile(r"\s*(?:```|~~~)")
_BAR = re.compile(r"(?<!\\)\|")
_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)
_TAG = re.compile(r"</?[A-Za-z][^<>]{0,200}>")
_LINK = re.compile(r"!?\[([^\[\]]*)\]\([^()\s]*\)")
_CODE = re.compile(r"(`{1,3})([^`]+)\1")
# Stars that stand round words: those of "core-*" and of "*" alone do not.
_STARS = re.compile(r"(?<![\w*-])(\*{1,3})(?=[^\s*])([^*]+)(?<=[^\s*])\1(?![\w*])")
_ESCAPE = re.compile(r"\\([\\`*_{}\[\]()#+.!|<>-])")


class Heading(NamedTuple):
    """`level` is 0 for a line that only looks like a heading."""

    line: int
    level: int
    text: str


def read(text: str, file: str) -> Document:
    """Raises SpecError for tables beyond the bounds."""
    lines = text.split("\n")
    titles = headings(lines)
    tables = Tables(file)
    number = 0
    while number < len(lines):
        end = _end(lines, number)
        if end == number:
            number += 1
            continue
        rows = [tables.row(at + 1, cells(lines[at])) for at in range(number, end) if not _is_rule(lines[at])]
        if rows:
            tables.add(over(number + 1, titles), rows)
        number = end
    return Document(next((title.text for title in titles if title.level == 1), ""), tuple(tables.found))


def _end(lines: Sequence[str], start: int) -> int:
    """The index after the table that begins at `start`; `start` itself where none does."""
    if "|" not in lines[start] or _is_rule(lines[start]):
        return start
    ruled = start + 1 < len(lines) and "|" in lines[start] + lines[start + 1] and _is_rule(lines[start + 1])
    end = start + 1 + ruled
    # Without the line under the head, only lines with a bar at both ends are a table: commands have bars too.
    while end < len(lines) and "|" in lines[end] and (ruled or _fenced_in(lines[end])):
        end += 1
    return end if ruled or (end > start + 1 and _fenced_in(lines[start])) else start


def _is_rule(line: str) -> bool:
    """`|---|:--:|`, with as many parts as it likes."""
    return "-" in line and not line.strip("|:+=- \t\r")


def _fenced_in(line: str) -> bool:
    return len(line.strip()) > 1 and line.strip().startswith("|") and line.rstrip().endswith("|")


def cells(line: str) -> list[str]:
    """The cells of a row, as a reader of the page sees them."""
    inner = line.strip().removeprefix("|")
    if inner.endswith("|") and not inner.endswith("\\|"):
        inner = inner[:-1]
    # What is beyond the bounds stays as it is: it is refused, and not worth the time.
    found = _BAR.split(inner, MAX_COLUMNS + 1)
    return [plain(cell) if len(cell) <= MAX_CELL else cell for cell in found]


def plain(text: str) -> str:
    """Text without Markdown's marks and the tags that may stand among them."""
    text = _TAG.sub("", _BREAK.sub(" ", text))
    text = _CODE.sub(r"\2", _LINK.sub(r"\1", text))
    text = _STARS.sub(r"\2", text)
    return html.unescape(_ESCAPE.sub(r"\1", text)).strip()


def headings(lines: Sequence[str]) -> list[Heading]:
    """Lines that begin with #; in a document that has none, short lines that are no sentence."""
    marked, guessed, fenced = [], [], False
    for number, line in enumerate(lines, 1):
        if _FENCE.match(line):
            fenced = not fenced
        elif found := None if fenced else _HEADING.match(line[:400]):
            marked.append(Heading(number, len(found[1]), plain(found[2])))
        elif not fenced and _like_heading(line):
            guessed.append(Heading(number, 0, plain(line.strip(" *_"))))
    return marked or guessed


def _like_heading(line: str) -> bool:
    text = line.strip(" *_")
    return 2 < len(text) <= 80 and text[0].isupper() and text[-1].isalnum() and "|" not in text


def over(line: int, found: Sequence[Heading]) -> str:
    """The text of the last heading above a line."""
    return next((heading.text for heading in reversed(found) if heading.line < line), "")


def merged(document: Document, more: Sequence[Table], text: str) -> Document:
    """The document with tables that another reader found in it, which get a heading where they lack one."""
    titles = headings(text.split("\n"))
    named = [table if table.heading else table._replace(heading=over(table.line, titles)) for table in more]
    tables = sorted([*document.tables, *named], key=lambda table: table.line)
    return Document(document.title, tuple(tables))
