"""What the readers of Markdown, HTML and CSV have in common: the table that they give, and its bounds."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, NoReturn

from probe.spec.diagnostics import Diagnostic, SpecError
from probe.text import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_TEXT = 4 * 1024 * 1024
MAX_TABLES = 500
MAX_ROWS = 5_000
MAX_COLUMNS = 64
# Less than a matrix takes in one text, so that every cell can become one.
MAX_CELL = 4_000
MAX_HEADING = 300
TOO_MUCH = "keep the tables with the ports, and leave out the rest"


class Row(NamedTuple):
    """The cells of a row, as many as there are columns or more, and the line where it begins."""

    line: int
    cells: tuple[str, ...]

    def __str__(self) -> str:
        return f"| {' | '.join(self.cells)} |"


class Table(NamedTuple):
    """A table of a document. `heading` is what stands over it, empty if nothing does; `columns` are the heads."""

    heading: str
    line: int
    columns: tuple[str, ...]
    rows: tuple[Row, ...]


class Document(NamedTuple):
    """What is read of a document: its title, empty if it has none, and its tables in their order."""

    title: str
    tables: tuple[Table, ...]


class Tables:
    """Collects the tables of one file; raises SpecError for what is beyond the bounds."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.found: list[Table] = []
        self._rows = 0

    def row(self, line: int, cells: Sequence[str]) -> Row:
        self._rows += 1
        if self._rows > MAX_ROWS:
            self.refuse(line, f"more than {MAX_ROWS} rows in tables")
        if len(cells) > MAX_COLUMNS:
            self.refuse(line, f"a row of more than {MAX_COLUMNS} cells")
        if any(len(cell) > MAX_CELL for cell in cells):
            self.refuse(line, f"a cell of more than {MAX_CELL} characters")
        return Row(line, tuple(map(one_line, cells)))

    def add(self, heading: str, rows: Sequence[Row]) -> None:
        """The first row has the heads of the columns. A table without any other row has nothing to say."""
        if len(self.found) == MAX_TABLES:
            self.refuse(rows[0].line, f"more than {MAX_TABLES} tables")
        head, *body = rows
        width = max(len(row.cells) for row in rows)
        padded = [Row(row.line, row.cells + ("",) * (width - len(row.cells))) for row in body if any(row.cells)]
        if padded:
            columns = head.cells + ("",) * (width - len(head.cells))
            self.found.append(Table(one_line(heading[:MAX_HEADING]), head.line, columns, tuple(padded)))

    def refuse(self, line: int, message: str) -> NoReturn:
        raise SpecError([Diagnostic(file=self.file, line=line, column=1, message=message, hint=TOO_MUCH)])


def words(text: str) -> frozenset[str]:
    """A vocabulary, written as a line."""
    return frozenset(text.split())


def one_line(text: str) -> str:
    """Blanks and line breaks as single spaces, and nothing that cannot be shown."""
    return printable(" ".join(text.split()))
