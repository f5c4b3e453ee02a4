"""The filter's program, run by a small machine of our own and by the kernel, beside what is wanted exactly."""

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, TCP, UDP, IPOption_NOP
from scapy.layers.inet6 import (
    ICMPv6DestUnreach,
    ICMPv6EchoRequest,
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrFragment,
    IPv6ExtHdrHopByHop,
    PadN,
)

from probe.model.sight import Flow
from probe.model.words import Transport
from probe.witness.filter import KEPT_BYTES, MOST_RANGES, NOTHING, Wanted
from probe.witness.packets import read

from .machine import Kernel, machine

if TYPE_CHECKING:
    from scapy.packet import Packet

OWN, PEER, OTHER, STRANGER = "10.0.0.1", "200.0.0.2", "10.0.0.9", "10.0.0.13"
OWN6, PEER6, OTHER6, STRANGER6 = "fd00::1", "fd00:1::2", "fd00::9", "fd00::13"
TO_US, FROM_US = IP(src=PEER, dst=OWN), IP(src=OWN, dst=PEER)
TO_US6, FROM_US6 = IPv6(src=PEER6, dst=OWN6), IPv6(src=OWN6, dst=PEER6)
SYN, SYN_ACK = TCP(sport=40000, dport=443, flags="S"), TCP(sport=443, dport=40000, flags="SA")
HTTPS = Flow(Transport.TCP, OWN, "443", (PEER,))
HTTPS6 = Flow(Transport.TCP, OWN6, "443", (PEER6,))
DNS = Flow(Transport.UDP, OWN, "53", (OTHER,))
DNS6 = Flow(Transport.UDP, OWN6, "53", (OTHER6,))
# Many kernels let a socket have 20,480 bytes of options, its program among them. Eight bytes for one instruction of
# the kernel's own, of which it makes up to two out of one of ours.
MOST_INSTRUCTIONS = 20_480 // 8 // 2


def kept(flows: list[Flow], packet: Packet | bytes, **more: int) -> int:
    return machine(Wanted(flows).program(), bytes(packet), **more)


def wanted(flows: list[Flow], packet: Packet | bytes) -> bool:
    sight = read(bytes(packet), 0, out=False)
    return sight is not None and sight in Wanted(flows)


FLOWS = [HTTPS, HTTPS6, DNS, DNS6]
PASSING = {
    "SYN": TO_US / SYN,
    "SYN-ACK": FROM_US / SYN_ACK,
    "SYN as the source sees it": FROM_US / SYN,
    "IPv6 SYN": TO_US6 / SYN,
    "IPv6 SYN-ACK": FROM_US6 / SYN_ACK,
    "UDP": IP(src=OTHER, dst=OWN) / UDP(sport=5353, dport=53),
    "UDP answer over IPv6": IPv6(src=OWN6, dst=OTHER6) / UDP(sport=53, dport=5353),
    "IPv4 options": IP(src=PEER, dst=OWN, options=[IPOption_NOP()] * 40) / SYN,
    "first fragment": IP(src=PEER, dst=OWN, flags="MF") / SYN,
    "IPv6 first fragment": TO_US6 / IPv6ExtHdrFragment(m=1) / SYN,
    "IPv6 extension headers": TO_US6 / IPv6ExtHdrHopByHop() / IPv6ExtHdrDestOpt() / IPv6ExtHdrFragment() / SYN,
    "IPv6 long options": TO_US6 / IPv6ExtHdrDestOpt(options=[PadN(optdata=bytes(20))]) / SYN,
    "IPv6 reserved byte": TO_US6 / IPv6ExtHdrFragment(res1=3) / SYN,
    "unreachable": IP(src=OTHER, dst=OWN) / ICMP(type=3, code=13) / FROM_US / SYN,
    "time exceeded": IP(src=OTHER, dst=OWN) / ICMP(type=11) / FROM_US / SYN,
    "IPv6 unreachable": IPv6(src=OTHER6, dst=OWN6) / ICMPv6DestUnreach(code=1) / FROM_US6 / SYN,
}
DROPPED = {
    "another port": TO_US / TCP(sport=40000, dport=444),
    "another transport": TO_US / UDP(sport=40000, dport=443),
    "another peer": IP(src=STRANGER, dst=OWN) / SYN,
    "another host": IP(src=PEER, dst=STRANGER) / SYN,
    "another peer over IPv6": IPv6(src=STRANGER6, dst=OWN6) / SYN,
    "another host over IPv6": IPv6(src=PEER6, dst=STRANGER6) / SYN,
    "ping": TO_US / ICMP(),
    "redirect": IP(src=OTHER, dst=OWN) / ICMP(type=5) / FROM_US / SYN,
    "IPv6 ping": TO_US6 / ICMPv6EchoRequest(),
    "later fragment": IP(src=PEER, dst=OWN, frag=1, proto=6) / SYN,
    "IPv6 later fragment": TO_US6 / IPv6ExtHdrFragment(offset=1) / SYN,
    "no IP": b"\x00\x01\x08\x00\x06\x04" + bytes(40),
    "nothing": b"",
    "cut off": bytes(TO_US / SYN)[:21],
}
EVERY = {**PASSING, **DROPPED}


