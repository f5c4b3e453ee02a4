"""Answers as scapy builds them, as a stranger breaks them, and as the kernel cuts them off."""

from __future__ import annotations

import socket
from array import array
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, TCP, UDP, IPOption_NOP
from scapy.layers.inet6 import ICMPv6DestUnreach, ICMPv6PacketTooBig, ICMPv6TimeExceeded, IPv6

from probe.model.ports import PortSet
from probe.model.words import State, Transport
from probe.sweep.evidence import CLOSED, OPEN, SLOTS, Evidence
from probe.sweep.line import Line
from probe.sweep.parse import KEPT_BYTES, Block, Refusal, refusals, replies4, replies6
from probe.sweep.segments import TCP as TCP_NUMBER
from probe.sweep.segments import UDP as UDP_NUMBER
from probe.sweep.segments import Attempts, pseudo_sum, write_datagrams, write_resets, write_syns

if TYPE_CHECKING:
    from scapy.packet import Packet

US, THEM, ROUTER = "192.0.2.1", "192.0.2.9", "198.51.100.7"
US6, THEM6, ROUTER6 = "2001:db8::1", "2001:db8::9", "2001:db8:1::7"
FLAGS = {"SA": 0x12, "RA": 0x14, "A": 0x10}


def block(*packets: Packet | bytes, senders: tuple[str, ...] = ()) -> Block:
    """As recvmmsg(2) leaves them; an IPv6 packet without its header."""
    raw = [bytes(packet) for packet in packets]
    names = b"".join(b"\x0a\0" + bytes(6) + socket.inet_pton(socket.AF_INET6, sender) + bytes(4) for sender in senders)
    return Block(b"".join(each[:KEPT_BYTES].ljust(KEPT_BYTES, b"\0") for each in raw), list(map(len, raw)), names)


def packed(address: str) -> bytes:
    return socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)


@pytest.mark.parametrize("flags", FLAGS)
@pytest.mark.parametrize("options", [[], [IPOption_NOP()] * 4], ids=["plain", "options"])
def test_a_segment(flags: str, options: list[IPOption_NOP]) -> None:
    packet = IP(src=THEM, dst=US, options=options) / TCP(sport=80, dport=40000, flags=flags, ack=77)
    assert list(replies4(block(packet), TCP_NUMBER)) == [(packed(THEM), 80, 40000, 77, FLAGS[flags])]
    assert not list(replies4(block(packet), UDP_NUMBER))
    six = bytes(IPv6(src=THEM6, dst=US6) / TCP(sport=80, dport=40000, flags=flags, ack=77))[40:]
    assert list(replies6(block(six, senders=(THEM6,)), TCP_NUMBER)) == [(packed(THEM6), 80, 40000, 77, FLAGS[flags])]


def test_a_datagram() -> None:
    packet = IP(src=THEM, dst=US) / UDP(sport=53, dport=40000) / b"x"
    assert list(replies4(block(packet), UDP_NUMBER)) == [(packed(THEM), 53, 40000, 0, 0)]


def test_several_of_which_some_are_broken() -> None:
    good = bytes(IP(src=THEM, dst=US) / TCP(sport=80, dport=40000, flags="RA", ack=7))
    found = list(replies4(block(good, good[:33], good[:10], b"", good), TCP_NUMBER))
    assert found == [(packed(THEM), 80, 40000, 7, 0x14)] * 2


@pytest.mark.parametrize("kept", [8, 20])
def test_an_icmp_error_names_its_sender_and_what_it_is_about(kept: int) -> None:
    sent = bytes(IP(src=US, dst=THEM) / TCP(sport=40000, dport=80, seq=1234))[: 20 + kept]
    packet = IP(src=ROUTER, dst=US) / ICMP(type=3, code=13) / sent
    assert list(refusals(block(packet), 4, TCP_NUMBER)) == [
        Refusal(packed(ROUTER), 3, 13, packed(THEM), 80, 40000, 1234)
    ]
    assert not list(refusals(block(packet), 4, UDP_NUMBER))
    sent = bytes(IPv6(src=US6, dst=THEM6) / TCP(sport=40000, dport=80, seq=1234))[: 40 + kept]
    packet = bytes(IPv6(src=ROUTER6, dst=US6) / ICMPv6DestUnreach(code=1) / sent)[40:]
    assert list(refusals(block(packet, senders=(ROUTER6,)), 6, TCP_NUMBER)) == [
        Refusal(packed(ROUTER6), 1, 1, packed(THEM6), 80, 40000, 1234)
    ]


