"""The sockets of one sweep: source ports that nobody else uses, and the way from a packet to the attempt it answers.

An attempt is known by its cookie, 32 bits that only we and the path know: the sequence number of a SYN, and, for either
transport, which of the reserved source ports it left from. A SYN-ACK or a RST must acknowledge it, an ICMP error must
quote it.
"""

from __future__ import annotations

import asyncio
import errno
import os
import random
import socket
from array import array
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address
from typing import TYPE_CHECKING, Protocol

from probe.model.observation import Icmp, Operation
from probe.model.words import Transport
from probe.probes.classify import from_icmp
from probe.sweep.evidence import CLOSED, OPEN, SLOTS, Refused
from probe.sweep.ownports import own_ports
from probe.sweep.parse import Refusal, Reply, refusals, replies4, replies6
from probe.sweep.rawsocket import MOST_READ, NOTHING, Receiver, attach, keep_refusals, keep_replies
from probe.sweep.segments import TCP, UDP

if TYPE_CHECKING:
    from collections.abc import Iterator

    from probe.sweep.evidence import Evidence
    from probe.sweep.rawsocket import Sender

MOST_BATCH = {Transport.TCP: 512, Transport.UDP: 128}
"""Packets in one system call; with answers a few milliseconds."""
PROTOCOLS = {Transport.TCP: TCP, Transport.UDP: UDP}
_RST, _SYN_ACK = 0x04, 0x12
_MASK, _SLOT_MASK = 0xFFFFFFFF, SLOTS - 1
LANES = 2
"""So many threads send at once. On two cores two are more than twice as fast as one; more bring nothing."""
# Packets that leave too quickly for the way to a thread to be worth it.
_FEW = 32
# Of at most MOST_READ packets each.
_READS_A_TURN = 4
_PORT_UNREACHABLE = ((3, 3), (1, 4))
_ICMP = {socket.AF_INET: socket.IPPROTO_ICMP, socket.AF_INET6: socket.IPPROTO_ICMPV6}


class Course(Protocol):
    """Who takes the answers of one target."""

    evidence: Evidence

    def answered(self, port: int, slot: int, code: int) -> None: ...


