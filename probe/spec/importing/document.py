"""A document's tables, whichever way they are written."""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import TYPE_CHECKING

from probe.spec.diagnostics import Diagnostic, SpecError
from probe.spec.importing import csv, html, markdown
from probe.spec.importing.columns import Column, column
from probe.spec.importing.tables import MAX_TEXT, Document

if TYPE_CHECKING:
    from typing import NoReturn

_HTML = re.compile(r"<table[\s>]", re.IGNORECASE)
_PORT = re.compile(r"(?:(?:tcp|udp)[ /:]*)?[0-9]", re.IGNORECASE)
_PORTS = re.compile(r"\bports?\b.{0,80}[0-9]", re.IGNORECASE)


def read(text: str, file: str) -> Document:
    """Raises SpecError where there is no table, and for what is beyond the bounds."""
    if len(text) > MAX_TEXT:
        refuse(file, f"more than {MAX_TEXT} characters", "copy the tables with the ports to a file of their own")
    if PurePath(file).suffix.lower() in {".csv", ".tsv"}:
        document = csv.read(text, file)
    else:
        document = markdown.read(text, file)
        if _HTML.search(text):
            found = html.read(text, file)
            document = markdown.merged(document, found.tables, text)
            document = document._replace(title=document.title or found.title)
        if not document.tables:
            document = _spreadsheet(text, file) or document
    if not document.tables:
        refuse(file, "there is no table in this document", _advice(text))
    return document


def _spreadsheet(text: str, file: str) -> Document | None:
    """What can be read as CSV, whatever the file is called, if one of its columns is of ports."""
    document = csv.read(text, file)
    for table in document.tables:
        for index, head in enumerate(table.columns):
            # Sentences have commas too: a column of ports has ports in it.
            ports = [row for row in table.rows if _PORT.match(row.cells[index])]
            if column(head) is Column.PORT and 2 * len(ports) >= len(table.rows):
                return document
    return None


def _advice(text: str) -> str:
    """Ports that stand in sentences are for people to read."""
    lines = [str(number) for number, line in enumerate(text.splitlines(), 1) if _PORTS.search(line[:2000])]
    listed = ", ".join(lines[:12]) + (", …" if len(lines) > 12 else "")
    where = f"its sentences speak of ports (line {listed}): " if lines else ""
    return f"import reads pipe tables, HTML tables and CSV; {where}docs/matrix.md shows how to write a matrix by hand"


def refuse(file: str, message: str, hint: str = "") -> NoReturn:
    """For what is wrong with the document as a whole."""
    raise SpecError([Diagnostic(file=file, message=message, hint=hint)])
