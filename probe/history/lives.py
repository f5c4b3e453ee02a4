"""The life of one check: the intervals in which its ports had one outcome."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import msgspec

from probe.history import documents
from probe.history.database import OPEN
from probe.history.runs import finished_runs
from probe.history.values import Interval
from probe.model.ports import PortSet

if TYPE_CHECKING:
    from probe.history.database import Session


class _Piece(msgspec.Struct, frozen=True):
    """A row of the table: `key` is what came of it, `number` the interval's own."""

    ports: PortSet
    first: int
    last: int
    key: bytes
    number: int


def intervals(session: Session, audit: int, check_id: str, limit: int) -> tuple[Interval, ...]:
    """The newest first. How a run cut a range does not matter: what went on is told as one. Raises ValueError for
    documents that make no sense.
    """
    finished = finished_runs(session, audit, OPEN)
    place = {number: at for at, number in enumerate(finished)}
    pieces = [
        _Piece(PortSet.parse(ports), first, min(last, finished[-1]), bytes(key), number)
        for ports, first, last, key, number in session.rows(
            "SELECT ports, first, last, steady, number FROM intervals WHERE checked IN "
            "(SELECT number FROM checks WHERE audit = ? AND id = ?) ORDER BY first, number",
            audit,
            check_id,
        )
    ]
    lives: dict[tuple[int, int, bytes, int], list[tuple[int, int]]] = {}
    cuts = sorted({cut for piece in pieces for low, high in piece.ports.ranges for cut in (low, high + 1)})
    for low, after in pairwise(cuts):
        going_on: dict[bytes, tuple[int, int, int]] = {}
        for piece in pieces:
            if low not in piece.ports:
                continue
            began = going_on.get(piece.key)
            if began is not None and place[piece.first] == place[began[1]] + 1:
                going_on[piece.key] = (began[0], piece.last, began[2])
                continue
            if began is not None:
                lives.setdefault((*began[:2], piece.key, began[2]), []).append((low, after - 1))
            going_on[piece.key] = (piece.first, piece.last, piece.number)
        for key, began in going_on.items():
            lives.setdefault((*began[:2], key, began[2]), []).append((low, after - 1))
    newest = sorted(lives, key=lambda life: (-life[1], -life[0], lives[life]))[:limit]
    return tuple(_told(session, audit, life, PortSet(lives[life])) for life in newest)


def _told(session: Session, audit: int, life: tuple[int, int, bytes, int], ports: PortSet) -> Interval:
    first, last, _, number = life
    steady, seen, elapsed, rtt = session.rows(
        "SELECT steady.body, seen.body, sights.elapsed_ms, sights.rtt_ms FROM intervals "
        "JOIN sights ON sights.number = intervals.number "
        "JOIN documents AS steady ON steady.digest = intervals.steady "
        "JOIN documents AS seen ON seen.digest = sights.document "
        "WHERE intervals.number = ? ORDER BY sights.run LIMIT 1",
        number,
    )[0]
    text = documents.row_text(
        documents.unpacked(bytes(steady)), documents.unpacked(bytes(seen)), str(ports), elapsed, rtt
    )
    when: dict[int, str] = dict(
        session.rows("SELECT number, started FROM runs WHERE audit = ? AND number IN (?, ?)", audit, first, last)
    )
    return Interval(
        first=first, last=last, since=when.get(first, ""), until=when.get(last, ""), row=documents.rows([text])[0]
    )
