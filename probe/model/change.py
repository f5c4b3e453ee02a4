"""What changed between two runs of the same checks."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from probe.model.result import CheckResult, RunInfo
from probe.model.words import Verdict


class Turn(StrEnum):
    """What became of ports of a check since the older run. `failing` is every verdict but `pass` and `inconclusive`."""

    NEW = "new"  # failing, and was not
    CHANGED = "changed"  # failing as before, but another verdict or cause, or it counts now and did not (or no longer)
    STILL = "still"  # failing as before
    FIXED = "fixed"  # was failing, and passes
    FLAPPING = "flapping"  # went to and fro in the last runs, however it ended
    UNMEASURED = "unmeasured"  # inconclusive, and was not
    MEASURED = "measured"  # was inconclusive, and passes
    GONE = "gone"  # was failing or inconclusive, and is no longer checked


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One turn of some ports of one check. `ports` are those of them that took it, which may be fewer than the row has.

    `now` is the row of the newer run, None for what is gone; `before` that of the older run, None for what was not
    checked then. `since` is when the first of the unbroken line of runs that failed began (RFC 3339) and `since_run`
    its number, both None where no history tells. Of the last `runs` runs so many were `failing`, and so many
    `unmeasured`; 0 of 0 where no history tells.
    """

    turn: Turn
    ports: str
    now: CheckResult | None
    before: CheckResult | None
    since: str | None = None
    since_run: int | None = None
    failing: int = 0
    unmeasured: int = 0
    runs: int = 0

    @property
    def row(self) -> CheckResult:
        """The one that tells most: as it is, or as it was where it is gone."""
        row = self.now or self.before
        assert row is not None  # noqa: S101  (one of them is always there)
        return row

    @property
    def failed(self) -> CheckResult:
        """The newer of its rows that did not pass, of its ports alone; where both pass, the newer."""
        rows = [row for row in (self.now, self.before) if row is not None]
        row = next((row for row in rows if row.verdict is not Verdict.PASS), rows[0])
        return msgspec.structs.replace(row, ports=self.ports)

    @property
    def counts(self) -> bool:
        """Whether it is, or was, a deviation that fails a run, or one that a run lacks."""
        return any(row.deviates or row.unsettled for row in (self.now, self.before) if row is not None)


class Changes(msgspec.Struct, frozen=True, kw_only=True):
    """From one run to another, in the order of `Turn`. `old` is None where there is nothing to compare with: then
    everything that fails is new. `appeared` and `vanished` count checks that only the newer or only the older run has,
    whatever their verdict. `names` are what people call the two: a run of an audit, or a file.
    """

    old: RunInfo | None
    new: RunInfo
    names: tuple[str, str] = ("", "")
    changes: tuple[Change, ...] = ()
    appeared: int = 0
    vanished: int = 0

    def of(self, *turns: Turn) -> tuple[Change, ...]:
        return tuple(change for change in self.changes if change.turn in turns)