def test_what_is_too_large_or_lives_too_long() -> None:
    sent = bytes(IP(src=US, dst=THEM) / TCP(sport=40000, dport=80))
    six = bytes(IPv6(src=US6, dst=THEM6) / TCP(sport=40000, dport=80))
    assert not list(refusals(block(IP(src=ROUTER) / ICMP(type=3, code=4) / sent), 4, TCP_NUMBER))
    assert len(list(refusals(block(IP(src=ROUTER) / ICMP(type=11) / sent), 4, TCP_NUMBER))) == 1
    large, late = (bytes(IPv6() / icmp / six)[40:] for icmp in (ICMPv6PacketTooBig(), ICMPv6TimeExceeded()))
    assert not list(refusals(block(large, senders=(ROUTER6,)), 6, TCP_NUMBER))
    assert len(list(refusals(block(late, senders=(ROUTER6,)), 6, TCP_NUMBER))) == 1


class Target:
    """Takes answers as a course does; all of its ports were asked in slot 0."""

    def __init__(self, transport: Transport) -> None:
        self.evidence = Evidence(PortSet([(1, 65535)]), transport)
        self.evidence.ask(range(1, 65536), self.evidence.begin(whole=True))

    def answered(self, port: int, slot: int, code: int) -> None:
        self.evidence.answer(port, slot, code)


OFFSET = 0x12345678


def line(transport: Transport, *targets: tuple[str, Target]) -> Line:
    """Without its sockets."""
    made = Line.__new__(Line)
    made._transport = transport
    made._protocol = TCP_NUMBER if transport is Transport.TCP else UDP_NUMBER
    made.secrets = array("I", range(0, 65536 * 60013, 60013))
    made._courses = {packed(address): (target, OFFSET) for address, target in targets}
    made.own = list(range(40000, 40000 + SLOTS))
    made._index = {port: index for index, port in enumerate(made.own)}
    return made


def take(made: Line, family: int, data: bytes, name: bytes) -> None:
    """The same bytes as a reply and as an ICMP error."""
    protocol = made._protocol
    one = Block(data[:KEPT_BYTES].ljust(KEPT_BYTES, b"\0"), [len(data)], name[:28].ljust(28, b"\0"))
    made._replied(replies4(one, protocol) if family == 4 else replies6(one, protocol))
    for refusal in refusals(one, family, protocol):
        made._refused(refusal)


def attempt(made: Line, port: int, slot: int = 0) -> tuple[int, int]:
    """Source port and sequence number of the attempt at this port."""
    cookie = (made.secrets[port] + OFFSET) % 2**32
    return made.own[(slot + cookie) % SLOTS], cookie


@pytest.mark.parametrize(("flags", "code"), [("SA", OPEN), ("RA", CLOSED), ("R", CLOSED), ("A", 0), ("S", 0), ("", 0)])
def test_only_a_keyed_answer_counts(flags: str, code: int) -> None:
    target = Target(Transport.TCP)
    made = line(Transport.TCP, (THEM, target))
    own, cookie = attempt(made, 80)

    def answer(source: str, to: int, ack: int) -> int:
        take(made, 4, bytes(IP(src=source, dst=US) / TCP(sport=80, dport=to, flags=flags, ack=ack % 2**32)), b"")
        return target.evidence.answers

    assert answer(THEM, own, cookie) == 0
    assert answer(THEM, own, cookie + 2) == 0
    assert answer(ROUTER, own, cookie + 1) == 0
    assert answer(THEM, own + 1 if own + 1 in made.own else own - 1, cookie + 1) == 0
    assert answer(THEM, own, cookie + 1) == (code != 0)
    states = target.evidence.states(State.FILTERED)
    assert states.get({OPEN: State.OPEN, CLOSED: State.CLOSED}.get(code, State.FILTERED), "") != ""


