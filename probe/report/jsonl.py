"""The JSON report an object a line: for tools that read as it is written, and never have all of it in memory.

Each object says in `line` what it is; its other fields are those of the JSON report. The first line is the run, the
last one the summary.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from probe.report.answer import answer
from probe.report.findings import findings
from probe.report.json import encode, told

if TYPE_CHECKING:
    from collections.abc import Iterator

    from probe.model.result import Report

SCHEMA = "portcheck.lines/1"


def render(report: Report) -> Iterator[bytes]:
    """UTF-8, a line feed behind each object."""
    yield _line("run", report.run, schema=SCHEMA)
    for host in report.hosts:
        yield _line("host", host)
    for check in report.checks:
        yield _line("check", check)
    for finding in findings(report):
        yield _line("finding", told(finding))
    for gap in report.not_checkable:
        yield _line("not_checkable", gap)
    for note in report.notes:
        yield _line("note", {"text": note})
    if report.exposure is not None:
        yield _line("exposure", report.exposure)
    for use in report.waivers:
        yield _line("waiver", use)
    yield _line("summary", report.summary, answer=answer(report).value)


def _line(kind: str, value: object, **more: str) -> bytes:
    """The object with what it is in front. None of them is empty."""
    return encode({"line": kind, **more})[:-1] + b"," + encode(value)[1:] + b"\n"
