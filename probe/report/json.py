"""The JSON report: the stable form of a run. Each check is one line, so that line tools can search and compare it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from probe.errors import UserError
from probe.model.result import Report
from probe.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterable

SCHEMA = "portcheck.report/1"


def render(report: Report) -> bytes:
    """UTF-8, fields in the order of the schema, a line feed at the end."""
    parts = [b"{"]
    for field in Report.__struct_fields__:
        value = getattr(report, field)
        comma = b"" if field == Report.__struct_fields__[-1] else b","
        parts.append(encode(field) + b": " + (_rows(value) if isinstance(value, tuple) else encode(value)) + comma)
    parts.append(b"}\n")
    return b"\n".join(parts)


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


def encode(value: object) -> bytes:
    """As JSON in one line; for text that JSON cannot hold, with that text escaped."""
    try:
        return msgspec.json.encode(value)
    except UnicodeEncodeError:
        # A file name that is no UTF-8 comes from the system with lone surrogates in it, which JSON cannot hold.
        return msgspec.json.encode(_without_surrogates(msgspec.to_builtins(value)))


def _without_surrogates(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {key: _without_surrogates(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_surrogates(item) for item in value]
    return value
