"""What both ends' captures come to: whose packet is whose, what it was answered, and what nobody can know."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from probe.model.ends import Answer, Ends, Packets, Stuck, meet
from probe.model.sight import Sight
from probe.model.words import Transport

A, B, NAT, OTHER, STRANGER = "10.0.0.1", "10.0.0.2", "10.0.9.9", "10.0.0.3", "10.0.7.7"
PORT, FROM = 5432, 40000
TCP, UDP = Transport.TCP, Transport.UDP
NOTHING: tuple[Sight, ...] = ()


def asks(*, out: bool, transport: Transport = TCP, **more: Any) -> Sight:
    """The source's SYN or datagram, as one end sees it."""
    given = {"source": A, "source_port": FROM, "target": B, "target_port": PORT, "ttl": 64, "seq": 7, **more}
    flags = "S" if transport is TCP else ""
    return Sight(at=0.0, out=out, transport=transport, flags=flags, size=0 if transport is TCP else 40, **given)


def answers(*, out: bool, to: Sight, flags: str = "SA", **more: Any) -> Sight:
    """Back to whoever sent that."""
    turned = {
        "source": to.target,
        "source_port": to.target_port,
        "target": to.source,
        "target_port": to.source_port,
        "flags": flags if to.transport is TCP else "",
        "seq": 99,
    }
    return msgspec.structs.replace(to, out=out, **{**turned, **more})


def refuses(*, out: bool, to: Sight, sender: str = B) -> Sight:
    """An ICMP error quotes what it is about."""
    return msgspec.structs.replace(to, out=out, icmp=(3, 13), sender=sender, flags="", ttl=61)


def ends(source: Any, target: Any, transport: Transport = TCP, **more: Any) -> Ends:
    """None: no capture there; a tuple: one that missed nothing."""
    here, there = (Packets(found, True) if isinstance(found, tuple) else found for found in (source, target))
    given: dict[str, Any] = {"source_addresses": {A}, "others": {A, B, OTHER}, **more}
    return meet(here, there, transport=transport, address=B, port=PORT, **given)


LEFT, CAME = asks(out=True), asks(out=False, ttl=62)
SENT, GOT = asks(out=True, transport=UDP), asks(out=False, transport=UDP, ttl=62)


def test_an_attempt_that_works() -> None:
    found = ends((LEFT, answers(out=False, to=LEFT, ttl=62)), (CAME, answers(out=True, to=CAME, ttl=64)))
    assert found == Ends(
        left=True,
        arrived=True,
        answered=Answer.ACCEPT,
        returned=Answer.ACCEPT,
        ttl_sent=64,
        ttl_got=62,
        seen_from=A,
    )


def test_data_on_an_accepted_connection_that_does_not_arrive_is_lost() -> None:
    data = msgspec.structs.replace(LEFT, flags="PA", size=100)
    here = (LEFT, answers(out=False, to=LEFT, ttl=62), data)
    there = (CAME, answers(out=True, to=CAME, ttl=64))
    assert ends(here, there).data_lost
    assert not ends(here, (*there, msgspec.structs.replace(CAME, flags="PA", size=100))).data_lost
    assert not ends(here[:2], there).data_lost
    assert not ends(here, None).data_lost
    assert not ends((LEFT, data), there).data_lost


@pytest.mark.parametrize(("left", "came"), [(LEFT, CAME), (SENT, GOT)], ids=["tcp", "udp"])
def test_where_it_stops(left: Sight, came: Sight) -> None:
    def met(source: Any, target: Any) -> tuple[object, ...]:
        found = ends(source, target, left.transport)
        return found.left, found.arrived, found.answered, found.returned

    assert met(NOTHING, NOTHING) == (False, False, None, None)
    assert met((left,), NOTHING) == (True, False, None, Answer.NOTHING)
    assert met((left,), (came,)) == (True, True, Answer.NOTHING, Answer.NOTHING)
    answered = (came, answers(out=True, to=came))
    assert met((left,), answered) == (True, True, Answer.ACCEPT, Answer.NOTHING)
    rejected = (came, refuses(out=True, to=came))
    assert met((left, refuses(out=False, to=left)), rejected) == (True, True, Answer.ICMP, Answer.ICMP)


@pytest.mark.parametrize("flags", ["R", "RA"])
def test_a_reset_is_told_with_both_its_ttls(flags: str) -> None:
    source = (LEFT, answers(out=False, to=LEFT, flags=flags, ttl=61))
    found = ends(source, (CAME, answers(out=True, to=CAME, flags=flags, ttl=64)))
    assert (found.answered, found.returned, found.ttl_sent, found.ttl_got) == (Answer.RESET, Answer.RESET, 64, 61)


def test_of_several_answers_the_strongest_counts() -> None:
    later = asks(out=False, source_port=FROM + 1, seq=8)
    sent = asks(out=True, source_port=FROM + 1, seq=8)
    found = ends((LEFT, sent), (CAME, answers(out=True, to=CAME, flags="RA"), later, answers(out=True, to=later)))
    assert found.answered is Answer.ACCEPT


# --- whose it is ---


def test_a_syn_behind_nat_is_known_by_its_sequence_number() -> None:
    came = asks(out=False, source=NAT, source_port=61000)
    found = ends((LEFT,), (came, answers(out=True, to=came)))
    assert (found.arrived, found.answered, found.seen_from) == (True, Answer.ACCEPT, NAT)


