"""How fast a sweep may go in all: what the user allows, or what small firewalls bear.

docs/sweep.md has the reasoning behind the gentle figures.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque

from probe.model.words import Transport

GENTLE = {Transport.TCP: 2000.0, Transport.UDP: 250.0}
"""Packets a second in all, where nobody asked for more."""
# A firewall keeps an entry for so many seconds after a connection was answered and reset.
_LINGERING_SECONDS = 10.0
# And for so many where nobody answered and nothing took it back (nf_conntrack_tcp_timeout_syn_sent).
_HALF_OPEN_SECONDS = 120.0
# Entries that a gentle sweep may leave in a firewall's table at any time: a quarter of a small one (16,384), and as
# many as half of it that the firewall itself gives up first when it has no room.
_MOST_ENTRIES, _MOST_HALF_OPEN = 4096, 8192
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
        self._entries = _Entries(_MOST_ENTRIES, _LINGERING_SECONDS)
        self._half_open = _Entries(_MOST_HALF_OPEN, _HALF_OPEN_SECONDS)

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
            if granted >= 1 and not (self._gentle and (self._entries.full(now) or self._half_open.full(now))):
                self._tokens -= granted
                await asyncio.sleep(0)
                return granted
            await asyncio.sleep(max(0.001, min(_GRANT_SECONDS, (1 - self._tokens) / self.rate)))

    def opened(self, count: int) -> None:
        """So many connections were answered: they stay in tables for a while."""
        if self._gentle:
            self._entries.add(count)

    def left_half_open(self, count: int) -> None:
        """So many were not, and were not reset either."""
        if self._gentle:
            self._half_open.add(count)


class _Entries:
    """In the tables of firewalls, as far as we know: each for so many seconds, at most so many."""

    def __init__(self, most: int, seconds: float) -> None:
        self._most, self._seconds = most, seconds
        self._ends: deque[tuple[float, int]] = deque()
        self._held = 0

    def add(self, count: int) -> None:
        self._ends.append((time.monotonic() + self._seconds, count))
        self._held += count

    def full(self, now: float) -> bool:
        while self._ends and self._ends[0][0] <= now:
            self._held -= self._ends.popleft()[1]
        return self._held >= self._most
