"""What a course needs of an engine: a way to its target, and the line that all of a sweep's ways share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from probe.sweep.evidence import Evidence


class Way(Protocol):
    """To one target."""

    async def ask(self, ports: Sequence[int], slot: int, evidence: Evidence) -> tuple[int, int]:
        """One attempt at each: how many of them are done with, and how many packets left. What is not done with found
        no room: try again a little later.
        """

    async def reset(self, ports: Sequence[int], slot: int) -> int:
        """Take back what these attempts began at the target and on the way; returns how many packets left."""

    def close(self) -> None:
        """Nothing of this target's is heard of any more."""


class Line(Protocol):
    """Where answers come in. `courses`: how many are under way; `lanes`: how many attempts may be written at once."""

    engine: str
    lanes: int

    @property
    def courses(self) -> int: ...

    @property
    def most_batch(self) -> int:
        """Attempts that may be asked for in one call."""

    def drain(self) -> None:
        """Hand to each course what has arrived for it."""

    def overran(self) -> bool:
        """Whether answers were lost here, or attempts not made, since this was last asked."""

    async def end(self) -> None:
        """Close everything, in steps that leave the loop its turns; at once if cancelled meanwhile."""
