"""One message for what one run changed: grouped by cause as the reports group it, bounded, with links. Pure."""

from __future__ import annotations

from collections import Counter
from itertools import groupby
from typing import TYPE_CHECKING
from urllib.parse import quote

import msgspec

from probe.audit.alerts.news import STEADY, Item, Word, digest, wanted
from probe.encoding import encode
from probe.model.change import Turn
from probe.model.result import Report, Summary
from probe.model.waiver import WaiverState
from probe.model.words import Verdict
from probe.report import titles, turnwords, waivers, wording
from probe.report.answer import headline
from probe.report.causes import MEANINGS
from probe.report.findings import anchor, findings
from probe.report.text import count, name, sentence, shorten
from probe.report.turnwords import counted
from probe.text import printable_lines

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from probe.audit.alerts.news import Least, News
    from probe.audit.values import Ended
    from probe.history.values import RunRecord
    from probe.model.result import CheckResult
    from probe.report.findings import Finding

SCHEMA = "portcheck.alert/1"
MOST_FINDINGS, MOST_WAIVERS = 20, 20
_MOST_NAMES, _MOST_IDS, _TITLE, _PROBLEM = 10, 20, 300, 2000

# What findings are called. In this order: the bad news first.
TURNS = {turn.value: words.brief for turn, words in turnwords.TURNS.items() if turn is not Turn.STILL} | {
    STEADY: "steady again"
}
_WAIVERS = {WaiverState.EXPIRED: "expired", WaiverState.UNUSED: "without use"}
_BAD = frozenset({Turn.NEW, Turn.CHANGED, Turn.FLAPPING, Turn.UNMEASURED})


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """A finding. `checks` counts its rows; `ids` are their first checks, `since` when the oldest of them began."""

    turn: str
    title: str
    verdict: str
    cause: str | None
    meaning: str
    severity: str | None
    checks: int
    ids: tuple[str, ...]
    sources: tuple[str, ...]
    targets: tuple[str, ...]
    services: tuple[str, ...]
    since: str | None
    advice: str
    link: str


