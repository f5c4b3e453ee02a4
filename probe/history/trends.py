"""What only a history can tell of a change: since when it fails, how often it failed lately, whether it goes to and
fro.
"""

from __future__ import annotations

from bisect import bisect_left
from itertools import pairwise
from typing import TYPE_CHECKING

import msgspec

from probe.history.compare import by_line, failing, laid, line, rank, side_by_side
from probe.history.documents import FAILS, INCONCLUSIVE, PASSES
from probe.model.change import Change, Changes, Turn
from probe.model.ports import PortSet
from probe.model.words import Verdict

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Mapping, Sequence

    from probe.history.database import Row, Session
    from probe.history.outline import Outline
    from probe.model.result import CheckResult

WINDOW = 10
"""How many finished runs back one looks for what goes to and fro."""
TURNS = 3
"""From failing to passing or back, or from measured to not measured or back, so often within them: flapping."""
_CHUNK = 500


class _Stretch(msgspec.Struct, frozen=True):
    """Ports of one line that were of one kind (probe.history.documents.kind) from one run to another."""

    ports: PortSet
    first: int
    last: int
    kind: int

    def touches(self, ports: PortSet) -> bool:
        ours, theirs = self.ports.ranges, ports.ranges
        # A line of what no service names may have thousands of them, each about one port.
        if not ours or not theirs or ours[-1][1] < theirs[0][0] or theirs[-1][1] < ours[0][0]:
            return False
        return bool((self.ports & ports).ranges)


class _Trend(msgspec.Struct, frozen=True):
    """Of some ports, as of one run. `since` is the number of a run, None where it does not fail. `wavers`: it fails and
    passes by turns, whatever was not measured in between; `flickers`: it is measured and not measured by turns.
    """

    since: int | None
    failing: int
    unmeasured: int
    wavers: bool
    flickers: bool

    @property
    def flapping(self) -> bool:
        return self.wavers or self.flickers


def told(
    session: Session,
    audit: int,
    finished: Sequence[int],
    seen: Outline,
    changes: Changes,
    old: Iterable[CheckResult],
    new: Iterable[CheckResult],
) -> Changes:
    """The changes from the `old` rows to the `new` ones, those of the last of the `finished` runs, with what the runs
    before it tell. Of either, the rows of the outline are enough.
    """
    window = finished[-WINDOW:]
    wanted = {line(change.row) for change in changes.changes} | seen.restless
    known = _Known(finished, window, _lines(session, wanted, seen.lines, window))
    made = [one for change in changes.changes for one in known.with_trend(change)]
    made += known.unspoken(made, by_line(old, seen.restless), by_line(new, seen.restless))
    made.sort(key=rank)
    began = _began(session, audit, {one.since_run for one in made if one.since_run is not None})
    return msgspec.structs.replace(
        changes,
        changes=tuple(
            one if one.since_run is None else msgspec.structs.replace(one, since=began.get(one.since_run))
            for one in made
        ),
    )


