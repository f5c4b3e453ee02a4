"""What the templates show, gathered from the desk and the history."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import msgspec

from probe.audit.values import AuditState
from probe.audit.web import told
from probe.audit.web.told import Lasting
from probe.history.values import RunRecord, RunState
from probe.model.result import CheckResult

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from probe.audit.values import Desk
    from probe.history.store import History
    from probe.model.result import Report

STRIP = 30  # runs
_MOST_FOUND = 200
_WORDS = ("source", "target", "address", "service", "ports", "protocol", "verdict", "cause", "id", "rule")


class AuditView(msgspec.Struct, frozen=True, kw_only=True):
    """One audit. `state` is None where the service has it no more, and only its runs are kept. `runs` are the latest,
    newest first.
    """

    name: str
    state: AuditState | None
    runs: tuple[RunRecord, ...]
    finished: RunRecord | None
    lasting: Lasting | None

    @property
    def standing(self) -> RunRecord | None:
        """The run that says how the audit stands: the latest that finished, or if none has, the latest attempt."""
        return self.finished or self.stumbled

    @property
    def tone(self) -> str:
        return told.tone(self.standing)

    @property
    def word(self) -> str:
        return told.word(self.standing) if self.standing else "no run yet"

    @property
    def sign(self) -> str:
        return told.sign(self.standing)

    @property
    def stumbled(self) -> RunRecord | None:
        """The latest run, if it came to nothing."""
        newest = next((run for run in self.runs if run.state is not RunState.RUNNING), None)
        return newest if newest is not None and newest.state is not RunState.FINISHED else None

    @property
    def newest(self) -> int:
        """The number of the latest run, 0 where there is none."""
        return self.runs[0].number if self.runs else 0

    @property
    def strip(self) -> tuple[RunRecord, ...]:
        """Oldest first, as time goes."""
        return tuple(reversed(self.runs))

    @property
    def strip_words(self) -> str:
        """The strip for who cannot see it."""
        words = sorted(told.word(run) for run in self.runs)
        parts = [f"{len(list(group)):,} {word}" for word, group in itertools.groupby(words)]
        return f"Latest runs: {', '.join(parts)}." if parts else ""


async def every_audit(desk: Desk) -> tuple[list[AuditView], list[AuditView]]:
    """Those of the service in its order, and those that it has no more."""
    states = {state.name: state for state in desk.states()}

    def question(history: History) -> dict[str, tuple[tuple[RunRecord, ...], RunRecord | None]]:
        known = {record.name: record.finished for record in history.audits()}
        return {
            name: (history.runs(name, limit=STRIP), finished)
            for name, finished in itertools.islice(known.items(), 1_000)
        }

    kept = await desk.ask(question)
    views = {
        name: _view(name, states.get(name), *kept.get(name, ((), None))) for name in dict.fromkeys((*states, *kept))
    }
    return [views[name] for name in states], [view for name, view in views.items() if name not in states]


async def one_audit(desk: Desk, name: str) -> AuditView | None:
    """None where neither the service nor the history knows it."""

    def question(history: History) -> tuple[tuple[RunRecord, ...], RunRecord | None] | None:
        known = next((record for record in history.audits() if record.name == name), None)
        return (history.runs(name, limit=STRIP), known.finished) if known else None

    state, kept = desk.state(name), await desk.ask(question)
    return _view(name, state, *(kept or ((), None))) if state or kept else None


def _view(name: str, state: AuditState | None, runs: tuple[RunRecord, ...], finished: RunRecord | None) -> AuditView:
    return AuditView(name=name, state=state, runs=runs, finished=finished, lasting=told.lasting(runs))


class Found(msgspec.Struct, frozen=True):
    """Rows of a run in which all words occur; `number` of them, of which the first are `rows`."""

    number: int
    rows: tuple[CheckResult, ...]


def search(report: Report, text: str) -> Found:
    """Without words: what does not pass."""
    words = text.lower().split()[:16]
    found = [row for row in report.checks if (_has(row, words) if words else row.verdict.value != "pass")]
    found.sort(key=lambda row: (not row.deviates, row.verdict.value == "pass"))
    return Found(len(found), tuple(found[:_MOST_FOUND]))


def _has(row: CheckResult, words: Iterable[str]) -> bool:
    text = " ".join(str(getattr(row, word) or "") for word in _WORDS).lower()
    return all(word in text for word in words)


def choices(runs: Sequence[RunRecord], *picked: RunRecord | None) -> list[RunRecord]:
    """Finished runs to choose from, newest first, those picked among them."""
    known = {run.number: run for run in (*runs, *picked) if run is not None and run.state is RunState.FINISHED}
    return [known[number] for number in sorted(known, reverse=True)]
