"""The addresses that this host carries, as its kernel lists them (rtnetlink(7)); needs no privilege, sends nothing."""

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING

from probe.witness.nexthop import attributes

if TYPE_CHECKING:
    from collections.abc import Iterator

# linux/netlink.h, linux/rtnetlink.h, linux/if_addr.h.
_NETLINK_ROUTE, _NEW_ADDRESS, _GET_ADDRESS = 0, 20, 22
_REQUEST, _DUMP, _ERROR, _DONE = 1, 0x300, 2, 3
_ADDRESS, _LOCAL = 1, 2  # the other end's where there are two ends; then the own one is the second
_SCOPE_LINK = 253  # and beyond it the host's alone: nobody else dials these
_HEADER = struct.Struct("=IHHII")
_BODY = struct.Struct("=BxxBxxxx")
_RECEIVE, _SECONDS, _MOST = 1 << 17, 2.0, 512


def carried() -> tuple[str, ...]:
    """Those that others may dial, at most 512; none where the kernel does not say."""
    found: dict[str, None] = {}
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, _NETLINK_ROUTE) as asked:
            asked.settimeout(_SECONDS)
            body = _BODY.pack(socket.AF_UNSPEC, 0)
            asked.send(_HEADER.pack(_HEADER.size + len(body), _GET_ADDRESS, _REQUEST | _DUMP, 1, 0) + body)
            for address in _answers(asked):
                found[address] = None
                if len(found) >= _MOST:
                    break
    except (OSError, struct.error, ValueError):
        pass
    return tuple(found)


def _answers(asked: socket.socket) -> Iterator[str]:
    for _ in range(_MOST):
        data = asked.recv(_RECEIVE)
        at = 0
        while at + _HEADER.size <= len(data):
            size, kind, _, _, _ = _HEADER.unpack_from(data, at)
            if kind in (_DONE, _ERROR) or size < _HEADER.size:
                return
            if kind == _NEW_ADDRESS:
                yield from read(data[at + _HEADER.size : at + size])
            at += (size + 3) & ~3


def read(message: bytes) -> Iterator[str]:
    """The address of one message, if others may dial it. Raises struct.error or ValueError for what is cut short."""
    family, scope = _BODY.unpack_from(message)
    told = attributes(message[_BODY.size :])
    packed = told.get(_LOCAL) or told.get(_ADDRESS)
    if family in (socket.AF_INET, socket.AF_INET6) and scope < _SCOPE_LINK and packed is not None:
        yield socket.inet_ntop(family, packed)
