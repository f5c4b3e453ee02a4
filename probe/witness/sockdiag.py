"""What /proc/net does not tell of sockets, asked of the kernel itself (sock_diag(7)); needs no privilege.

How full the accept queue of a listener is, and whether an IPv6 socket takes IPv4 too.
"""

from __future__ import annotations

import socket
import struct

import msgspec

from probe.model.words import Transport
from probe.witness.netlink import dump

# linux/sock_diag.h, linux/inet_diag.h.
_NETLINK_SOCK_DIAG, _SOCK_DIAG_BY_FAMILY = 4, 20
_V6ONLY = 11  # INET_DIAG_SKV6ONLY
_TCP_LISTEN, _TCP_CLOSE = 1 << 10, 1 << 7  # unconnected UDP sockets are in state CLOSE
_QUERY = struct.Struct("=BBBxI48x")
# Family, state, timer, retransmissions; ports, addresses, interface, cookie; expiry, queues, user, inode.
_MESSAGE = struct.Struct("=BBBB H 34x I 8x I II II")
_ATTRIBUTE = struct.Struct("=HH")
_PROTOCOLS = {Transport.TCP: (socket.IPPROTO_TCP, _TCP_LISTEN), Transport.UDP: (socket.IPPROTO_UDP, _TCP_CLOSE)}


class Listening(msgspec.Struct, frozen=True):
    """A socket that takes what strangers send. `waiting` connections are in its accept queue, which holds `room` and
    one more; `only_ipv6`: an IPv6 socket that takes no IPv4; `interface`: the number of the one that it is bound to
    (SO_BINDTODEVICE, socket(7)), 0 for all.
    """

    port: int
    inode: int
    waiting: int
    room: int
    only_ipv6: bool
    interface: int = 0

    @property
    def full(self) -> bool:
        """The kernel drops further connections (tcp(7), listen(2))."""
        return self.waiting > self.room


def listening(transport: Transport) -> list[Listening]:
    """All listeners of this host; none where the kernel does not say."""
    found: list[Listening] = []
    protocol, states = _PROTOCOLS[transport]
    for family in (socket.AF_INET, socket.AF_INET6):
        query = _QUERY.pack(family, protocol, 0, states)
        try:
            found += map(read, dump(_NETLINK_SOCK_DIAG, _SOCK_DIAG_BY_FAMILY, query, _SOCK_DIAG_BY_FAMILY))
        except (OSError, struct.error):
            continue
    return found


def read(message: bytes) -> Listening:
    """One socket; raises struct.error for what is cut short."""
    _, _, _, _, port, interface, _, waiting, room, _, inode = _MESSAGE.unpack_from(message)
    only_ipv6 = False
    at = _MESSAGE.size
    while at + _ATTRIBUTE.size <= len(message):
        size, kind = _ATTRIBUTE.unpack_from(message, at)
        if size < _ATTRIBUTE.size:
            break
        if kind == _V6ONLY:
            only_ipv6 = message[at + _ATTRIBUTE.size : at + size][:1] == b"\x01"
        at += (size + 3) & ~3
    return Listening(socket.ntohs(port), inode, waiting, room, only_ipv6, interface)
