"""What the answers to a trace add up to, one by one and together."""

from __future__ import annotations

from typing import Any

import pytest

from probe.model.observation import Icmp
from probe.model.path import Hop, Path, Way
from probe.model.words import Transport
from probe.probes.hops import SURVEY, Notes, distinct
from probe.probes.ttl import Aim, Answer, read

TARGET = "192.0.2.9"
REFUSED = Answer(TARGET, reached=True)


def addresses(path: Path) -> list[tuple[str, ...]]:
    return [hop.addresses for hop in path.hops]


def notes(*answers: tuple[int, int, Answer | None], most: int = 30) -> Notes:
    found = Notes(TARGET, most)
    for flow, ttl, answer in answers:
        found.write(flow, ttl, answer)
    return found


def refusal(sender: str, **more: Any) -> Answer:
    return Answer(sender, (3, 13), **more)


def test_a_refusal_is_placed_where_its_device_is() -> None:
    path = notes((0, 1, Answer("a")), (0, 2, Answer("b")), (0, 3, refusal("b")), (0, 4, refusal("b"))).path()
    assert (path.rejected, addresses(path)) == (Hop(2, ("b",), None, (3, 13)), [("a",), ("b",)])


def test_a_refusal_by_a_device_that_says_nothing_else() -> None:
    path = notes((0, 1, Answer("a")), (0, 2, None), (0, 3, refusal("f", rtt_ms=2.0))).path()
    assert path.rejected == path.hops[2] == Hop(3, ("f",), 2.0, (3, 13))
    assert path.last == Hop(1, ("a",))


def test_of_several_refusals_the_nearest_counts() -> None:
    found = notes((1, 3, refusal("c")), (2, 2, refusal("b")), (3, 2, refusal("d")), (4, 2, Answer("x", (3, 3))))
    assert found.path().rejected == Hop(2, ("b", "d"), None, (3, 13))


def test_an_own_refusal_is_before_the_first_device() -> None:
    path = notes((0, 1, refusal("10.0.0.1", own=True))).path()
    assert (path.rejected, path.hops, path.last) == (Hop(0, ("10.0.0.1",), None, (3, 13)), (), None)


def test_a_device_on_one_way_is_not_the_end_of_another() -> None:
    path = notes((1, 1, Answer("a")), (1, 2, None), (2, 1, Answer("a")), (2, 2, Answer("b")), (2, 3, None)).path()
    assert path.last == Hop(2, ("b",))
    assert not path.several


def test_behind_a_translation_devices_bear_the_targets_name() -> None:
    path = notes(*((0, ttl, Answer(TARGET)) for ttl in (2, 3)), (0, 1, Answer("a")), (0, 4, REFUSED)).path()
    assert (path.distance, path.last) == (4, Hop(3, (TARGET,)))
    assert not notes((1, 1, Answer(TARGET)), (1, 2, Answer("a")), (1, 3, Answer(TARGET))).path().loops


@pytest.mark.parametrize(
    ("devices", "loops"),
    [
        (("a", "b", "a"), True),
        (("a", "", "a", "", "a"), True),
        (("a", "", "a"), False),  # one device may stand in two places, and between
        (("a", "a", "a"), False),
        (("a", "b", "c"), False),
        (("", "", ""), False),
    ],
)
def test_what_is_called_a_loop(devices: tuple[str, ...], loops: bool) -> None:
    found = notes(*((1, ttl, Answer(device) if device else None) for ttl, device in enumerate(devices, 1)))
    assert found.path().loops == loops


def test_errors_without_a_name_still_count_places() -> None:
    """A kernel that keeps no ICMP errors of TCP: the device is unknown, its place is not."""
    path = notes((0, 1, Answer("")), (0, 2, Answer("")), (0, 3, None)).path()
    assert (addresses(path), path.last) == ([("",), ("",), ()], Hop(2, ("",)))


def test_errors_without_a_name_at_every_ttl_say_nothing() -> None:
    path = notes(*((0, ttl, Answer("")) for ttl in range(1, 6)), most=5).path()
    assert (path.hops, path.last, path.loops) == ((), None, False)


def test_ways_are_told_once_and_gaps_filled_where_there_is_no_doubt() -> None:
    whole, other, gap = Way(("a", "b", "d")), Way(("a", "c", "d")), Way(("a", "", "d"))
    assert distinct([whole, whole, gap]) == (Way(("a", "b", "d"), flows=3),)
    assert set(distinct([whole, gap, other, gap])) == {whole, other, Way(("a", "", "d"), flows=2)}
    assert distinct([whole, Way(("a",))]) == (Way(("a", "b", "d"), flows=2),)
    reached = Way(("a", "b"), reached=True)
    assert len(distinct([reached, Way(("a",), reached=True), Way(("a", "b"))])) == 3


def test_what_was_heard_is_not_unsaid() -> None:
    found = notes((1, 1, Answer("a")), (1, 1, None))
    assert (found.asked[1, 1], found.scattered) == (Answer("a"), False)
    found.write(1, 1, Answer("b"))
    assert (found.asked[1, 1], found.scattered) == (Answer("a"), True)
    assert not notes((SURVEY, 1, Answer("a")), (SURVEY, 1, Answer("b"))).scattered


@pytest.mark.parametrize(
    ("transport", "icmp", "sender", "answer"),
    [
        ("tcp", (4, 11, 0), "10.0.0.1", Answer("10.0.0.1")),
        ("tcp", (6, 3, 0), "fd00::1", Answer("fd00::1")),
        ("tcp", (4, 11, 0), TARGET, Answer(TARGET)),  # a device behind a translation
        ("tcp", (4, 3, 3), "10.0.0.1", Answer("10.0.0.1", (3, 3))),
        ("tcp", (4, 3, 3), TARGET, Answer(TARGET, (3, 3), reached=True)),  # its firewall: TCP answers by RST
        ("udp", (4, 3, 3), TARGET, Answer(TARGET, reached=True)),
        ("udp", (4, 3, 3), "10.0.0.1", Answer("10.0.0.1", (3, 3))),
        ("udp", (4, 3, 13), TARGET, Answer(TARGET, (3, 13), reached=True)),
        ("udp", (4, 3, 4), "10.0.0.1", None),
        ("udp", (6, 2, 0), "fd00::1", None),
        ("udp", (4, 11, 1), TARGET, None),
        ("udp", (6, 3, 1), "fd00::1", None),
    ],
)
def test_what_an_icmp_error_says(
    transport: str, icmp: tuple[int, int, int], sender: str, answer: Answer | None
) -> None:
    error = Icmp(family=icmp[0], type=icmp[1], code=icmp[2], sender=sender)
    assert read(error, Aim(TARGET, Transport(transport), 5000)) == answer
