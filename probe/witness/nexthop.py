"""Whether this host has a way to send to another, as its kernel knows it (rtnetlink(7)); needs no privilege, sends
nothing.
"""

from __future__ import annotations

import socket
import struct
from ipaddress import ip_address
from pathlib import Path

from probe.model.ends import Stuck

# linux/rtnetlink.h, linux/neighbour.h.
_NETLINK_ROUTE, _NEW_ROUTE, _GET_ROUTE, _NEW_NEIGHBOUR, _GET_NEIGHBOUR = 0, 24, 26, 28, 30
_REQUEST, _ERROR = 1, 2
_DST, _SRC, _OIF, _GATEWAY, _MULTIPATH, _NEXT_HOP_ID = 1, 2, 4, 5, 9, 30
_FIB_MATCH = 0x2000  # the route as it was written, with all its next hops
_INCOMPLETE, _FAILED = 0x01, 0x20
_VALID = 0xDE  # all other states, but none: the address of its interface is known
_HEADER = struct.Struct("=IHHII")
_ROUTE = struct.Struct("=BBBBBBBBI")
_NEIGHBOUR = struct.Struct("=BxxxiHBB")
_ATTRIBUTE = struct.Struct("=HH")
_INDEX = struct.Struct("=I")
_RECEIVE, _SECONDS = 1 << 16, 1.0
_STRICT = 1  # rp_filter: what comes from an address must come by the interface of the route to it (RFC 3704)
_SETTINGS = Path("/proc/sys/net/ipv4/conf")


def stuck(address: str, interface: str = "", own: str = "") -> Stuck | None:
    """Why nothing can be sent to this numeric address; None where the kernel knows of nothing. `interface` is the one
    by which packets from there arrive, `own` the address that they are sent to: a host with several of them may well
    have a route for each (ip-rule(8)).
    """
    try:
        target = ip_address(address.partition("%")[0]).packed
        family = socket.AF_INET if len(target) == 4 else socket.AF_INET6
        with socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, _NETLINK_ROUTE) as asked:
            asked.settimeout(_SECONDS)
            # An own address that is translated before it is this host's has no route as a source.
            found = _route(asked, family, target, own=own) if own else None
            found = found or _route(asked, family, target)
            if found is None:
                return Stuck.ROUTE
            if (
                interface
                and family == socket.AF_INET
                and socket.if_nametoindex(interface) != _out(found)
                and _strict(interface)
            ):
                return Stuck.ROUTE
            if (_neighbour(asked, family, target, found) or 0) & (_INCOMPLETE | _FAILED):
                return Stuck.NEIGHBOUR
    except (OSError, ValueError, struct.error):
        pass
    return None


def answers(address: str) -> bool:
    """Whether the kernel knows how to address the one next machine towards this numeric address: what does not leave is
    then not kept for want of that. False also where nothing tells.
    """
    try:
        target = ip_address(address.partition("%")[0]).packed
        family = socket.AF_INET if len(target) == 4 else socket.AF_INET6
        with socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, _NETLINK_ROUTE) as asked:
            asked.settimeout(_SECONDS)
            written, found = _route(asked, family, target, _FIB_MATCH), _route(asked, family, target)
            if written is None or found is None or {_MULTIPATH, _NEXT_HOP_ID} & written.keys():
                return False
            state = _neighbour(asked, family, target, found)
    except (OSError, ValueError, struct.error):
        return False
    return state is not None and bool(state & _VALID)


def _route(asked: socket.socket, family: int, target: bytes, flags: int = 0, own: str = "") -> dict[int, bytes] | None:
    bits = len(target) * 8
    wanted = {_DST: target}
    if own:
        wanted[_SRC] = ip_address(own.partition("%")[0]).packed
    head = _ROUTE.pack(family, bits, bits if own else 0, 0, 0, 0, 0, 0, flags)
    route = _ask(asked, _GET_ROUTE, head, wanted)
    return attributes(route[_ROUTE.size :]) if route is not None else None


def _neighbour(asked: socket.socket, family: int, target: bytes, route: dict[int, bytes]) -> int | None:
    """The state (NUD_…) of the next machine on this route; None where the table has none."""
    head = _NEIGHBOUR.pack(family, _out(route), 0, 0, 0)
    neighbour = _ask(asked, _GET_NEIGHBOUR, head, {_DST: route.get(_GATEWAY, target)})
    return int(_NEIGHBOUR.unpack_from(neighbour)[2]) if neighbour is not None else None


def _out(route: dict[int, bytes]) -> int:
    """The index of the interface that it leads out of."""
    return int(_INDEX.unpack(route[_OIF])[0]) if _OIF in route else 0


def _ask(asked: socket.socket, kind: int, head: bytes, wanted: dict[int, bytes]) -> bytes | None:
    """The body of the one answer; None where the kernel says that there is none."""
    body = head + b"".join(_ATTRIBUTE.pack(_ATTRIBUTE.size + len(data), key) + data for key, data in wanted.items())
    asked.send(_HEADER.pack(_HEADER.size + len(body), kind, _REQUEST, 1, 0) + body)
    data = asked.recv(_RECEIVE)
    size, answer, _, _, _ = _HEADER.unpack_from(data)
    return None if answer == _ERROR else data[_HEADER.size : size]


def attributes(data: bytes) -> dict[int, bytes]:
    """The first of each kind; raises struct.error for what is cut short."""
    found: dict[int, bytes] = {}
    at = 0
    while at < len(data):
        size, kind = _ATTRIBUTE.unpack_from(data, at)
        if size < _ATTRIBUTE.size:
            break
        found.setdefault(kind, data[at + _ATTRIBUTE.size : at + size])
        at += (size + 3) & ~3
    return found


def _strict(interface: str) -> bool:
    """The stricter of the two settings counts, where 2 is loose."""
    values = [int((_SETTINGS / name / "rp_filter").read_text(encoding="ascii")) for name in ("all", interface)]
    return max(values) == _STRICT
