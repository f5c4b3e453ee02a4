"""How fast a sweep may go in all: what the user allows, or what small firewalls bear.

docs/sweep.md has the reasoning behind the gentle figures.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque

from probe.model.words import Transport

GENTLE = {Transport.TCP: 2000.0, Transport.UDP: 125.0}
"""Packets a second in all, where nobody asked for more."""
# A firewall keeps an entry for so many seconds after a connection was accepted and reset, or if nobody answered and
# nothing took it back (nf_conntrack_tcp_timeout_close, ..._syn_sent); Linux counts it until it next sweeps up.
_SWEPT_UP_SECONDS = 60.0
_ACCEPTED_SECONDS, _HALF_OPEN_SECONDS = 10.0 + _SWEPT_UP_SECONDS, 120.0 + _SWEPT_UP_SECONDS
# Entries that a gentle sweep may leave in a firewall's table at any time: three quarters of a small one (16,384). What
# is just being asked comes on top.
_MOST_ENTRIES = 12_288
# One grant of the throttle is at most what passes in this time, so that packets leave evenly.
_GRANT_SECONDS = 0.01


class Throttle:
    """Packets a second over all targets; `math.inf` is no limit. With `gentle`, table entries are bounded too."""

    def __init__(self, rate: float, *, gentle: bool = False) -> None:
        self.rate = rate
        self._gentle = gentle
        self._most = max(1.0, rate * _GRANT_SECONDS)
        self._tokens = 1.0
        self._at = time.monotonic()
        self._accepted, self._half_open = _Entries(_ACCEPTED_SECONDS), _Entries(_HALF_OPEN_SECONDS)

    async def take(self, most: int) -> int:
        """Waits until at least one packet may leave; returns how many may, at most `most`. Others get their turn."""
        if math.isinf(self.rate):
            await asyncio.sleep(0)
            return most
        while True:
            now = time.monotonic()
            self._tokens = min(self._most, self._tokens + (now - self._at) * self.rate)
            self._at = now
            granted = min(most, int(self._tokens))
            if granted >= 1 and not self._full(now):
                self._tokens -= granted
                await asyncio.sleep(0)
                return granted
            await asyncio.sleep(max(0.001, min(_GRANT_SECONDS, (1 - self._tokens) / self.rate)))

    def opened(self, count: int) -> None:
        """So many connections were accepted: they stay in tables for a while."""
        if self._gentle:
            self._accepted.add(count)

    def left_half_open(self, count: int) -> None:
        """So many were not, and were not reset either."""
        if self._gentle:
            self._half_open.add(count)

    def _full(self, now: float) -> bool:
        return self._gentle and self._accepted.held(now) + self._half_open.held(now) >= _MOST_ENTRIES


class _Entries:
    """In the tables of firewalls, as far as we know: each for so many seconds."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._ends: deque[tuple[float, int]] = deque()
        self._held = 0

    def add(self, count: int) -> None:
        self._ends.append((time.monotonic() + self._seconds, count))
        self._held += count

    def held(self, now: float) -> int:
        while self._ends and self._ends[0][0] <= now:
            self._held -= self._ends.popleft()[1]
        return self._held
