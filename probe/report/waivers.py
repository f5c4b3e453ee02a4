"""Waivers that somebody should look at: they fit nothing, or their day is over. The same sentences in every format."""

from __future__ import annotations

from typing import TYPE_CHECKING

from probe.model.waiver import WaiverState
from probe.report.text import count, name, sentence
from probe.report.wording import until

if TYPE_CHECKING:
    from probe.model.result import Report
    from probe.model.waiver import WaiverUse


def stale(report: Report) -> tuple[WaiverUse, ...]:
    """Those that have expired first. Of a run that was interrupted nobody knows what they would have fitted."""
    left = [one for one in report.waivers if one.state is WaiverState.EXPIRED]
    if not report.run.interrupted:
        left += [one for one in report.waivers if one.state is WaiverState.UNUSED]
    return tuple(left)


def told(use: WaiverUse) -> str:
    """`waivers.yaml:3 (rule flows[3]) expired on 2026-12-31: 4 checks count again. jane@example.com: …`."""
    who = f"{name(use.place, 120)} ({sentence(use.matches, 160)})"
    if use.state is WaiverState.EXPIRED:
        said = f"expired on {name(use.until, 20)}: {count(use.rows, 'check')} that it fits {_verb(use.rows)} again"
    elif use.state is WaiverState.USED:
        said = f"{until(use.until)}: fits {count(use.rows, 'check')}"
    elif use.unmeasured:
        checks = count(use.passing, "check")
        said = f"fits none: of {checks} that it is about, {use.unmeasured:,} could not be measured"
    elif use.passing:
        said = f"is not needed: of {count(use.passing, 'check')} that it is about, none fails in that way"
    else:
        said = "is about no check of this run"
    return f"{who} {said}"


def advice(use: WaiverUse) -> str:
    """What to do about it."""
    owner, reason = name(use.owner), sentence(use.reason)
    if use.state is WaiverState.EXPIRED:
        return f"Mend what it excused, or ask {owner} for another day. It said: {reason}"
    if use.unmeasured:
        return f"Keep it until they are measured: it may be needed. {owner} gave it for: {reason}"
    if use.passing:
        return f"Remove it. {owner} gave it for: {reason}"
    return f"Look whether its names are spelt as in the report, else remove it. {owner} gave it for: {reason}"


def _verb(rows: int) -> str:
    return "counts" if rows == 1 else "count"
