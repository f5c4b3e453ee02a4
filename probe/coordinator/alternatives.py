"""Rows of which one is enough: those that failed while another passed do not fail the run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from probe.model.words import Cause, Listen, State, Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping

    from probe.model.check import Check
    from probe.model.result import CheckResult


def with_alternatives(rows: tuple[CheckResult, ...], checks: Mapping[str, Check]) -> tuple[CheckResult, ...]:
    """`checks`, by id, are those that are one of several ways."""
    if not checks:
        return rows
    passed: dict[str, CheckResult] = {}
    failed: set[str] = set()
    for row in rows:
        if row.id in checks and row.verdict is not Verdict.PASS:
            failed.add(row.id)
    for row in rows:
        # A range of which a part failed is no way that works.
        if row.id in checks and row.id not in failed:
            for group in checks[row.id].way_of:
                passed.setdefault(group, row)
    return tuple(_spared(row, checks.get(row.id), passed) for row in rows)


def _spared(row: CheckResult, check: Check | None, passed: Mapping[str, CheckResult]) -> CheckResult:
    if check is None or row.verdict is Verdict.PASS or not check.alternatives:
        return row
    others = [passed[group] for group in check.alternatives if group in passed]
    if len(others) < len(check.alternatives) or (check.listen is Listen.ACTIVE and not _only_idle(row)):
        return row
    other = others[0]
    way = f"{other.service} on {other.target} ({other.transport} {other.ports})"
    if check.listen is Listen.ACTIVE:
        return msgspec.structs.replace(row, instead=f"the active member is another: {way}")
    return msgspec.structs.replace(row, instead=f"one of these ways is enough, and this one is free: {way}")


def _only_idle(row: CheckResult) -> bool:
    """Whether the way was measured, and nothing listens there: a way that is blocked would be missed at a failover."""
    refused = row.verdict is Verdict.INCONCLUSIVE and row.state is State.CLOSED
    return refused or row.cause is Cause.NOT_LISTENING
