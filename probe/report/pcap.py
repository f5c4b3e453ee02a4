"""Packets as a capture file, rebuilt from what was kept of their headers: no payload, no options.

The link type is Linux's cooked one (`tcpdump -i any` writes it), which says of each packet whether it arrived or left.
"""

from __future__ import annotations

import io
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

from scapy.layers import inet, inet6, l2
from scapy.packet import Raw
from scapy.utils import PcapWriter

from probe.model.words import Transport

if TYPE_CHECKING:
    from collections.abc import Iterable

    from probe.model.sight import Sight

_LINUX_SLL, _OUTGOING = 113, 4
_IPV4, _IPV6 = 0x0800, 0x86DD
_LATEST, _LARGEST = 2**32, 65_000  # seconds and bytes that the formats can hold
_QUOTED = 8  # bytes of a transport header that an ICMP error quotes at least (RFC 792)
_ICMP, _ICMPV6 = {3, 11, 12}, {1, 2, 3, 4}


def pcap(sights: Iterable[Sight]) -> bytes:
    """A capture file, in the order of time. What no packet can have been (an agent may say anything) is left out."""
    file = io.BytesIO()
    writer = PcapWriter(file, linktype=_LINUX_SLL)
    writer.write_header(None)
    for sight in sorted(filter(_possible, sights), key=lambda sight: sight.at):
        data = bytes(_packet(sight))
        seconds, microseconds = divmod(round(sight.at * 1e6), 1_000_000)
        missing = sight.size if sight.icmp is None else 0
        writer.write_packet(data, sec=seconds, usec=microseconds, wirelen=len(data) + missing)
    return file.getvalue()


def _possible(sight: Sight) -> bool:
    """scapy would look up a name, and fail on a number that does not fit."""
    numbers = ((sight.source_port, 16), (sight.target_port, 16), (sight.ttl, 8), (sight.seq, 32), (sight.ack, 32))
    six = ":" in sight.source
    addresses = (sight.source, sight.target, *((sight.sender,) if sight.icmp is not None else ()))
    return (
        all(0 <= number < 1 << width for number, width in numbers)
        and 0 <= sight.at < _LATEST
        and 0 <= sight.size < _LARGEST
        and set(sight.flags) <= set("FSRPAU")
        and all(_is_of(address, 6 if six else 4) for address in addresses)
        and (sight.icmp is None or (sight.icmp[0] in (_ICMPV6 if six else _ICMP) and 0 <= sight.icmp[1] < 256))
    )


def _is_of(address: str, version: int) -> bool:
    try:
        return "%" not in address and ip_address(address).version == version
    except ValueError:
        return False


def _packet(sight: Sight) -> Any:
    six = ":" in sight.source
    cooked = l2.CookedLinux(pkttype=_OUTGOING if sight.out else 0, proto=_IPV6 if six else _IPV4)
    header = _transport(sight)
    if sight.icmp is None:
        return cooked / _network(sight.source, sight.target, sight.ttl, sight.transport, header, sight.size)
    quoted = _network(sight.source, sight.target, 0, sight.transport, header[:_QUOTED], 0)
    kind, code = sight.icmp
    if six:
        errors = (inet6.ICMPv6DestUnreach, inet6.ICMPv6PacketTooBig, inet6.ICMPv6TimeExceeded, inet6.ICMPv6ParamProblem)
        error = inet6.IPv6(src=sight.sender, dst=sight.source, hlim=sight.ttl) / errors[kind - 1](code=code)
        return cooked / error / Raw(bytes(quoted))
    outer = inet.IP(src=sight.sender, dst=sight.source, ttl=sight.ttl)
    return cooked / outer / inet.ICMP(type=kind, code=code) / Raw(bytes(quoted))


def _transport(sight: Sight) -> bytes:
    """The header by itself; its checksum cannot be known without the payload."""
    here, there = sight.source_port, sight.target_port
    if sight.transport is Transport.UDP:
        return bytes(inet.UDP(sport=here, dport=there, len=8 + sight.size, chksum=0))
    return bytes(inet.TCP(sport=here, dport=there, flags=sight.flags, seq=sight.seq, ack=sight.ack, chksum=0))


def _network(source: str, target: str, ttl: int, transport: Transport, header: bytes, size: int) -> Any:
    """The packet from its network header on; its length counts what is left out."""
    number, length = 6 if transport is Transport.TCP else 17, len(header) + size
    if ":" in source:
        return inet6.IPv6(src=source, dst=target, hlim=ttl, nh=number, plen=length) / Raw(header)
    return inet.IP(src=source, dst=target, ttl=ttl, proto=number, len=20 + length) / Raw(header)
