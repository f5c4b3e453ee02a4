"""The addresses of this host; of others, tests/netns/scene_names.py."""

from __future__ import annotations

import socket
import struct
from ipaddress import ip_address

import pytest

from probe.witness import addresses

OWN, PEER = bytes([10, 0, 0, 1]), bytes([10, 0, 0, 9])


def message(family: int, scope: int, *told: tuple[int, bytes]) -> bytes:
    found = (struct.pack("=HH", 4 + len(data), kind) + data for kind, data in told)
    return struct.pack("=BBBBI", family, 24, 0, scope, 2) + b"".join(found)


def test_no_address_that_nobody_else_can_dial() -> None:
    for address in map(ip_address, addresses.carried()):
        assert not address.is_loopback
        assert not address.is_link_local


@pytest.mark.parametrize(
    ("family", "scope", "told", "expected"),
    [
        (socket.AF_INET, 0, ((1, OWN), (2, OWN)), ["10.0.0.1"]),
        (socket.AF_INET, 0, ((1, PEER), (2, OWN)), ["10.0.0.1"]),
        (socket.AF_INET6, 0, ((1, bytes(15) + b"\1"),), ["::1"]),
        (socket.AF_INET, 254, ((2, OWN),), []),
        (socket.AF_INET6, 253, ((1, bytes(16)),), []),
        (socket.AF_INET, 0, (), []),
        (1, 0, ((2, OWN),), []),
    ],
)  # fmt: skip
def test_one_message(family: int, scope: int, told: tuple[tuple[int, bytes], ...], expected: list[str]) -> None:
    assert list(addresses.read(message(family, scope, *told))) == expected


@pytest.mark.parametrize("data", [b"", b"\2" * 7, message(socket.AF_INET, 0, (2, b"\1\2"))])
def test_what_is_cut_short_raises(data: bytes) -> None:
    with pytest.raises((struct.error, ValueError)):
        list(addresses.read(data))