class ToldRun(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    number: int
    state: str
    outcome: str
    started: str
    finished: str
    summary: str
    link: str


class ToldWaiver(msgspec.Struct, frozen=True, kw_only=True):
    place: str
    matches: str
    reason: str
    owner: str
    until: str
    state: str
    summary: str
    advice: str


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """What a webhook gets as JSON (reports/alert.schema.json). `id` is the same for whoever gets it twice. `counts` are
    rows by turn, `more` the findings that there was no room for, `undelivered` how many messages before this one never
    arrived.
    """

    schema: str = SCHEMA
    id: str
    audit: str
    title: str
    run: ToldRun
    counts: dict[str, int] = {}
    findings: tuple[Told, ...] = ()
    more: int = 0
    waivers: tuple[ToldWaiver, ...] = ()
    problem: str = ""
    recovered: bool = False
    was: str = ""
    undelivered: int = 0


def message(ended: Ended, found: News, on: frozenset[Word], least: Least, base: str) -> Message | None:
    """None where there is nothing to tell. `base` is where the dashboard is; without it there are no links."""
    kept = wanted(found, on, least)
    problem = ended.problem if Word.PROBLEM in on else ""
    recovered = ended.recovered and Word.PROBLEM in on
    if not (kept.items or kept.waivers or problem or recovered):
        return None
    counts = Counter(item.turn for item in kept.items)
    links = Links(ended, base)
    told = [piece for turn in TURNS for piece in _told(ended, [i for i in kept.items if i.turn == turn], links)]
    made = Message(
        id="",
        audit=name(ended.audit),
        title=_title(ended, kept, problem, recovered=recovered),
        run=_run(ended.run, ended.report, base),
        counts={turn: counts[turn] for turn in TURNS if counts[turn]},
        findings=tuple(told[:MOST_FINDINGS]),
        more=max(len(told) - MOST_FINDINGS, 0),
        waivers=tuple(
            ToldWaiver(
                place=sentence(use.place),
                matches=sentence(use.matches),
                reason=sentence(use.reason),
                owner=sentence(use.owner),
                until=name(use.until),
                state=use.state.value,
                summary=waivers.told(use),
                advice=waivers.advice(use),
            )
            for use in kept.waivers[:MOST_WAIVERS]
        ),
        problem=several_lines(problem),
        recovered=recovered,
        was=several_lines(ended.was) if recovered else "",
    )
    # A run may have news twice, of its history and of its rows: what says something else is another message.
    unique = digest(ended.run.id, encode(made).decode())
    return msgspec.structs.replace(made, id=unique)


def _title(ended: Ended, kept: News, problem: str, *, recovered: bool) -> str:
    counts = Counter(item.turn for item in kept.items)
    deviations = all(item.counts for item in kept.items if item.turn == Turn.NEW)
    parts = [
        counted(Turn(turn), counts[turn], deviations=deviations) if turn != STEADY else f"{counts[turn]:,} {words}"
        for turn, words in TURNS.items()
        if counts[turn]
    ]
    numbers = Counter(use.state for use in kept.waivers)
    parts += [f"{count(numbers[state], 'waiver')} {words}" for state, words in _WAIVERS.items() if numbers[state]]
    parts += [sentence(problem.split("\n", 1)[0], 120)] if problem else []
    parts += [f"over: {sentence(ended.was.replace(chr(10), '; '), 120)}"] if recovered else []
    return f"{name(ended.audit)}: {', '.join(parts)}"


def several_lines(text: str) -> str:
    """Of the audit itself, as much as a message may carry."""
    return printable_lines(shorten(text, _PROBLEM))


def run_link(base: str, audit: str, number: int) -> str:
    return f"{base.rstrip('/')}/audits/{quote(audit, safe='')}/runs/{number}" if base else ""


class Links:
    """Where the pages of the dashboard tell rows of a run that has ended."""

    def __init__(self, ended: Ended, base: str) -> None:
        self._ended, self._base = ended, base
        told = findings(ended.report) if base and ended.report is not None else ()
        self._found = {_failure(row): one for one in reversed(told) for row in one.members}

    def to(self, row: CheckResult) -> str:
        """The finding that it is in, where this run has it; else the life of its check."""
        found = self._found.get(_failure(row))
        if found is None:
            return check_link(self._base, self._ended.audit, row.id)
        return f"{run_link(self._base, self._ended.audit, self._ended.run.number)}#{anchor(found)}"


def _failure(row: CheckResult) -> tuple[str, ...]:
    """What tells a row from others of its check, however its ports were cut."""
    return row.id, row.address, row.verdict, row.cause or ""


def check_link(base: str, audit: str, check: str) -> str:
    return f"{base.rstrip('/')}/audits/{quote(audit, safe='')}/checks/{quote(check, safe='')}" if base else ""


def _run(record: RunRecord, report: Report | None, base: str) -> ToldRun:
    return ToldRun(
        id=record.id,
        number=record.number,
        state=record.state.value,
        outcome=record.outcome,
        started=record.started,
        finished=record.finished,
        summary=headline(report) if report is not None else sentence(record.problem),
        link=run_link(base, record.audit, record.number),
    )


def of(rows: Iterable[CheckResult], report: Report) -> tuple[Finding, ...]:
    """The findings that these rows are, with the hosts of the report by name."""
    return findings(msgspec.structs.replace(report, summary=Summary(), checks=tuple(rows)))


def _told(ended: Ended, items: Sequence[Item], links: Links) -> list[Told]:
    """What took one turn."""
    if ended.report is None or not items:  # there is no item without a report
        return []
    since = {id(item.row): item.since for item in items if item.since}
    failing = [item.row for item in items if item.row.verdict is not Verdict.PASS]
    passing = sorted((item.row for item in items if item.row.verdict is Verdict.PASS), key=_asked)
    groups = [(titles.title(found), found.members) for found in of(failing, ended.report)]
    # What passes has no cause to be told by.
    groups += [(_reached(rows), rows) for _, group in groupby(passing, _asked) if (rows := tuple(group))]
    return [_finding(items[0].turn, title, rows, since, links) for title, rows in groups]


def _asked(row: CheckResult) -> tuple[str, str, str]:
    return row.source_role, row.target_role, row.service


def _reached(rows: Sequence[CheckResult]) -> str:
    """`engine → redis on services: 3 checks pass`."""
    one = rows[0]
    return f"{name(one.source_role)} → {wording.target(one)}: {count(len(rows), 'check')} pass{'es' * (len(rows) == 1)}"


def _finding(turn: str, title: str, rows: tuple[CheckResult, ...], since: Mapping[int, str], links: Links) -> Told:
    one = rows[0]
    ids = tuple(dict.fromkeys(row.id for row in rows))[:_MOST_IDS]
    begun = [since[id(row)] for row in rows if id(row) in since]
    wrong = turn in _BAD and one.verdict is not Verdict.PASS
    return Told(
        turn=turn,
        title=shorten(title, _TITLE),
        verdict=one.verdict.value,
        cause=one.cause.value if one.cause else None,
        meaning=MEANINGS[one.cause].sentence if one.cause else "",
        severity=one.severity.value if one.severity else None,
        checks=len(rows),
        ids=ids,
        sources=_names(row.source for row in rows),
        targets=_names(row.target for row in rows),
        services=_names(row.service for row in rows),
        since=min(begun, default=None),
        advice=sentence(wording.advice(rows)) if wrong else "",
        link=links.to(one),
    )


def _names(words: Iterable[str]) -> tuple[str, ...]:
    """The first of them; `checks` says how many rows there are."""
    return tuple(name(word) for word in sorted(set(words))[:_MOST_NAMES])
