"""What fails, as alerts of Alertmanager's API v2: sent again after each run while it fails, and ended when it does not.

An alert is what fails for one cause between two roles at one service: its labels must be the same from run to run,
whichever hosts it is about. Should we fall silent, it ends by itself after two intervals.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from probe.audit.alerts.message import Links, of, run_link, several_lines
from probe.audit.alerts.news import digest, failing, stale
from probe.encoding import encode
from probe.history.values import RunState
from probe.model.words import Verdict
from probe.report import titles, waivers
from probe.report.causes import MEANINGS
from probe.report.text import count, name, sentence

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from probe.audit.alerts.news import Least, Memory
    from probe.audit.values import Ended
    from probe.model.result import CheckResult

PATH = "/api/v2/alerts"
MOST = 200
FINDING, MORE, WAIVER, PROBLEM = "PortcheckFinding", "PortcheckMoreFindings", "PortcheckWaiver", "PortcheckProblem"


class Firing(msgspec.Struct, frozen=True, kw_only=True):
    """One alert. `ends` is empty while it goes on (all times are RFC 3339)."""

    labels: dict[str, str]
    annotations: dict[str, str]
    starts: str
    link: str = ""
    ends: str = ""


def body(fires: Iterable[tuple[Firing, float]]) -> bytes:
    """What goes on ends at the time given with it (seconds since 1970) unless it is sent again."""
    return encode(
        [
            {
                "labels": {word: text for word, text in one.labels.items() if text},
                "annotations": {word: text for word, text in one.annotations.items() if text},
                "startsAt": one.starts,
                "endsAt": one.ends or _rfc3339(until),
                "generatorURL": one.link,
            }
            for one, until in fires
        ]
    )


def update(
    known: Mapping[str, Firing], ended: Ended, memory: Memory, least: Least, base: str, now: float
) -> dict[str, Firing]:
    """The alerts of one audit after a run, by fingerprint: those that go on, and those that ended with it."""
    told = {print_: one for print_, one in known.items() if not one.ends}
    fires = _problem(ended, base) | _found(ended, least, base)
    held = _held(ended, memory)
    when = _rfc3339(now)
    for print_, one in told.items():
        if print_ in fires:
            fires[print_] = msgspec.structs.replace(fires[print_], starts=one.starts)
        elif held(one):
            fires[print_] = one
        else:
            fires[print_] = msgspec.structs.replace(one, ends=when)
    return fires


def _rfc3339(when: float) -> str:
    return datetime.fromtimestamp(when, UTC).isoformat(timespec="seconds")


def _problem(ended: Ended, base: str) -> dict[str, Firing]:
    if not ended.problem:
        return {}
    labels = {"alertname": PROBLEM, "audit": name(ended.audit)}
    annotations = {"summary": sentence(ended.problem.split("\n", 1)[0]), "description": several_lines(ended.problem)}
    return _one(
        labels, annotations, ended.run.finished or ended.run.started, run_link(base, ended.audit, ended.run.number)
    )


def _one(labels: dict[str, str], annotations: dict[str, str], starts: str, link: str) -> dict[str, Firing]:
    print_ = _fingerprint(labels)
    firing = Firing(labels=labels | {"fingerprint": print_}, annotations=annotations, starts=starts, link=link)
    return {print_: firing}


def _fingerprint(labels: Mapping[str, str]) -> str:
    return digest(*(text for pair in sorted(labels.items()) for text in pair))


def _measured(ended: Ended) -> bool:
    return ended.report is not None and ended.run.state is RunState.FINISHED


def _found(ended: Ended, least: Least, base: str) -> dict[str, Firing]:
    """The findings of the run, the worst first, each cut by what an alert is; bounded."""
    report = ended.report
    if report is None or not _measured(ended):
        return {}
    groups: dict[tuple[object, ...], list[CheckResult]] = {}
    said: dict[tuple[object, ...], list[str]] = {}
    for finding in of(failing(report.checks, least), report):
        title = titles.title(finding)
        for row in finding.members:
            kind: tuple[object, ...] = (row.verdict, row.cause, row.matrix, row.severity, _place(row))
            groups.setdefault(kind, []).append(row)
            if title not in said.setdefault(kind, []):
                said[kind].append(title)
    link = run_link(base, ended.audit, ended.run.number)
    since, links = _since(ended), Links(ended, base)
    fires: dict[str, Firing] = {}
    for kind, rows in list(groups.items())[:MOST]:
        starts = min((since[row.id] for row in rows if row.id in since), default=report.run.started)
        fires |= _one(_labels(ended.audit, rows[0]), _annotations(rows, said[kind]), starts, links.to(rows[0]))
    if len(groups) > MOST:
        labels = {"alertname": MORE, "audit": name(ended.audit)}
        summary = f"{len(groups) - MOST:,} more causes, roles and services than one audit may tell of: see the run"
        fires |= _one(labels, {"summary": summary}, report.run.started, link)
    for use in stale(report)[:MOST]:
        labels = {"alertname": WAIVER, "audit": name(ended.audit), "matches": sentence(use.matches, 200)}
        labels |= {"owner": name(use.owner), "until": name(use.until), "state": use.state.value}
        told = {"summary": waivers.told(use), "advice": waivers.advice(use)}
        fires |= _one(labels, told, report.run.started, link)
    return fires


def _since(ended: Ended) -> dict[str, str]:
    """Since when checks fail, by id, where a history tells."""
    changes = ended.changes.changes if ended.changes is not None else ()
    return {change.row.id: change.since for change in changes if change.since}


def _place(row: CheckResult) -> tuple[str, str, str]:
    return name(row.source_role), name(row.target_role), name(row.service)


def _labels(audit: str, row: CheckResult) -> dict[str, str]:
    source, target, service = _place(row)
    return {
        "alertname": FINDING,
        "audit": name(audit),
        "verdict": row.verdict.value,
        "cause": row.cause.value if row.cause else "",
        "matrix": name(row.matrix),
        "source_role": source,
        "target_role": target,
        "service": service,
        "severity": row.severity.value if row.severity else "",
    }


def _annotations(rows: list[CheckResult], said: list[str]) -> dict[str, str]:
    one = rows[0]
    others = f" (and {count(len(said) - 1, 'other finding')})" if len(said) > 1 else ""
    return {
        "summary": sentence(said[0]) + others,
        "description": MEANINGS[one.cause].sentence if one.cause else "",
        "advice": sentence(one.advice),
        "checks": str(len(rows)),
    }


def _held(ended: Ended, memory: Memory) -> Callable[[Firing], bool]:
    """Whether an alert goes on although the run does not show it: because the run, or that part of it, was not
    measured, or because it comes and goes.
    """
    checks = ended.report.checks if ended.report is not None else ()
    unmeasured = {_place(row) for row in checks if row.verdict is Verdict.INCONCLUSIVE}
    flapping = {_fingerprint(_labels(ended.audit, flap.row)) for flap in memory.flapping.values()}

    def held(one: Firing) -> bool:
        labels = one.labels
        if labels["alertname"] == PROBLEM:
            return not ended.recovered
        if not _measured(ended) or labels["fingerprint"] in flapping:
            return True
        return tuple(labels.get(word) for word in ("source_role", "target_role", "service")) in unmeasured

    return held
