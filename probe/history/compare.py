"""What changed from one report to another. Pure.

Rows are compared by check and port, so that it does not matter how a run cut a range. A name that leads to several
addresses has a row for each under one id: the worst speaks for a port. What no service names has an id by port, or one
for all that a sweep left over, which is which changes with what listens there; so it is compared by its place.
"""

from __future__ import annotations

from hashlib import blake2s
from itertools import pairwise
from typing import TYPE_CHECKING

from probe.model.change import Change, Changes, Turn
from probe.model.ports import PortSet
from probe.model.words import Exposure, Verdict

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Mapping, Sequence

    from probe.model.result import CheckResult, HostResult, Report
    from probe.model.words import Transport

_Span = tuple[int, int, "CheckResult"]
_TURNS, _VERDICTS, _SCOPES = list(Turn), list(Verdict), list(Exposure)


def compare(old: Report | None, new: Report) -> Changes:
    """Without `old` everything that fails is new. `since`, `failing` and the like are for a history to tell."""
    olds, news = old.checks if old is not None else (), new.checks
    # Of all other lines there is nothing to tell.
    telling = {line(row) for row in (*olds, *news) if row.verdict is not Verdict.PASS}
    before, now = by_line(olds, telling), by_line(news, telling)
    looked = _Looked(old, new)
    place: dict[int, int] = {}  # a row may be of both
    for number, row in enumerate((*news, *olds)):
        place.setdefault(id(row), number)
    changes = [
        change
        for key in dict.fromkeys((*now, *before))
        for change in _of_line(before.get(key, ()), now.get(key, ()), looked)
    ]
    changes.sort(key=lambda change: (*rank(change), place[id(change.row)]))
    ours, theirs = ({row.id for row in rows} for rows in (news, olds))
    return Changes(
        old=old.run if old is not None else None,
        new=new.run,
        changes=tuple(changes),
        appeared=len(ours - theirs),
        vanished=len(theirs - ours),
    )


def failing(row: CheckResult) -> bool:
    return row.verdict not in (Verdict.PASS, Verdict.INCONCLUSIVE)


