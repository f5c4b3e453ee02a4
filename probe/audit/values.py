"""What the service, the alerts, the metrics and the pages tell each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

import msgspec

from probe.audit.counts import Counts
from probe.history.values import RunRecord
from probe.model.change import Changes
from probe.model.result import Report

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from probe.history.store import History

T = TypeVar("T")


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """A run under way: `done` of `total` ports, `failing` of them so far against what is required; `words` say what it
    does just now.
    """

    audit: str
    run: str
    started: str
    done: int = 0
    total: int = 0
    failing: int = 0
    words: str = ""


class AuditState(msgspec.Struct, frozen=True, kw_only=True):
    """An audit as it stands. `schedule` is told in words; `next` is RFC 3339, None where no run is due. `problem`: why
    the last run could not be made as its files ask, such as a broken inventory; empty if all is well. `counts` are of
    the runs that were told.
    """

    name: str
    schedule: str
    next: str | None = None
    progress: Progress | None = None
    last: RunRecord | None = None
    problem: str = ""
    counts: Counts = Counts()


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """A run that has ended. `report` and `changes` are None where there is none to tell of. `problem` is news about the
    audit itself: a file that broke (the last good one was used), a run that failed, a history that cannot be written;
    `recovered`: problems that were there before are over, and `was` says which, a line for each.
    """

    audit: str
    run: RunRecord
    report: Report | None = None
    changes: Changes | None = None
    problem: str = ""
    recovered: bool = False
    was: str = ""


class Listener(Protocol):
    """Who is told when a run has ended: alerts and metrics. What it raises is logged, and costs nobody else."""

    async def ended(self, ended: Ended) -> None:
        """It comes a second time where the service was killed before it could note that it had come."""

    async def noted(self, ended: Ended) -> None:
        """That is noted, and what the audit's state says is up to date."""


class Desk(Protocol):
    """What the pages may ask of the service."""

    def states(self) -> tuple[AuditState, ...]: ...

    def state(self, audit: str) -> AuditState | None:
        """None where there is no such audit."""

    def start(self, audit: str) -> bool:
        """Ask for a run now; False if one is under way."""

    def watch(self, audit: str) -> AsyncIterator[AuditState]:
        """The state now, and again whenever it changes."""

    async def ask(self, question: Callable[[History], T]) -> T:
        """What the history answers, asked in the one thread that may; raises what `question` raises."""
