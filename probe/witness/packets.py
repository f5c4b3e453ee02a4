"""One packet, from its network header on, as a sight: who to whom, and what it was. Pure; packets are hostile input.

IPv4 (RFC 791), IPv6 (RFC 8200), TCP (RFC 9293), UDP (RFC 768), ICMP errors (RFC 792, RFC 4443) by the packet they
quote. Of a fragmented packet only the first piece has ports, and is read; the others are none.
"""

from __future__ import annotations

import socket
import struct
from typing import NamedTuple

from probe.model.sight import Sight
from probe.model.words import Transport

TRANSPORTS = {6: Transport.TCP, 17: Transport.UDP}
# Destination unreachable, (packet too big,) time exceeded, parameter problem: by the protocol that carries them.
ICMP, ICMPV6 = 1, 58
ERRORS = {ICMP: (3, 11, 12), ICMPV6: (1, 2, 3, 4)}
FRAGMENT = 44
# Hop-by-hop options, routing, fragment, destination options: each starts with what follows it and how long it is.
EXTENSIONS = (0, 43, FRAGMENT, 60)
MOST_EXTENSIONS = 3
_ICMP_HEADER = 8
# In the order in which they are usually written: SA, RA, PA, FA.
_FLAGS = tuple(zip("FSRPAU", (0x01, 0x02, 0x04, 0x08, 0x10, 0x20), strict=True))

_IPV4 = struct.Struct("!B x H 2x H BB 2x 4s 4s")
_IPV6 = struct.Struct("!4x H BB 16s 16s")
_EXTENSION = struct.Struct("!BBH")
_PORTS = struct.Struct("!HH")
_SEQUENCE = struct.Struct("!L")
_TCP = struct.Struct("!HH LL BB")


class _Network(NamedTuple):
    """A network header: what follows it (`protocol`), from which byte to before which."""

    family: int
    protocol: int
    ttl: int
    source: str
    target: str
    start: int
    end: int


def read(packet: bytes, at: float, interface: str = "", *, out: bool) -> Sight | None:
    """The packet as a sight; None if it is none of TCP, UDP or an ICMP error about them, or broken or cut off before
    its ports.
    """
    try:
        network = _network(packet, 0)
        if network is None:
            return None
        if network.protocol in ERRORS:
            return _error(packet, network, at, interface, out=out)
        transport = TRANSPORTS.get(network.protocol)
        if transport is None:
            return None
        flags, header, seq, ack = "", 8, 0, 0
        if transport is Transport.TCP:
            source_port, target_port, seq, ack, words, bits = _TCP.unpack_from(packet, network.start)
            flags = "".join([letter for letter, bit in _FLAGS if bits & bit])
            header = (words >> 4) * 4
        else:
            source_port, target_port = _PORTS.unpack_from(packet, network.start)
        return Sight(
            at=at,
            out=out,
            transport=transport,
            source=network.source,
            source_port=source_port,
            target=network.target,
            target_port=target_port,
            ttl=network.ttl,
            flags=flags,
            size=max(0, network.end - network.start - header),
            seq=seq,
            ack=ack,
            interface=interface,
        )
    except (struct.error, IndexError):  # shorter than its headers say
        return None


def _error(packet: bytes, network: _Network, at: float, interface: str, *, out: bool) -> Sight | None:
    """An ICMP error, by the packet that it quotes: at least eight bytes of it, which is ports and sequence number."""
    kind, code = packet[network.start], packet[network.start + 1]
    if kind not in ERRORS[network.protocol]:
        return None
    quoted = _network(packet, network.start + _ICMP_HEADER)
    if quoted is None or quoted.family != network.family or quoted.protocol not in TRANSPORTS:
        return None
    transport = TRANSPORTS[quoted.protocol]
    source_port, target_port = _PORTS.unpack_from(packet, quoted.start)
    return Sight(
        at=at,
        out=out,
        transport=transport,
        source=quoted.source,
        source_port=source_port,
        target=quoted.target,
        target_port=target_port,
        ttl=network.ttl,
        seq=_SEQUENCE.unpack_from(packet, quoted.start + 4)[0] if transport is Transport.TCP else 0,
        interface=interface,
        icmp=(kind, code),
        sender=network.source,
    )


def _network(packet: bytes, start: int) -> _Network | None:
    version = packet[start] >> 4
    if version == 4:
        first, length, fragment, ttl, protocol, source, target = _IPV4.unpack_from(packet, start)
        header = (first & 0x0F) * 4
        if header < _IPV4.size or fragment & 0x1FFF:
            return None
        # Some drivers hand over packets larger than the field can say, and leave it zero.
        end = start + length if length else len(packet)
        family = socket.AF_INET
        begin = start + header
    elif version == 6:
        length, protocol, ttl, source, target = _IPV6.unpack_from(packet, start)
        begin = start + _IPV6.size
        end = begin + length if length else len(packet)
        family = socket.AF_INET6
        for _ in range(MOST_EXTENSIONS):
            if protocol not in EXTENSIONS:
                break
            following, words, piece = _EXTENSION.unpack_from(packet, begin)
            if protocol == FRAGMENT and piece & 0xFFF8:
                return None
            begin += 8 if protocol == FRAGMENT else (words + 1) * 8
            protocol = following
    else:
        return None
    return _Network(
        family, protocol, ttl, socket.inet_ntop(family, source), socket.inet_ntop(family, target), begin, end
    )
