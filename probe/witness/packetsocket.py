"""Packet sockets (packet(7)): what they are made of, whoever reads them and how."""

from __future__ import annotations

import ctypes
import os
import socket
import struct

# asm-generic/socket.h and linux/if_packet.h; Python names none of them.
_SO_ATTACH_FILTER = 26
SOL_PACKET, _PACKET_STATISTICS = 263, 6
_ETH_P_ALL = 3


class CaptureError(Exception):
    """No capture here; the text is printable and says why."""


def packet_socket() -> socket.socket:
    """Cooked: what comes begins with the network header, whatever the link. It receives nothing before it is bound.

    Raises CaptureError.
    """
    try:
        return socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK, 0)
    except PermissionError:
        raise CaptureError("packets cannot be seen here: the agent lacks the capability CAP_NET_RAW") from None
    except OSError as error:
        raise CaptureError(f"packets cannot be seen here: no packet sockets ({error.strerror})") from None


def attach(sock: socket.socket, program: bytes) -> None:
    """`struct sock_fprog`: how many instructions of eight bytes, and where they are."""
    code = ctypes.create_string_buffer(program, len(program))
    sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("@HP", len(program) // 8, ctypes.addressof(code)))


def bind_everywhere(sock: socket.socket) -> None:
    """To all protocols on all interfaces. Python's own bind wants the name of one."""
    address = struct.pack("=HHi12x", socket.AF_PACKET, socket.htons(_ETH_P_ALL), 0)
    if ctypes.CDLL(None, use_errno=True).bind(sock.fileno(), address, len(address)):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def lost(sock: socket.socket) -> int:
    """How many packets that the filter had let through found no room, since this was asked last."""
    _, dropped = struct.unpack("II", sock.getsockopt(SOL_PACKET, _PACKET_STATISTICS, 8))
    return int(dropped)
