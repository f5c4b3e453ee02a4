"""Two captures laid beside each other: which packet became which, what was lost, and whose clock is wrong."""

from __future__ import annotations

from typing import Any

import pytest

from probe.model.account import Account, of_one_way
from probe.model.ends import Packets
from probe.model.exchange import Fate, exchange, label
from probe.model.sight import Sight
from probe.model.words import Transport

A, B, PORT = "10.0.0.1", "10.0.0.2", 5432
TCP, UDP = Transport.TCP, Transport.UDP
Row = tuple[str, Fate, float | None, float | None]


def sight(at: float, what: str, *, out: bool, back: bool = False, **more: Any) -> Sight:
    """From A to B, or `back`, at milliseconds."""
    port = more.pop("port", 40000)
    source, target = more.pop("source", A), more.pop("target", B)
    ends = (target, PORT, source, port) if back else (source, port, target, PORT)
    values = {"ttl": 64, "seq": 700 + back, "flags": what if what.isupper() else "", **more}
    return Sight(1e9 + at / 1000, out, values.pop("transport", TCP), *ends, **values)


def seen(*sights: Sight, sure: bool = True) -> Packets:
    return Packets(sights, sure)


def rows(here: Packets | None, there: Packets | None) -> list[Row]:
    """Label, fate, and the milliseconds at both ends."""
    told = exchange(Account(id="x", address=B, port=PORT, source=here, target=there))
    return [
        (label(passage.seen), passage.fate, _ms(passage.at_source), _ms(passage.at_target))
        for attempt in told.attempts
        for passage in attempt.passages
    ]


def skew(here: Packets, there: Packets) -> float:
    return exchange(Account(id="x", address=B, port=PORT, source=here, target=there)).skew


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 1)


class TestFates:
    def test_a_packet_that_arrives_is_one_row(self) -> None:
        here = seen(sight(0, "S", out=True), sight(3, "SA", out=False, back=True))
        there = seen(sight(1, "S", out=False), sight(2, "SA", out=True, back=True))
        assert rows(here, there) == [("SYN", Fate.ARRIVED, 0, 1), ("SYN-ACK", Fate.ARRIVED, 3, 2)]

    def test_what_the_other_end_did_not_see_was_lost(self) -> None:
        assert rows(seen(sight(0, "S", out=True)), seen()) == [("SYN", Fate.LOST, 0, None)]

    def test_what_the_other_end_did_not_send_comes_from_between(self) -> None:
        here = seen(sight(0, "S", out=True), sight(1, "RA", out=False, back=True))
        assert rows(here, seen())[1] == ("RST", Fate.BETWEEN, 1, None)

    @pytest.mark.parametrize("there", [None, seen(sure=False)])
    def test_where_nobody_looked_or_not_surely_nothing_is_known(self, there: Packets | None) -> None:
        here = seen(sight(0, "S", out=True), sight(1, "RA", out=False, back=True))
        assert {fate for _, fate, _, _ in rows(here, there)} == {Fate.UNKNOWN}

    def test_at_the_target_alone(self) -> None:
        there = seen(sight(0, "S", out=False), sight(1, "SA", out=True, back=True))
        assert rows(None, there) == [("SYN", Fate.UNKNOWN, None, 0), ("SYN-ACK", Fate.UNKNOWN, None, 1)]

    def test_an_error_of_a_device_on_the_way(self) -> None:
        error = sight(1, "", out=False, icmp=(3, 13), sender="10.0.9.9")
        assert rows(seen(sight(0, "S", out=True), error), seen())[1] == (
            "ICMP admin-prohibited from 10.0.9.9",
            Fate.BETWEEN,
            1,
            None,
        )

    def test_which_of_several_equal_packets_arrived_is_told_by_the_time(self) -> None:
        """The first and the last of four were lost."""
        here = [sight(at, "S", out=True) for at in (0, 1000, 3000, 7000)]
        there = [sight(at, "S", out=False) for at in (1001, 3001)]
        assert [fate for _, fate, _, _ in rows(seen(*here), seen(*there))] == [Fate.LOST, Fate.ARRIVED, Fate.LOST]
        assert [at for _, _, _, at in rows(seen(*here), seen(*there))] == [None, 1001, None]

    def test_datagrams_are_known_by_ports_and_size(self) -> None:
        here = [sight(at, "", out=True, transport=UDP, size=56, seq=0, port=port) for at, port in ((0, 1), (1, 2))]
        there = [sight(1.5, "", out=False, transport=UDP, size=56, seq=0, port=2)]
        assert rows(seen(*here), seen(*there)) == [
            ("datagram, 56 bytes", Fate.LOST, 0, None),
            ("datagram, 56 bytes", Fate.ARRIVED, 1, 1.5),
        ]

    def test_translation_leaves_the_sequence_number(self) -> None:
        there = seen(sight(1, "S", out=False, source="10.0.5.5", port=61000))
        assert rows(seen(sight(0, "S", out=True)), there) == [("SYN", Fate.ARRIVED, 0, 1)]

    def test_a_firewall_that_replaces_sequence_numbers_leaves_the_ports(self) -> None:
        there = seen(sight(1, "S", out=False, seq=123456))
        assert rows(seen(sight(0, "S", out=True)), there) == [("SYN", Fate.ARRIVED, 0, 1)]

    def test_a_packet_that_passes_two_interfaces_of_a_host_is_one(self) -> None:
        twice = [sight(at, "S", out=True, interface=name) for at, name in ((0, "bond0"), (0.01, "eth0"))]
        assert rows(seen(*twice), seen(sight(1, "S", out=False))) == [("SYN", Fate.ARRIVED, 0, 1)]


