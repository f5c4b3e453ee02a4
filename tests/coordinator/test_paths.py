"""Which failures share a path."""

from __future__ import annotations

from typing import TYPE_CHECKING

from probe.coordinator.paths import Failed, Place, in_doubt, shared
from probe.model.path import Hop, Path
from probe.model.words import Transport

from .test_pieces import errand

if TYPE_CHECKING:
    from collections.abc import Hashable

FIRST = Path(hops=(Hop(1, ("10.0.1.1",), 0.1), Hop(2)))
AGAIN = Path(hops=(Hop(1, ("10.0.1.1",), 0.3), Hop(2)))
SECOND = Path(hops=(Hop(1, ("10.0.1.1",)), Hop(2, ("10.0.2.1",)), Hop(3)))


def failed(address: str, port: int, *, kind: Hashable = "silent", shares: bool = True, ports: str = "") -> Failed:
    return Failed(Place(Transport.TCP, address, port), kind, shares, errand(str(port), ports or str(port)))


def told(ways: list[Failed], *known: Path | None) -> list[str | None]:
    """The last device of each way's path; `known` are those of the first ways."""
    own = {way.place: path for way, path in zip(ways, known, strict=False) if path is not None}
    found = shared(ways, own)
    paths = [found.get(way.place) for way in ways]
    return [path.last.addresses[0] if path is not None and path.last is not None else None for path in paths]


def test_one_service_at_several_addresses_shares_what_two_of_them_agree_on() -> None:
    ways = [failed(address, 80) for address in "abc"]
    assert told(ways, FIRST, AGAIN) == ["10.0.1.1"] * 3
    assert told(ways, FIRST) == ["10.0.1.1", None, None]
    assert told(ways, FIRST, SECOND) == ["10.0.1.1", "10.0.2.1", None]


def test_services_share_once_each_has_a_path_and_all_agree() -> None:
    ways = [failed("a", 80), failed("a", 81), failed("b", 80), failed("b", 81)]
    assert told(ways, FIRST, None, None, AGAIN) == ["10.0.1.1"] * 4
    assert told(ways, FIRST, None, None, SECOND) == ["10.0.1.1", None, None, "10.0.2.1"]


def test_what_agrees_at_one_address_says_nothing_of_another() -> None:
    """It may well be behind another router."""
    services = [failed("a", 80), failed("a", 81), failed("b", 80), failed("b", 81)]
    assert told(services, FIRST, AGAIN) == ["10.0.1.1", "10.0.1.1", None, None]
    ports = [failed(address, port, ports="80-90") for address in "ab" for port in (80, 90)]
    assert told(ports, FIRST, AGAIN) == ["10.0.1.1", "10.0.1.1", None, None]


def test_ipv6_shares_no_path_of_ipv4() -> None:
    ways = [failed("10.0.0.1", 80), failed("10.0.0.2", 80), failed("fd00::1", 80), failed("fd00::2", 80)]
    assert told(ways, FIRST, AGAIN) == ["10.0.1.1", "10.0.1.1", None, None]
    services = [*ways, failed("10.0.0.1", 81), failed("fd00::1", 81)]
    assert told(services, FIRST, AGAIN, None, None, FIRST)[2:] == [None, None, "10.0.1.1", None]


def test_a_service_that_nobody_followed_shares_with_no_other() -> None:
    ways = [failed("a", 80), failed("b", 80), failed("a", 81)]
    assert told(ways, FIRST, AGAIN) == ["10.0.1.1", "10.0.1.1", None]


def test_what_failed_otherwise_shares_nothing() -> None:
    ways = [failed("a", 80), failed("b", 80), failed("c", 80, kind="refused")]
    assert told(ways, FIRST, AGAIN) == ["10.0.1.1", "10.0.1.1", None]


def test_what_may_not_have_left_its_source_shares_nothing() -> None:
    ways = [failed("a", 80), failed("b", 80), failed("c", 80, shares=False)]
    assert told(ways, FIRST, AGAIN) == ["10.0.1.1", "10.0.1.1", None]


def test_a_path_that_ends_nearer_than_its_neighbour_s_is_followed_again() -> None:
    ways = [failed("a", 80), failed("b", 80), failed("a", 81)]
    known = dict(zip((way.place for way in ways), (FIRST, SECOND, FIRST), strict=True))
    assert in_doubt(ways, known) == ways[:1]
    assert in_doubt(ways, {ways[0].place: FIRST}) == []


def test_one_path_is_enough_for_a_range_at_one_address() -> None:
    ways = [failed("a", port, ports="80-90") for port in (80, 85, 90)]
    assert told(ways, FIRST) == ["10.0.1.1"] * 3
    assert told(ways, FIRST, SECOND) == ["10.0.1.1", "10.0.2.1", None]
