"""A report out of the tables again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from probe.history import documents

if TYPE_CHECKING:
    from probe.history.database import Session
    from probe.history.values import RunRecord
    from probe.model.result import Report, Summary

_AS_FIRST_SEEN = "From the history: times, and what is said of checks that pass, are of the run that first saw it so."
_THINNED = "From the history: this run is old, and only what did not pass is kept of it."


def rebuilt(session: Session, audit: int, run: RunRecord, summary: Summary) -> Report | None:
    """None where only how it ended is kept; raises ValueError where what is kept makes no sense."""
    unpacked, texts = documents.unpacked, parts(session, audit, run.number)
    if not texts:
        return None
    kept = session.rows(
        "SELECT steady.body, seen.body, intervals.ports, sights.elapsed_ms, sights.rtt_ms, sights.run FROM intervals "
        "JOIN sights ON sights.number = intervals.number AND sights.run = "
        "(SELECT max(run) FROM sights WHERE sights.number = intervals.number AND run <= ?) "
        "JOIN documents AS steady ON steady.digest = intervals.steady "
        "JOIN documents AS seen ON seen.digest = sights.document "
        "WHERE intervals.audit = ? AND intervals.first <= ? AND intervals.last >= ? "
        "ORDER BY intervals.checked, intervals.number",
        run.number,
        audit,
        run.number,
        run.number,
    )
    rows = documents.rows(
        documents.row_text(unpacked(bytes(one)), unpacked(bytes(two)), *more) for one, two, *more, _ in kept
    )
    (whole_from,) = session.rows("SELECT whole_from FROM audits WHERE number = ?", audit)[0]
    notes = [_THINNED] if run.number < whole_from else []
    notes += [_AS_FIRST_SEEN] if any(seen < run.number for *_, seen in kept) else []
    return documents.rebuilt(texts, summary, rows, notes)


def parts(session: Session, audit: int, number: int) -> dict[str, bytes]:
    found = session.rows(
        "SELECT parts.name, documents.body FROM parts JOIN documents ON documents.digest = parts.document "
        "WHERE parts.audit = ? AND parts.run = ?",
        audit,
        number,
    )
    return {name: documents.unpacked(bytes(text)) for name, text in found}
