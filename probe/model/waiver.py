"""Deviations that somebody has accepted, for a reason and for a time."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from probe.model.words import Cause, Transport, Verdict


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
    line, `rows` how many it fits, those included that it no longer excuses because it has expired. `passing`: of one
    that is unused, how many rows are about what it asks for and are none that it would excuse; most of them pass.
    `unmeasured`: how many of those are inconclusive, so that it may be needed all the same.
    """

    place: str
    matches: str
    reason: str
    owner: str
    until: str
    state: WaiverState
    rows: int = 0
    passing: int = 0
    unmeasured: int = 0


class Waiver(msgspec.Struct, frozen=True, kw_only=True):
    """What a file accepts. A key that says nothing asks nothing; several words of one key are alternatives, and may be
    globs in `rule`, `matrix`, `sources`, `targets` (names or roles) and `service`. `ports`: of a row only these.
    `until` is the last day on which it holds (ISO 8601), empty for ever. `place` is `file:line`.
    """

    place: str
    reason: str
    owner: str
    until: str = ""
    id: tuple[str, ...] = ()
    matrix: tuple[str, ...] = ()
    rule: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    service: tuple[str, ...] = ()
    transport: Transport | None = None
    ports: str = ""
    verdicts: tuple[Verdict, ...] = ()
    causes: tuple[Cause, ...] = ()

    @property
    def matches(self) -> str:
        """What it asks of a row, in one line: `sources engine-*, ports 5432, causes network`."""
        words = {key: getattr(self, key) for key in ASKED}
        shown = {key: [value] if isinstance(value, str) else value for key, value in words.items() if value}
        return ", ".join(f"{key} {' or '.join(map(str, value))}" for key, value in shown.items())


ASKED = ("id", "matrix", "rule", "sources", "targets", "service", "transport", "ports", "verdicts", "causes")
"""The keys by which a waiver says which rows it is about."""