class TestAttempts:
    def test_those_that_fared_alike_are_told_once(self) -> None:
        here = [sight(number, "S", out=True, port=40000 + number, seq=number) for number in range(5)]
        there = [sight(3.5, "S", out=False, port=40003, seq=3)]
        told = exchange(Account(id="x", address=B, port=PORT, source=seen(*here), target=seen(*there)))
        assert [(attempt.port, attempt.times) for attempt in told.attempts] == [(40000, 4), (40003, 1)]

    def test_an_answer_and_an_error_belong_to_their_attempt(self) -> None:
        here = [
            sight(0, "S", out=True, port=1),
            sight(1, "RA", out=False, back=True, port=1),
            sight(2, "S", out=True, port=2),
            sight(3, "", out=False, port=2, icmp=(3, 1), sender=B),
        ]
        told = exchange(Account(id="x", address=B, port=PORT, source=seen(*here), target=None))
        assert [(attempt.port, len(attempt.passages)) for attempt in told.attempts] == [(1, 2), (2, 2)]

    def test_refusals_of_several_attempts_are_not_mixed_up(self) -> None:
        """Each has the sequence number 0 and answers another SYN; the second was lost."""
        asks = [sight(at, "S", out=True, port=at, seq=at) for at in (1, 2)]
        came = [sight(at + 0.1, "S", out=False, port=at, seq=at) for at in (1, 2)]
        refused = [sight(at + 0.2, "RA", out=True, back=True, port=at, seq=0, ack=at + 1) for at in (1, 2)]
        back = sight(2.3, "RA", out=False, back=True, port=1, seq=0, ack=2)
        told = exchange(Account(id="x", address=B, port=PORT, source=seen(*asks, back), target=seen(*came, *refused)))
        assert {attempt.port: attempt.passages[-1].fate for attempt in told.attempts} == {
            1: Fate.ARRIVED,
            2: Fate.LOST,
        }

    def test_retransmissions_are_counted(self) -> None:
        told = exchange(
            Account(
                id="x",
                address=B,
                port=PORT,
                source=seen(*(sight(at, "S", out=True) for at in (0, 1000, 3000))),
                target=seen(),
            )
        )
        (passage,) = told.attempts[0].passages
        assert (passage.times, passage.until) == (3, 3.0)


class TestClocks:
    @pytest.mark.parametrize("ahead", [-5000, -1, 0, 7200_000])
    def test_packets_in_both_directions_tell_the_difference(self, ahead: float) -> None:
        here = seen(sight(0, "S", out=True), sight(0.6, "SA", out=False, back=True))
        there = seen(sight(ahead + 0.2, "S", out=False), sight(ahead + 0.4, "SA", out=True, back=True))
        assert skew(here, there) == pytest.approx(ahead / 1000, abs=1e-5)
        assert rows(here, there)[1][2:] == (0.6, 0.4)

    def test_a_slow_line_is_no_wrong_clock(self) -> None:
        assert skew(seen(sight(0, "S", out=True)), seen(sight(300, "S", out=False))) == 0
        assert rows(seen(sight(0, "S", out=True)), seen(sight(300, "S", out=False)))[0][3] == 300

    def test_one_direction_alone_arrives_at_once(self) -> None:
        here, there = seen(sight(0, "S", out=True)), seen(sight(-40, "S", out=False))
        assert skew(here, there) == pytest.approx(-0.04)
        assert rows(here, there)[0][2:] == (0, 0)

    def test_a_retransmission_alone_is_no_wrong_clock(self) -> None:
        here = seen(sight(0, "S", out=True), sight(1000, "S", out=True))
        assert skew(here, seen(sight(1000.2, "S", out=False))) == 0


