"""What a diagnosis looks at, and what becomes of it: the pieces that failed, and the ports of each that speak for the
others. Pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import msgspec

from probe.coordinator.pieces import Errand, Piece
from probe.model.ends import Ends
from probe.model.observation import Failure, PortUse
from probe.model.path import Path
from probe.model.ports import PortSet
from probe.model.words import Expect

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from probe.wire.messages import Outcome

# Ports of one piece that are tried again, and those of one source together.
SAMPLES, _PER_SOURCE = 8, 2000
# What a diagnosis can say more of: silence, refusals, and what broke off.
_OF_INTEREST = frozenset({
    Failure.TIMEOUT, Failure.KERNEL_TIMEOUT, Failure.REFUSED, Failure.ICMP, Failure.HOST_UNREACHABLE, Failure.RESET,
    Failure.CLOSED,
})  # fmt: skip
# Two words for one sight.
_SILENT: dict[Failure | None, Failure] = {Failure.KERNEL_TIMEOUT: Failure.TIMEOUT}

_T = TypeVar("_T")


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What the diagnosis of one port came to."""

    ends: Ends | None = None
    path: Path | None = None


class Suspect(msgspec.Struct, frozen=True, kw_only=True):
    """A piece that failed, and those of its ports that are tried again."""

    source: str
    errand: Errand
    piece: Piece
    ports: PortSet


def suspects_of(source: str, errands: Iterable[Errand], *, closely: bool) -> list[Suspect]:
    found: list[Suspect] = []
    left = _PER_SOURCE
    for errand in errands:
        if errand.check.same_host or not (closely or errand.check.expect is Expect.REACH):
            continue
        if errand.view.use in (PortUse.DENIED, PortUse.OUTGOING):
            continue
        for piece in errand.pieces:
            if piece.seen is None or left <= 0 or not (closely or piece.seen.failure in _OF_INTEREST):
                continue
            ports = some(piece.ports, min(SAMPLES, left))
            left -= len(ports)
            found.append(Suspect(source=source, errand=errand, piece=piece, ports=ports))
    return found


def some(ports: PortSet, most: int) -> PortSet:
    """The first and last of them, and some between."""
    return PortSet.of(_evenly(list(ports), most))


def _evenly(every: list[_T], most: int) -> list[_T]:
    if len(every) <= most:
        return every
    if most <= 1:
        return every[:most]
    step = (len(every) - 1) / (most - 1)
    return [every[round(number * step)] for number in range(most)]


def spread(groups: list[list[_T]], most: int) -> list[_T]:
    """So many of all: of each group as many as of the others, as far as it has them."""
    chosen: list[_T] = []
    for waiting, group in zip(range(len(groups), 0, -1), sorted(groups, key=len), strict=True):
        chosen += _evenly(group, (most - len(chosen)) // waiting)
    return chosen


def shared(members: Iterable[tuple[int, int]], own: Mapping[tuple[int, int], Path]) -> dict[tuple[int, int], Path]:
    """Each member's own path; where all that were followed end alike, and there are several, one of them for all."""
    known = {member: own[member] for member in members if member in own}
    ends = {(path.last, path.rejected, path.distance, path.passed) for path in map(_unmeasured, known.values())}
    if len(known) < 2 or len(ends) != 1:
        return known
    return dict.fromkeys(members, next(iter(known.values())))


def _unmeasured(path: Path) -> Path:
    """Without the times, which differ from path to path."""
    return msgspec.structs.replace(path, hops=tuple(msgspec.structs.replace(hop, rtt_ms=None) for hop in path.hops))


def tell(
    suspect: Suspect,
    task: int,
    ends: Mapping[tuple[int, int], Ends],
    paths: Mapping[tuple[int, int], Path],
    outcomes: Mapping[tuple[int, int], Outcome],
) -> None:
    """Cut the piece into those of its ports that came to the same. What was not tried again shares what the others of
    its piece agree on, and nothing if they do not.
    """
    groups: dict[tuple[Found, Outcome | None], PortSet] = {}
    for port in suspect.ports:
        outcome = outcomes.get((task, port))
        if outcome is None:
            continue
        found = Found(ends=ends[task, port], path=paths.get((task, port)))
        works = outcome.seen.failure is None
        # What fails otherwise than before says nothing of why it failed before.
        told = _alike(outcome, suspect.piece) or (not works and ends[task, port].stuck is not None)
        key = (found if told else Found(), outcome if works else None)
        groups[key] = groups.get(key, PortSet()) | PortSet.of([port])
    if not groups:
        return
    tried = PortSet()
    for ports in groups.values():
        tried |= ports
    rest = suspect.piece.ports - tried
    suspect.errand.replace(suspect.piece, _pieces(suspect.piece, groups, rest))


def _alike(outcome: Outcome, piece: Piece) -> bool:
    """Whether a fresh attempt failed as the piece did: in silence, or with a refusal."""
    before = piece.seen.failure if piece.seen is not None else None
    return _SILENT.get(outcome.seen.failure, outcome.seen.failure) is _SILENT.get(before, before) is not None


def says_more(outcome: Outcome, known: Outcome, piece: Piece) -> bool:
    """One attempt that works settles it; else one that failed as before tells why."""
    if known.seen.failure is None or outcome.seen.failure is None:
        return outcome.seen.failure is None
    return _alike(outcome, piece) and not _alike(known, piece)


def _pieces(piece: Piece, groups: Mapping[tuple[Found, Outcome | None], PortSet], rest: PortSet) -> list[Piece]:
    made = []
    for (found, outcome), ports in groups.items():
        everything = ports | rest if len(groups) == 1 and outcome is None else ports
        seen = outcome.seen if outcome is not None else piece.seen
        made.append(msgspec.structs.replace(piece, ports=everything, seen=seen, ends=found.ends, path=found.path))
        rest -= everything
    if rest:
        made.append(msgspec.structs.replace(piece, ports=rest))
    return made
