"""Packets as scapy builds them, as a stranger breaks them, and as a capture cuts them off."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, TCP, UDP, IPOption_NOP, fragment
from scapy.layers.inet6 import (
    ICMPv6DestUnreach,
    ICMPv6EchoRequest,
    ICMPv6PacketTooBig,
    ICMPv6ParamProblem,
    ICMPv6TimeExceeded,
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrFragment,
    IPv6ExtHdrHopByHop,
    PadN,
)

from probe.model.sight import Sight
from probe.model.words import Transport
from probe.witness.packets import read

if TYPE_CHECKING:
    from scapy.packet import Packet

A, B, A6, B6, ROUTER, ROUTER6 = "10.0.0.1", "10.0.0.2", "fd00::1", "fd00::2", "10.0.0.254", "fd00::fe"
V4, V6 = IP(src=A, dst=B, ttl=61), IPv6(src=A6, dst=B6, hlim=61)
SYN = TCP(sport=40000, dport=443, flags="S", seq=0xFEDCBA98, options=[("MSS", 1460), ("Timestamp", (1, 0))])
ASKED = UDP(sport=40000, dport=53)


def sight(packet: Packet | bytes) -> Sight | None:
    return read(bytes(packet), 12.5, "eth0", out=True)


def seen(packet: Packet | bytes) -> Sight:
    found = sight(packet)
    assert found is not None
    return found


def ends(found: Sight) -> tuple[str, int, str, int]:
    return found.source, found.source_port, found.target, found.target_port


@pytest.mark.parametrize(("network", "source", "target"), [(V4, A, B), (V6, A6, B6)], ids=["IPv4", "IPv6"])
class TestBothVersions:
    def test_a_segment(self, network: Packet, source: str, target: str) -> None:
        assert sight(network / TCP(sport=40000, dport=443, flags="PA", seq=7, ack=9) / b"hello") == Sight(
            at=12.5,
            out=True,
            transport=Transport.TCP,
            source=source,
            source_port=40000,
            target=target,
            target_port=443,
            ttl=61,
            flags="PA",
            size=5,
            seq=7,
            ack=9,
            interface="eth0",
        )

    def test_a_datagram(self, network: Packet, source: str, target: str) -> None:
        assert sight(network / ASKED / b"hello") == Sight(
            at=12.5,
            out=True,
            transport=Transport.UDP,
            source=source,
            source_port=40000,
            target=target,
            target_port=53,
            ttl=61,
            size=5,
            interface="eth0",
        )

    def test_options_are_no_payload(self, network: Packet, source: str, target: str) -> None:
        found = seen(network / SYN)
        assert (found.size, found.seq, found.flags) == (0, 0xFEDCBA98, "S")
        assert (found.source, found.target) == (source, target)

    @pytest.mark.parametrize("flags", ["S", "SA", "RA", "R", "FA", "A", "PA", "FPA", "FSRPAU", ""])
    def test_flags(self, network: Packet, source: str, target: str, flags: str) -> None:
        del source, target
        assert seen(network / TCP(flags=flags)).flags == flags
        assert seen(network / TCP(flags=flags + "EC")).flags == flags

    def test_what_is_cut_off_keeps_its_size(self, network: Packet, source: str, target: str) -> None:
        del source, target
        assert seen(bytes(network / SYN / bytes(1000))[:120]).size == 1000

    def test_padding_is_no_payload(self, network: Packet, source: str, target: str) -> None:
        del source, target
        assert seen(bytes(network / TCP(flags="S")) + bytes(6)).size == 0

    def test_every_beginning_is_the_same_sight_or_none(self, network: Packet, source: str, target: str) -> None:
        del source, target
        whole = bytes(network / SYN)
        found = [sight(whole[:length]) for length in range(len(whole) + 1)]
        assert set(found) == {None, seen(whole)}
        assert sorted(found, key=lambda one: one is not None) == found

    def test_a_length_that_lies(self, network: Packet, source: str, target: str) -> None:
        del source, target
        lying = network.copy()
        lying.fields["len" if lying.version == 4 else "plen"] = 1
        assert seen(lying / TCP(flags="S")).size == 0


def test_a_packet_too_large_for_its_length_field() -> None:
    assert seen(IP(src=A, dst=B, len=0) / TCP(flags="PA") / bytes(100)).size == 100
    assert seen(IPv6(src=A6, dst=B6, plen=0) / UDP() / bytes(100)).size == 100


class TestHeaders:
    def test_options_of_ipv4(self) -> None:
        found = seen(IP(src=A, dst=B, options=[IPOption_NOP()] * 40) / SYN / b"hello")
        assert (found.target_port, found.size) == (443, 5)

    def test_extension_headers(self) -> None:
        headers = IPv6ExtHdrHopByHop() / IPv6ExtHdrDestOpt(options=[]) / IPv6ExtHdrFragment()
        found = seen(V6 / headers / SYN / b"hello")
        assert (found.target_port, found.size) == (443, 5)

    def test_long_ones_and_a_reserved_byte(self) -> None:
        options = IPv6ExtHdrDestOpt(options=[PadN(optdata=bytes(20))])
        assert len(options) == 24
        assert seen(V6 / options / IPv6ExtHdrFragment(res1=3) / SYN).target_port == 443

    def test_too_many_extension_headers(self) -> None:
        assert sight(V6 / IPv6ExtHdrHopByHop() / IPv6ExtHdrDestOpt() / IPv6ExtHdrDestOpt() / SYN)
        headers = IPv6ExtHdrHopByHop() / IPv6ExtHdrDestOpt() / IPv6ExtHdrDestOpt() / IPv6ExtHdrDestOpt()
        assert sight(V6 / headers / SYN) is None

    def test_only_the_first_fragment_has_ports(self) -> None:
        first, *others = fragment(V4 / UDP(sport=40000, dport=53) / bytes(3000), 1400)
        assert ends(seen(first)) == (A, 40000, B, 53)
        assert len(others) == 2
        assert [sight(other) for other in others] == [None, None]

    def test_only_the_first_fragment_of_ipv6_has_ports(self) -> None:
        assert ends(seen(V6 / IPv6ExtHdrFragment(m=1) / ASKED)) == (A6, 40000, B6, 53)
        assert sight(V6 / IPv6ExtHdrFragment(offset=1) / ASKED) is None

    def test_a_header_shorter_than_can_be(self) -> None:
        assert sight(IP(src=A, dst=B, ihl=4) / SYN) is None

    @pytest.mark.parametrize(
        "packet",
        [V4 / ICMP(), V6 / ICMPv6EchoRequest(), IP(proto=47) / bytes(40), IPv6(nh=59) / bytes(40), b"\x50" + bytes(60)],
    )
    def test_what_is_not_asked_for(self, packet: Packet | bytes) -> None:
        assert sight(packet) is None


class TestErrors:
    @pytest.mark.parametrize(("kind", "code"), [(3, 0), (3, 3), (3, 4), (3, 13), (11, 0), (12, 0)])
    @pytest.mark.parametrize(("quoted", "port"), [(SYN, 443), (ASKED, 53)])
    def test_ipv4(self, kind: int, code: int, quoted: Packet, port: int) -> None:
        # Eight bytes of what is quoted are what RFC 792 grants.
        packet = IP(src=ROUTER, dst=A, ttl=64) / ICMP(type=kind, code=code) / bytes(V4 / quoted)[:28]
        assert sight(packet) == Sight(
            at=12.5,
            out=True,
            transport=Transport.TCP if quoted is SYN else Transport.UDP,
            source=A,
            source_port=40000,
            target=B,
            target_port=port,
            ttl=64,
            seq=0xFEDCBA98 if quoted is SYN else 0,
            interface="eth0",
            icmp=(kind, code),
            sender=ROUTER,
        )

    @pytest.mark.parametrize(
        ("error", "said"),
        [
            (ICMPv6DestUnreach(code=1), (1, 1)),
            (ICMPv6PacketTooBig(), (2, 0)),
            (ICMPv6TimeExceeded(), (3, 0)),
            (ICMPv6ParamProblem(code=1), (4, 1)),
        ],
    )
    def test_ipv6(self, error: Packet, said: tuple[int, int]) -> None:
        found = seen(IPv6(src=ROUTER6, dst=A6, hlim=63) / error / V6 / SYN)
        assert ends(found) == (A6, 40000, B6, 443)
        assert (found.icmp, found.sender, found.ttl, found.seq) == (said, ROUTER6, 63, 0xFEDCBA98)
        # The quoted packet was not seen itself: nothing here may be taken for a SYN.
        assert (found.flags, found.size) == ("", 0)

    def test_behind_options_and_about_options(self) -> None:
        options = [IPOption_NOP()] * 40
        packet = IP(src=ROUTER, dst=A, options=options) / ICMP(type=3, code=1) / IP(src=A, dst=B, options=options) / SYN
        assert ends(seen(bytes(packet)[:136])) == (A, 40000, B, 443)
        assert sight(bytes(packet)[:135]) is None

    @pytest.mark.parametrize(
        "packet",
        [
            IP(src=ROUTER, dst=A) / ICMP(type=5, code=1) / V4 / SYN,  # a redirect is no error
            IP(src=ROUTER, dst=A) / ICMP(type=3, code=1) / V4 / ICMP(),  # about a ping
            IP(src=ROUTER, dst=A) / ICMP(type=3, code=1) / V6 / SYN,
            IP(src=ROUTER, dst=A) / ICMP(type=3, code=1) / IP(src=A, dst=B, frag=1, proto=6) / SYN,
            IPv6(src=ROUTER6, dst=A6) / ICMPv6DestUnreach() / V4 / SYN,
        ],
    )
    def test_about_nothing_of_ours(self, packet: Packet) -> None:
        assert sight(packet) is None


WHOLE = [
    bytes(V4 / SYN),
    bytes(V6 / IPv6ExtHdrFragment(m=1) / ASKED),
    bytes(IP() / ICMP(type=3) / V4 / SYN),
    bytes(IPv6() / ICMPv6DestUnreach() / V6 / SYN),
]


@given(st.binary(max_size=256) | st.builds(bytes.__add__, st.sampled_from([b"\x45", b"\x60"]), st.binary(max_size=255)))
def test_any_bytes(packet: bytes) -> None:
    found = sight(packet)
    assert found is None or (0 <= found.target_port <= 65535 and 0 <= found.size <= 65535)


@given(st.sampled_from(WHOLE), st.data())
def test_any_byte_changed(packet: bytes, data: st.DataObject) -> None:
    for _ in range(3):
        at = data.draw(st.integers(0, len(packet) - 1))
        packet = packet[:at] + data.draw(st.binary(min_size=1, max_size=1)) + packet[at + 1 :]
    found = sight(packet)
    assert found is None or 0 <= found.ttl <= 255
