"""What passes this host's interfaces, for the flows under test and nothing else.

A packet socket (packet(7)) sees what arrives before the host's own INPUT rules and what leaves after its OUTPUT rules:
a firewall's silence has two sides here. On loopback each packet is seen twice, once out and once in; with VLANs,
bridges and bonds, once on each interface that it passes.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from typing import TYPE_CHECKING

import msgspec

from probe.model.sight import Sight
from probe.text import printable
from probe.witness.filter import KEPT_BYTES, NOTHING, Wanted
from probe.witness.packets import read
from probe.witness.packetsocket import CaptureError, attach, bind_everywhere, lost, packet_socket

if TYPE_CHECKING:
    from collections.abc import Iterable

    from probe.model.sight import Flow

# asm-generic/socket.h; Python names neither.
_SO_RCVBUFFORCE, _SO_TIMESTAMPNS = 33, 35
# Room in the kernel for what comes while the loop is busy; it gives less where net.core.rmem_max says so.
_QUEUE_BYTES = 2_000_000
# After so many packets the loop gets its turn.
_BATCH = 64
_TIME = struct.Struct("@ll")
_ANCILLARY_BYTES = socket.CMSG_SPACE(_TIME.size)


class Seen(msgspec.Struct, frozen=True):
    """The packets, in the order in which they passed.

    That a packet is not among them proves something only with `lost` 0 and `full` false: the kernel dropped so many
    that the filter had let through; a bound (packets, bytes, time) or an error ended the capture before `stop`.
    """

    sights: tuple[Sight, ...]
    lost: int
    full: bool


def can_capture() -> bool:
    """Whether `start` would be allowed to. Cheap: such a socket receives nothing."""
    try:
        packet_socket().close()
    except CaptureError:
        return False
    return True


class Capture:
    """From `start` to `stop`, or to the first bound: that many packets, bytes of them, seconds.

    Raises ValueError for a flow whose addresses or ports cannot be read.
    """

    def __init__(
        self, flows: Iterable[Flow], packets: int = 20_000, size: int = 4_000_000, seconds: float = 300.0
    ) -> None:
        self._wanted = Wanted(flows)
        self._packets, self._bytes, self._seconds = packets, size, seconds
        self._sights: list[Sight] = []
        # Until it runs, that nothing was seen means nothing.
        self._lost, self._full = 0, True
        self._socket: socket.socket | None = None
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Inside a running event loop. Raises CaptureError."""
        self._socket = _listening(self._wanted.program())
        self._full = False
        loop = asyncio.get_running_loop()
        loop.add_reader(self._socket.fileno(), self._turn)
        self._timer = loop.call_later(self._seconds, self._close_early)

    def stop(self) -> Seen:
        """What passed until now; what waits in the kernel is still read."""
        if self._socket is not None:
            attach(self._socket, NOTHING)
            while self._turn():
                pass
            self._close()
        return Seen(tuple(self._sights), self._lost, self._full)

    def _turn(self) -> bool:
        """Read one batch; whether there may be more."""
        for _ in range(_BATCH):
            if self._socket is None:
                return False
            try:
                packet, ancillary, _, (interface, _, kind, *_) = self._socket.recvmsg(KEPT_BYTES, _ANCILLARY_BYTES)
            except BlockingIOError:
                return False
            except OSError:
                self._close_early()
                return False
            sight = read(packet, _time(ancillary), printable(interface), out=kind == socket.PACKET_OUTGOING)
            if sight is not None and sight in self._wanted:
                self._keep(sight, len(packet))
        return True

    def _keep(self, sight: Sight, size: int) -> None:
        self._packets -= 1
        self._bytes -= size
        if min(self._packets, self._bytes) < 0:
            self._close_early()
        else:
            self._sights.append(sight)

    def _close_early(self) -> None:
        self._full = True
        self._close()

    def _close(self) -> None:
        if self._socket is None or self._timer is None:
            return
        self._timer.cancel()
        asyncio.get_running_loop().remove_reader(self._socket.fileno())
        self._lost = lost(self._socket)
        self._socket.close()
        self._socket = None


def _listening(program: bytes) -> socket.socket:
    """The filter comes first, so that nothing gets past it."""
    sock = packet_socket()
    try:
        attach(sock, program)
        sock.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        try:
            sock.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _QUEUE_BYTES)
        except PermissionError:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _QUEUE_BYTES)
        bind_everywhere(sock)
    except OSError as error:
        sock.close()
        raise CaptureError(f"packets cannot be seen here: {error.strerror}") from error
    return sock


def _time(ancillary: list[tuple[int, int, bytes]]) -> float:
    """When the kernel saw it; now, if it does not say."""
    for level, kind, data in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, _SO_TIMESTAMPNS) and len(data) >= _TIME.size:
            seconds, nanoseconds = _TIME.unpack_from(data)
            return float(seconds + nanoseconds / 1e9)
    return time.time()
