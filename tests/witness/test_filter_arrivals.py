"""The programs of a tally: what comes in and asks, beside what the packets are."""

from __future__ import annotations

import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, TCP, UDP, IPOption_NOP
from scapy.layers.inet6 import IPv6, IPv6ExtHdrFragment, IPv6ExtHdrHopByHop
from scapy.packet import Packet

from probe.model.sight import Flow
from probe.model.words import Transport
from probe.wire.messages import MOST_MARK
from probe.witness.filter import KEPT_BYTES, NOTHING, Wanted

from .machine import Kernel, machine

OWN, PEER, STRANGER = "10.0.0.1", "200.0.0.2", "10.0.0.13"
OWN6, PEER6 = "fd00::1", "fd00:1::2"
TO_US, TO_US6 = IP(src=PEER, dst=OWN), IPv6(src=PEER6, dst=OWN6)
MARK = b"portcheck-7"
SAYS_53 = MARK + b"\0\x35"
FLOWS = [
    Flow(Transport.TCP, OWN, "440-450", (PEER,)),
    Flow(Transport.TCP, OWN6, "440-450", (PEER6,)),
    Flow(Transport.UDP, OWN, "53", (PEER,)),
    Flow(Transport.UDP, OWN6, "53", (PEER6,)),
]
PASSING = {
    "SYN": TO_US / TCP(dport=443, flags="S"),
    "IPv6 SYN": TO_US6 / TCP(dport=443, flags="S"),
    "SYN with ECN": TO_US / TCP(dport=443, flags="SEC"),
    "SYN with options": IP(src=PEER, dst=OWN, options=[IPOption_NOP()] * 8) / TCP(dport=440, flags="S"),
    "datagram": TO_US / UDP(dport=53) / SAYS_53,
    "longer": TO_US / UDP(dport=53) / (SAYS_53 + b"more"),
    "translated": TO_US / UDP(dport=5353) / SAYS_53,
    "IPv6 datagram": TO_US6 / UDP(dport=53) / SAYS_53,
    "behind a header": TO_US6 / IPv6ExtHdrHopByHop() / UDP(dport=53) / SAYS_53,
    "first fragment": TO_US6 / IPv6ExtHdrFragment(m=1) / UDP(dport=53) / SAYS_53,
}
DROPPED = {
    "SYN-ACK": TO_US / TCP(dport=443, flags="SA"),
    "RST": TO_US / TCP(dport=443, flags="R"),
    "data": TO_US / TCP(dport=443, flags="PA"),
    "SYN to another port": TO_US / TCP(dport=451, flags="S"),
    "SYN from the port": TO_US / TCP(sport=443, dport=9, flags="S"),
    "other mark": TO_US / UDP(dport=53) / (b"portcheck-8" + b"\0\x35"),
    "an answer to us": TO_US / UDP(sport=53, dport=53) / b"answer",
    "no port said": TO_US / UDP(dport=53) / MARK,
    "half a port said": TO_US / UDP(dport=53) / (MARK + b"\0"),
    "empty": TO_US / UDP(dport=53),
    "from a stranger": IP(src=STRANGER, dst=OWN) / UDP(dport=53) / SAYS_53,
    "to another": IP(src=PEER, dst=STRANGER) / UDP(dport=53) / SAYS_53,
    "the other way": IP(src=OWN, dst=PEER) / TCP(dport=443, flags="S"),
    "later fragment": IP(src=PEER, dst=OWN, frag=2, proto=17) / (b"\0\x35\0\x35" + bytes(4) + SAYS_53),
    "ping": TO_US / ICMP(),
    "error": TO_US / ICMP(type=3, code=13) / IP(src=OWN, dst=PEER) / TCP(dport=443),
    "nothing": b"",
}


@pytest.mark.parametrize("name", [*PASSING, *DROPPED])
def test_what_asks_passes(name: str) -> None:
    packet = bytes({**PASSING, **DROPPED}[name])
    program = Wanted(FLOWS).arrivals(MARK)
    assert machine(program, packet) == (KEPT_BYTES if name in PASSING else 0)
    with Kernel(program) as kernel:
        assert kernel.kept(packet) == (min(len(packet), KEPT_BYTES) if name in PASSING else 0)


