"""What runs a filter's program: a small machine of our own, and the kernel."""

from __future__ import annotations

import ctypes
import socket
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Self


def machine(program: bytes, packet: bytes, packet_type: int = 0) -> int:  # noqa: C901, PLR0912, PLR0915  (a case for each instruction)
    """How many bytes of the packet the program keeps: a classic BPF machine with the instructions that we use."""
    code = [(o, (yes, no), number) for o, yes, no, number in struct.iter_unpack("=HBBI", program)]
    known = {0xFFFFF000 + 4: packet_type}
    scratch: dict[int, int] = {}
    a = x = place = 0
    while True:
        operation, jumps, k = code[place]
        place += 1
        try:
            match operation:
                case 0x00:
                    a = k
                case 0x20:
                    a = known[k] if k in known else struct.unpack_from("!L", packet, k)[0]
                case 0x28:
                    (a,) = struct.unpack_from("!H", packet, k)
                case 0x30:
                    a = packet[k]
                case 0x40:
                    (a,) = struct.unpack_from("!L", packet, x + k)
                case 0x48:
                    (a,) = struct.unpack_from("!H", packet, x + k)
                case 0x50:
                    a = packet[x + k]
                case 0x60:
                    a = scratch[k]
                case 0x02:
                    scratch[k] = a
                case 0x01:
                    x = k
                case 0xB1:
                    x = (packet[k] & 0x0F) * 4
                case 0x07:
                    x = a
                case 0x04:
                    a = (a + k) & 0xFFFFFFFF
                case 0x0C:
                    a = (a + x) & 0xFFFFFFFF
                case 0x64:
                    a = (a << k) & 0xFFFFFFFF
                case 0x54:
                    a &= k
                case 0xAC:
                    a ^= x
                case 0x05:
                    place += k
                case 0x15:
                    place += jumps[a != k]
                case 0x25:
                    place += jumps[a <= k]
                case 0x35:
                    place += jumps[a < k]
                case 0x45:
                    place += jumps[not a & k]
                case 0x06:
                    return k
                case _:
                    raise AssertionError(f"no such operation: {operation:#x}")
        except (struct.error, IndexError):
            return 0  # a load past the end drops the packet


class Kernel:
    """A Unix socket with the program: what it lets pass arrives."""

    def __init__(self, program: bytes) -> None:
        self._sender, self._receiver = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        code = ctypes.create_string_buffer(program, len(program))
        fprog = struct.pack("@HP", len(program) // 8, ctypes.addressof(code))
        self._receiver.setsockopt(socket.SOL_SOCKET, 26, fprog)

    def kept(self, packet: bytes) -> int:
        self._sender.send(packet)
        try:
            return len(self._receiver.recv(65536))
        except BlockingIOError:
            return 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._sender.close()
        self._receiver.close()
