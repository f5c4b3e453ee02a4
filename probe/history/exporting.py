"""A history as lines of JSON, for whatever else wants to read it. docs/history.md describes them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import msgspec

from probe.encoding import encode
from probe.history import documents

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from probe.history.database import Database, Row, Session
    from probe.history.values import RunRecord

SCHEMA = "portcheck.history/1"
_CHUNK = 500


def run_line(run: RunRecord, parts: dict[str, bytes]) -> bytes:
    """A run: its record, and what its report has beside rows and summary."""
    told = {name: msgspec.Raw(text) for name, text in parts.items() if name in documents.PARTS}
    return encode({"type": "run", **msgspec.structs.asdict(run), "report": told}) + b"\n"


def row_lines(database: Database, audit: int, finished: Sequence[int]) -> Iterator[bytes]:
    """A line for each row of these finished runs for as long as it was told the same: `first` and `last` are numbers of
    runs. Raises ValueError for documents that make no sense.
    """
    first, last, after = min(finished, default=0), max(finished, default=0), 0
    while finished:
        ask = partial(_chunk, audit=audit, first=first, last=last, after=after)
        numbers, found = database.read(ask)
        if not numbers:
            return
        after = numbers[-1]
        for row, following in zip(found, [*found[1:], None], strict=True):
            number, begun, ended, run, steady, seen, ports, elapsed, rtt = row
            # Until the run before the one that saw something else.
            if following is not None and following[0] == number:
                ended = max((one for one in finished if one < following[3]), default=0)
            begun = max(begun, run, first)
            ended = min(ended, last)
            if begun <= ended:
                text = documents.row_text(
                    documents.unpacked(bytes(steady)), documents.unpacked(bytes(seen)), ports, elapsed, rtt
                )
                # As in a report, with the fields that are stored nowhere because they say nothing.
                (check,) = documents.rows([text])
                yield encode({"type": "row", "first": begun, "last": ended, "check": check}) + b"\n"


def _chunk(session: Session, audit: int, first: int, last: int, after: int) -> tuple[list[int], list[Row]]:
    numbers = [
        number
        for (number,) in session.rows(
            "SELECT number FROM intervals WHERE audit = ? AND number > ? AND first <= ? AND last >= ? "
            "ORDER BY number LIMIT ?",
            audit,
            after,
            last,
            first,
            _CHUNK,
        )
    ]
    if not numbers:
        return [], []
    return numbers, session.rows(
        "SELECT intervals.number, intervals.first, intervals.last, sights.run, steady.body, seen.body, "
        "intervals.ports, sights.elapsed_ms, sights.rtt_ms "
        "FROM intervals JOIN sights ON sights.number = intervals.number "
        "JOIN documents AS steady ON steady.digest = intervals.steady "
        "JOIN documents AS seen ON seen.digest = sights.document "
        "WHERE intervals.audit = ? AND intervals.number >= ? AND intervals.number <= ? AND intervals.first <= ? "
        "AND intervals.last >= ? ORDER BY intervals.number, sights.run",
        audit,
        numbers[0],
        numbers[-1],
        last,
        first,
    )