def test_a_syn_with_another_sequence_number_is_known_by_its_addresses() -> None:
    """Some firewalls choose sequence numbers of their own."""
    assert ends((LEFT,), (asks(out=False, seq=1234),)).arrived is True
    assert ends((LEFT,), (asks(out=False, seq=1234, source_port=FROM + 1),)).arrived is False


def test_a_datagram_behind_nat_is_known_by_its_port_and_size() -> None:
    found = ends((SENT,), (msgspec.structs.replace(GOT, source=NAT),), UDP)
    assert (found.arrived, found.seen_from) == (True, NAT)


@pytest.mark.parametrize(
    ("transport", "stray"),
    [
        (UDP, {"source": STRANGER, "source_port": 1}),
        (TCP, {"source": STRANGER, "seq": 1}),  # our port, under another address and number
    ],
    ids=["udp", "tcp"],
)
def test_what_may_be_ours_leaves_it_open(transport: Transport, stray: dict[str, Any]) -> None:
    found = ends((asks(out=True, transport=transport),), (asks(out=False, transport=transport, **stray),), transport)
    assert (found.left, found.arrived, found.answered) == (True, None, None)


@pytest.mark.parametrize("source", [(LEFT,), None], ids=["seen", "not-seen"])
def test_what_another_host_of_ours_asks_is_not_ours(source: Any) -> None:
    assert ends(source, (asks(out=False, source=OTHER, source_port=1, seq=1),)).arrived is False


def test_a_stranger_is_doubtful_only_where_the_source_did_not_look() -> None:
    came = asks(out=False, source=STRANGER, source_port=1, seq=1)
    assert ends((LEFT,), (came,)).arrived is False
    assert ends(None, (came,)).arrived is None


def test_of_several_sources_each_has_its_own() -> None:
    other = asks(out=False, source=OTHER, source_port=1, seq=8)
    packets = (CAME, other, answers(out=True, to=other))
    assert ends((LEFT,), packets).answered is Answer.NOTHING
    theirs = asks(out=True, source=OTHER, source_port=1, seq=8)
    assert ends((theirs,), packets, source_addresses={OTHER}).answered is Answer.ACCEPT


@pytest.mark.parametrize("more", [{"target": "10.0.0.22"}, {"target_port": PORT + 1}], ids=["address", "port"])
def test_what_goes_elsewhere_is_no_arrival(more: dict[str, Any]) -> None:
    assert ends((LEFT,), (asks(out=False, **more),)).arrived is False


def test_behind_a_translated_address_any_address_of_the_target_counts() -> None:
    assert ends((LEFT,), (asks(out=False, target="192.168.0.2"),), translated=True).arrived is True


def test_the_zone_of_a_link_local_address_is_no_part_of_a_packet() -> None:
    own, its = "fe80::1", "fe80::2"
    left, came = (asks(out=out, source=own, target=its) for out in (True, False))
    found = meet(
        Packets((left,), True),
        Packets((came, answers(out=True, to=came)), True),
        transport=TCP,
        address=f"{its}%eth0",
        port=PORT,
        source_addresses={f"{own}%eth1"},
    )
    assert (found.left, found.arrived, found.answered) == (True, True, Answer.ACCEPT)


# --- what is not known ---


def test_without_captures_nothing_is_known() -> None:
    assert ends(None, None) == Ends()


def test_a_source_alone() -> None:
    found = ends((LEFT, answers(out=False, to=LEFT)), None)
    assert (found.left, found.arrived, found.answered, found.returned) == (True, None, None, Answer.ACCEPT)


def test_a_target_alone() -> None:
    found = ends(None, (CAME, answers(out=True, to=CAME)))
    assert (found.left, found.arrived, found.answered, found.returned) == (None, True, Answer.ACCEPT, None)


def test_a_capture_that_missed_something_proves_no_absence() -> None:
    unsure = Packets((), sure=False)
    found = ends(unsure, unsure)
    assert (found.left, found.arrived) == (None, None)
    found = ends(Packets((LEFT,), sure=False), Packets((CAME,), sure=False))
    assert (found.left, found.arrived, found.answered, found.returned) == (True, True, None, None)
    answered = Packets((CAME, answers(out=True, to=CAME)), sure=False)
    assert ends((LEFT,), answered).answered is Answer.ACCEPT


def test_what_arrived_has_left() -> None:
    """Where the source translates or encrypts what it sends, its own capture sees something else."""
    assert ends((), (CAME,)).left is True


def test_what_a_host_cannot_send_to() -> None:
    found = ends(Packets((), True, stuck={B: Stuck.NEIGHBOUR}), NOTHING)
    assert (found.left, found.stuck, found.stuck_back) == (False, Stuck.NEIGHBOUR, None)
    found = ends((LEFT,), Packets((CAME,), True, stuck={A: Stuck.ROUTE}))
    assert (found.answered, found.stuck, found.stuck_back) == (Answer.NOTHING, None, Stuck.ROUTE)
    assert ends((LEFT,), Packets((CAME,), True, stuck={OTHER: Stuck.ROUTE})).stuck_back is None


def test_that_the_next_machine_is_there_is_the_sources_word() -> None:
    assert ends(Packets((), True, near=frozenset({B})), NOTHING).near
    assert not ends(Packets((), True, near=frozenset({OTHER})), Packets((), True, near=frozenset({B}))).near
