"""At which ports packets come in, of as many as a sweep sends.

Seen as in a capture, before the host's own INPUT rules. What counts is what asks (a SYN, a datagram) and is the flows'
business; the kernel's filter lets little else through.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec

from probe.model.sight import Arrived
from probe.witness.arrivals import FRAME, Arrivals
from probe.witness.filter import Wanted
from probe.witness.ring import KEPT, Ring

if TYPE_CHECKING:
    from collections.abc import Iterable

    from probe.model.sight import Flow

# 16 MB: a burst of so many packets has room while the loop is busy.
_FRAMES = 65_536
# After so many packets the loop gets its turn: a few milliseconds. If there are no more, it is left alone for so many
# seconds: to be woken for every few costs ten times what reading them does.
_BATCH, _PAUSE = 4096, 0.01


class Counted(msgspec.Struct, frozen=True):
    """`sure`: at every other port of the flows nothing came in. Not so if a packet found no room, or it ended early."""

    arrived: tuple[Arrived, ...]
    sure: bool


class Tally:
    """From `start` to `stop`, or for so many seconds. `mark`: datagrams count only if they begin with it.

    Raises ValueError for a flow whose addresses or ports cannot be read.
    """

    def __init__(self, flows: Iterable[Flow], mark: bytes = b"", seconds: float = 300.0) -> None:
        wanted = Wanted(flows)
        self._program = wanted.arrivals(mark, KEPT)
        self._arrivals = Arrivals(wanted)
        self._seconds = seconds
        # Until it runs, that nothing was seen means nothing.
        self._sure = False
        self._ring: Ring | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._pause: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Inside a running event loop. Raises CaptureError."""
        self._ring = Ring(self._program, _FRAMES)
        self._sure = True
        self._timer = asyncio.get_running_loop().call_later(self._seconds, self._close_early)
        self._listen()

    def stop(self) -> Counted:
        """What came in until now; what waits in the kernel is still read."""
        if self._ring is not None:
            self._ring.stop()
            while self._read():
                pass
            self._close()
        return Counted(tuple(self._arrivals.arrived()), self._sure and not self._arrivals.full)

    def _listen(self) -> None:
        if self._ring is not None:
            asyncio.get_running_loop().add_reader(self._ring.fileno(), self._turn)

    def _turn(self) -> None:
        if self._ring is None:
            return
        count = self._read()
        if not count and self._ring.failed:
            self._close_early()
        elif count < _BATCH:
            loop = asyncio.get_running_loop()
            loop.remove_reader(self._ring.fileno())
            self._pause = loop.call_later(_PAUSE, self._listen)

    def _read(self) -> int:
        """One batch at most; returns how many packets there were."""
        frames = self._ring.read(_BATCH) if self._ring is not None else b""
        self._arrivals.take(frames)
        return len(frames) // FRAME

    def _close_early(self) -> None:
        self._sure = False
        self._close()

    def _close(self) -> None:
        if self._ring is None or self._timer is None:
            return
        self._timer.cancel()
        if self._pause is not None:
            self._pause.cancel()
        asyncio.get_running_loop().remove_reader(self._ring.fileno())
        if self._ring.close():
            self._sure = False
        self._ring = None
