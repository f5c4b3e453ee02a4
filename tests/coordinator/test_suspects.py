"""Ports that did not arrive beside others that did: two faults, or a limit on the way to the first."""

from __future__ import annotations

from probe.coordinator.pieces import Piece
from probe.coordinator.suspects import Look, Suspect, better, lost_among_others
from probe.model.ends import Ends
from probe.model.observation import Failure, Observation, TargetView
from probe.model.ports import PortSet
from probe.model.words import State
from probe.wire.messages import Outcome

from .test_pieces import errand

SEEN = Observation(state=State.FILTERED, failure=Failure.TIMEOUT)
CAME, GONE = Ends(left=True, arrived=True), Ends(left=True, arrived=False)


def suspect(ports: str, address: str = "10.0.0.2") -> Suspect:
    of = errand("x", ports)
    piece = Piece(ports=of.ports, view=TargetView(), address=address, seen=SEEN)
    return Suspect(source="a", errand=of, piece=piece, ports=of.ports)


def look(*ends: dict[int, Ends]) -> Look:
    met = {(task, port): found for task, ports in enumerate(ends) for port, found in ports.items()}
    outcomes = {way: Outcome(task=way[0], address="10.0.0.2", ports=str(way[1]), seen=SEEN) for way in met}
    return Look(met, outcomes)


def test_ports_of_one_address_are_asked_again_if_others_arrived() -> None:
    suspects = [suspect("1-3"), suspect("4"), suspect("5-6", "10.0.0.9")]
    seen = look({1: CAME, 2: GONE, 3: GONE}, {4: GONE}, {5: GONE, 6: GONE})
    again, part = lost_among_others(suspects, seen)
    assert [str(one.ports) for one in again] == ["2-3", "4", ""]
    assert part == 1 / 4


def test_where_all_are_lost_or_none_there_is_nothing_to_ask() -> None:
    for seen in (look({1: GONE, 2: GONE}), look({1: CAME, 2: CAME}), look({1: Ends(), 2: CAME})):
        again, part = lost_among_others([suspect("1-2")], seen)
        assert (again[0].ports, part) == (PortSet(), 0.0)


def test_what_arrives_at_last_arrived() -> None:
    first, again = look({1: GONE, 2: GONE, 3: CAME}), look({1: CAME, 2: GONE})
    assert better(first, again).ends == {(0, 1): CAME, (0, 2): GONE, (0, 3): CAME}
