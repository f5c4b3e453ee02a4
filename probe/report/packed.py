"""All rows of a report for the page's script, small: what rows have in common is told once.

Thousands of rows differ only in who asks whom. So a row is its id and five numbers: its kind (all that is planned and
found, see `KIND`), source, target, address, finding; and, if it is no pass, what is told of it. Every text is there
once, made printable and bounded. `reports/report.rows.js` reads it.
"""

from __future__ import annotations

import base64
import re
import zlib
from operator import attrgetter, itemgetter
from typing import TYPE_CHECKING, Any

import msgspec

from probe.model.words import Verdict
from probe.report import wording
from probe.report.findings import Weight, weight
from probe.report.templating import LONGEST
from probe.report.text import shorten
from probe.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from probe.model.result import CheckResult, Report
    from probe.report.findings import Finding

MOST_ROWS = 250_000
_MOST_TOLD = 3_200_000  # characters of details and evidence
_PLAIN = 200_000  # bytes that are not worth packing, and good to read in the file
_LARGE = 2_000_000  # bytes that are packed as small as can be; less is packed three times as fast, 5 % larger
_ID = re.compile(r"[0-9a-f]{16}\Z")

_WORDS = ("verdict", "cause", "transport", "protocol", "expect", "policy", "need", "state", "severity")
_NAMES = ("source_role", "target_role", "service", "ports", "application", "matrix", "rule", "cite")
KIND = ("weight", "also", *_WORDS, *_NAMES)
_words_of, _names_of = attrgetter(*_WORDS), attrgetter(*_NAMES)
_place_of = attrgetter("source", "target", "service", "ports")


class Packed(msgspec.Struct, frozen=True):
    """`data` for a `<script>` element of another type than script: JSON without `<`, or where that is large and
    `deflated`, base64 of its zlib stream. `rows` are in it, `told` of the `failing` with details and evidence.
    """

    data: str
    deflated: bool
    findings: int
    rows: int
    failing: int
    told: int


class _Table:
    """Each value once, by its place."""

    def __init__(self) -> None:
        self.places: dict[Any, int] = {}

    def place(self, value: Any) -> int:
        return self.places.setdefault(value, len(self.places))

    @property
    def values(self) -> list[Any]:
        return list(self.places)


class _Texts:
    """Texts from anywhere, as they may be shown. `size` counts the characters."""

    def __init__(self) -> None:
        self.size = 0
        self._table = _Table()
        # Of each row a dozen texts, nearly all of which are known: not a call of ours for each.
        self.place: Callable[[Any], int] = _Shown(self._show).__getitem__

    def _show(self, value: Any) -> int:
        text = shorten(printable(str(value)[: LONGEST + 1]), LONGEST)
        before = len(self._table.places)
        found = self._table.place(text)
        self.size += len(text) if found == before else 0
        return found

    @property
    def values(self) -> list[Any]:
        return self._table.values


class _Shown(dict[Any, int]):
    """What `make` makes of each key, made once."""

    def __init__(self, make: Callable[[Any], int]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, key: Any) -> int:
        found = self[key] = self._make(key)
        return found


class _Kinds(_Table):
    """What rows have in common, by the places of their texts."""

    def __init__(self, texts: _Texts) -> None:
        super().__init__()
        self._texts = texts
        # A word's own hash takes longer than all the rest; there is one of each, and few ways to put them together.
        self._known: dict[tuple[int, ...], tuple[int, ...]] = {}

    def of(self, row: CheckResult, worth: Weight) -> int:
        text, words = self._texts.place, (worth, *_words_of(row))
        key = tuple(map(id, words))
        known = self._known.get(key)
        if known is None:
            said = [word.name.lower() if isinstance(word, Weight) else word or "" for word in words]
            known = self._known[key] = tuple(text(str(word)) for word in said)
        also = text(", ".join(row.also)) if row.also else 0
        return self.place((known[0], also, *known[1:], *map(text, _names_of(row))))


def pack(report: Report, findings: Sequence[tuple[str, Finding]]) -> Packed:
    """`findings` have their anchors, by which they are found in the page. The worst rows come first."""
    found = {id(row): place for place, (_, finding) in enumerate(findings) for row in finding.members}
    texts, stories = _Texts(), _Table()
    kinds = _Kinds(texts)
    texts.place("")
    weighed = [(weight(row), row) for row in sorted(report.checks, key=_place_of)]
    weighed.sort(key=itemgetter(0), reverse=True)
    rows = weighed[:MOST_ROWS]
    columns: tuple[list[int], ...] = ([], [], [], [], [])
    kind, source, target, address, told = columns
    text = texts.place
    failing = explained = 0
    for worth, row in rows:
        kind.append(kinds.of(row, worth))
        source.append(text(row.source))
        target.append(text(row.target))
        address.append(text(row.address))
        what = 0
        if row.verdict is not Verdict.PASS:
            failing += 1
            if texts.size < _MOST_TOLD:
                explained += 1
                what = stories.place(_told(row, texts)) + 1
        told.append(what)
    value = {
        "fields": KIND,
        "findings": [anchor for anchor, _ in findings],
        "texts": texts.values,
        "kinds": kinds.values,
        "stories": stories.values,
        "ids": [row.id if _ID.match(row.id) else "" for _, row in rows],
        "kind": kind,
        "source": source,
        "target": target,
        "address": address,
        "finding": [found.get(id(row), -1) for _, row in rows],
        "told": told,
    }
    plain = msgspec.json.encode(value)
    deflated = len(plain) > _PLAIN
    packed = (
        base64.b64encode(zlib.compress(plain, 9 if len(plain) > _LARGE else 6))
        if deflated
        else plain.replace(b"<", b"\\u003c")
    )
    return Packed(packed.decode(), deflated, len(findings), len(value["ids"]), failing, explained)


def _told(row: CheckResult, texts: _Texts) -> tuple[Any, ...]:
    """Detail, where, advice, instead, what excuses it; then each piece of evidence: at which end, what."""
    pieces = (text for piece in row.evidence[:20] for text in (piece.at, piece.what))
    return tuple(
        map(
            texts.place,
            (row.detail, wording.where(row.where), row.advice, row.instead, "; ".join(wording.waived((row,))), *pieces),
        )
    )
