"""Where a name leads: the target's own address, one that is translated, or another machine's."""

from __future__ import annotations

import pytest

from probe.coordinator.names import Names
from probe.coordinator.pieces import Piece
from probe.model.check import Check
from probe.model.observation import Failure, Observation, Proof, TargetView
from probe.model.ports import PortSet
from probe.model.words import Expect, Policy, Protocol, State, Transport, Zone

OWN, RIVAL, PUBLIC, OWN6 = "10.0.0.2", "10.0.0.3", "203.0.113.5", "2001:db8::2"
CARRIED = {"b": frozenset({OWN, OWN6}), "c": frozenset({RIVAL, "172.17.0.1"}), "a": frozenset({"10.0.0.1"})}
ACCEPTED = Observation(state=State.OPEN, proof=Proof.ACCEPTED)
KEYED = Observation(state=State.OPEN, proof=Proof.KEYED)
REFUSED = Observation(state=State.CLOSED, failure=Failure.REFUSED)
UNREACHABLE = Observation(state=State.UNREACHABLE, failure=Failure.HOST_UNREACHABLE)
SILENT = Observation(state=State.FILTERED, failure=Failure.TIMEOUT)
REJECTED = Observation(state=State.REJECTED, failure=Failure.ICMP)


def zone(host: str) -> Zone:
    return Zone.OUTSIDE if host.startswith("x") else Zone.INSIDE


def called(source: str = "a", address: str = "b.example") -> Check:
    """A check of the target by its name, from this source."""
    words = dict.fromkeys(("id", "source_role", "target_role", "service", "matrix", "rule"), "x")
    return Check(
        **words,
        source=source,
        target="b",
        address=address,
        transport=Transport.TCP,
        protocol=Protocol.TCP,
        ports=PortSet.of([1]),
        expect=Expect.REACH,
        policy=Policy.ENFORCE,
    )


def piece(address: str, seen: Observation | None) -> Piece:
    return Piece(ports=PortSet.of([1]), view=TargetView(), address=address, seen=seen)


@pytest.mark.parametrize("seen", [ACCEPTED, REFUSED, SILENT, REJECTED, UNREACHABLE])
def test_an_address_of_another_host_is_not_the_targets(seen: Observation) -> None:
    assert Names(CARRIED, zone).astray(called(), piece(RIVAL, seen)) == f"{RIVAL} is an address of c"


@pytest.mark.parametrize("seen", [ACCEPTED, REFUSED, SILENT])
def test_one_of_the_targets_own_is(seen: Observation) -> None:
    carried = {**CARRIED, "c": frozenset({OWN})}  # as every host has 172.17.0.1, with Docker
    assert not Names(carried, zone).astray(called(), piece(OWN, seen))


@pytest.mark.parametrize(
    ("seen", "is_astray"),
    [(ACCEPTED, True), (REFUSED, True), (UNREACHABLE, True), (SILENT, False), (REJECTED, False), (KEYED, False)],
)
def test_an_address_of_nobody_may_be_translated(seen: Observation, is_astray: bool) -> None:
    names = Names(CARRIED, zone)
    assert not names.astray(called(), piece(PUBLIC, seen))
    names.note(called("a2"), piece(OWN, SILENT))
    names.note(called(), piece(PUBLIC, seen))
    found = names.astray(called(), piece(PUBLIC, seen))
    assert found == (f"{PUBLIC} is no address of b, and a2 has {OWN}" if is_astray else "")


def test_what_spoke_on_one_port_is_no_target_on_another() -> None:
    names = Names(CARRIED, zone)
    for source, met in (("a2", piece(OWN, SILENT)), ("a", piece(PUBLIC, REFUSED)), ("a", piece(PUBLIC, SILENT))):
        names.note(called(source), met)
    assert names.astray(called(), piece(PUBLIC, SILENT))
    assert not names.astray(called("a3"), piece(PUBLIC, SILENT))
    names.note(called("a3"), piece(PUBLIC, KEYED))  # translated after all, if not on every port
    assert not names.astray(called(), piece(PUBLIC, REFUSED))


def test_a_translated_address_at_which_the_target_answered_is_right_too() -> None:
    names = Names(CARRIED, zone)
    names.note(called("a2"), piece(PUBLIC, KEYED))
    names.note(called(), piece("203.0.113.9", ACCEPTED))
    assert names.astray(called(), piece("203.0.113.9", ACCEPTED)).endswith(f"and a2 has {PUBLIC}")


@pytest.mark.parametrize(
    ("source", "name", "address"),
    [("x1", "b.example", OWN), ("a2", "other.example", OWN), ("a2", "b.example", OWN6), ("a2", OWN, OWN)],
    ids=["another zone", "another name", "another family", "no name"],
)
def test_what_has_another_address_for_good_reason_is_no_measure(source: str, name: str, address: str) -> None:
    names = Names(CARRIED, zone)
    names.note(called(source, name), piece(address, ACCEPTED))
    names.note(called(), piece(PUBLIC, ACCEPTED))
    assert not names.astray(called(), piece(PUBLIC, ACCEPTED))


def test_where_nothing_is_known_nothing_is_said() -> None:
    assert not Names(CARRIED, zone).astray(called(address=RIVAL), piece(RIVAL, ACCEPTED))  # dialled by its number
    assert not Names(CARRIED, zone).astray(called(), piece("b.example", None))
    without_agent = {host: own for host, own in CARRIED.items() if host != "b"}
    assert not Names(without_agent, zone).astray(called(), piece(RIVAL, ACCEPTED))
