"""Raw IP sockets in batches: one system call for hundreds of packets (raw(7), sendmmsg(2), recvmmsg(2)).

The kernel writes the IP header, finds route and neighbour, and the host's own OUTPUT rules apply, as they will to the
real application. What comes back has passed INPUT, and a filter in the kernel keeps all but our answers out.
"""

from __future__ import annotations

import array
import ctypes
import socket
import struct
import threading
from typing import TYPE_CHECKING

from probe.sweep import addresses
from probe.sweep.parse import KEPT_BYTES, Block

if TYPE_CHECKING:
    from collections.abc import Sequence

# asm-generic/socket.h, linux/sock_diag.h
_SO_ATTACH_FILTER, _SO_RCVBUFFORCE, _SO_MEMINFO, _MEMINFO_DROPS = 26, 33, 55, 8
# Asked for; without CAP_NET_ADMIN the kernel gives what net.core.rmem_max allows, and each turn reads soon enough.
_QUEUE_BYTES = 8 << 20
# What a packet takes of that, with the kernel's own about it and the whole buffer of a driver.
_MOST_FOR_ONE = 2304
MOST_READ = 512
# In struct mmsghdr of 64-bit Linux, 64 bytes each, seen as words: name, its length, struct iovec and how many; length.
_HEADER_WORDS, _NAME, _NAME_LENGTH, _VECTOR, _VECTORS, _LENGTH = 8, 0, 1, 2, 3, 7
_HEADER_BYTES, _VECTOR_BYTES = 64, 16
_TTL = 64
_NAME_BYTES = {socket.AF_INET: 16, socket.AF_INET6: 28}

_libc = ctypes.CDLL(None, use_errno=True)


def allowed() -> bool:
    """Whether this process may open raw sockets. Cheap; nothing is sent."""
    if ctypes.sizeof(ctypes.c_void_p) != 8:  # the layouts above
        return False
    try:
        socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_TCP).close()
    except OSError:
        return False
    return True


def attach(sock: socket.socket, program: bytes) -> None:
    """A classic BPF program: `struct sock_fprog`, how many instructions of eight bytes, and where they are."""
    code = ctypes.create_string_buffer(program, len(program))
    sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("@HP", len(program) // 8, ctypes.addressof(code)))


class _Messages:
    """Room for packets of up to `stride` bytes side by side, and the headers that the kernel finds them by."""

    def __init__(self, slots: int, stride: int, names: bytes | bytearray, name_stride: int, name_bytes: int) -> None:
        self.packets = bytearray(slots * stride)
        self.names = bytearray(names)
        self._held = [(ctypes.c_char * len(data)).from_buffer(data) for data in (self.packets, self.names)]
        packets, names_at = map(ctypes.addressof, self._held)
        self.vectors = array.array("Q", bytes(slots * _VECTOR_BYTES))
        self.vectors[0::2] = array.array("Q", range(packets, packets + slots * stride, stride))
        self.vectors[1::2] = array.array("Q", [stride]) * slots
        at = self.vectors.buffer_info()[0]
        self.headers = array.array("Q", bytes(slots * _HEADER_BYTES))
        self.headers[_NAME::_HEADER_WORDS] = array.array("Q", [names_at + name_stride * slot for slot in range(slots)])
        self.headers[_NAME_LENGTH::_HEADER_WORDS] = array.array("Q", [name_bytes]) * slots
        self.headers[_VECTOR::_HEADER_WORDS] = array.array("Q", range(at, at + slots * _VECTOR_BYTES, _VECTOR_BYTES))
        self.headers[_VECTORS::_HEADER_WORDS] = array.array("Q", [1]) * slots
        self.at = self.headers.buffer_info()[0]


class Sender:
    """Packets to one address, from `source`. Raises OSError where no route leads there, ValueError where it is none.

    `packets` holds `slots` of them, each at a multiple of `stride`, of which the first `header` bytes are there
    already: whoever sends writes the rest.
    """

    def __init__(self, address: str, protocol: int, slots: int, stride: int, bind: str = "") -> None:
        family, peer = addresses.family(address), addresses.numeric(address)
        with socket.socket(family, socket.SOCK_DGRAM) as asking:
            if bind:
                asking.bind(addresses.numeric(bind))
            asking.connect((peer[0], 9, *peer[2:]))
            own = asking.getsockname()
        self.source = socket.inet_pton(family, own[0].partition("%")[0])
        self.target = socket.inet_pton(family, peer[0].partition("%")[0])
        if family == socket.AF_INET:
            name = struct.pack("=HH4s8x", family, 0, self.target)
            # The kernel fills in length, identification and checksum (raw(7)).
            header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 0, 0, 0, _TTL, protocol, 0, self.source, self.target)
        else:
            name = struct.pack("=HHI16sI", family, 0, 0, self.target, peer[-1])
            header = struct.pack("!IHBB16s16s", 6 << 28, 0, protocol, _TTL, self.source, self.target)
        self.slots, self.stride, self.header = slots, stride, len(header)
        self._is_6, self._length = family == socket.AF_INET6, 0
        self._lock, self._closed = threading.Lock(), threading.Event()
        self._messages = _Messages(slots, stride, name, 0, len(name))
        self.packets = self._messages.packets
        for at in range(0, slots * stride, stride):
            self.packets[at : at + len(header)] = header
        # This protocol number brings no packets in, so that no answer is handed to each socket of each target; and
        # unconnected, an ICMP error about one port is not handed out as a failure to send the next.
        self._socket = socket.socket(family, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.IPPROTO_RAW)
        try:
            self._socket.bind((own[0], 0, *own[2:]))
        except OSError:
            self._socket.close()
            raise

    def lengths(self, lengths: Sequence[int]) -> None:
        """Of what is behind the IP headers, from the first packet on."""
        header = self.header
        self._messages.vectors[1 : 2 * len(lengths) : 2] = array.array("Q", [header + length for length in lengths])
        self._length = 0
        if self._is_6:
            for index, length in enumerate(lengths):
                struct.pack_into("!H", self.packets, index * self.stride + 4, length)

    def length(self, length: int) -> None:
        """The same of all of them."""
        if length != self._length:
            self.lengths([length] * self.slots)
            self._length = length

    def send(self, start: int, end: int) -> tuple[int, int]:
        """The packets in these slots: how many left, and the errno that stopped the next one (0: nothing did).

        It may run in another thread, one at a time, even past `close`.
        """
        with self._lock:
            if self._closed.is_set():
                return 0, 0
            at = ctypes.c_void_p(self._messages.at + start * _HEADER_BYTES)
            sent = _libc.sendmmsg(self._socket.fileno(), at, end - start, 0)
            number = ctypes.get_errno() if sent < 0 else 0
        if self._closed.is_set():
            self._socket.close()
        return max(0, sent), number

    def close(self) -> None:
        """At once, or as soon as the packets that are just leaving have left."""
        self._closed.set()
        if self._lock.acquire(blocking=False):
            self._socket.close()
            self._lock.release()


