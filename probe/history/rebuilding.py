"""A report out of the tables again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from probe.history import documents
from probe.history.trends import chunked

if TYPE_CHECKING:
    from collections.abc import Iterable

    from probe.history.database import Row, Session
    from probe.history.values import RunRecord
    from probe.model.result import CheckResult, Report, Summary

_AS_FIRST_SEEN = "From the history: times, and what is said of checks that pass, are of the run that first saw it so."
_THINNED = "From the history: this run is old, and only what did not pass is kept of it."


Known = dict[tuple[int, int], "CheckResult"]
"""Rows that have been read, by the number of their interval and the run that last saw it."""

_SIGHT = "(SELECT max(run) FROM sights WHERE sights.number = intervals.number AND run <= ?)"
_KEPT = (
    "SELECT intervals.number, sights.run, steady.body, seen.body, intervals.ports, sights.elapsed_ms, sights.rtt_ms "
    "FROM intervals JOIN sights ON sights.number = intervals.number AND sights.run = " + _SIGHT + " "
    "JOIN documents AS steady ON steady.digest = intervals.steady "
    "JOIN documents AS seen ON seen.digest = sights.document "
)
_IN_RUN = "WHERE intervals.audit = ? AND intervals.first <= ? AND intervals.last >= ? "
_ORDER = "ORDER BY intervals.checked, intervals.number"


def rebuilt(session: Session, audit: int, run: RunRecord, summary: Summary, known: Known) -> Report | None:
    """None where only how it ended is kept; raises ValueError where what is kept makes no sense. Rows that are `known`
    from another run are not read again; those that are read are added.
    """
    texts = parts(session, audit, run.number)
    if not texts:
        return None
    kept = _read_all(session, audit, run.number, known) if not known else _read_new(session, audit, run.number, known)
    (whole_from,) = session.rows("SELECT whole_from FROM audits WHERE number = ?", audit)[0]
    notes = [_THINNED] if run.number < whole_from else []
    notes += [_AS_FIRST_SEEN] if any(seen < run.number for _, seen in kept) else []
    return documents.rebuilt(texts, summary, tuple(known[one] for one in kept), notes)


def _read_all(session: Session, audit: int, number: int, known: Known) -> list[tuple[int, int]]:
    return _read(session.rows(_KEPT + _IN_RUN + _ORDER, number, audit, number, number), known)


def _read_new(session: Session, audit: int, number: int, known: Known) -> list[tuple[int, int]]:
    found = session.rows(
        f"SELECT intervals.number, {_SIGHT} FROM intervals {_IN_RUN} {_ORDER}",  # noqa: S608  (our own text)
        number,
        audit,
        number,
        number,
    )
    kept = [(interval, seen) for interval, seen in found]
    fresh = [one[0] for one in kept if one not in known]
    _read(chunked(session, _KEPT + "WHERE intervals.number IN ({})", fresh, number), known)
    return kept


def _read(found: Iterable[Row], known: Known) -> list[tuple[int, int]]:
    """Which they are; the rows themselves are added to those that are known."""
    unpacked, places, texts = documents.unpacked, [], []
    for interval, seen, one, two, *more in found:
        places.append((interval, seen))
        texts.append(documents.row_text(unpacked(bytes(one)), unpacked(bytes(two)), *more))
    known.update(zip(places, documents.rows(texts), strict=True))
    return places


def parts(session: Session, audit: int, number: int) -> dict[str, bytes]:
    found = session.rows(
        "SELECT parts.name, documents.body FROM parts JOIN documents ON documents.digest = parts.document "
        "WHERE parts.audit = ? AND parts.run = ?",
        audit,
        number,
    )
    return {name: documents.unpacked(bytes(text)) for name, text in found}
