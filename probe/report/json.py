"""The JSON report: the stable form of a run. Each check is one line, so that line tools can search and compare it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from probe.encoding import encode
from probe.errors import UserError
from probe.model.result import Report
from probe.report.causes import MEANINGS, section
from probe.report.findings import findings
from probe.report.titles import title
from probe.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from probe.report.findings import Finding

__all__ = ["SCHEMA", "encode", "parse", "render"]

SCHEMA = "portcheck.report/1"


def render(report: Report) -> bytes:
    """UTF-8, fields in the order of the schema, a line feed at the end."""
    fields: list[tuple[str, object]] = [(field, getattr(report, field)) for field in Report.__struct_fields__]
    # Behind the rows, which they name.
    after = next(place for place, (field, _) in enumerate(fields, 1) if field == "checks")
    fields.insert(after, ("findings", tuple(told(finding) for finding in findings(report))))
    lines = [
        encode(field) + b": " + (_rows(value) if isinstance(value, tuple) else encode(value)) for field, value in fields
    ]
    return b"{\n" + b",\n".join(lines) + b"\n}\n"


def told(finding: Finding) -> dict[str, object]:
    """A finding, for those who want what is wrong without reading every row."""
    one, members = finding.example, finding.members
    return {
        "title": title(finding),
        "weight": finding.weight.name.lower(),
        "severity": finding.severity,
        "verdict": one.verdict,
        "cause": one.cause,
        "meaning": MEANINGS[one.cause].sentence if one.cause else "",
        "more": section(one.verdict, one.cause),
        "where": finding.where,
        "devices": [address for known in finding.devices.values() for address in known],
        "sources": sorted({row.source for row in members}),
        "targets": sorted({row.target for row in members}),
        "services": sorted({row.service for row in members}),
        "rows": len(members),
        "checks": list(dict.fromkeys(row.id for row in members)),
    }


def parse(data: bytes, name: str = "the report") -> Report:
    """The report in `data`, less fields that are not known here; raises UserError that says what is wrong in `name`."""
    try:
        schema = msgspec.json.decode(data, type=_Head).schema
        if schema != SCHEMA:
            raise UserError(
                f"{name}: this is {printable(schema[:60])!r}, and this portcheck reads {SCHEMA!r}\n"
                "  hint: read it with the portcheck that wrote it"
            )
        return msgspec.json.decode(data, type=Report)
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        said = printable(str(error)[:300])
        raise UserError(
            f"{name}: no JSON report of portcheck: {said}\n  hint: `portcheck run --json FILE` writes one"
        ) from error


class _Head(msgspec.Struct):
    schema: str


def _rows(values: Iterable[object]) -> bytes:
    return b"[" + b",".join(b"\n" + encode(value) for value in values) + b"\n]"
