"""A packet socket whose packets the kernel writes into memory that we share with it (PACKET_RX_RING, TPACKET_V2: Linux:
Documentation/networking/packet_mmap.rst).

A receive queue keeps a thousand bytes for each packet, and an unprivileged one holds a few hundred: a burst is lost in
it. Here each packet has one frame of fixed size, so that many are read at once, and a whole sweep has room.
"""

from __future__ import annotations

import mmap
import socket
import struct

from probe.witness.arrivals import FRAME, PACKET
from probe.witness.filter import NOTHING
from probe.witness.packetsocket import SOL_PACKET, CaptureError, attach, bind_everywhere, lost, packet_socket

# linux/if_packet.h; Python names none of them.
_PACKET_RX_RING, _PACKET_VERSION, _TPACKET_V2 = 5, 10, 1
KEPT = FRAME - PACKET
"""Of each packet: what a frame has room for."""
_BLOCK = 64 * 1024
# While the kernel may write to a frame, its status is 0; the first bit says that it is ours to read.
_STATUS_BYTE = 0 if struct.pack("=H", 1)[0] else 3


class Ring:
    """`read` until it is empty, `close` once. `frames` is a multiple of 256. Raises CaptureError.

    After a `batch` the loop should have its turn, which is a few milliseconds; who is left alone for a `pause` while
    packets come is not woken for every few of them, which costs ten times what reading them does.
    """

    batch, pause = 4096, 0.01

    def __init__(self, program: bytes, frames: int) -> None:
        self._frames = frames
        self._next = 0
        self._socket = packet_socket()
        size = frames * FRAME
        try:
            attach(self._socket, program)
            self._socket.setsockopt(SOL_PACKET, _PACKET_VERSION, _TPACKET_V2)
            request = struct.pack("=IIII", _BLOCK, size // _BLOCK, FRAME, frames)
            self._socket.setsockopt(SOL_PACKET, _PACKET_RX_RING, request)
            self._map = mmap.mmap(self._socket.fileno(), size)
            bind_everywhere(self._socket)
        except OSError as error:
            self._socket.close()
            raise CaptureError(f"packets cannot be counted here: {error.strerror}") from error

    def fileno(self) -> int:
        return self._socket.fileno()

    def read(self, most: int) -> bytes:
        """So many frames at most, or as many as there are up to the ring's end, one after the other."""
        start, end = self._next * FRAME, min(self._next + most, self._frames) * FRAME
        with memoryview(self._map) as shared:
            free = bytes(shared[start + _STATUS_BYTE : end : FRAME]).find(0)
            count = free if free >= 0 else (end - start) // FRAME
            if not count:
                return b""
            # A system call between the frames' statuses and their bytes: what the kernel wrote before is seen after.
            self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_TYPE)
            end = start + count * FRAME
            found = bytes(shared[start:end])
            for byte in range(4):
                shared[start + byte : end : FRAME] = bytes(count)
        self._next = (self._next + count) % self._frames
        return found

    def stop(self) -> None:
        """Nothing more comes in; what came before is still there to be read."""
        attach(self._socket, NOTHING)

    @property
    def failed(self) -> bool:
        return self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) != 0

    def close(self) -> int:
        """How many packets found no room."""
        dropped = lost(self._socket)
        self._map.close()
        self._socket.close()
        return dropped
