"""What a sweep puts on the wire behind the IP header: a SYN, a RST, a datagram, with their checksums.

TCP: RFC 9293, UDP: RFC 768, the pseudo header of IPv6: RFC 8200, 8.1. Packets are written in place, side by side in one
buffer, so that a whole batch leaves in one system call.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

TCP, UDP = 6, 17
SYN_BYTES, RST_BYTES, UDP_HEADER_BYTES = 24, 20, 8
MOST_PAYLOAD = 1232
"""Bytes of a datagram's payload: with all headers it passes every path unfragmented."""

# As an ordinary host begins: 64,240 bytes of window and a maximum segment of 1,460; some firewalls drop a bare SYN.
_WINDOW, _SEGMENT_OPTION = 64240, 0x020405B4
_SYN_WORD, _RST_WORD = (SYN_BYTES // 4) << 12 | 0x02, (RST_BYTES // 4) << 12 | 0x04
_SYN = struct.Struct("!HHIIHHHHI")
_RST = struct.Struct("!HHIIHHHH")
_UDP = struct.Struct("!HHHH")


def pseudo_sum(source: bytes, target: bytes, protocol: int) -> int:
    """The addresses and the protocol, as the checksum adds them up; the length comes with the packet."""
    both = source + target
    words: tuple[int, ...] = struct.unpack(f"!{len(both) // 2}H", both)
    return sum(words) + protocol


class Attempts(NamedTuple):
    """Of one slot at one target: where each comes from, and what it is known by.

    The cookie of a port is the sum of its secret and the target's offset; it also chooses the source port among our
    own, whose number is a power of two, counted from the slot on.
    """

    own: Sequence[int]
    slot: int
    secrets: Sequence[int]
    offset: int
    pseudo: int

    def cookie(self, port: int) -> int:
        return self.secrets[port] + self.offset & 0xFFFFFFFF


def write_syns(buffer: bytearray, at: int, stride: int, attempts: Attempts, ports: Iterable[int]) -> None:
    """One SYN for each port, whose sequence number is its cookie; the first at `at`."""
    own, slot, secrets, offset, pseudo = attempts
    write, mask = _SYN.pack_into, len(own) - 1
    base = pseudo + SYN_BYTES + _SYN_WORD + _WINDOW + (_SEGMENT_OPTION >> 16) + (_SEGMENT_OPTION & 0xFFFF)
    for port in ports:
        cookie = secrets[port] + offset & 0xFFFFFFFF
        source = own[slot + cookie & mask]
        total = base + source + port + (cookie >> 16) + (cookie & 0xFFFF)
        total = (total >> 16) + (total & 0xFFFF)
        total += total >> 16
        write(buffer, at, source, port, cookie, 0, _SYN_WORD, _WINDOW, ~total & 0xFFFF, 0, _SEGMENT_OPTION)
        at += stride


def write_resets(buffer: bytearray, at: int, stride: int, attempts: Attempts, ports: Iterable[int]) -> None:
    """One RST for each, in sequence after its SYN: it ends what the SYN began at the target or in a firewall."""
    own, slot, secrets, offset, pseudo = attempts
    write, mask = _RST.pack_into, len(own) - 1
    base = pseudo + RST_BYTES + _RST_WORD
    for port in ports:
        cookie = secrets[port] + offset & 0xFFFFFFFF
        source = own[slot + cookie & mask]
        number = cookie + 1 & 0xFFFFFFFF
        total = base + source + port + (number >> 16) + (number & 0xFFFF)
        total = (total >> 16) + (total & 0xFFFF)
        total += total >> 16
        write(buffer, at, source, port, number, 0, _RST_WORD, 0, ~total & 0xFFFF, 0)
        at += stride


def write_datagrams(
    buffer: bytearray, at: int, stride: int, attempts: Attempts, ports: Iterable[int], payload: Callable[[int], bytes]
) -> list[int]:
    """One datagram for each, with the payload for its port; returns their lengths."""
    lengths = []
    own, slot, _, _, pseudo = attempts
    for port in ports:
        source = own[slot + attempts.cookie(port) & len(own) - 1]
        data = payload(port)[:MOST_PAYLOAD]
        length = UDP_HEADER_BYTES + len(data)
        padded = data + b"\0" if len(data) % 2 else data
        total = pseudo + 2 * length + source + port + sum(struct.unpack(f"!{len(padded) // 2}H", padded))
        total = (total >> 16) + (total & 0xFFFF)
        total += total >> 16
        # 0 would say that there is no checksum.
        _UDP.pack_into(buffer, at, source, port, length, ~total & 0xFFFF or 0xFFFF)
        buffer[at + UDP_HEADER_BYTES : at + length] = data
        lengths.append(length)
        at += stride
    return lengths
