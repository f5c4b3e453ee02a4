"""What a diagnosis looks at, and what becomes of it: the pieces that failed, and the ports of each that speak for the
others. Pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeVar

import msgspec

from probe.coordinator.pieces import Errand, Piece
from probe.model.ends import Ends
from probe.model.observation import Failure, Operation, PortUse
from probe.model.path import Path
from probe.model.ports import PortSet
from probe.model.words import Expect, State

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Mapping

    from probe.model.dialogue import Dialogue
    from probe.model.observation import Observation
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


class Look(NamedTuple):
    """What both ends saw of fresh attempts, and what the source made of them; by the suspect's number, and port."""

    ends: Mapping[tuple[int, int], Ends]
    outcomes: Mapping[tuple[int, int], Outcome]


def lost_among_others(suspects: Iterable[Suspect], look: Look) -> tuple[list[Suspect], float]:
    """Where of the ports of an address some arrived and others did not: two faults, or a limit on the way to the first.

    Every suspect with those of its ports that did not arrive beside others, often none; and which part of the attempts
    came through, where that happened.
    """
    came: dict[Hashable, int] = {}
    lost: dict[Hashable, int] = {}
    found: list[tuple[Hashable, Suspect, PortSet]] = []
    for task, suspect in enumerate(suspects):
        way = (suspect.piece.address, suspect.errand.check.transport)
        gone = PortSet.of([port for port in suspect.ports if look.ends[task, port].arrived is False])
        lost[way] = lost.get(way, 0) + len(gone)
        came[way] = came.get(way, 0) + sum(1 for port in suspect.ports if look.ends[task, port].arrived)
        found.append((way, suspect, gone))
    mixed = {way for way in came if came[way] and lost[way]}
    part = min((came[way] / (came[way] + lost[way]) for way in mixed), default=0.0)
    return [msgspec.structs.replace(one, ports=gone if way in mixed else PortSet()) for way, one, gone in found], part


def better(first: Look, again: Look) -> Look:
    """The second look where that saw something arrive, else the first."""
    came = {way for way, met in again.ends.items() if met.arrived and way in again.outcomes}
    return Look(
        ends={way: again.ends[way] if way in came else met for way, met in first.ends.items()},
        outcomes={way: again.outcomes[way] if way in came else outcome for way, outcome in first.outcomes.items()},
    )


def suspects_of(source: str, errands: Iterable[Errand], *, closely: bool) -> list[Suspect]:
    found: list[Suspect] = []
    asked: dict[object, list[tuple[Dialogue | None, PortSet]]] = {}
    left = _PER_SOURCE
    for errand in errands:
        if errand.check.same_host or not (closely or errand.check.expect is Expect.REACH):
            continue
        if errand.view.use in (PortUse.DENIED, PortUse.OUTGOING):
            continue
        for piece in errand.pieces:
            if piece.seen is None or left <= 0:
                continue
            if piece.seen.operation is Operation.RESOLVE:
                continue  # there is no address to look at
            if not (closely or piece.doubtful or piece.seen.failure in _OF_INTEREST):
                continue
            place = (errand.check.transport, piece.address)
            mine = piece.ports - _otherwise(asked.setdefault(place, []), errand.check.dialogue)
            if not mine:
                continue
            ports = some(mine, min(SAMPLES, left))
            left -= len(ports)
            asked[place].append((errand.check.dialogue, ports))
            found.append(Suspect(source=source, errand=errand, piece=piece, ports=ports))
    return found


def _otherwise(asked: Iterable[tuple[Dialogue | None, PortSet]], dialogue: Dialogue | None) -> PortSet:
    """The ports that are asked in another way already: on the wire the packets of the two could not be told apart."""
    found = PortSet()
    for other, ports in asked:
        if other != dialogue:
            found |= ports
    return found


def some(ports: PortSet, most: int) -> PortSet:
    """The first and last of them, and some between."""
    return PortSet.of(evenly(list(ports), most))


def evenly(every: list[_T], most: int) -> list[_T]:
    """So many of these, the first and last among them."""
    if len(every) <= most:
        return every
    if most <= 1:
        return every[:most]
    step = (len(every) - 1) / (most - 1)
    return [every[round(number * step)] for number in range(most)]


def tell(
    suspect: Suspect,
    task: int,
    look: Look,
    paths: Mapping[tuple[int, int], Path],
) -> None:
    """Cut the piece into those of its ports that came to the same. What was not tried again shares what the others of
    its piece agree on, and nothing if they do not.
    """
    groups: dict[tuple[Found, Outcome | None], PortSet] = {}
    for port in suspect.ports:
        outcome, ends = look.outcomes.get((task, port)), look.ends[task, port]
        if outcome is None or outcome.seen.state is State.ERROR:
            continue
        found = Found(ends=ends, path=paths.get((task, port)))
        works = outcome.seen.failure is None
        # What fails otherwise than before says nothing of why it failed before.
        told = _alike(outcome, suspect.piece) or (not works and ends.stuck is not None)
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
    """Whether a fresh attempt ended as the piece did: in silence, with a refusal, or well. One that was not made in
    time, or not at all, says nothing: that none of its packets left would be nobody's fault.
    """
    if outcome.seen.state is State.ERROR:
        return False
    before = piece.seen.failure if piece.seen is not None else None
    return _SILENT.get(outcome.seen.failure, outcome.seen.failure) is _SILENT.get(before, before)


def says_more(outcome: Outcome, known: Outcome, piece: Piece) -> bool:
    """One attempt that works settles it; else one that failed as before tells why."""
    if known.seen.failure is None or outcome.seen.failure is None:
        return outcome.seen.failure is None
    return _alike(outcome, piece) and not _alike(known, piece)


def _after(piece: Piece, outcome: Outcome) -> Observation:
    """What passed at last, with all the attempts that it took."""
    before = piece.seen.attempts if piece.seen is not None and piece.seen.failure is not None else 0
    return msgspec.structs.replace(outcome.seen, attempts=before + outcome.seen.attempts)


def _pieces(piece: Piece, groups: Mapping[tuple[Found, Outcome | None], PortSet], rest: PortSet) -> list[Piece]:
    made = []
    for (found, outcome), ports in groups.items():
        seen = piece.seen if outcome is None else _after(piece, outcome)
        made.append(msgspec.structs.replace(piece, ports=ports, seen=seen, ends=found.ends, path=found.path))
    if not rest:
        return made
    ends, paths = {one.ends for one in made}, {one.path for one in made}
    if len(ends) == 1 and (piece.doubtful or all(outcome is None for _, outcome in groups)):
        path = next(iter(paths)) if len(paths) == 1 else None
        made.append(msgspec.structs.replace(piece, ports=rest, ends=next(iter(ends)), path=path))
    else:
        made.append(msgspec.structs.replace(piece, ports=rest))
    return made
