"""HTML tables: cells that span, tags within cells, entities, tags that nobody closed.

The tags are found by an expression that goes over the text once, and not by `html.parser`, whose time grows with the
square of what nobody closed.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from probe.spec.importing.tables import MAX_CELL, MAX_COLUMNS, MAX_TABLES, Document, Row, Tables, words

if TYPE_CHECKING:
    from collections.abc import Iterator

_TAG = re.compile(
    r"<(?:(!--)|(/?)([A-Za-z][A-Za-z0-9]*)((?:[^<>\"']++|\"[^\"<]*+\"|'[^'<]*+')*+|[^<>]*+)>)",
)
_SPAN = re.compile(r"\b(colspan|rowspan)\s*=\s*[\"']?([0-9]{1,5})", re.IGNORECASE)
# What stands between these is not shown.
_HIDDEN = ("script", "style", "template")
# Tags that end a word; others (<b>, <sup>, <code>) stand within one.
_BLOCKS = words("br p div li ul ol dl dt dd td th tr hr pre blockquote h1 h2 h3 h4 h5 h6")
_TITLES = frozenset({"title", "caption", "h1", "h2", "h3", "h4", "h5", "h6"})


@dataclass
class _Cell:
    columns: int
    rows: int
    text: list[str] = field(default_factory=list)


@dataclass
class _Open:
    """A table that is being read. `below` are the cells that reach into the next row: how far, and with what."""

    line: int
    heading: str
    caption: str = ""
    rows: list[Row] = field(default_factory=list)
    cells: list[_Cell] | None = None
    cell: _Cell | None = None
    row_line: int = 0
    below: dict[int, tuple[int, str]] = field(default_factory=dict)


def read(text: str, file: str) -> Document:
    """Raises SpecError for tables beyond the bounds."""
    reader = _Reader(file)
    for line, closing, tag, rest in _tokens(text):
        if not tag:
            reader.text(rest)
        elif closing:
            reader.end(tag)
        else:
            reader.start(tag, rest, line)
    while reader.open:
        reader.end("table")
    return Document(reader.title, tuple(sorted(reader.tables.found, key=lambda table: table.line)))


def _tokens(text: str) -> Iterator[tuple[int, bool, str, str]]:
    """Line, whether the tag closes, its name, its attributes; text comes with an empty name."""
    position, line, counted = 0, 1, 0
    absent: set[str] = set()
    while found := _TAG.search(text, position):
        begin = found.start()
        line, counted = line + text.count("\n", counted, begin), begin
        if begin > position:
            yield line, False, "", text[position:begin]
        tag = (found[3] or "").lower()
        position = found.end()
        hides = "-->" if found[1] else f"</{tag}" if tag in _HIDDEN and not found[2] else ""
        if hides and hides not in absent:
            end = text.find(hides, position)
            if end < 0:
                # It will not be there the next time either.
                absent.add(hides)
            else:
                position = end + len(hides) if found[1] else end
        elif not hides:
            yield line, bool(found[2]), tag, found[4]
    yield line, False, "", text[position:]


class _Reader:
    def __init__(self, file: str) -> None:
        self.tables = Tables(file)
        self.open: list[_Open] = []
        self.title = ""
        self._heading = ""
        self._named = ""
        self._words: list[str] = []

    def text(self, raw: str) -> None:
        if self._named:
            self._words.append(raw)
        elif self.open and self.open[-1].cell is not None:
            self.open[-1].cell.text.append(raw)

    def start(self, tag: str, attributes: str, line: int) -> None:
        if tag in _BLOCKS:
            self.text(" ")
        table = self.open[-1] if self.open else None
        if tag == "table":
            if len(self.open) + len(self.tables.found) >= MAX_TABLES:
                self.tables.refuse(line, f"more than {MAX_TABLES} tables")
            self._name_ends()
            self.open.append(_Open(line, self._heading))
        elif tag in _TITLES and (table is None or tag == "caption"):
            self._name_ends()
            self._named = tag
        elif table is not None and tag == "tr":
            self._row_ends(table)
            table.cells, table.row_line = [], line
        elif table is not None and tag in {"td", "th"}:
            self._cell_starts(table, attributes, line)

    def end(self, tag: str) -> None:
        if tag == self._named:
            self._name_ends()
        elif tag in {"td", "th"} and self.open:
            self.open[-1].cell = None
        elif tag == "tr" and self.open:
            self._row_ends(self.open[-1])
        elif tag == "table" and self.open:
            self._name_ends()
            self._row_ends(self.open[-1])
            self._table_ends(self.open.pop())
        elif tag in _BLOCKS:
            self.text(" ")

    def _name_ends(self) -> None:
        name, tag = _unescaped("".join(self._words)), self._named
        self._words, self._named = [], ""
        if tag == "caption" and self.open:
            self.open[-1].caption = name
        elif tag == "title":
            self.title = self.title or name
        elif tag:
            self._heading = name
            self.title = name if tag == "h1" and not self.title else self.title

    def _cell_starts(self, table: _Open, attributes: str, line: int) -> None:
        self._name_ends()
        spans = {name.lower(): int(number) for name, number in _SPAN.findall(attributes)}
        if table.cells is None:
            table.cells, table.row_line = [], line
        if len(table.cells) > MAX_COLUMNS:
            self.tables.refuse(line, f"a row of more than {MAX_COLUMNS} cells")
        table.cell = _Cell(spans.get("colspan", 1), spans.get("rowspan", 1))
        table.cells.append(table.cell)

    def _row_ends(self, table: _Open) -> None:
        """A cell that spans counts in each column and each row that it spans."""
        if not table.cells:
            table.cells = table.cell = None
            return
        row: list[str] = []
        below: dict[int, tuple[int, str]] = {}

        def reach_down() -> None:
            while len(row) in table.below:
                left, text = table.below[len(row)]
                if left > 1:
                    below[len(row)] = (left - 1, text)
                row.append(text)

        for cell in table.cells:
            text = _unescaped("".join(cell.text))
            # Cells may say that they are wider than the table is.
            room = len(table.rows[0].cells) - len(row) if table.rows else MAX_COLUMNS
            for _ in range(max(1, min(cell.columns, room))):
                reach_down()
                if cell.rows > 1:
                    below[len(row)] = (cell.rows - 1, text)
                row.append(text)
        reach_down()
        table.rows.append(self.tables.row(table.row_line, row))
        table.below, table.cells, table.cell = below, None, None

    def _table_ends(self, table: _Open) -> None:
        rows = table.rows
        named = [table.heading, table.caption]
        # A first row that is one cell over all columns is a caption.
        while len(rows) > 1 and len(rows[0].cells) > 1 and len(set(rows[0].cells)) == 1:
            named.append(rows.pop(0).cells[0])
        if rows:
            self.tables.add(": ".join(name.strip() for name in named if name.strip()), rows)


def _unescaped(text: str) -> str:
    """Blanks are squeezed first. What is longer than any cell stays as it is: it is cut, or refused."""
    squeezed = " ".join(text.split())
    return html.unescape(squeezed) if len(squeezed) <= MAX_CELL else squeezed
