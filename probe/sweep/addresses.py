"""Numeric addresses as sockets want them."""

from __future__ import annotations

import socket

SocketAddress = tuple[str, int] | tuple[str, int, int, int]
"""Address and port; of IPv6 also flow and scope."""


def family(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def numeric(address: str) -> SocketAddress:
    """With port 0. Raises ValueError for a name."""
    try:
        found = socket.getaddrinfo(address, 0, family(address), socket.SOCK_DGRAM, flags=socket.AI_NUMERICHOST)
    except OSError:
        raise ValueError(f"{address!r} is no numeric address") from None
    return found[0][4]  # type: ignore[return-value]
