"""Which attempt is next: targets in turn, so that load spreads, with a limit for each target, a pace for each target,
and a pace for all.
"""

from __future__ import annotations

import heapq
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from probe.probes.attempt import Attempt


class Lane:
    """The attempts at one target. `interval`: the least time between two, in seconds (0: none)."""

    __slots__ = ("in_flight", "interval", "items", "target", "waiting")

    def __init__(self, target: int, items: Iterator[Attempt], interval: float = 0.0) -> None:
        self.target = target
        self.items = items
        self.interval = interval
        self.in_flight = 0
        self.waiting = False


class Feed:
    """`take` hands out attempts until every lane is empty; `release` says that one has ended."""

    def __init__(self, lanes: list[Lane], per_target: int, interval: float = 0.0) -> None:
        self._lanes = {lane.target: lane for lane in lanes}
        self._ready = deque(lanes)
        self._paced: list[tuple[float, int]] = []
        self._per_target = max(1, per_target)
        self._interval = interval
        self._next = 0.0

    def take(self, now: float) -> Attempt | None:
        """The next attempt, or None: nothing may start now (ask `delay`), or nothing is left."""
        if self._interval and now < self._next:
            return None
        while self._paced and self._paced[0][0] <= now:
            self._ready.append(self._lanes[heapq.heappop(self._paced)[1]])
        while self._ready:
            lane = self._ready.popleft()
            attempt = next(lane.items, None)
            if attempt is None:
                del self._lanes[lane.target]
                continue
            lane.in_flight += 1
            if lane.in_flight >= self._per_target:
                lane.waiting = True
            elif lane.interval:
                heapq.heappush(self._paced, (now + lane.interval, lane.target))
            else:
                self._ready.append(lane)
            if self._interval:
                self._next = max(self._next + self._interval, now - 10 * self._interval)
            return attempt
        return None

    def release(self, attempt: Attempt, now: float) -> None:
        lane = self._lanes.get(attempt.aim.target)
        if lane is None:
            return
        lane.in_flight -= 1
        if lane.waiting:
            lane.waiting = False
            if lane.interval:
                heapq.heappush(self._paced, (now + lane.interval, lane.target))
            else:
                self._ready.append(lane)

    def delay(self, now: float) -> float | None:
        """Seconds until `take` may have something; None: only a `release` can change that."""
        waits = []
        if self._ready:
            waits.append(0.0)
        elif self._paced:
            waits.append(self._paced[0][0] - now)
        if not waits:
            return None
        return max(waits[0], self._next - now if self._interval else 0.0, 0.0)

    @property
    def empty(self) -> bool:
        return not self._lanes
