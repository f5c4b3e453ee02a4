"""The addresses that this host carries, as its kernel lists them (rtnetlink(7)); needs no privilege, sends nothing."""

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING

from probe.witness.netlink import dump
from probe.witness.nexthop import attributes

if TYPE_CHECKING:
    from collections.abc import Iterator

# linux/rtnetlink.h, linux/if_addr.h.
_NETLINK_ROUTE, _NEW_ADDRESS, _GET_ADDRESS = 0, 20, 22
_ADDRESS, _LOCAL = 1, 2  # the other end's where there are two ends; then the own one is the second
_SCOPE_LINK = 253  # and beyond it the host's alone: nobody else dials these
_BODY = struct.Struct("=BxxBxxxx")
_MOST = 512


def carried() -> tuple[str, ...]:
    """Those that others may dial, at most 512; none where the kernel does not say."""
    found: dict[str, None] = {}
    try:
        for message in dump(_NETLINK_ROUTE, _GET_ADDRESS, _BODY.pack(socket.AF_UNSPEC, 0), _NEW_ADDRESS):
            found |= dict.fromkeys(read(message))
            if len(found) >= _MOST:
                break
    except (OSError, struct.error, ValueError):
        pass
    return tuple(found)


def read(message: bytes) -> Iterator[str]:
    """The address of one message, if others may dial it. Raises struct.error or ValueError for what is cut short."""
    family, scope = _BODY.unpack_from(message)
    told = attributes(message[_BODY.size :])
    packed = told.get(_LOCAL) or told.get(_ADDRESS)
    if family in (socket.AF_INET, socket.AF_INET6) and scope < _SCOPE_LINK and packed is not None:
        yield socket.inet_ntop(family, packed)
