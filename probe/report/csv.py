"""The checks as CSV (RFC 4180), a row each: for spreadsheets, and for whatever reads nothing else."""

from __future__ import annotations

import csv
import io
import re
from typing import TYPE_CHECKING

from probe.report.findings import weight
from probe.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from probe.model.result import CheckResult, Report

# What a spreadsheet takes for a formula, the wide forms included that some take for the same.
_SIGNS = "=+\\-@\t\r\uff1d\uff0b\uff0d\uff20"
# Where the comma is for decimals, one that opens the file by itself begins a cell at each semicolon.
_FORMULA = re.compile(rf"(\A|;)(?=\s*[{_SIGNS}])")
_LONGEST = 32_000  # characters of a cell: Excel's limit is 32,767

_PLAIN = [
    "id",
    "matrix",
    "rule",
    "cite",
    "source",
    "source_role",
    "target",
    "target_role",
    "address",
    "transport",
    "ports",
    "protocol",
    "application",
    "service",
    "expect",
    "policy",
    "need",
    "severity",
    "state",
    "verdict",
    "cause",
]
_MADE: dict[str, Callable[[CheckResult], object]] = {
    "weight": lambda row: weight(row).name.lower(),
    "where": lambda row: row.where.address if row.where else None,
    "hop": lambda row: row.where.hop if row.where else None,
    "side": lambda row: row.where.side if row.where else None,
    "elapsed_ms": lambda row: row.elapsed_ms,
    "rtt_ms": lambda row: row.rtt_ms,
    "detail": lambda row: row.detail,
    "evidence": lambda row: "; ".join(f"{piece.at}: {piece.what}" for piece in row.evidence),
    "advice": lambda row: row.advice,
    "instead": lambda row: row.instead,
    "waived_reason": lambda row: row.waived.reason if row.waived else None,
    "waived_owner": lambda row: row.waived.owner if row.waived else None,
    "waived_until": lambda row: row.waived.until if row.waived else None,
}
COLUMNS = (*_PLAIN, *_MADE)


def render(report: Report) -> Iterator[bytes]:
    """UTF-8 without a mark, a header and CRLF as the RFC has it. An empty cell is what is not known."""
    yield _line(COLUMNS)
    for row in report.checks:
        yield _line([*(getattr(row, field) for field in _PLAIN), *(made(row) for made in _MADE.values())])


def _line(values: list[object] | tuple[str, ...]) -> bytes:
    line = io.StringIO()
    csv.writer(line, lineterminator="\r\n").writerow([_cell(value) for value in values])
    return line.getvalue().encode()


def _cell(value: object) -> str:
    """Text in one line. What would be a formula has an apostrophe in front, as spreadsheets themselves write it."""
    if value is None:
        return ""
    return printable(_FORMULA.sub(r"\1'", str(value)[:_LONGEST]))
