"""Waivers laid over what a run found. Pure: the day is told, and a report becomes another."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING

import msgspec

from probe.model.globs import fits
from probe.model.ports import PortError, PortSet
from probe.model.result import Evidence, Report, summarise
from probe.model.waiver import Waived, WaiverState, WaiverUse
from probe.model.words import Verdict

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from probe.model.result import CheckResult
    from probe.model.waiver import Waiver

# What was not measured is not accepted by the way: a waiver must name it.
_DEVIATING = frozenset(Verdict) - {Verdict.PASS, Verdict.INCONCLUSIVE}


def apply(report: Report, waivers: Sequence[Waiver], today: dt.date) -> Report:
    """The report with what the waivers excuse on that day, in place of whatever was excused before. A row of which only
    some ports are excused becomes two. Of several waivers that fit the first one that still holds counts.
    """
    tests = [_Test(waiver, today) for waiver in waivers]
    rows = tuple(piece for row in report.checks for piece in _laid(_bare(row), tests))
    return msgspec.structs.replace(
        report,
        summary=summarise(rows, report.summary.not_checkable),
        checks=rows,
        waivers=tuple(test.use(report.checks) for test in tests),
    )


# The names of a row that a key of a waiver is about.
_NAMES: dict[str, Callable[[CheckResult], tuple[str, ...]]] = {
    "sources": attrgetter("source", "source_role"),
    "targets": attrgetter("target", "target_role"),
    "service": lambda row: (row.service,),
    "rule": lambda row: (row.rule, *row.also),
    "matrix": lambda row: (row.matrix,),
}


class _Test:
    """One waiver, ready for many rows, and how many it has fitted."""

    def __init__(self, waiver: Waiver, today: dt.date) -> None:
        self.waiver = waiver
        self.ports = PortSet.parse(waiver.ports) if waiver.ports else None
        self.verdicts = frozenset(waiver.verdicts) or _DEVIATING
        self.over = bool(waiver.until) and waiver.until < today.isoformat()
        self.rows = 0
        # Names come again and again: what is known of them is kept with each key.
        self._named = [
            (names, asked, dict[tuple[str, ...], bool]())
            for key, names in _NAMES.items()
            if (asked := getattr(waiver, key))
        ]

    def fits(self, row: CheckResult) -> bool:
        """Whether the row, or some of its ports, is what the waiver excuses."""
        causes = self.waiver.causes
        return row.verdict in self.verdicts and (not causes or row.cause in causes) and self.about(row)

    def about(self, row: CheckResult) -> bool:
        """The same whatever became of the row."""
        for names_of, globs, known in self._named:
            names = names_of(row)
            fit = known.get(names)
            if fit is None:
                fit = known[names] = fits(names, globs)
            if not fit:
                return False
        asked = self.waiver
        return (
            (not asked.id or row.id in asked.id)
            and (asked.transport is None or row.transport is asked.transport)
            and (self.ports is None or bool(self.ports & _ports(row)))
        )

    def use(self, rows: Iterable[CheckResult]) -> WaiverUse:
        asked = self.waiver
        state = WaiverState.UNUSED if not self.rows else WaiverState.EXPIRED if self.over else WaiverState.USED
        about = [row for row in rows if self.about(row)] if state is WaiverState.UNUSED else []
        return WaiverUse(
            place=asked.place,
            matches=asked.matches,
            reason=asked.reason,
            owner=asked.owner,
            until=asked.until,
            state=state,
            rows=self.rows,
            passing=len(about),
            unmeasured=sum(row.verdict is Verdict.INCONCLUSIVE for row in about),
        )


def _laid(row: CheckResult, tests: Sequence[_Test]) -> Iterator[CheckResult]:
    """The row, in pieces where waivers fit some of its ports."""
    if row.verdict is Verdict.PASS:
        yield row
        return
    for number, test in enumerate(tests):
        if not test.fits(row):
            continue
        if test.ports is not None and (rest := _ports(row) - test.ports):
            inside = msgspec.structs.replace(row, ports=str(_ports(row) & test.ports))
            yield from _laid(inside, tests[number:])
            yield from _laid(msgspec.structs.replace(row, ports=str(rest)), tests[number + 1 :])
            return
        test.rows += 1
        if not test.over:
            asked = test.waiver
            yield msgspec.structs.replace(row, waived=Waived(reason=asked.reason, owner=asked.owner, until=asked.until))
            return
        row = _reminded(row, test.waiver)
    yield row


def _reminded(row: CheckResult, over: Waiver) -> CheckResult:
    """With the waiver that has expired among the evidence, so that whoever reads of the row knows why it is back."""
    told = f"accepted until {over.until} by {over.owner} ({over.reason}): that waiver, {over.place}, has expired"
    piece = Evidence(at="coordinator", what=told)
    return row if piece in row.evidence else msgspec.structs.replace(row, evidence=(*row.evidence, piece))


def _bare(row: CheckResult) -> CheckResult:
    return msgspec.structs.replace(row, waived=msgspec.UNSET) if row.waived else row


def _ports(row: CheckResult) -> PortSet:
    """None for what names no ports."""
    try:
        return PortSet.parse(row.ports)
    except PortError:
        return PortSet()
