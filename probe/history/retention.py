"""How long runs are kept. What fails, and its evidence, outlives what passes.

A history is cut from behind, in two places. From `whole` on everything is there; between `failures` and `whole` only
what did not pass; before that nothing. Nothing that a run after `whole` says changes by it: the runs within which one
looks for what goes to and fro stay whole, too.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import msgspec

from probe.history.trends import WINDOW
from probe.history.values import RunState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from probe.history.database import Session

_LEAST = 2


class Retention(msgspec.Struct, frozen=True, kw_only=True):
    """Runs are kept whole for so many `days`, of each audit at most the newest `runs` (0: as many as there are), and
    what failed for `failures_days`. The last two finished runs are always kept.
    """

    days: int = 400
    runs: int = 0
    failures_days: int = 800


class Pruned(msgspec.Struct, frozen=True, kw_only=True):
    """How many runs were dropped, of how many more only what did not pass is left (or how they ended, where all
    passed), and how many bytes that gave back to the system.
    """

    runs: int = 0
    thinned: int = 0
    freed: int = 0


def prune(session: Session, keep: Retention, now: dt.datetime) -> Pruned:
    dropped = thinned = 0
    for audit, whole, failures in session.rows("SELECT number, whole_from, failures_from FROM audits"):
        runs = session.rows("SELECT number, started, state FROM runs WHERE audit = ? ORDER BY number", audit)
        finished = [(number, started) for number, started, state in runs if state == RunState.FINISHED.value]
        if not finished:
            continue
        new_whole = max(whole, _whole(finished, keep, now))
        # By age, all runs count: one that came to nothing before the first that finished is news, too.
        every = [(number, started) for number, started, _ in runs]
        new_failures = max(failures, min(new_whole, _first_since(every, keep.failures_days, now)))
        thinned += sum(max(whole, new_failures) <= number < new_whole for number, _ in finished)
        dropped += _drop(session, audit, new_failures)
        _thin(session, audit, new_whole)
        session.run(
            "UPDATE audits SET whole_from = ?, failures_from = ? WHERE number = ?", new_whole, new_failures, audit
        )
    _drop_documents(session)
    return Pruned(runs=dropped, thinned=thinned)


def _whole(finished: Sequence[tuple[int, str]], keep: Retention, now: dt.datetime) -> int:
    numbers = [number for number, _ in finished]
    wanted = max(_first_since(finished, keep.days, now), numbers[-keep.runs] if 0 < keep.runs <= len(numbers) else 0)
    place = min(
        next((place for place, number in enumerate(numbers) if number >= wanted), len(numbers)),
        max(len(numbers) - _LEAST, 0),
    )
    # The first of them is compared with the one before it, and looks back over a window that ends in itself.
    return numbers[max(place - WINDOW, 0)]


def _first_since(runs: Sequence[tuple[int, str]], days: int, now: dt.datetime) -> int:
    """The number of the first run that is no older; one more than the last where all are."""
    since = now - dt.timedelta(days=days)
    return next((number for number, started in runs if _began(started, now) >= since), runs[-1][0] + 1)


def _began(started: str, now: dt.datetime) -> dt.datetime:
    """A time that nobody can read is no reason to drop anything."""
    try:
        began = dt.datetime.fromisoformat(started)
    except ValueError:
        return now
    return began if began.tzinfo is not None else began.replace(tzinfo=dt.UTC)


def _drop(session: Session, audit: int, first: int) -> int:
    """Everything before that run. Returns how many runs that were."""
    _cut(session, audit, first, "")
    session.run("DELETE FROM parts WHERE audit = ? AND run < ?", audit, first)
    running = RunState.RUNNING.value
    return session.run("DELETE FROM runs WHERE audit = ? AND number < ? AND state <> ?", audit, first, running)


def _thin(session: Session, audit: int, first: int) -> None:
    """What passed before that run; and of a run in which all did, everything but how it ended."""
    _cut(session, audit, first, "AND intervals.kind = 0")
    session.run(
        "DELETE FROM parts WHERE audit = ? AND run < ? AND NOT EXISTS (SELECT 1 FROM intervals WHERE "
        "intervals.audit = parts.audit AND intervals.last >= parts.run AND intervals.first <= parts.run)",
        audit,
        first,
    )
    session.run(
        "DELETE FROM checks WHERE audit = ? AND NOT EXISTS "
        "(SELECT 1 FROM intervals WHERE intervals.checked = checks.number)",
        audit,
    )


def _cut(session: Session, audit: int, first: int, which: str) -> None:
    """Intervals that ended before that run are dropped, those that went on then begin with it."""
    ended = f"SELECT number FROM intervals WHERE audit = ? AND last < ? {which}"  # noqa: S608  (our own words)
    session.run(f"DELETE FROM sights WHERE number IN ({ended})", audit, first)  # noqa: S608
    session.run(f"DELETE FROM intervals WHERE number IN ({ended})", audit, first)  # noqa: S608
    longer = f"SELECT number FROM intervals WHERE audit = ? AND first < ? {which}"  # noqa: S608
    # What was seen last before it is what was seen then.
    session.run(
        f"DELETE FROM sights WHERE number IN ({longer}) AND run < (SELECT max(other.run) FROM sights AS other "  # noqa: S608
        "WHERE other.number = sights.number AND other.run <= ?)",
        audit,
        first,
        first,
    )
    session.run(f"UPDATE intervals SET first = ? WHERE number IN ({longer})", first, audit, first)  # noqa: S608


def _drop_documents(session: Session) -> None:
    session.run(
        "DELETE FROM documents WHERE digest NOT IN (SELECT document FROM parts UNION SELECT document FROM sights "
        "UNION SELECT steady FROM intervals)"
    )
