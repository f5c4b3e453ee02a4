"""What a sweep puts on the wire behind the IP header: a SYN, a RST, a datagram, with their checksums.

TCP: RFC 9293, UDP: RFC 768, the pseudo header of IPv6: RFC 8200, 8.1. Packets are written in place, side by side in one
buffer, so that a whole batch leaves in one system call.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

TCP, UDP = 6, 17
SYN_BYTES, RST_BYTES, UDP_HEADER_BYTES = 24, 20, 8
MOST_PAYLOAD = 480
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


def write_syns(
    buffer: bytearray, stride: int, pseudo: int, tuples: Sequence[tuple[int, int]], cookies: Sequence[int]
) -> None:
    """One SYN for each (source port, target port), whose sequence number is its cookie."""
    write, at = _SYN.pack_into, 0
    base = pseudo + SYN_BYTES + _SYN_WORD + _WINDOW + (_SEGMENT_OPTION >> 16) + (_SEGMENT_OPTION & 0xFFFF)
    for (source, target), cookie in zip(tuples, cookies, strict=True):
        total = base + source + target + (cookie >> 16) + (cookie & 0xFFFF)
        total = (total >> 16) + (total & 0xFFFF)
        total += total >> 16
        write(buffer, at, source, target, cookie, 0, _SYN_WORD, _WINDOW, ~total & 0xFFFF, 0, _SEGMENT_OPTION)
        at += stride


def write_resets(
    buffer: bytearray, stride: int, pseudo: int, tuples: Sequence[tuple[int, int]], cookies: Sequence[int]
) -> None:
    """One RST for each, in sequence after its SYN: it ends what the SYN began at the target or in a firewall."""
    write, at = _RST.pack_into, 0
    base = pseudo + RST_BYTES + _RST_WORD
    for (source, target), cookie in zip(tuples, cookies, strict=True):
        number = (cookie + 1) & 0xFFFFFFFF
        total = base + source + target + (number >> 16) + (number & 0xFFFF)
        total = (total >> 16) + (total & 0xFFFF)
        total += total >> 16
        write(buffer, at, source, target, number, 0, _RST_WORD, 0, ~total & 0xFFFF, 0)
        at += stride


def write_datagrams(
    buffer: bytearray,
    stride: int,
    pseudo: int,
    tuples: Sequence[tuple[int, int]],
    payload: Callable[[int], bytes],
) -> list[int]:
    """One datagram for each, with the payload for its target port; returns their lengths."""
    lengths, at = [], 0
    for source, target in tuples:
        data = payload(target)[:MOST_PAYLOAD]
        length = UDP_HEADER_BYTES + len(data)
        padded = data + b"\0" if len(data) % 2 else data
        total = pseudo + 2 * length + source + target + sum(struct.unpack(f"!{len(padded) // 2}H", padded))
        total = (total >> 16) + (total & 0xFFFF)
        total += total >> 16
        # 0 would say that there is no checksum.
        _UDP.pack_into(buffer, at, source, target, length, ~total & 0xFFFF or 0xFFFF)
        buffer[at + UDP_HEADER_BYTES : at + length] = data
        lengths.append(length)
        at += stride
    return lengths
