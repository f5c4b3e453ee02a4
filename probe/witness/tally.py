"""At which ports packets come in, of as many as a sweep sends.

At the interfaces they are seen as in a capture, before the host's own INPUT rules; or else behind them. What counts is
what asks (a SYN, a datagram) and is the flows' business; the kernel's filter lets little else through.
"""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

import msgspec

from probe.model.sight import Arrived
from probe.model.words import Transport
from probe.witness.arrivals import FRAME, Arrivals
from probe.witness.filter import Wanted
from probe.witness.inside import Inside
from probe.witness.packetsocket import CaptureError
from probe.witness.ring import KEPT, Ring

if TYPE_CHECKING:
    from collections.abc import Iterable

    from probe.model.sight import Flow

# 16 MB: a burst of so many packets has room while the loop is busy.
_FRAMES = 65_536


class Counted(msgspec.Struct, frozen=True):
    """`sure`: at every other port of the flows nothing came in. Not so if a packet found no room, or it ended early."""

    arrived: tuple[Arrived, ...]
    sure: bool


class Tally:
    """From `start` to `stop`, or for so many seconds. Raises ValueError for a flow that cannot be read.

    `mark`: datagrams count only if they begin with it and say to which port they were sent. `inside`: not at the
    interfaces, but behind the INPUT rules.
    """

    def __init__(
        self, flows: Iterable[Flow], mark: bytes = b"", seconds: float = 300.0, *, inside: bool = False
    ) -> None:
        self._wanted = Wanted(flows)
        self._mark = mark
        self._inside = inside
        self._arrivals = Arrivals(self._wanted, mark)
        self._seconds = seconds
        # Until it runs, that nothing was seen means nothing.
        self._sure = False
        self._sources: list[Ring | Inside] = []
        self._timers: dict[object, asyncio.TimerHandle] = {}

    def start(self) -> None:
        """Inside a running event loop. Raises CaptureError."""
        try:
            self._open()
        except CaptureError:
            self._close()
            raise
        self._sure = True
        self._timers[self] = asyncio.get_running_loop().call_later(self._seconds, self._close_early)
        for source in self._sources:
            self._listen(source)

    def _open(self) -> None:
        if not self._inside:
            self._sources.append(Ring(self._wanted.arrivals(self._mark, KEPT), _FRAMES))
            return
        for transport in Transport:
            for family in (socket.AF_INET, socket.AF_INET6):
                program = self._wanted.inside(family, transport, self._mark, KEPT)
                if program:
                    self._sources.append(Inside(family, transport, program))

    def stop(self) -> Counted:
        """What came in until now; what waits in the kernel is still read."""
        for source in self._sources:
            source.stop()
            while self._read(source):
                pass
        self._close()
        arrived = self._arrivals.arrived()
        return Counted(arrived, self._sure and not self._arrivals.full)

    def _listen(self, source: Ring | Inside) -> None:
        asyncio.get_running_loop().add_reader(source.fileno(), self._turn, source)

    def _turn(self, source: Ring | Inside) -> None:
        count = self._read(source)
        if not count and source.failed:
            self._close_early()
        elif count < source.batch:
            loop = asyncio.get_running_loop()
            loop.remove_reader(source.fileno())
            self._timers[source] = loop.call_later(source.pause, self._listen, source)

    def _read(self, source: Ring | Inside) -> int:
        """One batch at most; returns how many packets there were."""
        frames = source.read(source.batch)
        self._arrivals.take(frames)
        return len(frames) // FRAME

    def _close_early(self) -> None:
        self._sure = False
        self._close()

    def _close(self) -> None:
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        for source in self._sources:
            asyncio.get_running_loop().remove_reader(source.fileno())
            if source.close():
                self._sure = False
        self._sources.clear()