class Line:
    """Open from its making to `close`. Raises OSError where raw sockets are not allowed."""

    engine = "packet"
    lanes = LANES
    courses = 1
    """That share a turn: targets take turns, a whole batch each."""

    def __init__(self, transport: Transport, families: set[int], seed: int) -> None:
        self._transport, self._protocol = transport, PROTOCOLS[transport]
        self._held: list[socket.socket] = []
        self._receivers: list[tuple[int, bool, Receiver]] = []
        self._courses: dict[bytes, tuple[Course, int]] = {}
        self._drops = 0
        self.turn = asyncio.Semaphore(LANES)
        # A system call that sends hundreds of packets takes milliseconds, and lets other threads run meanwhile.
        self._pool = ThreadPoolExecutor(LANES, "sweep")
        # Cookies differ by port here, and by target in an offset: who knows those of one target knows no other's.
        self.secrets = array("I", os.urandom(4 << 16))
        try:
            self.own = self._reserve(families, random.Random(seed))
            self._index = {port: index for index, port in enumerate(self.own)}
            for family in sorted(families):
                program = keep_replies(family, self.own)
                self._receivers.append((family, False, Receiver(family, self._protocol, program)))
                program = keep_refusals(family, self._protocol, self.own)
                self._receivers.append((family, True, Receiver(family, _ICMP[socket.AddressFamily(family)], program)))
        except OSError:
            self.close()
            raise

    @property
    def most_batch(self) -> int:
        """So many answers may wait to be read, of each lane, before the kernel drops some."""
        room = min(receiver.room for _, _, receiver in self._receivers)
        return min(MOST_BATCH[self._transport], room // (2 * LANES))

    def join(self, target: bytes, course: Course, offset: int) -> None:
        """What comes back from there is this course's, whose cookies differ by that."""
        self._courses[target] = course, offset

    def part(self, target: bytes) -> None:
        self._courses.pop(target, None)

    def drain(self) -> None:
        """Take what has arrived, within bounds: the rest waits for the next turn."""
        for family, is_error, receiver in self._receivers:
            for _ in range(_READS_A_TURN):
                block = receiver.read()
                if is_error:
                    for refusal in refusals(block, 4 if family == socket.AF_INET else 6, self._protocol):
                        self._refused(refusal)
                else:
                    read = replies4 if family == socket.AF_INET else replies6
                    self._replied(read(block, self._protocol))
                if len(block.lengths) < MOST_READ:
                    break

    def overran(self) -> bool:
        """Whether the kernel had to drop answers since this was last asked: we are too slow for our own pace."""
        drops = sum(receiver.drops() for _, _, receiver in self._receivers)
        before, self._drops = self._drops, drops
        return drops > before

    async def leave(self, sender: Sender, start: int, end: int) -> tuple[int, int]:
        """Let these packets leave; the loop goes on while many do."""
        if end - start < _FEW:
            return sender.send(start, end)
        return await asyncio.get_running_loop().run_in_executor(self._pool, sender.send, start, end)

    async def end(self) -> None:
        self.close()

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)
        for _, _, receiver in self._receivers:
            receiver.close()
        for sock in self._held:
            sock.close()

    def _replied(self, replies: Iterator[Reply]) -> None:
        courses, indexes, secrets = self._courses, self._index, self.secrets
        is_tcp = self._transport is Transport.TCP
        for sender, port, own, ack, flags in replies:
            found, index = courses.get(sender), indexes.get(own)
            if found is None or index is None:
                continue
            course, offset = found
            cookie = secrets[port] + offset & _MASK
            code = OPEN
            if is_tcp:
                if ack != cookie + 1 & _MASK:
                    continue
                if flags & _RST:
                    code = CLOSED
                elif flags & _SYN_ACK != _SYN_ACK:
                    continue
            course.answered(port, index - cookie & _SLOT_MASK, code)

    def _refused(self, refusal: Refusal | None) -> None:
        if refusal is None:
            return
        found, index = self._courses.get(refusal.target), self._index.get(refusal.own)
        if found is None or index is None:
            return
        course, offset = found
        cookie = self.secrets[refusal.port] + offset & _MASK
        if self._transport is Transport.TCP and refusal.word != cookie:
            return
        course.answered(refusal.port, (index - cookie) % SLOTS, self._code(refusal, course))

    def _code(self, refusal: Refusal, course: Course) -> int:
        what = (refusal.type, refusal.code)
        if self._transport is Transport.UDP and what in _PORT_UNREACHABLE and refusal.sender == refusal.target:
            return CLOSED
        sender = str(ip_address(refusal.sender))
        family = 4 if len(refusal.sender) == 4 else 6
        icmp = Icmp(family=family, type=refusal.type, code=refusal.code, sender=sender)
        state = from_icmp(icmp, Operation.CONNECT).state
        return course.evidence.refused(Refused(state, sender, refusal.type, refusal.code))

    def _reserve(self, families: set[int], order: random.Random) -> list[int]:
        """Source ports that are bound here, so that no connection of this machine's has or gets them. They take in no
        data; a datagram that answers finds somebody there, and is not refused.
        """
        kind = socket.SOCK_STREAM if self._transport is Transport.TCP else socket.SOCK_DGRAM
        low, high = own_ports()
        found: list[int] = []
        for port in order.sample(range(low, high + 1), min(4096, high - low + 1)):
            taken: list[socket.socket] = []
            try:
                for family in families:
                    sock = socket.socket(family, kind | socket.SOCK_CLOEXEC)
                    taken.append(sock)
                    if family == socket.AF_INET6:
                        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                    if self._transport is Transport.UDP:
                        attach(sock, NOTHING)
                    sock.bind(("", port))
            except OSError as error:
                for sock in taken:
                    sock.close()
                if error.errno != errno.EADDRINUSE:
                    raise
                continue
            self._held += taken
            found.append(port)
            if len(found) == SLOTS:
                return found
        raise OSError(errno.EADDRINUSE, f"fewer than {SLOTS} source ports are free between {low} and {high}")
