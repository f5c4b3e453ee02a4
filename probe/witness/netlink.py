"""A list that the kernel gives out (netlink(7)); needs no privilege, sends nothing to the network."""

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

# linux/netlink.h.
_REQUEST, _DUMP, _DONE, _ERROR = 1, 0x300, 3, 2
_HEADER = struct.Struct("=IHHII")
_RECEIVE, _MOST, _SECONDS = 1 << 17, 4000, 2.0


def dump(protocol: int, question: int, body: bytes, answer: int) -> Iterator[bytes]:
    """The bodies of this kind of answer, of at most 4,000 messages. Raises OSError, TimeoutError among them."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, protocol) as asked:
        asked.settimeout(_SECONDS)
        asked.send(_HEADER.pack(_HEADER.size + len(body), question, _REQUEST | _DUMP, 1, 0) + body)
        for _ in range(_MOST):
            data = asked.recv(_RECEIVE)
            at = 0
            while at + _HEADER.size <= len(data):
                size, kind, _, _, _ = _HEADER.unpack_from(data, at)
                if kind in (_DONE, _ERROR) or size < _HEADER.size:
                    return
                if kind == answer:
                    yield data[at + _HEADER.size : at + size]
                at += (size + 3) & ~3
