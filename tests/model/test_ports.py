"""The port grammar, beside Python's own sets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.model.ports import HIGHEST, LOWEST, PortError, PortSet

PORTS = st.integers(LOWEST, HIGHEST)
RANGES = st.tuples(PORTS, st.integers(0, 40)).map(lambda pair: (pair[0], min(pair[0] + pair[1], HIGHEST)))
# Few ports, so that ranges touch, overlap and leave holes.
SMALL = st.lists(st.tuples(st.integers(1, 30), st.integers(0, 6)).map(lambda pair: (pair[0], pair[0] + pair[1])))


def members(ranges: list[tuple[int, int]]) -> set[int]:
    return {port for low, high in ranges for port in range(low, high + 1)}


@given(st.lists(RANGES))
def test_holds_what_it_was_made_of(ranges: list[tuple[int, int]]) -> None:
    ports = PortSet(ranges)
    assert set(ports) == members(ranges)
    assert len(ports) == len(members(ranges))
    assert list(ports) == sorted(members(ranges))


@given(SMALL)
def test_is_kept_in_one_form(ranges: list[tuple[int, int]]) -> None:
    ports = PortSet(ranges)
    assert all(low > last + 1 for (_, last), (low, _) in zip(ports.ranges, ports.ranges[1:], strict=False))
    assert ports == PortSet.of(sorted(members(ranges), reverse=True))
    assert hash(ports) == hash(PortSet.of(members(ranges)))


@given(SMALL, SMALL)
def test_algebra(left: list[tuple[int, int]], right: list[tuple[int, int]]) -> None:
    ports, others = PortSet(left), PortSet(right)
    assert set(ports | others) == members(left) | members(right)
    assert set(ports & others) == members(left) & members(right)
    assert set(ports - others) == members(left) - members(right)
    assert all((port in ports) == (port in members(left)) for port in range(1, 40))


@given(st.lists(RANGES, min_size=1))
def test_text_and_back(ranges: list[tuple[int, int]]) -> None:
    ports = PortSet(ranges)
    assert PortSet.parse(str(ports)) == ports


@given(st.lists(RANGES, min_size=1), st.sampled_from(["-", "\u2013", "\u2014", "\u2212", " - "]))  # dashes as typeset
def test_reads_ranges_however_they_are_typeset(ranges: list[tuple[int, int]], dash: str) -> None:
    assert PortSet.parse(" , ".join(f"{low}{dash}{high}" for low, high in ranges)) == PortSet(ranges)


@given(st.one_of(st.text(), st.text(alphabet="0123456789-, {}\u2013")))
def test_any_text_parses_or_says_where_it_does_not(text: str) -> None:
    try:
        ports = PortSet.parse(text)
    except PortError as error:
        offset = error.offset
    else:
        offset = 0
        assert len(ports) > 0
        assert PortSet.parse(str(ports)) == ports
    assert 0 <= offset <= len(text)


@pytest.mark.parametrize(
    ("text", "offset", "message"),
    [
        ("", 0, "'' is neither a port nor a range of ports"),
        ("22,,80", 3, "'' is neither a port nor a range of ports"),
        ("80, http", 4, "'http' is neither a port nor a range of ports"),
        ("0", 0, "port 0 does not exist: ports go from 1 to 65535"),
        ("80,1-65536", 3, "port 65536 does not exist: ports go from 1 to 65535"),
        ("6000-5000", 0, "the range 6000-5000 runs backwards"),
        ("-1", 0, "'-1' is neither a port nor a range of ports"),
        ("22:22", 0, "'22:22' is neither a port nor a range of ports"),
    ],
)
def test_says_what_is_wrong(text: str, offset: int, message: str) -> None:
    with pytest.raises(PortError) as caught:
        PortSet.parse(text)
    assert (str(caught.value), caught.value.offset) == (message, offset)


def test_text() -> None:
    assert str(PortSet.of([4161, 4150, 4151, 5000, 5001, 5002])) == "4150-4151,4161,5000-5002"
    assert str(PortSet()) == ""
    assert repr(PortSet.of([22])) == "PortSet('22')"
    assert PortSet() != ""
