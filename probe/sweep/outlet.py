"""The way out to one target: attempts and resets written in batches, each with its cookie."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

from probe.model.observation import Operation
from probe.model.words import Transport
from probe.probes.classify import from_errno
from probe.sweep.evidence import Refused
from probe.sweep.line import LANES, MOST_BATCH, PROTOCOLS
from probe.sweep.rawsocket import Sender
from probe.sweep.segments import (
    MOST_PAYLOAD,
    RST_BYTES,
    SYN_BYTES,
    UDP_HEADER_BYTES,
    Attempts,
    pseudo_sum,
    write_datagrams,
    write_resets,
    write_syns,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from probe.sweep.evidence import Evidence
    from probe.sweep.line import Line

# Room for an IPv6 header before each.
_STRIDE = {Transport.TCP: 40 + SYN_BYTES, Transport.UDP: 40 + UDP_HEADER_BYTES + MOST_PAYLOAD}
_NOT_LET_OUT = frozenset({errno.EPERM, errno.EACCES})
_NO_ROOM = frozenset({errno.EAGAIN, errno.ENOBUFS, errno.ENOMEM, errno.EINTR})


class Outlet:
    """Raises OSError where no route leads to the address; ValueError where it is none."""

    def __init__(
        self, address: str, transport: Transport, line: Line, bind: str, payload: Callable[[int], bytes]
    ) -> None:
        protocol = PROTOCOLS[transport]
        self._lanes: list[Sender] = []
        self.target, self._line = b"", line
        try:
            for _ in range(LANES):
                self._lanes.append(Sender(address, protocol, MOST_BATCH[transport], _STRIDE[transport], bind))
        except (OSError, ValueError):
            self.close()
            raise
        self._free = list(self._lanes)
        self.target = self._lanes[0].target
        self._transport, self._payload = transport, payload
        self._pseudo = pseudo_sum(self._lanes[0].source, self.target, protocol)
        self.offset = int.from_bytes(os.urandom(4), "big")

    async def ask(self, ports: Sequence[int], slot: int, evidence: Evidence) -> tuple[int, int]:
        """One attempt at each, at most MOST_BATCH: how many of them are done with, and how many packets left.

        What is not done with found no room in the kernel: try again a little later. At most LANES at a time.
        """
        async with self._line.turn:
            lane = self._free.pop()
            self._write(lane, ports, slot, write_syns, SYN_BYTES)
            evidence.ask(ports, slot)
            done, left = await self._leave(lane, ports, slot, evidence)
            self._free.append(lane)
            return done, left

    async def _leave(self, lane: Sender, ports: Sequence[int], slot: int, evidence: Evidence) -> tuple[int, int]:
        done = left = 0
        while done < len(ports):
            sent, number = await self._line.leave(lane, done, len(ports))
            done += sent
            left += sent
            if number in _NO_ROOM:
                for port in ports[done:]:
                    evidence.unsent(port, slot)
                break
            if number in _NOT_LET_OUT:
                evidence.unsent(ports[done], slot, refused=True)
                done += 1
            elif number:  # no route any more, no neighbour
                state = from_errno(number, Operation.SEND).state
                evidence.answer(ports[done], slot, evidence.refused(Refused(state, "", 0, 0)))
                done += 1
        return done, left

    async def reset(self, ports: Sequence[int], slot: int) -> int:
        """A RST for each attempt of this slot, at most MOST_BATCH; returns how many left. What does not is let be."""
        async with self._line.turn:
            lane = self._free.pop()
            self._write(lane, ports, slot, write_resets, RST_BYTES)
            sent, _ = await self._line.leave(lane, 0, len(ports))
            self._free.append(lane)
            return sent

    def close(self) -> None:
        self._line.part(self.target)
        for lane in self._lanes:
            lane.close()

    def _write(self, lane: Sender, ports: Sequence[int], slot: int, write: Callable[..., None], length: int) -> None:
        attempts = Attempts(self._line.own, slot, self._line.secrets, self.offset, self._pseudo)
        where = lane.packets, lane.header, lane.stride, attempts, ports
        if self._transport is Transport.UDP:
            lane.lengths(write_datagrams(*where, self._payload))
        else:
            lane.length(length)
            write(*where)