def test_without_a_mark_any_datagram_to_the_port_passes() -> None:
    program = Wanted(FLOWS).arrivals()
    assert machine(program, bytes(TO_US / UDP(dport=53)))
    assert not machine(program, bytes(TO_US / UDP(sport=53, dport=5353) / SAYS_53))


def test_only_what_is_for_this_host_passes() -> None:
    program = Wanted(FLOWS).arrivals(MARK)
    packet = bytes(PASSING["SYN"])
    for kind in (socket.PACKET_HOST, socket.PACKET_BROADCAST, socket.PACKET_MULTICAST):
        assert machine(program, packet, packet_type=kind)
    for kind in (socket.PACKET_OTHERHOST, socket.PACKET_OUTGOING):
        assert not machine(program, packet, packet_type=kind)


def test_a_transport_of_no_flow_does_not_pass() -> None:
    only_tcp, only_udp = Wanted(FLOWS[:2]).arrivals(MARK), Wanted(FLOWS[2:]).arrivals(MARK)
    assert not machine(only_tcp, bytes(PASSING["datagram"]))
    assert not machine(only_udp, bytes(PASSING["SYN"]))
    assert machine(Wanted([]).arrivals(MARK), bytes(PASSING["SYN"])) == 0


@given(st.binary(min_size=1, max_size=MOST_MARK), st.data())
def test_every_byte_of_a_mark_counts(mark: bytes, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(mark) - 1))
    other = bytearray(mark)
    other[at] ^= data.draw(st.integers(1, 255))
    program = Wanted(FLOWS).arrivals(mark)
    assert machine(program, bytes(TO_US / UDP(dport=53)) + mark + b"\0\x35")
    assert not machine(program, bytes(TO_US / UDP(dport=53)) + bytes(other) + b"\0\x35")


class TestInside:
    """A raw socket's program sees what comes after the headers of IPv6."""

    @pytest.mark.parametrize("name", [*PASSING, *DROPPED])
    def test_the_same_passes(self, name: str) -> None:
        packet = {**PASSING, **DROPPED}[name]
        if not isinstance(packet, Packet):
            return
        for transport, kind in ((Transport.TCP, TCP), (Transport.UDP, UDP)):
            inner = packet.getlayer(kind)
            if inner is None or ICMP in packet:
                continue
            if IPv6 in packet:
                program = Wanted(FLOWS).inside(socket.AF_INET6, transport, MARK)
                assert bool(machine(program, bytes(inner))) == (name in PASSING)
            else:
                program = Wanted(FLOWS).inside(socket.AF_INET, transport, MARK)
                assert bool(machine(program, bytes(packet))) == (name in PASSING)

    def test_none_where_there_is_no_flow(self) -> None:
        tcp6 = Wanted([FLOWS[1]])
        assert tcp6.inside(socket.AF_INET6, Transport.TCP)
        assert tcp6.inside(socket.AF_INET, Transport.TCP) == b""
        assert tcp6.inside(socket.AF_INET6, Transport.UDP) == b""


@given(st.binary(max_size=120) | st.builds(bytes.__add__, st.sampled_from([b"E", b"`"]), st.binary()))
def test_kernel_and_machine_agree_on_any_bytes(data: bytes) -> None:
    for program in (Wanted(FLOWS).arrivals(MARK), Wanted(FLOWS).inside(socket.AF_INET6, Transport.UDP, MARK), NOTHING):
        with Kernel(program) as kernel:
            assert kernel.kept(data) == min(len(data), machine(program, data))


def test_the_largest_program_is_one_that_every_kernel_takes() -> None:
    even = ",".join(f"{port}-{port + 1}" for port in range(2, 400, 3))
    hosts = [f"10.{number}.0.1" for number in range(100)] + [f"fd00::{number}:0:1" for number in range(100)]
    flows = [Flow(transport, host, even, tuple(hosts)) for transport in Transport for host in hosts]
    program = Wanted(flows).arrivals(bytes(range(MOST_MARK)))
    with Kernel(program) as kernel:
        packet = bytes(IPv6(src="fd00::99:0:1", dst="fd00::7:0:1") / TCP(dport=398, flags="S"))
        assert kernel.kept(packet) == len(packet)