@pytest.mark.parametrize("transport", [Transport.TCP, Transport.UDP])
@given(data=st.binary(max_size=200), name=st.binary(max_size=28))
def test_any_bytes_are_read_and_settle_nothing(transport: Transport, data: bytes, name: bytes) -> None:
    target = Target(transport)
    made = line(transport, (THEM, target), (THEM6, target))
    for family in (4, 6):
        take(made, family, data, name)
    assert not target.evidence.answers


@given(
    bits=st.lists(st.integers(0, 8 * 56 - 1), min_size=1, max_size=12, unique=True),
    cut=st.integers(0, 60),
    port=st.integers(1, 65535),
    icmp=st.booleans(),
)
def test_a_forged_or_broken_answer_never_settles_another_port(bits: list[int], cut: int, port: int, icmp: bool) -> None:
    """Some bits of a true answer turned over, and its end cut off."""
    target = Target(Transport.TCP)
    made = line(Transport.TCP, (THEM, target))
    own, cookie = attempt(made, port)
    if icmp:
        sent = IP(src=US, dst=THEM) / TCP(sport=own, dport=port, seq=cookie)
        packet = bytearray(bytes(IP(src=ROUTER, dst=US) / ICMP(type=3, code=13) / bytes(sent)[:28]))
    else:
        packet = bytearray(
            bytes(IP(src=THEM, dst=US) / TCP(sport=port, dport=own, ack=(cookie + 1) % 2**32, flags="RA"))
        )
    for bit in bits:
        if bit // 8 < len(packet):
            packet[bit // 8] ^= 1 << bit % 8
    take(made, 4, bytes(packet[: len(packet) - cut] if cut else packet), b"")
    settled = PortSet([(1, 65535)]) - PortSet.parse(target.evidence.states(State.FILTERED)[State.FILTERED])
    assert settled in (PortSet(), PortSet([(port, port)]))


@given(
    family=st.sampled_from([4, 6]),
    ports=st.lists(st.integers(0, 65535), min_size=1, max_size=4),
    secret=st.integers(0, 2**32 - 1),
    offset=st.integers(0, 2**32 - 1),
    slot=st.integers(0, SLOTS - 1),
    payload=st.binary(max_size=64),
    kind=st.sampled_from(["syn", "rst", "udp"]),
)
def test_what_is_sent_is_what_the_standards_say(
    family: int, ports: list[int], secret: int, offset: int, slot: int, payload: bytes, kind: str
) -> None:
    """Read back by scapy, which computes the checksum itself."""
    source, target = (US, THEM) if family == 4 else (US6, THEM6)
    number = UDP_NUMBER if kind == "udp" else TCP_NUMBER
    own = list(range(40000, 40000 + SLOTS))
    pseudo = pseudo_sum(packed(source), packed(target), number)
    attempts = Attempts(own, slot, [secret] * 65536, offset, pseudo)
    cookie = (secret + offset) % 2**32
    start, stride, buffer = 7, 128, bytearray(4 * 128)
    lengths = [24 if kind == "syn" else 20] * len(ports)
    if kind == "udp":
        lengths = write_datagrams(buffer, start, stride, attempts, ports, lambda _: payload)
    else:
        write = write_syns if kind == "syn" else write_resets
        write(buffer, start, stride, attempts, ports)
    for index, port in enumerate(ports):
        at = start + index * stride
        sent = bytes(buffer[at : at + lengths[index]])
        layer = UDP if kind == "udp" else TCP
        header = IP(src=source, dst=target, proto=number) if family == 4 else IPv6(src=source, dst=target, nh=number)
        packet = header.__class__(bytes(header / sent))[layer]
        assert (packet.sport, packet.dport) == (own[(slot + cookie) % SLOTS], port)
        if kind == "udp":
            assert bytes(packet.payload) == payload
        else:
            assert packet.seq == (cookie if kind == "syn" else (cookie + 1) % 2**32)
            assert str(packet.flags) == ("S" if kind == "syn" else "R")
        told = packet.chksum
        again = header.__class__(bytes(header / sent))
        del again[layer].chksum
        assert header.__class__(bytes(again))[layer].chksum == told
