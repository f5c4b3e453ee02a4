"""What the datagrams of a sweep carry, so that a witness knows them."""

from __future__ import annotations

import secrets

# Whoever finds such a datagram in a log shall know whose it is.
_NAME = b"portcheck "
_RANDOM_BYTES = 16


def fresh() -> bytes:
    """A mark that no other sweep has, and that a stranger cannot guess."""
    return _NAME + secrets.token_bytes(_RANDOM_BYTES)


def marked(mark: bytes, port: int) -> bytes:
    """What the datagram to this port carries: the mark, and the port in two bytes, big-endian."""
    return mark + port.to_bytes(2, "big")