class Receiver:
    """What arrives for this host with this protocol and passes the filter, whoever sent it."""

    def __init__(self, family: int, protocol: int, program: bytes) -> None:
        self._socket = socket.socket(family, socket.SOCK_RAW | socket.SOCK_NONBLOCK, protocol)
        try:
            attach(self._socket, program)
            try:
                self._socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _QUEUE_BYTES)
            except PermissionError:
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _QUEUE_BYTES)
        except OSError:
            self._socket.close()
            raise
        self._name_bytes = _NAME_BYTES[socket.AddressFamily(family)]
        names = bytes(MOST_READ * self._name_bytes)
        self._messages = _Messages(MOST_READ, KEPT_BYTES, names, self._name_bytes, self._name_bytes)

    @property
    def room(self) -> int:
        """For so many packets, if each takes the most that a driver gives it."""
        return int(self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)) // _MOST_FOR_ONE

    def read(self) -> Block:
        """What waits, at most MOST_READ."""
        messages = self._messages
        at = ctypes.c_void_p(messages.at)
        count = max(0, _libc.recvmmsg(self._socket.fileno(), at, MOST_READ, socket.MSG_DONTWAIT, None))
        return Block(
            bytes(messages.packets[: count * KEPT_BYTES]),
            messages.headers[_LENGTH : count * _HEADER_WORDS : _HEADER_WORDS],
            bytes(messages.names[: count * self._name_bytes]),
        )

    def drops(self) -> int:
        """How many the kernel had to throw away because the queue was full."""
        told = self._socket.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, 4 * (_MEMINFO_DROPS + 1))
        return int(struct.unpack_from("=I", told, 4 * _MEMINFO_DROPS)[0]) if len(told) > 4 * _MEMINFO_DROPS else 0

    def close(self) -> None:
        self._socket.close()


# Classic BPF (Linux: Documentation/networking/filter.rst).
_HALF, _HALF_AT, _BYTE, _BYTE_AT, _HEADER_LENGTH, _EQUAL, _RETURN = 0x28, 0x48, 0x30, 0x50, 0xB1, 0x15, 0x06


def _program(*steps: tuple[int, int, int, int]) -> bytes:
    return b"".join(struct.pack("=HBBI", *step) for step in steps)


NOTHING = _program((_RETURN, 0, 0, 0))


def keep_replies(family: int, own: Sequence[int]) -> bytes:
    """Lets pass what is sent to these ports. An IPv6 raw socket begins behind the IP header."""
    if family == socket.AF_INET6:
        return _program((_HALF, 0, 0, 2), *_one_of(own))
    return _program((_HEADER_LENGTH, 0, 0, 0), (_HALF_AT, 0, 0, 2), *_one_of(own))


def keep_refusals(family: int, protocol: int, own: Sequence[int]) -> bytes:
    """Lets pass the ICMP errors about what was sent from these ports, which had no IP options."""
    if family == socket.AF_INET6:
        start, tests = [], [(_BYTE, 8 + 6, protocol)]
        own_port = (_HALF, 0, 0, 8 + 40)
    else:
        start, tests = [(_HEADER_LENGTH, 0, 0, 0)], [(_BYTE_AT, 8, 0x45), (_BYTE_AT, 8 + 9, protocol)]
        own_port = (_HALF_AT, 0, 0, 8 + 20)
    for load, offset, wanted in tests:
        start += [(load, 0, 0, offset), (_EQUAL, 1, 0, wanted), (_RETURN, 0, 0, 0)]
    return _program(*start, own_port, *_one_of(own))


def _one_of(numbers: Sequence[int]) -> list[tuple[int, int, int, int]]:
    """Keep the packet if what was loaded is one of them."""
    tests = [(_EQUAL, len(numbers) - index, 0, number) for index, number in enumerate(numbers)]
    return [*tests, (_RETURN, 0, 0, 0), (_RETURN, 0, 0, KEPT_BYTES)]
