"""Which packets a capture is about: in the kernel by a classic BPF program, which may let too much through but never
too little, and exactly in user space.

The program (Linux: Documentation/networking/filter.rst) sees a packet from its network header on. Jumps go forward
only, so it is built from its end to its start: whatever a step leads to is there already.
"""

from __future__ import annotations

import ipaddress
import struct
from functools import lru_cache
from itertools import pairwise
from socket import AF_INET
from typing import TYPE_CHECKING, NamedTuple

from probe.model.ports import PortSet
from probe.model.words import Transport
from probe.text import printable
from probe.witness.packets import ERRORS, EXTENSIONS, FRAGMENT, ICMP, ICMPV6, MOST_EXTENSIONS, TRANSPORTS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from probe.model.sight import Flow, Sight

KEPT_BYTES = 200
"""Of each packet: room for the longest headers of IPv4 and TCP, and for an ICMP error with those that it quotes."""
# In one test. More are merged into wider ranges: some kernels give a socket no more than 20 KB for its program.
MOST_RANGES = 24

_Ranges = list[tuple[int, int]]
_Steps = list[tuple[int, int]]

_LOAD, _LOAD_WORD, _LOAD_HALF, _LOAD_BYTE = 0x00, 0x20, 0x28, 0x30  # A <- k, packet[k]
_LOAD_WORD_AT, _LOAD_HALF_AT, _LOAD_BYTE_AT = 0x40, 0x48, 0x50  # A <- packet[X + k]
_LOAD_SCRATCH, _STORE_SCRATCH = 0x60, 0x02
_INDEX, _INDEX_HEADER, _INDEX_A = 0x01, 0xB1, 0x07  # X <- k, length of the IPv4 header at k, A
_ADD, _ADD_INDEX, _SHIFT_LEFT, _AND, _XOR_INDEX = 0x04, 0x0C, 0x64, 0x54, 0xAC  # A <- A op k or X
_JUMP, _EQUAL, _ABOVE, _AT_LEAST, _ANY_BIT = 0x05, 0x15, 0x25, 0x35, 0x45
_RETURN = 0x06
_INSTRUCTION = struct.Struct("=HBBI")
_SYN, _ACK, _UDP_HEADER = 0x02, 0x10, 8
# What the kernel knows beside the bytes: SKF_AD_OFF + SKF_AD_PKTTYPE; and PACKET_OTHERHOST, which is below
# PACKET_OUTGOING and above all that is for this host.
_PACKET_TYPE, _OTHER_HOST = 0xFFFFF000 + 4, 3
# A conditional jump reaches 255 instructions, less those that may come between.
_REACH = 250

NOTHING = _INSTRUCTION.pack(_RETURN, 0, 0, 0)
"""A program that lets no packet pass."""


