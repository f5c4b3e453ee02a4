"""Tables as spreadsheets write them: values between commas, semicolons or tabs."""

from __future__ import annotations

import csv
import io

from probe.spec.importing.tables import MAX_COLUMNS, Document, Row, Tables

_DELIMITERS = (",", ";", "\t")


def read(text: str, file: str) -> Document:
    """The one table of the file, or none; raises SpecError for what is beyond the bounds."""
    tables = Tables(file)
    lines = text.splitlines(keepends=True)
    # Excel says in the first line which delimiter it has used.
    skip = 1 if lines and lines[0].startswith("sep=") else 0
    head = next((line for line in lines[skip:] if line.strip()), "")
    delimiter = max(_DELIMITERS, key=head.count)
    rows: list[Row] = []
    reader = csv.reader(io.StringIO("".join(lines[skip:]), newline=""), delimiter=delimiter)
    begin = 1
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                rows.append(tables.row(begin + skip, _trimmed(cells)))
            begin = reader.line_num + 1
    except csv.Error:
        tables.refuse(begin + skip, "a quote that is opened and never closed, or a cell that is too long")
    if rows and len(rows[0].cells) > 1:
        tables.add("", rows)
    return Document("", tuple(tables.found))


def _trimmed(cells: list[str]) -> list[str]:
    """Without the empty cells that spreadsheets put after the last column."""
    while len(cells) > MAX_COLUMNS and not cells[-1].strip():
        cells.pop()
    return cells
