"""What all visits to one agent share."""

from __future__ import annotations

import asyncio


class Common:
    """`turn` is held by the visit that sweeps, `tallies` is how many are under way: both cost the host too much for
    each visit to have its own. `listeners`: where the agent itself listens, address and port.
    """

    def __init__(self) -> None:
        self.turn = asyncio.Lock()
        self.tallies = 0
        self.listeners: frozenset[tuple[str, int]] = frozenset()