@pytest.mark.parametrize("name", EVERY)
def test_packets_of_the_flows_pass_and_others_do_not(name: str) -> None:
    packet = bytes(EVERY[name])
    assert kept(FLOWS, packet) == (KEPT_BYTES if name in PASSING else 0)
    with Kernel(Wanted(FLOWS).program()) as kernel:
        assert kernel.kept(packet) == (min(len(packet), KEPT_BYTES) if name in PASSING else 0)
    assert wanted(FLOWS, packet) == (name in PASSING)


def test_the_kernel_cuts_packets_off() -> None:
    with Kernel(Wanted(FLOWS).program(64)) as kernel:
        assert kernel.kept(bytes(TO_US / SYN / bytes(1000))) == 64


def test_frames_for_other_machines_do_not_pass() -> None:
    assert kept(FLOWS, TO_US / SYN, packet_type=socket.PACKET_OTHERHOST) == 0
    for kind in (socket.PACKET_HOST, socket.PACKET_BROADCAST, socket.PACKET_MULTICAST, socket.PACKET_OUTGOING):
        assert kept(FLOWS, TO_US / SYN, packet_type=kind)


@pytest.mark.parametrize("program", [NOTHING, Wanted([]).program()])
def test_without_flows_nothing_passes(program: bytes) -> None:
    assert machine(program, bytes(TO_US / SYN)) == machine(program, bytes(TO_US6 / UDP())) == 0


class TestAddresses:
    def test_either_end_alone(self) -> None:
        for flow in (Flow(Transport.TCP, OWN, "443"), Flow(Transport.TCP, "", "443", (PEER,))):
            assert kept([flow], TO_US / SYN)
            assert wanted([flow], FROM_US / SYN_ACK)
            assert not kept([flow], IP(src=OTHER, dst="10.0.0.8") / SYN)
            assert not kept([flow], TO_US6 / SYN)
            assert not wanted([flow], TO_US6 / SYN)

    def test_two_flows_are_not_mixed(self) -> None:
        """The kernel lets one flow's port of the other's peer pass; it is not wanted."""
        flows = [HTTPS, Flow(Transport.TCP, OWN, "22", (OTHER,))]
        mixed = IP(src=OTHER, dst=OWN) / SYN
        assert kept(flows, mixed)
        assert not wanted(flows, mixed)
        assert wanted(flows, IP(src=OTHER, dst=OWN) / TCP(dport=22))

    def test_a_flow_without_peers_opens_the_others(self) -> None:
        assert kept([HTTPS, Flow(Transport.TCP, OWN, "22")], IP(src=OTHER, dst=OWN) / TCP(dport=22))

    def test_ipv6_addresses_that_look_alike_to_the_kernel(self) -> None:
        alike = IPv6(src="0:0:fd00:1::2", dst=OWN6) / SYN
        assert kept([HTTPS6], alike)
        assert not wanted([HTTPS6], alike)

    def test_however_they_are_written(self) -> None:
        flow = Flow(Transport.TCP, "FD00:0::0001%eth0", "443", ("::ffff:200.0.0.2", "fd00:0001:0::2"))
        assert wanted([flow], TO_US6 / SYN)
        assert wanted([Flow(Transport.TCP, OWN, "443", ("::ffff:200.0.0.2",))], TO_US / SYN)

    def test_peers_of_both_families(self) -> None:
        flow = Flow(Transport.TCP, "", "443", (PEER, PEER6))
        assert kept([flow], TO_US / SYN)
        assert kept([flow], TO_US6 / SYN)
        assert not kept([flow], IPv6(src=OTHER6, dst=OWN6) / SYN)
        # The last word of an IPv6 address is no IPv4 address.
        assert not kept([Flow(Transport.TCP, "", "443", (PEER, "::a00:9"))], IP(src=OTHER, dst=OWN) / SYN)

    @pytest.mark.parametrize(
        ("flow", "message"),
        [
            (Flow(Transport.TCP, "db.example\x1b", "443"), r"'db\.example\\x1b' is no numeric address"),
            (Flow(Transport.TCP, "", "443", ("10.0.0.256",)), r"'10\.0\.0\.256' is no numeric address"),
            (Flow(Transport.TCP, "", "70000"), "port 70000 does not exist"),
        ],
    )
    def test_what_cannot_be_read(self, flow: Flow, message: str) -> None:
        with pytest.raises(ValueError, match=message):
            Wanted([flow])


