"""Deviations that somebody has accepted, for a reason and for a time."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Waived(msgspec.Struct, frozen=True, kw_only=True):
    """Who accepted a row, why, and the last day on which that holds (ISO 8601; empty: it was not bounded)."""

    reason: str
    owner: str
    until: str = ""


class WaiverState(StrEnum):
    """What became of a waiver in one run. `expired` and `unused` are findings themselves."""

    USED = "used"
    EXPIRED = "expired"
    UNUSED = "unused"


class WaiverUse(msgspec.Struct, frozen=True, kw_only=True):
    """One waiver of the file and what became of it: `place` is `file:line`, `matches` what it asks of a row in one
    line, `rows` how many it fits, those included that it no longer excuses because it has expired.
    """

    place: str
    matches: str
    reason: str
    owner: str
    until: str
    state: WaiverState
    rows: int = 0
