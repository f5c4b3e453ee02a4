"""Runs in words: what a record of the history says, in one sentence, one word and one colour."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec
from markupsafe import Markup, escape

from probe.history.values import RunRecord, RunState
from probe.report import wording
from probe.report.findings import weight
from probe.report.text import count, shorten
from probe.text import printable, printable_lines

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from probe.model.result import CheckResult, Summary

# What a run may be called, with the class that colours it and the sign that says it without colour.
_TONES = {"conforms": "pass", "deviations": "deviation"}
_SIGNS = {"pass": "✓", "deviation": "✗", "inconclusive": "?", "failed": "‼", "running": "…", "nothing": "·"}
_PROBLEM = 2_000  # characters
_ENDS = {
    RunState.RUNNING: "is under way",
    RunState.INTERRUPTED: "was interrupted",
    RunState.FAILED: "could not be made",
    RunState.LOST: "was lost: its coordinator ended without a word",
}


def tone(record: RunRecord | None) -> str:
    """The class of a run: `pass`, `deviation`, `inconclusive`, `failed`, `running`, or `nothing` for none."""
    if record is None:
        return "nothing"
    match record.state:
        case RunState.FINISHED:
            return _TONES.get(record.outcome, "inconclusive")
        case RunState.RUNNING:
            return "running"
        case RunState.INTERRUPTED:
            return "inconclusive"
        case RunState.FAILED | RunState.LOST:
            return "failed"


def sign(record: RunRecord | None) -> str:
    return _SIGNS[tone(record)]


def mark(record: RunRecord) -> str:
    """What fits in a small square: how many deviate, else the sign."""
    numbers = record.summary
    return f"{numbers.deviations}" if numbers and 0 < numbers.deviations < 100 else sign(record)


def word(record: RunRecord) -> str:
    """`deviations`, `conforms`, `lost`."""
    return record.outcome if record.state is RunState.FINISHED else record.state.value


def sentence(record: RunRecord) -> str:
    """`9 of 312 checks deviate, 2 could not be measured.`"""
    if record.state is not RunState.FINISHED:
        return f"Run {record.number:,} {_ENDS[record.state]}."
    numbers = record.summary
    if numbers is None or not numbers.checks:
        return "There was nothing to check."
    left = f", {numbers.inconclusive:,} could not be measured" if numbers.inconclusive else ""
    match record.outcome:
        case "deviations":
            verb = "deviates" if numbers.deviations == 1 else "deviate"
            return f"{numbers.deviations:,} of {count(numbers.checks, 'check')} {verb}{left}."
        case "conforms":
            return _conforming(numbers)
        case _:
            return f"None of {count(numbers.checks, 'check')} deviates{left}."


def _conforming(numbers: Summary) -> str:
    if numbers.passed == numbers.checks:
        every = "All " if numbers.checks > 1 else ""
        return f"{every}{count(numbers.checks, 'check')} pass{'es' if numbers.checks == 1 else ''}."
    beside = [f"{numbers.advice:,} with advice"] if numbers.advice else []
    beside += [f"{numbers.inconclusive:,} not required and not measured"] if numbers.inconclusive else []
    return f"{numbers.passed:,} of {count(numbers.checks, 'check')} pass{''.join(f', {part}' for part in beside)}."


class Lasting(msgspec.Struct, frozen=True):
    """An unbroken line of finished runs that ended alike. `open`: it may have begun before the first that is known."""

    first: RunRecord
    runs: int
    open: bool


def lasting(runs: Sequence[RunRecord]) -> Lasting | None:
    """How long it has been as it is; `runs` newest first. Runs that did not finish say nothing about it."""
    finished = [run for run in runs if run.state is RunState.FINISHED]
    if not finished:
        return None
    line = 0
    while line < len(finished) and finished[line].outcome == finished[0].outcome:
        line += 1
    first = finished[line - 1]
    return Lasting(first, line, open=line == len(finished) and runs[-1].number > 1)


def overall(latest: Iterable[RunRecord | None]) -> tuple[str, str]:
    """The class and the sentence for all audits, each by its latest finished run: `1 of 3 audits deviates.`"""
    tones = [tone(record) for record in latest]
    every, bad, good = len(tones), tones.count("deviation"), tones.count("pass")
    if not every:
        return "nothing", "There is no audit yet."
    if bad:
        which = "The only audit" if every == 1 else f"{bad:,} of {every:,} audits"
        return "deviation", f"{which} {'deviates' if bad == 1 else 'deviate'}."
    if good == every:
        return "pass", "The only audit conforms." if every == 1 else f"All {every:,} audits conform."
    if tones.count("nothing") == every:
        return "nothing", "No run has finished yet."
    return "inconclusive", f"Not known for {every - good:,} of {count(every, 'audit')}; none is known to deviate."


def colour(row: CheckResult) -> str:
    """The class of a row: only the worst colour for what fails a run."""
    return weight(row).name.lower()


def aside(row: CheckResult) -> str:
    """What stands beside a verdict: `network`, `network, waived`."""
    return ", ".join(filter(None, (row.cause, wording.aside(row))))


def when(text: str | None) -> Markup:
    """A time for everybody: in UTC, which the script turns into the reader's own zone."""
    if not text:
        return Markup("–")
    try:
        moment = datetime.fromisoformat(text).astimezone(UTC)
    except ValueError:
        return Markup("{}").format(printable(text[:40]))
    return Markup('<time datetime="{}">{}</time>').format(
        moment.strftime("%Y-%m-%dT%H:%M:%SZ"), moment.strftime("%Y-%m-%d %H:%M UTC")
    )


def lines(text: str) -> Markup:
    """What is wrong with an audit, which says where in one line and what to do in the next."""
    return escape(printable_lines(shorten(text, _PROBLEM)))


def span(seconds: float) -> str:
    """`0.4 s`, `8 s`, `2 min 5 s`, `1 h 3 min`, `2 d 4 h`."""
    if seconds < 9.5:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    for large, small, size in (("d", "h", 86_400), ("h", "min", 3_600), ("min", "s", 60)):
        if whole >= size:
            rest = whole % size // {"d": 3_600, "h": 60, "min": 1}[large]
            return f"{whole // size} {large}" + (f" {rest} {small}" if rest else "")
    return f"{whole} s"