class Wanted:
    """The flows, exactly: `sight in wanted`. Raises ValueError for a text that is no address or no set of ports."""

    def __init__(self, flows: Iterable[Flow]) -> None:
        self._terms = [_terms(flow) for flow in flows]

    def __contains__(self, sight: Sight) -> bool:
        source, target = _packed(sight.source), _packed(sight.target)
        return any(
            term.transport is sight.transport
            and (sight.target_port in term.ports or sight.source_port in term.ports)
            and (term.joins(source, target) or term.joins(target, source))
            for term in self._terms
        )

    def ports(self, transport: Transport, own: bytes, peer: bytes) -> PortSet:
        """Those of this host's end between these packed addresses."""
        terms = [term for term in self._terms if term.transport is transport and term.joins(own, peer)]
        return PortSet([span for term in terms for span in term.ports.ranges])

    def program(self, kept: int = KEPT_BYTES) -> bytes:
        """For SO_ATTACH_FILTER, an array of `struct sock_filter`. Of a packet that passes, `kept` bytes are kept.

        ICMP errors pass whatever they quote. Frames meant for other machines do not: a port that mirrors or floods
        shows them, but the kernel will not take them.
        """
        code = _Program()
        keep, drop = code.end(kept), code.end(0)
        at_hosts = code.branch(_EQUAL, 0x60, self._hosts(code, 16, keep, drop), self._hosts(code, 4, keep, drop))
        at_hosts = code.steps([(_LOAD_BYTE, 0), (_AND, 0xF0)], at_hosts)
        transports = {number: self._ports(code, transport, at_hosts, drop) for number, transport in TRANSPORTS.items()}
        versions = {
            0x40: _ipv4(code, {**transports, ICMP: _errors(code, ICMP, keep, drop)}, drop),
            0x60: _ipv6(code, {**transports, ICMPV6: _errors(code, ICMPV6, keep, drop)}, drop),
        }
        version = code.steps([(_LOAD_BYTE, 0), (_AND, 0xF0)], code.choice(versions, drop))
        code.step(_LOAD_WORD, _PACKET_TYPE, code.branch(_EQUAL, _OTHER_HOST, drop, version))
        return code.assembled()

    def arrivals(self, mark: bytes = b"", kept: int = KEPT_BYTES) -> bytes:
        """The same for packets that come in and ask: SYNs without ACK, datagrams that begin with these bytes and a port
        after them; from a peer to one of our own ports.
        """
        code = _Program()
        keep, drop = code.end(kept), code.end(0)
        at_hosts = code.branch(_EQUAL, 0x60, self._between(code, 16, keep, drop), self._between(code, 4, keep, drop))
        at_hosts = code.steps([(_LOAD_BYTE, 0), (_AND, 0xF0)], at_hosts)
        transports = {
            number: self._asks(code, transport, mark, at_hosts, drop) for number, transport in TRANSPORTS.items()
        }
        versions = {0x40: _ipv4(code, transports, drop), 0x60: _ipv6(code, transports, drop)}
        version = code.steps([(_LOAD_BYTE, 0), (_AND, 0xF0)], code.choice(versions, drop))
        code.step(_LOAD_WORD, _PACKET_TYPE, code.branch(_AT_LEAST, _OTHER_HOST, drop, version))
        return code.assembled()

    def inside(self, family: int, transport: Transport, mark: bytes = b"", kept: int = KEPT_BYTES) -> bytes:
        """The same for a raw socket of this family and transport; empty where it is no flow's. Its program sees an IPv4
        packet as it is, and of an IPv6 packet what comes after the headers.
        """
        if not any(term.transport is transport and term.speaks(4 if family == AF_INET else 16) for term in self._terms):
            return b""
        if family == AF_INET:
            return self.arrivals(mark, kept)
        code = _Program()
        code.step(_INDEX, 0, self._asks(code, transport, mark, code.end(kept), code.end(0)))
        return code.assembled()

    def _asks(self, code: _Program, transport: Transport, mark: bytes, hit: int, miss: int) -> int:
        """It asks, and at one of the flows' ports; a marked datagram may have been translated to another. X is where
        the transport header starts.
        """
        ports = PortSet([pair for term in self._terms if term.transport is transport for pair in term.ports.ranges])
        if not ports:
            return miss
        if mark and transport is Transport.UDP:
            return _marked(code, mark, hit, miss)
        hit = code.only([(_LOAD_HALF_AT, 2)], list(ports.ranges), hit, miss)
        if transport is Transport.UDP:
            return hit
        return code.steps([(_LOAD_BYTE_AT, 13), (_AND, _SYN | _ACK)], code.branch(_EQUAL, _SYN, hit, miss))

    def _ports(self, code: _Program, transport: Transport, hit: int, miss: int) -> int:
        """Either port is one of a flow's; X is where the transport header starts."""
        ports = [pair for term in self._terms if term.transport is transport for pair in term.ports.ranges]
        return code.either([(_LOAD_HALF_AT, 0)], [(_LOAD_HALF_AT, 2)], list(PortSet(ports).ranges), hit, miss)

    def _hosts(self, code: _Program, size: int, hit: int, miss: int) -> int:
        """Either address is a peer's and either is ours, as far as all flows of this family name them. An IPv6 address
        stands for itself by the exclusive or of its words: one number to compare.
        """
        terms = [term for term in self._terms if term.speaks(size)]
        if not terms:
            return miss
        source, target = (12, 16) if size == 4 else (8, 24)
        for sets in ([term.peers for term in terms], [term.own for term in terms]):
            if all(sets):
                numbers = {_folded(address) for addresses in sets for address in addresses if len(address) == size}
                ranges = [(number, number) for number in sorted(numbers)]
                hit = code.either(_fold(source, size), _fold(target, size), ranges, hit, miss)
        return hit

    def _between(self, code: _Program, size: int, hit: int, miss: int) -> int:
        """The packet's source is a peer and its target is ours, as `_hosts` compares them."""
        terms = [term for term in self._terms if term.speaks(size)]
        if not terms:
            return miss
        source, target = (12, 16) if size == 4 else (8, 24)
        for at, sets in ((source, [term.peers for term in terms]), (target, [term.own for term in terms])):
            if all(sets):
                numbers = {_folded(address) for addresses in sets for address in addresses if len(address) == size}
                hit = code.only(_fold(at, size), [(number, number) for number in sorted(numbers)], hit, miss)
        return hit


