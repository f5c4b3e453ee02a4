"""Whether this host has a way to another; with faults, tests/netns/test_situations.py."""

from __future__ import annotations

import struct

import pytest

from probe.witness import nexthop


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.9.10"])
def test_a_way_is_there(address: str) -> None:
    assert nexthop.stuck(address) is None


def test_what_cannot_be_asked_is_not_told() -> None:
    assert nexthop.stuck("no-address") is None
    assert nexthop.stuck("127.0.0.1", interface="none-such") is None


@pytest.mark.parametrize("address", ["no-address", "", "10.0.0.1.2"])
def test_what_cannot_be_asked_is_not_known_to_be_there(address: str) -> None:
    assert not nexthop.answers(address)


def test_attributes() -> None:
    gateway, out, again = ((5, b"\x0a\0\0\1"), (4, b"\7\0\0\0"), (5, b"****"))
    data = b"".join(struct.pack("=HH4s", 8, *one) for one in (gateway, out, again))
    assert nexthop.attributes(data) == {5: b"\x0a\0\0\1", 4: b"\7\0\0\0"}


@pytest.mark.parametrize("data", [b"\0\0\0\0", b"\3\0\1\0" * 3])
def test_attributes_that_lie_about_their_size_end_it(data: bytes) -> None:
    assert nexthop.attributes(data) == {}


def test_attributes_that_are_cut_short() -> None:
    with pytest.raises(struct.error):
        nexthop.attributes(b"\x08\0")
