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
from probe.witness.packets import TRANSPORTS, read

if TYPE_CHECKING:
    from collections.abc import Iterator

    from probe.witness.filter import Wanted

FRAME = 256
"""Bytes of one frame."""
PACKET = 80
"""Where in it the packet starts, from its network header on: after `struct tpacket2_hdr` and `struct sockaddr_ll`."""
# Pairs of addresses that are noted, of 64 KB each; and those that are known to be no business of ours.
_MOST_PAIRS, _MOST_STRANGERS = 512, 4096
# First byte, protocol, both addresses, target port: of an IPv4 header without options, and of a bare IPv6 header.
_IPV4 = struct.Struct(f"!{PACKET}x B 8x B 2x 8s 2x H {FRAME - PACKET - 24}x")
_IPV6 = struct.Struct(f"!{PACKET}x B 5x B x 32s 2x H {FRAME - PACKET - 44}x")
_BARE_IPV4, _VERSION, _IPV6_VERSION = 0x45, 0xF0, 0x60
_NUMBERS = {transport: number for number, transport in TRANSPORTS.items()}
_PORTS = 65_536


class Arrivals:
    """`take` frames as they come. `full`: there were more pairs of addresses than are noted."""

    def __init__(self, wanted: Wanted) -> None:
        self._wanted = wanted
        self.full = False
        # By protocol and packed addresses; None: of no flow.
        self._seen: dict[tuple[int, bytes], bytearray | None] = {}
        self._pairs = 0

    def take(self, frames: bytes) -> None:
        """Whole frames with packets that the filter let pass."""
        known = self._seen
        left = len(frames) // FRAME
        for first, protocol, pair, port in _IPV4.iter_unpack(frames):
            if first == _BARE_IPV4:
                left -= 1
                seen = known[protocol, pair] if (protocol, pair) in known else self._meet(protocol, pair)
                if seen is not None:
                    seen[port] = 1
        if not left:
            return
        for first, protocol, pair, port in _IPV6.iter_unpack(frames):
            if first & _VERSION == _IPV6_VERSION and protocol in TRANSPORTS:
                left -= 1
                seen = known[protocol, pair] if (protocol, pair) in known else self._meet(protocol, pair)
                if seen is not None:
                    seen[port] = 1
        if left:
            self._take_odd(frames)

    def _take_odd(self, frames: bytes) -> None:
        """Headers with options or extensions."""
        for start in range(PACKET, len(frames), FRAME):
            first = frames[start]
            if first == _BARE_IPV4 or (first & _VERSION == _IPV6_VERSION and frames[start + 6] in TRANSPORTS):
                continue
            sight = read(frames[start : start + FRAME - PACKET], 0.0, out=False)
            if sight is None or sight.icmp is not None:
                self.full = True  # something came that cannot be read: nothing is sure any more
                continue
            family = socket.AF_INET6 if ":" in sight.source else socket.AF_INET
            pair = socket.inet_pton(family, sight.source) + socket.inet_pton(family, sight.target)
            protocol = _NUMBERS[sight.transport]
            seen = self._seen[protocol, pair] if (protocol, pair) in self._seen else self._meet(protocol, pair)
            if seen is not None:
                seen[sight.target_port] = 1

    def _meet(self, protocol: int, pair: bytes) -> bytearray | None:
        """A pair of addresses for the first time."""
        transport, (peer, own) = TRANSPORTS.get(protocol), _halves(pair)
        seen = None
        if transport is not None and self._wanted.ports(transport, own, peer):
            self._pairs += 1
            if self._pairs > _MOST_PAIRS:
                self.full = True
                return None
            seen = bytearray(_PORTS)
        elif len(self._seen) >= _MOST_PAIRS + _MOST_STRANGERS:
            return None
        self._seen[protocol, pair] = seen
        return seen

    def arrived(self) -> Iterator[Arrived]:
        for (protocol, pair), seen in self._seen.items():
            if seen is None:
                continue
            transport, (peer, own) = TRANSPORTS[protocol], _halves(pair)
            ports = PortSet(_runs(seen)) & self._wanted.ports(transport, own, peer)
            if ports:
                family = socket.AF_INET if len(own) == 4 else socket.AF_INET6
                yield Arrived(
                    peer=socket.inet_ntop(family, peer),
                    address=socket.inet_ntop(family, own),
                    transport=transport,
                    ports=str(ports),
                )


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
