"""What a history tells of runs, without their rows."""

from __future__ import annotations

from collections import Counter
from enum import StrEnum

import msgspec

from probe.errors import UserError
from probe.model.change import Changes, Turn
from probe.model.result import CheckResult, Summary


class NotKept(UserError):
    """The history has no such run, or no longer what it found."""


class RunState(StrEnum):
    """How far a run came. Only a finished one has rows, and takes part in what changed."""

    RUNNING = "running"
    FINISHED = "finished"
    INTERRUPTED = "interrupted"  # ended in order before it was through
    FAILED = "failed"  # it could not be made: `problem` says why
    LOST = "lost"  # its coordinator ended without a word


class RunRecord(msgspec.Struct, frozen=True, kw_only=True):
    """`number` counts the runs of one audit from 1. Times are RFC 3339; `finished` is empty while it runs. `outcome` is
    how a run ended (the word that its exit code is called), empty for one that did not. `seconds` is how long it took.
    """

    audit: str
    number: int
    id: str
    state: RunState
    started: str
    finished: str = ""
    outcome: str = ""
    problem: str = ""
    seconds: float = 0.0
    summary: Summary | None = None


def run_name(audit: str, number: int) -> str:
    """What people call a run: `hosts, run 7`."""
    return f"{audit}, run {number}"


class Tally(msgspec.Struct, frozen=True, kw_only=True):
    """What a run changed, in numbers: how many changes took each turn, as was told when it was recorded, and how many
    of them count. `first`: there was no run to compare with.
    """

    turns: dict[Turn, int] = {}
    counting: dict[Turn, int] = {}
    first: bool = False

    @classmethod
    def of(cls, changes: Changes) -> Tally:
        return cls(
            turns=dict(Counter(change.turn for change in changes.changes)),
            counting=dict(Counter(change.turn for change in changes.changes if change.counts)),
            first=changes.old is None,
        )


class AuditRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One audit of the history with its latest run and its latest finished one."""

    name: str
    runs: int
    latest: RunRecord | None
    finished: RunRecord | None


class Interval(msgspec.Struct, frozen=True, kw_only=True):
    """Runs in which ports of one check had one outcome without a break: from number `first` to number `last`, begun at
    `since` and last seen at `until` (RFC 3339). `row` is the check as it was first seen so.
    """

    first: int
    last: int
    since: str
    until: str
    row: CheckResult
