"""What is kept of rows and reports, as pieces of JSON that are stored once, by their digest.

A row is cut in two. What is `steady` is what was asked and what came of it; it stays the same from run to run. What was
`seen` is the evidence, which may be new each time. A run is rebuilt by putting the text of the two together again, so
that one reader makes all rows of it at once.
"""

from __future__ import annotations

import zlib
from hashlib import blake2b
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import msgspec

from probe.encoding import encode
from probe.history.compare import failing
from probe.model.result import CheckResult, Report, Summary
from probe.model.words import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

# Times of an attempt and the ports have columns of their own.
_COLUMNS = frozenset({"ports", "elapsed_ms", "rtt_ms"})
_SEEN = frozenset({"state", "where", "evidence", "detail", "advice", "tls", "listener"})
_SHORT = 512  # bytes: less is not worth the work
_LARGEST = 256 * 1024 * 1024
PASSES, INCONCLUSIVE, FAILS = range(3)
"""What an interval is without its document."""


def _part(name: str, chosen: Iterable[str]) -> tuple[type[Any], Any]:
    """A struct of some of a row's fields, and what takes them from a row."""
    names = set(chosen)
    fields: list[Any] = []
    for field in msgspec.structs.fields(CheckResult):
        if field.name in names and field.required:
            fields.append((field.name, field.type))
        elif field.name in names:
            fields.append((field.name, field.type, field.default))
    made: Any = msgspec.defstruct(name, fields, omit_defaults=True, frozen=True)
    return made, attrgetter(*made.__struct_fields__)


_Steady, _steady_of = _part("_Steady", set(CheckResult.__struct_fields__) - _SEEN - _COLUMNS)
_Seen, _seen_of = _part("_Seen", _SEEN)


def digest(document: bytes) -> bytes:
    return blake2b(document, digest_size=16).digest()


def steady(row: CheckResult) -> bytes:
    return encode(_Steady(*_steady_of(row)))


def seen(row: CheckResult) -> tuple[bytes, bytes]:
    """The document, and the digest of what of it is news: of what passes, not its sentences."""
    found = _Seen(*_seen_of(row))
    document = encode(found)
    if row.verdict is not Verdict.PASS:
        return document, digest(document)
    return document, digest(encode(msgspec.structs.replace(found, evidence=(), detail="", advice="")))


def kind(row: CheckResult) -> int:
    return FAILS if failing(row) else INCONCLUSIVE if row.verdict is Verdict.INCONCLUSIVE else PASSES


def packed(document: bytes) -> bytes:
    """As stored: short ones plain, others compressed. A JSON text never begins as zlib's stream does (`x`)."""
    return zlib.compress(document, 6) if len(document) > _SHORT else document


def unpacked(stored: bytes) -> bytes:
    """Raises ValueError for what is neither."""
    if stored[:1] != b"x":
        return stored
    reader = zlib.decompressobj()
    try:
        document = reader.decompress(stored, _LARGEST)
    except zlib.error as error:
        raise ValueError(f"a document cannot be unpacked: {error}") from None
    if not reader.eof:
        raise ValueError("a document is cut short, or too large")
    return document


def row_text(steady_: bytes, seen_: bytes, ports: str, elapsed_ms: float | None, rtt_ms: float | None) -> bytes:
    """A whole row as JSON again."""
    columns = msgspec.json.encode({"ports": ports, "elapsed_ms": elapsed_ms, "rtt_ms": rtt_ms})
    return b"%b,%b%b" % (steady_[:-1], seen_[1:-1] + b"," if len(seen_) > 2 else b"", columns[1:])


_rows = msgspec.json.Decoder(tuple[CheckResult, ...])
_PIECE = 1_000  # rows: other threads wait while one call reads them


def rows(texts: Sequence[bytes]) -> tuple[CheckResult, ...]:
    """Raises msgspec.DecodeError, a ValueError, for what are none."""
    found: list[CheckResult] = []
    for start in range(0, len(texts), _PIECE):
        found += _rows.decode(b"[" + b",".join(texts[start : start + _PIECE]) + b"]")
    return tuple(found)


# --- of a run --------------------------------------------------------------------------------------------------------

PARTS = {
    field.name: field for field in msgspec.structs.fields(Report) if field.name not in ("schema", "summary", "checks")
}


def parts(report: Report) -> dict[str, bytes]:
    """Everything of a report but its rows and their summary, by field, without what is empty."""
    given = {name: getattr(report, name) for name in PARTS}
    return {name: encode(value) for name, value in given.items() if value not in ((), None)}


def rebuilt(texts: dict[str, bytes], summary: Summary, checks: tuple[CheckResult, ...], notes: Sequence[str]) -> Report:
    """A report of its parts; raises ValueError where one makes no sense. `notes` are added to its own."""
    known = {name: msgspec.json.decode(text, type=PARTS[name].type) for name, text in texts.items() if name in PARTS}
    if "run" not in known:
        raise ValueError("the run's own particulars are missing")
    known["notes"] = (*known.get("notes", ()), *notes)
    return Report(**known, summary=summary, checks=checks)
