"""At which ports packets came in: a byte for each port and pair of addresses, no packet is kept. Pure; packets are
hostile input.

Frames are read many at once: what a sweep sends comes at hundreds of thousands a second.
"""

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING

from probe.model.ports import PortSet
from probe.model.sight import Arrived
from probe.model.words import Transport
from probe.witness.packets import TRANSPORTS, read

if TYPE_CHECKING:
    from collections.abc import Iterator

    from probe.witness.filter import Wanted

FRAME = 256
"""Bytes of one frame."""
PACKET = 80
"""Where in it the packet starts, from its network header on: after `struct tpacket2_hdr` and `struct sockaddr_ll`."""
# Pairs of addresses that are noted, of 64 KB each; those that are known to be no business of ours; ports that were
# translated on the way.
_MOST_PAIRS, _MOST_STRANGERS, _MOST_MOVED = 512, 4096, 1024
# Characters of what is told in the end, so that it fits into a frame whatever strangers send.
_MOST_TEXT, _ROW_TEXT = 1_500_000, 150
_BARE_IPV4, _VERSION, _IPV6 = 0x45, 0xF0, 0x60
_UDP_HEADER, _PORTS = 8, 65_536
_NUMBERS = {transport: number for number, transport in TRANSPORTS.items()}

_Pair = tuple[int, bytes]


class Arrivals:
    """`take` frames as they come. `mark`: datagrams begin with it, and then with the port that they were sent to.

    `full`: more came than is noted or told, or what cannot be read.
    """

    def __init__(self, wanted: Wanted, mark: bytes = b"") -> None:
        self._wanted = wanted
        self._marked = len(mark)
        self.full = False
        # By protocol and packed addresses, a byte for each port; None: of no flow.
        self._seen: dict[_Pair, bytearray | None] = {}
        self._pairs = 0
        # Ports sent to, by the port that they were translated to.
        self._moved: dict[_Pair, dict[int, set[int]]] = {}
        self._moves = 0
        # First byte, protocol, both addresses, target port and where a mark says which it was: of an IPv4 header
        # without options, and of a bare IPv6 header.
        says = len(mark) + _UDP_HEADER - 4
        self._ipv4 = struct.Struct(f"!{PACKET}x B 8x B 2x 8s 2x H {says}x H {FRAME - PACKET - 26 - says}x")
        self._ipv6 = struct.Struct(f"!{PACKET}x B 5x B x 32s 2x H {says}x H {FRAME - PACKET - 46 - says}x")

    def take(self, frames: bytes) -> None:
        """Whole frames with packets that the filter let pass."""
        left = len(frames) // FRAME
        for first, protocol, pair, port, said in self._ipv4.iter_unpack(frames):
            if first == _BARE_IPV4:
                left -= 1
                self._note((protocol, pair), port, said)
        if left:
            for first, protocol, pair, port, said in self._ipv6.iter_unpack(frames):
                if first & _VERSION == _IPV6 and protocol in TRANSPORTS:
                    left -= 1
                    self._note((protocol, pair), port, said)
        if left:
            self._take_odd(frames)

    def _note(self, pair: _Pair, port: int, said: int) -> None:
        seen = self._seen[pair] if pair in self._seen else self._meet(pair)
        if seen is None:
            return
        if not self._marked or said == port or TRANSPORTS[pair[0]] is Transport.TCP:
            seen[port] = 1
        elif said not in self._moved.get(pair, {}).get(port, ()):
            if self._moves >= _MOST_MOVED:
                self.full = True
                return
            self._moves += 1
            self._moved.setdefault(pair, {}).setdefault(port, set()).add(said)

    def _take_odd(self, frames: bytes) -> None:
        """Headers with options or extensions."""
        for start in range(PACKET, len(frames), FRAME):
            packet = frames[start : start + FRAME - PACKET]
            if packet[0] == _BARE_IPV4 or (packet[0] & _VERSION == _IPV6 and packet[6] in TRANSPORTS):
                continue
            sight = read(packet, 0.0, out=False)
            if sight is None or sight.icmp is not None:
                self.full = True
                continue
            family, length = (
                (socket.AF_INET6, 40 + _half(packet, 4)) if ":" in sight.source else (socket.AF_INET, _half(packet, 2))
            )
            pair = socket.inet_pton(family, sight.source) + socket.inet_pton(family, sight.target)
            says = length - sight.size + self._marked
            said = _half(packet, says) if says + 2 <= len(packet) else 0
            self._note((_NUMBERS[sight.transport], pair), sight.target_port, said)

    def _meet(self, pair: _Pair) -> bytearray | None:
        """A pair of addresses for the first time."""
        transport, (peer, own) = TRANSPORTS.get(pair[0]), _halves(pair[1])
        seen = None
        if transport is not None and self._wanted.ports(transport, own, peer):
            self._pairs += 1
            if self._pairs > _MOST_PAIRS:
                self.full = True
                return None
            seen = bytearray(_PORTS)
        elif len(self._seen) >= _MOST_PAIRS + _MOST_STRANGERS:
            return None
        self._seen[pair] = seen
        return seen

    def arrived(self) -> tuple[Arrived, ...]:
        """As far as it may be told."""
        rows, left = [], _MOST_TEXT
        for row in self._rows():
            left -= len(row.ports) + _ROW_TEXT
            if left < 0:
                self.full = True
                break
            rows.append(row)
        return tuple(rows)

    def _rows(self) -> Iterator[Arrived]:
        for pair, seen in self._seen.items():
            if seen is None:
                continue
            peer, own = _halves(pair[1])
            wanted = self._wanted.ports(TRANSPORTS[pair[0]], own, peer)
            found = [(PortSet(_runs(seen)) & wanted, 0)]
            moved = self._moved.get(pair, {})
            found += [(PortSet.of(filter(None, said)) & wanted, port) for port, said in moved.items()]
            family = socket.AF_INET if len(own) == 4 else socket.AF_INET6
            for ports, onto in found:
                if ports:
                    yield Arrived(
                        peer=socket.inet_ntop(family, peer),
                        address=socket.inet_ntop(family, own),
                        transport=TRANSPORTS[pair[0]],
                        ports=str(ports),
                        onto=onto,
                    )


def _half(packet: bytes, at: int) -> int:
    return int.from_bytes(packet[at : at + 2], "big")


def _halves(pair: bytes) -> tuple[bytes, bytes]:
    middle = len(pair) // 2
    return pair[:middle], pair[middle:]


def _runs(seen: bytearray) -> Iterator[tuple[int, int]]:
    """Of ports that exist: a packet may be sent to port 0."""
    start = seen.find(1, 1)
    while start >= 0:
        end = seen.find(0, start)
        yield start, (end if end >= 0 else _PORTS) - 1
        start = seen.find(1, end) if end >= 0 else -1
