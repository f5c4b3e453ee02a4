"""A report into the tables: only what differs from the run before is written."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from probe.history import documents
from probe.history.compare import line
from probe.history.database import OPEN
from probe.history.documents import digest, packed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from probe.history.database import Row, Session
    from probe.model.result import CheckResult

_Place = tuple[str, str]
_Stretch = tuple[int, str, bytes, int]
"""A check, its ports and what came of it; and which of several that are alike, which none should be."""


def write_rows(session: Session, audit: int, number: int, before: int, checks: Iterable[CheckResult]) -> None:
    """The rows of run `number`, the newest; `before` is the number of the finished run before it, 0 where there is
    none.
    """
    known: dict[_Place, int] = {
        (id_, of): check
        for check, id_, of in session.rows("SELECT number, id, line FROM checks WHERE audit = ?", audit)
    }
    going_on = _going_on(session, audit)
    fresh = _Fresh(session, known, audit, number)
    times: Counter[tuple[int, str, bytes]] = Counter()
    for row in checks:
        steady = documents.steady(row)
        stretch = (fresh.check(row), row.ports, digest(steady))
        times[stretch] += 1
        found = going_on.pop((*stretch, times[stretch]), None)
        seen, news = documents.seen(row)
        if found is None:
            interval = fresh.interval((*stretch, documents.kind(row), news), steady)
        elif found[1] != news:
            interval = found[0]
            fresh.news.append((news, interval))
        else:
            continue
        fresh.sights.append((interval, number, fresh.document(seen), row.elapsed_ms, row.rtt_ms))
    session.many("UPDATE intervals SET last = ? WHERE number = ?", ((before, old) for old, _ in going_on.values()))
    fresh.write()


def write_parts(session: Session, audit: int, number: int, texts: Mapping[str, bytes]) -> None:
    """What is kept of a run beside its rows, by name."""
    parts = {name: (digest(text), text) for name, text in texts.items()}
    _keep(session, dict(parts.values()))
    session.many(
        "INSERT INTO parts (audit, run, name, document) VALUES (?, ?, ?, ?)",
        ((audit, number, name, key) for name, (key, _) in parts.items()),
    )


def _going_on(session: Session, audit: int) -> dict[_Stretch, tuple[int, bytes]]:
    """The intervals that have not ended, each with its number and the digest of its latest sight."""
    found = session.rows(
        "SELECT number, checked, ports, steady, news FROM intervals WHERE audit = ? AND last = ? ORDER BY number",
        audit,
        OPEN,
    )
    times: Counter[tuple[int, str, bytes]] = Counter()
    going_on = {}
    for number, check, ports, steady, news in found:
        times[check, ports, steady] += 1
        going_on[check, ports, steady, times[check, ports, steady]] = (number, news)
    return going_on


def _keep(session: Session, texts: dict[bytes, bytes]) -> None:
    session.many(
        "INSERT INTO documents (digest, body) VALUES (?, ?) ON CONFLICT (digest) DO NOTHING",
        ((key, packed(text)) for key, text in texts.items()),
    )


class _Fresh:
    """What one run adds, written at once in the end."""

    def __init__(self, session: Session, known: dict[_Place, int], audit: int, number: int) -> None:
        self._session, self._known, self._audit, self._number = session, known, audit, number
        self._next_check = _next(session, "checks")
        self._next_interval = _next(session, "intervals")
        self._checks: list[Row] = []
        self._intervals: list[Row] = []
        self._texts: dict[bytes, bytes] = {}
        self.sights: list[Row] = []
        self.news: list[Row] = []

    def check(self, row: CheckResult) -> int:
        place = (row.id, line(row))
        number = self._known.get(place)
        if number is None:
            number = self._known[place] = self._next_check
            self._next_check += 1
            self._checks.append((number, self._audit, *place))
        return number

    def interval(self, what: tuple[int, str, bytes, int, bytes], steady: bytes) -> int:
        number = self._next_interval
        self._next_interval += 1
        check, ports, key, kind, news = what
        self._texts[key] = steady
        self._intervals.append((number, self._audit, check, ports, self._number, OPEN, kind, key, news))
        return number

    def document(self, text: bytes) -> bytes:
        key = digest(text)
        self._texts[key] = text
        return key

    def write(self) -> None:
        self._session.many("INSERT INTO checks (number, audit, id, line) VALUES (?, ?, ?, ?)", self._checks)
        self._session.many(
            "INSERT INTO intervals (number, audit, checked, ports, first, last, kind, steady, news) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            self._intervals,
        )
        _keep(self._session, self._texts)
        self._session.many(
            "INSERT INTO sights (number, run, document, elapsed_ms, rtt_ms) VALUES (?, ?, ?, ?, ?)", self.sights
        )
        self._session.many("UPDATE intervals SET news = ? WHERE number = ?", self.news)


def _next(session: Session, table: str) -> int:
    return int(session.rows(f"SELECT coalesce(max(number), 0) + 1 FROM {table}")[0][0])  # noqa: S608  (our own names)
