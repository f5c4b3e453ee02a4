"""What this host's own INPUT rules have let through: raw sockets (raw(7), ipv6(7)) are given a copy of it.

Slower than a ring, and with less room. A packet comes as a ring's frame, so that both are read alike.
"""

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING

from probe.witness.arrivals import FRAME, PACKET
from probe.witness.filter import NOTHING
from probe.witness.packets import TRANSPORTS
from probe.witness.packetsocket import CaptureError, attach

if TYPE_CHECKING:
    from probe.model.words import Transport

# asm-generic/socket.h and linux/sock_diag.h; Python names none of them.
_SO_RCVBUFFORCE, _SO_MEMINFO, _MEMORY, _DROPS = 33, 55, struct.Struct("=9I"), 8
_QUEUE_BYTES = 32_000_000
_KEPT = FRAME - PACKET
_HEAD = bytes(PACKET)
# Version, length of what follows, its kind, hop limit (which nobody asks for), source, target.
_IPV6 = struct.Struct("!I HBB 16s 16s")
_VERSION_6 = 0x60000000
_ADDRESS = struct.Struct("=16s i")
_NUMBERS = {transport: number for number, transport in TRANSPORTS.items()}


class Inside:
    """One family and transport. `read` until it is empty, `close` once. Raises CaptureError.

    `batch` and `pause` as a ring's; shorter, since an unprivileged queue holds a few hundred packets.
    """

    batch, pause = 1024, 0.002

    def __init__(self, family: int, transport: Transport, program: bytes) -> None:
        self._family = family
        self._protocol = _NUMBERS[transport]
        try:
            self._socket = socket.socket(family, socket.SOCK_RAW | socket.SOCK_NONBLOCK, self._protocol)
        except OSError as error:
            raise CaptureError(f"packets cannot be counted here: {error.strerror}") from error
        try:
            attach(self._socket, program)
            try:
                self._socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _QUEUE_BYTES)
            except PermissionError:
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _QUEUE_BYTES)
            if family == socket.AF_INET6:
                self._socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
        except OSError as error:
            self._socket.close()
            raise CaptureError(f"packets cannot be counted here: {error.strerror}") from error

    def fileno(self) -> int:
        return self._socket.fileno()

    def read(self, most: int) -> bytes:
        """So many frames at most, one after the other."""
        take = self._take if self._family == socket.AF_INET else self._take_ipv6
        frames = []
        try:
            for _ in range(most):
                frames.append(take())  # noqa: PERF401  (what came before the queue is empty counts)
        except BlockingIOError:
            pass
        return b"".join(frames)

    def _take(self) -> bytes:
        return _HEAD + self._socket.recv(_KEPT).ljust(_KEPT, b"\0")

    def _take_ipv6(self) -> bytes:
        """The kernel keeps the header to itself, and tells both addresses beside."""
        data, ancillary, _, source = self._socket.recvmsg(_KEPT - _IPV6.size, socket.CMSG_SPACE(_ADDRESS.size))
        own = next((data[:16] for _, kind, data in ancillary if kind == socket.IPV6_PKTINFO), bytes(16))
        peer = socket.inet_pton(socket.AF_INET6, source[0].partition("%")[0])
        header = _IPV6.pack(_VERSION_6, len(data), self._protocol, 0, peer, own)
        return _HEAD + (header + data).ljust(_KEPT, b"\0")

    def stop(self) -> None:
        """Nothing more comes in; what came before is still there to be read."""
        attach(self._socket, NOTHING)

    @property
    def failed(self) -> bool:
        return self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) != 0

    def close(self) -> int:
        """How many packets found no room; as if some had not where the kernel does not say."""
        try:
            dropped = _MEMORY.unpack(self._socket.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, _MEMORY.size))[_DROPS]
        except (OSError, struct.error):
            dropped = 1
        self._socket.close()
        return int(dropped)
