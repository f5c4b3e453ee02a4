"""A report out of the tables again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from probe.history import documents
from probe.history.trends import chunked
from probe.model.answer import answer

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from probe.history.database import Row, Session
    from probe.history.values import RunRecord
    from probe.model.result import Report, Summary

_AS_FIRST_SEEN = "From the history: times, and what is said of checks that pass, are of the run that first saw it so."
_THINNED = "From the history: this run is old, and only what did not pass is kept of it."

_KEPT = (
    "SELECT sights.run, steady.body, seen.body, intervals.ports, sights.elapsed_ms, sights.rtt_ms "
    "FROM intervals JOIN sights ON sights.number = intervals.number AND sights.run = "
    "(SELECT max(run) FROM sights WHERE sights.number = intervals.number AND run <= ?) "
    "JOIN documents AS steady ON steady.digest = intervals.steady "
    "JOIN documents AS seen ON seen.digest = sights.document "
)
_IN_RUN = "WHERE intervals.audit = ? AND intervals.first <= ? AND intervals.last >= ? "
_AMONG = "WHERE intervals.number IN ({}) "
_ORDER = "ORDER BY intervals.checked, intervals.number"


def rebuilt(
    session: Session, audit: int, run: RunRecord, summary: Summary, some: Sequence[int] | None = None
) -> Report | None:
    """None where only how it ended is kept; raises ValueError where what is kept makes no sense. With `some`, its rows
    are those of these intervals alone, which are in order and have all that did not pass.
    """
    texts = parts(session, audit, run.number)
    if not texts:
        return None
    found: Iterable[Row]
    if some is None:
        found = session.rows(_KEPT + _IN_RUN + _ORDER, run.number, audit, run.number, run.number)
    else:
        found = chunked(session, _KEPT + _AMONG + _ORDER, some, run.number)
    unpacked, rows, as_first_seen = documents.unpacked, [], False
    for seen, one, two, *more in found:
        as_first_seen |= seen < run.number
        rows.append(documents.row_text(unpacked(bytes(one)), unpacked(bytes(two)), *more))
    (whole_from,) = session.rows("SELECT whole_from FROM audits WHERE number = ?", audit)[0]
    thinned = run.number < whole_from
    notes = [_THINNED] if thinned else []
    notes += [_AS_FIRST_SEEN] if as_first_seen else []
    report = documents.rebuilt(texts, summary, documents.rows(rows), notes)
    # What passed may be gone by now: then nothing is told that would not be the same with it.
    return None if thinned and answer(report).value != run.outcome else report


def parts(session: Session, audit: int, number: int) -> dict[str, bytes]:
    found = session.rows(
        "SELECT parts.name, documents.body FROM parts JOIN documents ON documents.digest = parts.document "
        "WHERE parts.audit = ? AND parts.run = ?",
        audit,
        number,
    )
    return {name: documents.unpacked(bytes(text)) for name, text in found}