class TestOfOneWay:
    """What both ends saw holds more than the way in question."""

    def kept(
        self,
        end: str,
        *sights: Sight,
        asked: Packets | None = None,
        transport: Transport = TCP,
        translated: bool = False,
    ) -> list[Sight]:
        source, target = (seen(*sights), None) if end == "source" else (asked, seen(*sights))
        found = of_one_way(
            source, target, transport=transport, address=B, port=PORT, source_addresses={A}, translated=translated
        )
        packets = found[0] if end == "source" else found[1]
        assert packets is not None
        return list(packets.sights)

    def test_at_the_source_what_goes_there_and_comes_from_there(self) -> None:
        ours = [sight(0, "S", out=True), sight(1, "SA", out=False, back=True)]
        assert self.kept("source", *ours, sight(2, "S", out=True, target="10.0.0.3")) == ours

    def test_at_the_source_the_end_of_an_older_connection_is_none_of_ours(self) -> None:
        """At the target it is none either, and would look like forged here."""
        ours = [sight(1, "S", out=True), sight(3, "SA", out=False, back=True)]
        older = [
            sight(2, "FA", out=False, back=True, port=39999, seq=55),
            sight(2, "A", out=True, port=39999, seq=56),
        ]
        assert self.kept("source", *ours, *older) == ours
        assert self.kept("source", older[0]) == older[:1]  # nothing has left of ours: whatever comes may tell why

    def test_at_the_target_other_clients_are_none_of_ours(self) -> None:
        ours = [sight(0, "S", out=False), sight(1, "SA", out=True, back=True)]
        other = [
            sight(0, "S", out=False, source="10.0.0.7", seq=1),
            sight(1, "SA", out=True, back=True, source="10.0.0.7"),
        ]
        assert self.kept("target", *ours, *other) == ours

    def test_at_the_target_attempts_at_another_of_its_addresses_are_none_of_ours(self) -> None:
        ours = [sight(0, "S", out=False), sight(1, "SA", out=True, back=True)]
        other = [
            sight(0, "S", out=False, target="10.0.1.2", port=41000, seq=900),
            sight(1, "SA", out=True, back=True, target="10.0.1.2", port=41000),
        ]
        asked = seen(sight(0, "S", out=True), sight(0, "S", out=True, target="10.0.1.2", port=41000, seq=900))
        assert self.kept("target", *ours, *other, asked=asked) == ours
        assert self.kept("target", *ours, *other) == ours
        assert self.kept("target", *other, asked=asked) == []
        assert self.kept("target", *other, translated=True) == other

    def test_at_the_target_the_sequence_number_tells_a_translated_source(self) -> None:
        came = [
            sight(1, "S", out=False, source="10.0.5.5", port=61000),
            sight(2, "SA", out=True, back=True, source="10.0.5.5", port=61000),
        ]
        assert self.kept("target", *came, asked=seen(sight(0, "S", out=True))) == came
        assert self.kept("target", *came) == []

    def test_the_other_transport_is_none_of_ours(self) -> None:
        assert self.kept("source", sight(0, "", out=True, transport=UDP)) == []

    def test_on_loopback_each_packet_counts_once_at_each_end(self) -> None:
        both = [sight(0, "S", out=True), sight(0, "S", out=False)]
        assert self.kept("source", *both) == both[:1]
        assert self.kept("target", *both) == both[1:]

    def test_an_error_that_a_hosts_own_rules_send_to_itself(self) -> None:
        error: dict[str, Any] = {"icmp": (3, 13), "sender": A}
        twice = [sight(0, "", out=True, **error), sight(0, "", out=False, **error)]
        assert self.kept("source", *twice) == twice[1:]

    def test_an_error_about_an_answer_goes_to_the_target(self) -> None:
        error = sight(2, "", out=False, back=True, icmp=(3, 13), sender="10.0.9.9")
        came = sight(0, "S", out=False)
        assert self.kept("target", came, error) == [came, error]

    def test_nobody_looked(self) -> None:
        assert of_one_way(None, None, transport=TCP, address=B, port=PORT, source_addresses={A}) == (None, None)
