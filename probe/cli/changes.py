"""What changed, in a few lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from probe.model.change import Turn
from probe.report.text import name

if TYPE_CHECKING:
    from probe.model.change import Change, Changes

_MOST = 20


def changed(changes: Changes) -> str:
    """A line for each turn but what is still so, and below it the first of its checks."""
    lines = []
    for turn in Turn:
        found = changes.of(turn)
        if not found:
            continue
        lines.append(f"  {turn.value}: {len(found):,}")
        if turn is not Turn.STILL:
            lines += [f"    {_line(change)}" for change in found[:_MOST]]
            lines += [f"    … and {len(found) - _MOST:,} more"] if len(found) > _MOST else []
    return "\n".join([*lines, ""]) if lines else "  nothing changed\n"


def _line(change: Change) -> str:
    row = change.row
    cause = f" {row.cause}" if row.cause else ""
    return f"{name(row.source)} → {name(row.target)} {row.transport} {change.ports} {row.verdict}{cause}"
