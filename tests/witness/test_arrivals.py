"""Frames as the kernel fills them, and what is noted of them."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import IP, TCP, UDP, IPOption_NOP
from scapy.layers.inet6 import IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrHopByHop, PadN

from probe.model.ports import PortSet
from probe.model.sight import Arrived, Flow
from probe.model.words import Transport
from probe.witness import arrivals as module
from probe.witness.arrivals import FRAME, PACKET, Arrivals
from probe.witness.filter import Wanted

if TYPE_CHECKING:
    from collections.abc import Iterable

    from scapy.packet import Packet

OWN, PEER, OTHER = "10.0.0.1", "200.0.0.2", "200.0.0.9"
OWN6, PEER6 = "fd00::1", "fd00:1::2"
TO_US, TO_US6 = IP(src=PEER, dst=OWN), IPv6(src=PEER6, dst=OWN6)
TCP_FLOW, UDP_FLOW = Flow(Transport.TCP, "", "1-65535"), Flow(Transport.UDP, "", "1-65535")
MARK = b"portcheck-7"


def frames(packets: Iterable[Packet | bytes]) -> bytes:
    """With the leavings of other packets around them."""
    return b"".join((b"\xee" * PACKET + bytes(packet)[: FRAME - PACKET]).ljust(FRAME, b"\x35") for packet in packets)


def marked(said: int, port: int | None = None, head: Packet = TO_US) -> Packet:
    return head / UDP(dport=said if port is None else port) / (MARK + said.to_bytes(2, "big"))


def noted(flows: Iterable[Flow], packets: Iterable[Packet | bytes], mark: bytes = b"") -> tuple[list[Arrived], bool]:
    arrivals = Arrivals(Wanted(flows), mark)
    arrivals.take(frames(packets))
    found = list(arrivals.arrived())
    return found, arrivals.full


def came(ports: str, transport: Transport = Transport.TCP, onto: int = 0, *, six: bool = False) -> Arrived:
    peer, address = (PEER6, OWN6) if six else (PEER, OWN)
    return Arrived(peer=peer, address=address, transport=transport, ports=ports, onto=onto)


def test_ports_of_both_families_and_transports() -> None:
    packets = [
        TO_US / TCP(dport=443),
        TO_US6 / TCP(dport=22),
        marked(1),
        marked(65535),
        TO_US / TCP(dport=444),
        marked(53, head=TO_US6),
        TO_US / TCP(dport=443),
    ]
    found, full = noted([TCP_FLOW, UDP_FLOW], packets, MARK)
    assert not full
    assert sorted(found, key=str) == sorted(
        [
            came("443-444"),
            came("22", six=True),
            came("1,65535", Transport.UDP),
            came("53", Transport.UDP, six=True),
        ],
        key=str,
    )


def test_a_port_that_was_translated_on_the_way() -> None:
    found, _ = noted([UDP_FLOW], [marked(9999, 53), marked(9998, 53), marked(53), marked(7, 8)], MARK)
    assert found == [came("53", Transport.UDP), came("9998-9999", Transport.UDP, 53), came("7", Transport.UDP, 8)]


def test_the_flows_ports_are_those_that_were_sent_to() -> None:
    found, _ = noted([Flow(Transport.UDP, OWN, "9999")], [marked(9999, 53), marked(9998, 9999), marked(53)], MARK)
    assert found == [came("9999", Transport.UDP, 53)]


@pytest.mark.parametrize(
    "head",
    [
        IP(src=PEER, dst=OWN, options=[IPOption_NOP()] * 40),
        TO_US6 / IPv6ExtHdrHopByHop(),
        TO_US6 / IPv6ExtHdrHopByHop() / IPv6ExtHdrDestOpt(options=[PadN(optdata=bytes(20))]),
    ],
    ids=["options", "extension", "extensions"],
)
def test_headers_of_other_lengths(head: Packet) -> None:
    six = IPv6 in head
    packets = [marked(50, head=head), marked(60, 61, head=head), head / TCP(dport=70), marked(51)]
    found, full = noted([TCP_FLOW, UDP_FLOW], packets, MARK)
    assert not full
    rows = [came("50", Transport.UDP, six=six), came("60", Transport.UDP, 61, six=six), came("70", six=six)]
    if six:
        assert sorted(found, key=str) == sorted([*rows, came("51", Transport.UDP)], key=str)
    else:
        assert sorted(found, key=str) == sorted([came("50-51", Transport.UDP), *rows[1:]], key=str)


def test_what_is_no_flows_is_not_noted() -> None:
    flows = [Flow(Transport.TCP, OWN, "22,25", (PEER,)), Flow(Transport.TCP, "10.0.0.7", "80", (OTHER,))]
    packets = [
        TO_US / TCP(dport=22),
        TO_US / TCP(dport=23),
        TO_US / UDP(dport=25),
        IP(src=OTHER, dst=OWN) / TCP(dport=80),
        IP(src=PEER, dst="10.0.0.7") / TCP(dport=80),
    ]
    assert noted(flows, packets) == ([came("22")], False)


def test_port_0_is_none() -> None:
    assert noted([TCP_FLOW, UDP_FLOW], [TO_US / TCP(dport=0), marked(0), marked(0, 5)], MARK) == ([], False)


class TestBounds:
    def test_pairs_of_addresses(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "_MOST_PAIRS", 3)
        packets = [IP(src=f"200.0.1.{number}", dst=OWN) / TCP(dport=22) for number in range(4)]
        assert not noted([TCP_FLOW], packets[:3])[1]
        found, full = noted([TCP_FLOW], packets)
        assert (len(found), full) == (3, True)

    def test_strangers_cost_nothing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "_MOST_PAIRS", 1)
        monkeypatch.setattr(module, "_MOST_STRANGERS", 2)
        arrivals = Arrivals(Wanted([Flow(Transport.TCP, OWN, "22", (PEER,))]))
        strangers = [IP(src=f"200.0.1.{number}", dst=OWN) / TCP(dport=22) for number in range(9)]
        arrivals.take(frames([*strangers, TO_US / TCP(dport=22)]))
        assert (list(arrivals.arrived()), arrivals.full, len(arrivals._seen)) == ([came("22")], False, 4)

    def test_translated_ports(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "_MOST_MOVED", 2)
        packets = [marked(1, 9), marked(2, 9), marked(1, 9)]
        assert noted([UDP_FLOW], packets, MARK) == ([came("1-2", Transport.UDP, 9)], False)
        assert noted([UDP_FLOW], [*packets, marked(3, 8)], MARK)[1]

    def test_what_is_told(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "_MOST_TEXT", 2 * module._ROW_TEXT + 4)
        packets = [IP(src=f"200.0.1.{number}", dst=OWN) / TCP(dport=22) for number in range(3)]
        assert noted([TCP_FLOW], packets[:2])[1] is False
        found, full = noted([TCP_FLOW], packets)
        assert (len(found), full) == (2, True)

    def test_what_cannot_be_read_makes_nothing_sure(self) -> None:
        assert noted([TCP_FLOW], [b"\x4f" + bytes(100)]) == ([], True)


PORTS = st.integers(1, 65535)


@given(st.lists(st.tuples(PORTS, PORTS, st.booleans()), max_size=30))
def test_every_port_is_noted_and_no_other(sent: list[tuple[int, int, bool]]) -> None:
    found, full = noted([UDP_FLOW], [marked(said, port, TO_US6 if six else TO_US) for said, port, six in sent], MARK)
    assert not full
    rows = {(said, row.onto or said, row.address == OWN6) for row in found for said in PortSet.parse(row.ports)}
    assert rows == set(sent)


@given(st.lists(st.binary(max_size=FRAME) | st.builds(bytes.__add__, st.sampled_from([b"E", b"F", b"`"]), st.binary())))
def test_any_bytes_are_noted_or_not(packets: list[bytes]) -> None:
    arrivals = Arrivals(Wanted([TCP_FLOW, UDP_FLOW]), MARK)
    arrivals.take(frames(packets))
    for row in arrivals.arrived():
        with contextlib.suppress(ValueError):
            assert PortSet.parse(row.ports)