class _Terms(NamedTuple):
    """A flow as it is compared; an empty set of addresses is any."""

    transport: Transport
    ports: PortSet
    own: frozenset[bytes]
    peers: frozenset[bytes]

    def joins(self, own: bytes, peer: bytes) -> bool:
        return (not self.own or own in self.own) and (not self.peers or peer in self.peers)

    def speaks(self, size: int) -> bool:
        """Whether packets with addresses of so many bytes can be of this flow."""
        return all(not side or any(len(address) == size for address in side) for side in (self.own, self.peers))


def _terms(flow: Flow) -> _Terms:
    own = frozenset([_packed(flow.address)] if flow.address else [])
    return _Terms(flow.transport, PortSet.parse(flow.ports), own, frozenset(map(_packed, flow.peers)))


@lru_cache(4096)
def _packed(text: str) -> bytes:
    """4 or 16 bytes; an IPv4 address in the guise of an IPv6 one travels as IPv4."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        raise ValueError(f"'{printable(text)}' is no numeric address") from None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).packed


def _folded(address: bytes) -> int:
    number = 0
    for (word,) in struct.iter_unpack("!L", address):
        number ^= word
    return number


def _fold(at: int, size: int) -> _Steps:
    """A <- the address at this place, folded."""
    steps = [(_LOAD_WORD, at)]
    for word in range(at + 4, at + size, 4):
        steps += [(_INDEX_A, 0), (_LOAD_WORD, word), (_XOR_INDEX, 0)]
    return steps


def _ipv4(code: _Program, protocols: dict[int, int], drop: int) -> int:
    """To what its protocol leads to, with X at what follows the header; of fragments only the first has ports."""
    then = code.steps([(_INDEX_HEADER, 0), (_LOAD_BYTE, 9)], code.choice(protocols, drop))
    return code.step(_LOAD_HALF, 6, code.branch(_ANY_BIT, 0x1FFF, drop, then))


def _ipv6(code: _Program, protocols: dict[int, int], drop: int) -> int:
    """The same, past extension headers: before each of them A is its kind and X its place."""
    then = code.choice(protocols, drop)
    for _ in range(MOST_EXTENSIONS):
        kind = [(_LOAD_BYTE_AT, 0), (_STORE_SCRATCH, 0)]
        move = [(_ADD_INDEX, 0), (_INDEX_A, 0), (_LOAD_SCRATCH, 0)]
        options = code.steps([*kind, (_LOAD_BYTE_AT, 1), (_ADD, 1), (_SHIFT_LEFT, 3), *move], then)
        first = code.steps([*kind, (_LOAD, 8), *move], then)
        fragment = code.step(_LOAD_HALF_AT, 2, code.branch(_ANY_BIT, 0xFFF8, drop, first))
        then = code.choice({**dict.fromkeys(EXTENSIONS, options), FRAGMENT: fragment}, then)
    return code.steps([(_INDEX, 40), (_LOAD_BYTE, 6)], then)


def _errors(code: _Program, protocol: int, keep: int, drop: int) -> int:
    return code.step(_LOAD_BYTE_AT, 0, code.choice(dict.fromkeys(ERRORS[protocol], keep), drop))


def _marked(code: _Program, mark: bytes, hit: int, miss: int) -> int:
    """Whether a datagram begins with these bytes, and two more after them; X is where its header starts."""
    words = len(mark) // 4 * 4
    pieces = [(_LOAD_WORD_AT, at, mark[at : at + 4]) for at in range(0, words, 4)]
    pieces += [(_LOAD_BYTE_AT, at, mark[at : at + 1]) for at in range(words, len(mark))]
    hit = code.step(_LOAD_HALF_AT, _UDP_HEADER + len(mark), hit)  # one past the end drops the packet
    for load, at, piece in reversed(pieces):
        hit = code.step(load, _UDP_HEADER + at, code.branch(_EQUAL, int.from_bytes(piece, "big"), hit, miss))
    return hit


class _Program:
    """Instructions, the last one first. A place is an instruction's number in that order; every step says where it
    leads, and its own place is returned for those that lead to it.
    """

    def __init__(self) -> None:
        self._code: list[bytes] = []

    def assembled(self) -> bytes:
        return b"".join(reversed(self._code))

    def _put(self, operation: int, number: int, yes: int = 0, no: int = 0) -> int:
        self._code.append(_INSTRUCTION.pack(operation, yes, no, number))
        return len(self._code) - 1

    def _away(self, place: int) -> int:
        """How many instructions lie between the next one put and this place."""
        return len(self._code) - 1 - place

    def end(self, kept: int) -> int:
        """The packet passes with its first bytes, or with 0 not at all."""
        return self._put(_RETURN, kept)

    def step(self, operation: int, number: int, then: int) -> int:
        if self._away(then):
            self._put(_JUMP, self._away(then))
        return self._put(operation, number)

    def steps(self, steps: _Steps, then: int) -> int:
        for operation, number in reversed(steps):
            then = self.step(operation, number, then)
        return then

    def branch(self, operation: int, number: int, yes: int, no: int) -> int:
        """A conditional jump, over a stepping stone where it would not reach."""
        yes, no = self._near(yes), self._near(no)
        return self._put(operation, number, self._away(yes), self._away(no))

    def _near(self, place: int) -> int:
        return place if self._away(place) < _REACH else self._put(_JUMP, self._away(place))

    def choice(self, places: dict[int, int], otherwise: int) -> int:
        """By the value of A."""
        for number, place in places.items():
            otherwise = self.branch(_EQUAL, number, place, otherwise)
        return otherwise

    def either(self, one: _Steps, two: _Steps, ranges: _Ranges, hit: int, miss: int) -> int:
        """Whether A lies in one of these sorted ranges after these steps, or else after those."""
        if not ranges:
            return miss
        ranges = _widened(ranges)
        return self.steps(one, self._within(ranges, hit, self.steps(two, self._within(ranges, hit, miss))))

    def only(self, steps: _Steps, ranges: _Ranges, hit: int, miss: int) -> int:
        """Whether A lies in one of these sorted ranges after these steps."""
        return self.steps(steps, self._within(_widened(ranges), hit, miss)) if ranges else miss

    def _within(self, ranges: _Ranges, hit: int, miss: int) -> int:
        """A search by halves."""
        low, high = ranges[0]
        if len(ranges) > 1:
            middle = len(ranges) // 2
            upper = self._within(ranges[middle:], hit, miss)
            return self.branch(_AT_LEAST, ranges[middle][0], upper, self._within(ranges[:middle], hit, miss))
        if low == high:
            return self.branch(_EQUAL, low, hit, miss)
        return self.branch(_AT_LEAST, low, self.branch(_ABOVE, high, miss, hit), miss)


def _widened(ranges: _Ranges) -> _Ranges:
    """At most MOST_RANGES, with the narrowest gaps closed."""
    by_gap = sorted(range(1, len(ranges)), key=lambda index: ranges[index - 1][1] - ranges[index][0])
    starts = sorted([0, *by_gap[: MOST_RANGES - 1]])
    return [(ranges[start][0], ranges[end - 1][1]) for start, end in pairwise([*starts, len(ranges)])]