def line(row: CheckResult) -> str:
    """What a row is compared by from run to run, beside its ports."""
    if not row.undeclared:
        return row.id
    place = f"{row.source}\0{row.target}\0{row.address}\0{row.transport}"
    return blake2s(place.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def rank(change: Change) -> tuple[int, bool]:
    """The order in which changes are told: by turn, and first what counts."""
    return _TURNS.index(change.turn), not change.counts


def laid(rows: Sequence[CheckResult]) -> list[_Span]:
    """The rows of one line as ranges that do not overlap, in order; where rows do, the worst one has the port."""
    spans = sorted(((*span, row) for row in rows for span in PortSet.parse(row.ports).ranges), key=lambda one: one[:2])
    if all(one[1] < two[0] for one, two in pairwise(spans)):
        return spans
    spans, taken = [], PortSet()
    for row in sorted(rows, key=_goodness):
        ports = PortSet.parse(row.ports)
        spans += [(*span, row) for span in (ports - taken).ranges]
        taken |= ports
    return sorted(spans, key=lambda one: one[:2])


def _goodness(row: CheckResult) -> tuple[object, ...]:
    """From the worst to the best."""
    kind = 0 if failing(row) else 1 if row.verdict is Verdict.INCONCLUSIVE else 2
    return kind, not (row.deviates or row.unsettled), _VERDICTS.index(row.verdict), row.cause or "", row.address


def by_line(rows: Iterable[CheckResult], wanted: Container[str]) -> dict[str, list[CheckResult]]:
    """The rows of lines that are wanted."""
    lines: dict[str, list[CheckResult]] = {}
    for row in rows:
        if (key := line(row)) in wanted:
            lines.setdefault(key, []).append(row)
    return lines


def _of_line(before: Sequence[CheckResult], now: Sequence[CheckResult], looked: _Looked) -> Iterator[Change]:
    turns: dict[tuple[Turn, int, int], tuple[list[tuple[int, int]], CheckResult | None, CheckResult | None]] = {}
    for low, high, old, new in side_by_side(laid(before), laid(now)):
        turn, ports = _turn(old, new), PortSet([(low, high)])
        if turn is None:
            continue
        gone = old if turn is Turn.GONE else None
        for each, part in looked.without_a_row(gone, ports) if gone is not None else [(turn, ports)]:
            turns.setdefault((each, id(old), id(new)), ([], old, new))[0].extend(part.ranges)
    for (turn, _, _), (ranges, old, new) in turns.items():
        yield Change(turn=turn, ports=str(PortSet(ranges)), now=new, before=old)


def side_by_side(
    ours: Sequence[_Span], theirs: Sequence[_Span]
) -> Iterator[tuple[int, int, CheckResult | None, CheckResult | None]]:
    """Ranges that are in one row of each, or in a row of one alone."""
    cuts = sorted({cut for low, high, _ in (*ours, *theirs) for cut in (low, high + 1)})
    one = two = 0
    for low, after in pairwise(cuts):
        while one < len(ours) and ours[one][1] < low:
            one += 1
        while two < len(theirs) and theirs[two][1] < low:
            two += 1
        mine = ours[one][2] if one < len(ours) and ours[one][0] <= low else None
        other = theirs[two][2] if two < len(theirs) and theirs[two][0] <= low else None
        if mine is not None or other is not None:
            yield low, after - 1, mine, other


def _turn(old: CheckResult | None, new: CheckResult | None) -> Turn | None:
    """None where nothing failed and nothing is newly unknown."""
    failed, unknown = (
        (old is not None and failing(old)),
        (old is not None and old.verdict is Verdict.INCONCLUSIVE),
    )
    if new is None:
        return Turn.GONE if failed or unknown else None
    if new.verdict is Verdict.INCONCLUSIVE:
        return None if unknown else Turn.UNMEASURED
    if new.verdict is Verdict.PASS:
        return Turn.FIXED if failed else Turn.MEASURED if unknown else None
    if not failed or old is None:
        return Turn.NEW
    same = (old.verdict, old.cause, old.deviates) == (new.verdict, new.cause, new.deviates)
    return Turn.STILL if same else Turn.CHANGED


class _Looked:
    """Whether what was exposed and has no row any more is closed, and what was not measured is known. Ports that no
    service names get a row only where something listens, or where nobody could tell; so one that is shut leaves none,
    but so does one that nobody tried again.
    """

    def __init__(self, old: Report | None, new: Report) -> None:
        self._new = new
        scopes = [report.exposure.scope if report is not None and report.exposure else None for report in (old, new)]
        first, second = (_SCOPES.index(scope) if scope is not None else -1 for scope in scopes)
        self._as_far = second >= max(first, _SCOPES.index(Exposure.LISTENING))
        self._hosts: Mapping[str, HostResult] = {host.name: host for host in new.hosts}
        self._ways: dict[tuple[str, str, str, Transport], PortSet] | None = None

    def without_a_row(self, row: CheckResult, ports: PortSet) -> list[tuple[Turn, PortSet]]:
        """What became of ports of an older row. Closed is only where somebody was known to listen, the target was asked
        again who does, and it named nobody.
        """
        if not self._asked(row) or (failing(row) and not row.listener):
            return [(Turn.GONE, ports)]
        # Of what was not measured, ports that are allowed or have another rule were none of its business.
        turn, left = Turn.MEASURED, self._listening(row)
        if failing(row):
            turn, left = Turn.FIXED, left | self._allowed(row) | self._asked_otherwise(row)
        return [(each, part) for each, part in ((turn, ports - left), (Turn.GONE, ports & left)) if part]

    def _asked(self, row: CheckResult) -> bool:
        """Whether the target told all that listens on such ports, and the source could have tried it."""
        found = self._new.exposure
        if not (row.undeclared and self._as_far and found is not None):
            return False
        source, target = self._hosts.get(row.source), self._hosts.get(row.target)
        if not (_answered(source) and target is not None and _answered(target) and row.address in target.addresses):
            return False
        asked = any(row.target in one.targets for one in found.standing) or any(
            row.target == one.target for one in found.unnamed
        )
        # A note on the very host says that it could not tell everything.
        return asked and not any(note.startswith(f"{row.target}: ") for note in self._new.notes)

    def _listening(self, row: CheckResult) -> PortSet:
        found = self._new.exposure.unnamed if self._new.exposure is not None else ()
        return _joined(one.ports for one in found if (one.target, one.transport) == (row.target, row.transport))

    def _allowed(self, row: CheckResult) -> PortSet:
        found = self._new.exposure.standing if self._new.exposure is not None else ()
        return _joined(one.ports for one in found if row.target in one.targets and one.transport is row.transport)

    def _asked_otherwise(self, row: CheckResult) -> PortSet:
        """Under a rule that is new: it has a name now."""
        if self._ways is None:
            ways: dict[tuple[str, str, str, Transport], list[str]] = {}
            for one in self._new.checks:
                ways.setdefault((one.source, one.target, one.address, one.transport), []).append(one.ports)
            self._ways = {way: _joined(texts) for way, texts in ways.items()}
        return self._ways.get((row.source, row.target, row.address, row.transport), PortSet())


def _answered(host: HostResult | None) -> bool:
    return host is not None and host.agent is not None and not host.problem


def _joined(texts: Iterable[str]) -> PortSet:
    return PortSet(span for text in texts if text for span in PortSet.parse(text).ranges)
