"""What several connections on one way tell of a bad next hop. Real ones: tests/netns/test_next_hops.py."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from probe.coordinator import nexthops
from probe.coordinator.pieces import Piece
from probe.model.path import ByFlow, Hop, Path, Way
from probe.model.ports import PortSet

R1, R2, R3 = "10.0.1.1", "10.0.2.2", "10.0.3.3"
GOOD, BAD, SILENT = (Way(flows=2, addresses=(R1, there), reached=there == R2) for there in (R2, R3, ""))
SORTED = ByFlow(through=2, lost=2)
TELLS = Path(hops=(Hop(1, (R1,)), Hop(2, (R2, R3))), ways=(GOOD, BAD), by_flow=SORTED)
LACKS = Path(hops=(Hop(1, (R1,)), Hop(2, (R2,)), Hop(3)), ways=(GOOD, SILENT), by_flow=SORTED)
PASSES = Path(hops=(Hop(1, (R1,)), Hop(2, (R2,))), reached=True, by_flow=ByFlow(through=4))


def told(*paths: Path | None) -> list[Path | None]:
    """What each of some pieces is told to have met; None where one was not followed."""
    view: Any = None
    pieces = [Piece(ports=PortSet(((port, port),)), view=view, address="10.0.9.9") for port in range(1, len(paths) + 1)]
    found: dict[int, Path | None] = dict.fromkeys(range(len(paths)))

    def replace(piece: Piece, new: list[Piece]) -> None:
        found[pieces.index(piece)] = new[0].path

    errand: Any = SimpleNamespace(replace=replace)
    own = {id(piece): path for piece, path in zip(pieces, paths, strict=True) if path is not None}
    nexthops._tell([(errand, piece) for piece in pieces], own)
    return list(found.values())


@pytest.mark.parametrize("paths", [(TELLS, LACKS, None), (LACKS, TELLS, None)])
def test_what_one_path_lacks_another_tells(paths: tuple[Path | None, ...]) -> None:
    assert told(*paths) == [TELLS, TELLS, TELLS]


def test_where_one_port_is_free_of_it_each_has_its_own() -> None:
    assert told(LACKS, TELLS, PASSES, None) == [LACKS, TELLS, None, None]
