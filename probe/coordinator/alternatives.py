"""Rows of which one is enough: those that failed while another passed do not fail the run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from probe.model.words import Cause, Listen, Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping

    from probe.model.check import Check
    from probe.model.result import CheckResult


def with_alternatives(rows: tuple[CheckResult, ...], checks: Mapping[str, Check]) -> tuple[CheckResult, ...]:
    """`checks`, by id, are those that have alternatives."""
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
            passed.setdefault(checks[row.id].alternatives, row)
    return tuple(_spared(row, checks.get(row.id), passed) for row in rows)


def _spared(row: CheckResult, check: Check | None, passed: Mapping[str, CheckResult]) -> CheckResult:
    if check is None or row.verdict is Verdict.PASS:
        return row
    other = passed.get(check.alternatives)
    if other is None or (check.listen is Listen.ACTIVE and not _only_idle(row)):
        return row
    way = f"{other.service} on {other.target} ({other.transport} {other.ports})"
    if check.listen is Listen.ACTIVE:
        return msgspec.structs.replace(row, instead=f"the active member is another: {way}")
    return msgspec.structs.replace(row, instead=f"one of these ways is enough, and this one is free: {way}")


def _only_idle(row: CheckResult) -> bool:
    """Whether nothing listens there, and nothing more is known: a way that is blocked would be missed at a failover."""
    return row.verdict is Verdict.INCONCLUSIVE or row.cause is Cause.NOT_LISTENING
