"""Ports that did not arrive beside others that did: two faults, or a limit on the way to the first."""

from __future__ import annotations

import msgspec

from probe.coordinator.pieces import Piece
from probe.coordinator.suspects import Look, Suspect, better, lost_among_others, says_more, suspects_of, tell
from probe.model.ends import Ends
from probe.model.observation import Failure, Observation, Operation, Proof, TargetView
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


# --- what becomes of a piece ---

OUT_OF_TIME = Observation(state=State.ERROR, failure=Failure.TIMEOUT, text="the walk's time ran out")
WORKS = Observation(state=State.OPEN, proof=Proof.KEYED)


def told(of: Suspect, *seen: Observation, ends: Ends = GONE) -> list[tuple[str, Ends | None, Observation | None]]:
    """What the piece is cut into by these outcomes of its ports, and the same that each end saw."""
    of.errand.pieces.append(of.piece)
    ways = [(0, port) for port in of.ports]
    outcomes = {
        way: Outcome(task=0, address="10.0.0.2", ports=str(way[1]), seen=what)
        for way, what in zip(ways, seen, strict=True)
    }
    tell(of, 0, Look(dict.fromkeys(ways, ends), outcomes), {})
    return [(str(piece.ports), piece.ends, piece.seen) for piece in of.errand.pieces]


def test_an_attempt_that_was_not_made_in_time_blames_nobody() -> None:
    assert told(suspect("1"), OUT_OF_TIME, ends=Ends(left=False, arrived=False)) == [("1", None, SEEN)]


def test_and_shares_what_the_others_agree_on() -> None:
    assert told(suspect("1-3"), SEEN, OUT_OF_TIME, SEEN) == [("1,3", GONE, SEEN), ("2", GONE, SEEN)]


def test_and_an_attempt_that_was_made_says_more() -> None:
    cut, made = (Outcome(task=0, address="10.0.0.2", ports="1", seen=what) for what in (OUT_OF_TIME, SEEN))
    assert says_more(made, cut, suspect("1").piece)
    assert not says_more(cut, made, suspect("1").piece)


def test_what_passes_at_last_has_taken_all_its_attempts() -> None:
    """Else nobody would ask whether one of several next hops is bad."""
    of = suspect("1")
    of = msgspec.structs.replace(of, piece=msgspec.structs.replace(of.piece, seen=replaced(SEEN, attempts=4)))
    assert told(of, WORKS) == [("1", None, replaced(WORKS, attempts=5))]


def replaced(seen: Observation, attempts: int) -> Observation:
    return msgspec.structs.replace(seen, attempts=attempts)


def test_a_name_that_could_not_be_looked_up_has_no_packets() -> None:
    of = errand("x", "1", address="b.example")
    seen = Observation(state=State.ERROR, operation=Operation.RESOLVE, failure=Failure.TIMEOUT)
    of.pieces.append(Piece(ports=of.ports, view=TargetView(), address="b.example", seen=seen))
    assert suspects_of("a", [of], closely=False) == []
    assert suspects_of("a", [of], closely=True) == []