class _Known:
    """The past of lines: their stretches, and the numbers of the finished runs, those of the window among them."""

    def __init__(self, finished: Sequence[int], window: Sequence[int], lines: Mapping[str, Sequence[_Stretch]]) -> None:
        self._finished, self._window, self._lines = finished, window, lines

    def with_trend(self, change: Change) -> Iterator[Change]:
        """The change, cut where its ports have a past of their own."""
        for ports, trend in self._trends(line(change.row), PortSet.parse(change.ports)):
            turn = change.turn
            # What wavers and could not be measured once is told as that.
            if change.now is not None and (trend.flickers if turn is Turn.UNMEASURED else trend.flapping):
                turn = Turn.FLAPPING
            yield self._made(turn, ports, change.before, change.now, trend)

    def unspoken(
        self,
        made: Iterable[Change],
        old: Mapping[str, Sequence[CheckResult]],
        new: Mapping[str, Sequence[CheckResult]],
    ) -> list[Change]:
        """What goes to and fro, and passes in both runs."""
        spoken: dict[str, PortSet] = {}
        for change in made:
            key = line(change.row)
            spoken[key] = spoken.get(key, PortSet()) | PortSet.parse(change.ports)
        return [change for key in new for change in self._unspoken(key, old.get(key, ()), new[key], spoken.get(key))]

    def _unspoken(
        self, key: str, old: Sequence[CheckResult], new: Sequence[CheckResult], spoken: PortSet | None
    ) -> Iterator[Change]:
        quiet: dict[tuple[int, int], tuple[list[tuple[int, int]], CheckResult | None, CheckResult]] = {}
        for low, high, before, now in side_by_side(laid(old), laid(new)):
            if now is not None and now.verdict is Verdict.PASS:
                quiet.setdefault((id(before), id(now)), ([], before, now))[0].append((low, high))
        for ranges, before, now in quiet.values():
            for ports, trend in self._trends(key, PortSet(ranges) - (spoken or PortSet())):
                if trend.flapping:
                    yield self._made(Turn.FLAPPING, ports, before, now, trend)

    def _made(
        self, turn: Turn, ports: PortSet, before: CheckResult | None, now: CheckResult | None, trend: _Trend
    ) -> Change:
        return Change(
            turn=turn,
            ports=str(ports),
            now=now,
            before=before,
            since_run=trend.since if now is not None and failing(now) else None,
            failing=trend.failing,
            unmeasured=trend.unmeasured,
            runs=len(self._window),
        )

    def _trends(self, key: str, ports: PortSet) -> Iterator[tuple[PortSet, _Trend]]:
        """The ports, cut into those that have the same past."""
        past = [one for one in self._lines.get(key, ()) if one.touches(ports)]
        cuts = sorted({cut for one in (ports, *(stretch.ports for stretch in past)) for cut in _cuts(one)})
        alike: dict[tuple[int, ...], list[tuple[int, int]]] = {}
        covering: dict[int, list[int]] = {low: [] for low in cuts if low in ports}
        for number, one in enumerate(past):
            for low, high in one.ports.ranges:
                for start in cuts[bisect_left(cuts, low) : bisect_left(cuts, high + 1)]:
                    if start in covering:
                        covering[start].append(number)
        for low, after in pairwise(cuts):
            if low in covering:
                alike.setdefault(tuple(covering[low]), []).append((low, after - 1))
        for numbers, ranges in alike.items():
            yield PortSet(ranges), self._trend([past[number] for number in numbers])

    def _trend(self, past: Sequence[_Stretch]) -> _Trend:
        kinds = [_kind(past, number) for number in self._window]
        wavers = _is_restless(kind for kind in kinds if kind in (PASSES, FAILS))
        flickers = _is_restless(kind == INCONCLUSIVE for kind in kinds if kind is not None)
        since, place = None, len(self._finished)
        # From one stretch to the one before it, as long as they follow each other.
        while place and (found := _failing_at(past, self._finished[place - 1])) is not None:
            place = bisect_left(self._finished, found.first)
            since = self._finished[place]
        return _Trend(since, kinds.count(FAILS), kinds.count(INCONCLUSIVE), wavers, flickers)


def _is_restless(fates: Iterable[object]) -> bool:
    return sum(one != two for one, two in pairwise(fates)) >= TURNS


def _cuts(ports: PortSet) -> Iterator[int]:
    for low, high in ports.ranges:
        yield from (low, high + 1)


def _kind(past: Iterable[_Stretch], number: int) -> int | None:
    """The worst of those that a run had; None where it had none."""
    return max((one.kind for one in past if one.first <= number <= one.last), default=None)


def _failing_at(past: Iterable[_Stretch], number: int) -> _Stretch | None:
    """That which began first."""
    found = [one for one in past if one.kind == FAILS and one.first <= number <= one.last]
    return min(found, key=lambda one: one.first) if found else None


# --- from the tables --------------------------------------------------------------------------------------------------


def _lines(
    session: Session, wanted: Container[str], lines: Mapping[int, str], window: Sequence[int]
) -> dict[str, list[_Stretch]]:
    """What was there within the window, and what failed before it."""
    called = {check: key for check, key in lines.items() if key in wanted}
    found: dict[str, list[_Stretch]] = {}
    for check, ports, first, last, kind in chunked(
        session,
        "SELECT checked, ports, first, last, kind FROM intervals "
        "WHERE first <= ? AND (last >= ? OR kind = ?) AND checked IN ({})",
        list(called),
        window[-1],
        window[0],
        FAILS,
    ):
        found.setdefault(called[check], []).append(_Stretch(PortSet.parse(ports), first, last, kind))
    return found


def _began(session: Session, audit: int, numbers: set[int]) -> dict[int, str]:
    sql = f"SELECT number, started FROM runs WHERE audit = {int(audit)} AND number IN ({{}})"  # noqa: S608  (a number)
    return dict(chunked(session, sql, sorted(numbers)))


def chunked(session: Session, sql: str, values: Sequence[object], *before: object) -> Iterator[Row]:
    """The rows of a query with a list of values in the place of `{}`, a bounded number of them at a time. `before` are
    those of the marks before it.
    """
    for start in range(0, len(values), _CHUNK):
        part = values[start : start + _CHUNK]
        yield from session.rows(sql.format(", ".join("?" * len(part))), *before, *part)