class TestSize:
    EVEN = ",".join(f"{port}-{port + 1}" for port in range(2, 400, 3))
    # Close together in front, two far behind: the wide gaps stay.
    UNEVEN = Flow(Transport.TCP, "", ",".join(map(str, [*range(1000, 1000 + 8 * MOST_RANGES, 2), 20000, 30000])))

    def test_the_largest_program_is_one_that_every_kernel_takes(self) -> None:
        hosts = [f"{first}.{second}.0.1" for first in (10, 200) for second in range(100)]
        hosts += [f"fd{first:02x}::{second}:0:1" for first in range(2) for second in range(100)]
        program = Wanted(
            Flow(transport, address, self.EVEN, tuple(hosts)) for transport in Transport for address in hosts
        ).program()
        assert len(program) // 8 <= MOST_INSTRUCTIONS
        with Kernel(program) as kernel:
            packet = bytes(IPv6(src="fd01::99:0:1", dst="fd00::7:0:1") / UDP(sport=401, dport=398))
            assert machine(program, packet) == KEPT_BYTES
            assert kernel.kept(packet) == len(packet)
            assert kernel.kept(bytes(TO_US / TCP(sport=401, dport=402))) == 0

    def test_the_widest_gaps_stay(self) -> None:
        assert kept([self.UNEVEN], IP() / TCP(sport=1, dport=20000))
        for port in (999, 5000, 19999, 20001, 29999, 30001):
            assert not kept([self.UNEVEN], IP() / TCP(sport=1, dport=port))

    def test_what_the_kernel_lets_pass_between_is_not_wanted(self) -> None:
        between = IP() / TCP(sport=1, dport=1001 + 8 * MOST_RANGES - 4)
        assert kept([self.UNEVEN], between)
        assert not wanted([self.UNEVEN], between)


PORTS = st.integers(1, 12) | st.sampled_from([65534, 65535])
RANGES = st.tuples(PORTS, PORTS).map(lambda ends: f"{min(ends)}-{max(ends)}")
ADDRESSES = st.sampled_from([OWN, PEER, OTHER, OWN6, PEER6, OTHER6])
ANY_FLOWS = st.lists(
    st.builds(
        Flow,
        st.sampled_from(list(Transport)),
        ADDRESSES | st.just(""),
        st.lists(RANGES, min_size=1, max_size=4).map(",".join),
        st.lists(ADDRESSES, max_size=2).map(tuple),
    ),
    max_size=3,
)


def packet(source: str, target: str, transport: Transport, ports: tuple[int, int]) -> bytes:
    """The least that has ports."""
    data = struct.pack("!HH", *ports) + b"\0\0\0\0\0\0\0\0\x50\x02\0\0\0\0\0\0"
    number = 6 if transport is Transport.TCP else 17
    if ":" in source:
        addresses = socket.inet_pton(socket.AF_INET6, source) + socket.inet_pton(socket.AF_INET6, target)
        return struct.pack("!LHBB", 0x60000000, len(data), number, 64) + addresses + data
    addresses = socket.inet_aton(source) + socket.inet_aton(target)
    return struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(data), 0, 0, 64, number, 0) + addresses + data


ANY_PACKET = st.sampled_from([(OWN, PEER, OTHER), (OWN6, PEER6, OTHER6)]).flatmap(
    lambda hosts: st.builds(
        packet,
        st.sampled_from(hosts),
        st.sampled_from(hosts),
        st.sampled_from(list(Transport)),
        st.tuples(PORTS, PORTS),
    )
)


@given(ANY_FLOWS, st.lists(ANY_PACKET, min_size=1, max_size=5))
def test_what_is_wanted_passes(flows: list[Flow], packets: list[bytes]) -> None:
    program = Wanted(flows).program()
    with Kernel(program) as kernel:
        for one in packets:
            passed = machine(program, one)
            assert (kernel.kept(one) > 0) == (passed > 0)
            assert passed or not wanted(flows, one)


@given(ANY_FLOWS, st.binary(max_size=120) | st.builds(bytes.__add__, st.sampled_from([b"E", b"`"]), st.binary()))
def test_kernel_and_machine_agree_on_any_bytes(flows: list[Flow], data: bytes) -> None:
    program = Wanted(flows).program()
    with Kernel(program) as kernel:
        assert kernel.kept(data) == min(len(data), machine(program, data))
