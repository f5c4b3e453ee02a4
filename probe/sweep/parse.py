"""What comes back to a sweep, read from raw sockets. Pure; packets are hostile input, of any bytes and any length.

An IPv4 raw socket hands over the IP header too, an IPv6 one begins behind it and names the sender beside the packet.
ICMP errors quote at least eight bytes of what they are about (RFC 792, RFC 4443): ports and, of TCP, the sequence
number.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

from probe.sweep.segments import TCP

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

KEPT_BYTES = 128
"""Of each packet: an IP header with options, and an ICMP error with the headers that it quotes."""
_SOCKADDR6_BYTES = 28  # family, port, flow information, address, scope
_IPV4_HEADER, _IPV6_HEADER, _ICMP_HEADER = 20, 40, 8
_PLAIN_HEADER = 0x45  # IPv4 without options
# A whole slot: version and length of the header, protocol, sender, and what stands there if there are no options.
_PLAIN4 = struct.Struct(f"!B8xB2x4s4xHH4xIxB{KEPT_BYTES - 34}x")
_TCP = struct.Struct("!HH4xIxB")
_PLAIN_TCP = _IPV4_HEADER + 14  # as far as the flags
_LENGTH_MASK = 0xFFFFFFFF  # the kernel's word has four bytes; the others are padding
_PORTS = struct.Struct("!HH")
_QUOTED4 = struct.Struct("!B5xHxB6x4s")
_QUOTED6 = struct.Struct("!B5xB17x16s")
_QUOTED_PORTS = struct.Struct("!HHI")
# Destination unreachable, time exceeded, parameter problem. 3/4, too large, is no refusal.
ERRORS4, ERRORS6 = (3, 11, 12), (1, 3, 4)
_TOO_LARGE = (3, 4)

Reply = tuple[bytes, int, int, int, int]
"""Who sent it, from which port, to which of ours; TCP's acknowledgement and flags, 0 for UDP."""


class Block(NamedTuple):
    """Packets as recvmmsg(2) left them: KEPT_BYTES for each, how long each was, the sockaddr of each one's sender."""

    packets: bytes
    lengths: Sequence[int]
    names: bytes


class Refusal(NamedTuple):
    """An ICMP error of `sender`, about what went from `own` to `port` of the machine at `target`.

    `word`: TCP's sequence number; UDP's length and checksum.
    """

    sender: bytes
    type: int
    code: int
    target: bytes
    port: int
    own: int
    word: int


def replies4(block: Block, protocol: int) -> Iterator[Reply]:
    """What is none, or shorter than its header, is left out."""
    for index, (first, carried, sender, port, own, ack, flags) in enumerate(_PLAIN4.iter_unpack(block.packets)):
        length = block.lengths[index] & _LENGTH_MASK
        if first == _PLAIN_HEADER and carried == protocol == TCP and length >= _PLAIN_TCP:
            yield sender, port, own, ack, flags
        else:
            start = index * KEPT_BYTES
            reply = reply4(block.packets[start : start + min(length, KEPT_BYTES)], protocol)
            if reply is not None:
                yield reply


def replies6(block: Block, protocol: int) -> Iterator[Reply]:
    for index, packet in enumerate(_packets(block)):
        reply = _reply(packet, 0, _sender6(block, index), protocol)
        if reply is not None:
            yield reply


def refusals(block: Block, family: int, protocol: int) -> Iterator[Refusal]:
    """The ICMP errors about what this protocol carried; `family` is 4 or 6."""
    for index, packet in enumerate(_packets(block)):
        refusal = refusal4(packet, protocol) if family == 4 else refusal6(packet, _sender6(block, index), protocol)
        if refusal is not None:
            yield refusal


def reply4(packet: bytes, protocol: int) -> Reply | None:
    if len(packet) < _IPV4_HEADER or packet[0] >> 4 != 4 or packet[9] != protocol:
        return None
    return _reply(packet, (packet[0] & 0x0F) * 4, packet[12:16], protocol)


def _reply(packet: bytes, start: int, sender: bytes, protocol: int) -> Reply | None:
    try:
        if protocol == TCP:
            port, own, ack, flags = _TCP.unpack_from(packet, start)
            return sender, port, own, ack, flags
        port, own = _PORTS.unpack_from(packet, start)
        return sender, port, own, 0, 0
    except struct.error:
        return None


def _packets(block: Block) -> Iterator[bytes]:
    for index, length in enumerate(block.lengths):
        start = index * KEPT_BYTES
        yield block.packets[start : start + min(length & _LENGTH_MASK, KEPT_BYTES)]


def _sender6(block: Block, index: int) -> bytes:
    start = index * _SOCKADDR6_BYTES + 8
    return block.names[start : start + 16]


def refusal4(packet: bytes, protocol: int) -> Refusal | None:
    if len(packet) < _IPV4_HEADER or packet[0] >> 4 != 4 or packet[9] != 1:
        return None
    start = (packet[0] & 0x0F) * 4
    try:
        kind, code = packet[start], packet[start + 1]
        first, fragment, quoted, target = _QUOTED4.unpack_from(packet, start + _ICMP_HEADER)
        inner = start + _ICMP_HEADER + (first & 0x0F) * 4
        own, port, word = _QUOTED_PORTS.unpack_from(packet, inner)
    except (struct.error, IndexError):
        return None
    broken = first >> 4 != 4 or (first & 0x0F) < 5 or fragment & 0x1FFF or quoted != protocol
    if broken or kind not in ERRORS4 or (kind, code) == _TOO_LARGE:
        return None
    return Refusal(packet[12:16], kind, code, target, port, own, word)


def refusal6(packet: bytes, sender: bytes, protocol: int) -> Refusal | None:
    try:
        kind, code = packet[0], packet[1]
        first, quoted, target = _QUOTED6.unpack_from(packet, _ICMP_HEADER)
        own, port, word = _QUOTED_PORTS.unpack_from(packet, _ICMP_HEADER + _IPV6_HEADER)
    except (struct.error, IndexError):
        return None
    if first >> 4 != 6 or quoted != protocol or kind not in ERRORS6:
        return None
    return Refusal(sender, kind, code, target, port, own, word)
