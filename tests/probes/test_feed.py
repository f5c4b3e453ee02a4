"""Which attempt is next, on a clock that the test turns."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.model.words import Protocol
from probe.probes.attempt import Attempt
from probe.probes.feed import Feed, Lane
from probe.wire.messages import Aim

FAR = 1e9


def attempts(target: int, count: int) -> list[Attempt]:
    aim = Aim(task=target, target=target, address="127.0.0.1", ports="1", protocol=Protocol.TCP)
    return [Attempt(aim, "127.0.0.1", port + 1) for port in range(count)]


def feed(*counts: int, per_target: int = 100, interval: float = 0.0, lanes: float = 0.0) -> Feed:
    made = [Lane(target, iter(attempts(target, count)), lanes) for target, count in enumerate(counts)]
    return Feed(made, per_target, interval)


def taken(source: Feed, now: float) -> list[Attempt]:
    """All that may start at this moment."""
    found = []
    while (attempt := source.take(now)) is not None:
        found.append(attempt)
    return found


def targets(found: list[Attempt]) -> list[int]:
    return [attempt.aim.target for attempt in found]


def test_targets_come_in_turn() -> None:
    assert targets(taken(feed(3, 1, 2), FAR)) == [0, 1, 2, 0, 2, 0]


def test_each_target_has_its_limit() -> None:
    source = feed(5, 1, per_target=2)
    first = taken(source, FAR)
    assert targets(first) == [0, 1, 0]
    assert source.delay(FAR) is None  # only a release changes that
    assert not source.empty
    source.release(first[0], FAR)
    assert source.delay(FAR) == 0
    assert targets(taken(source, FAR)) == [0]


def test_each_target_has_its_pace() -> None:
    source = feed(3, 3, lanes=0.5)
    assert targets(taken(source, 100.0)) == [0, 1]
    assert source.delay(100.1) == pytest.approx(0.4)
    assert taken(source, 100.4) == []
    assert targets(taken(source, 100.6)) == [0, 1]


def test_a_paced_target_at_its_limit_waits_for_both() -> None:
    source = feed(2, per_target=1, lanes=0.5)
    (first,) = taken(source, 100.0)
    assert taken(source, 101.0) == []
    source.release(first, 101.0)
    assert taken(source, 101.0) == []
    assert len(taken(source, 101.5)) == 1


def test_all_together_have_a_pace() -> None:
    """Over ten seconds, whatever the steps of the clock, no more than the rate and one burst of ten."""
    source = feed(500, 500, interval=0.1)
    starts = [now for step in range(101) for now in [100 + step / 10] for _ in taken(source, now)]
    assert 95 <= len(starts) <= 113


def test_the_pace_does_not_make_up_for_a_long_sleep() -> None:
    source = feed(1000, interval=0.01)
    taken(source, 100.0)
    assert len(taken(source, 500.0)) <= 12


def test_the_delay_is_when_something_may_start() -> None:
    source = feed(100, interval=0.1)
    taken(source, 100.0)
    delay = source.delay(100.0)
    assert delay is not None
    assert 0 < delay <= 0.11
    assert taken(source, 100.0 + delay + 1e-9)


def test_it_is_empty_in_the_end() -> None:
    source = feed(2)
    assert not source.empty
    last = taken(source, FAR)
    assert source.empty
    assert source.delay(FAR) is None
    source.release(last[0], FAR)  # of a lane that is gone
    assert source.take(FAR) is None


@given(
    counts=st.lists(st.integers(0, 20), max_size=6),
    per_target=st.integers(1, 5),
    lanes=st.sampled_from([0.0, 0.01]),
    interval=st.sampled_from([0.0, 0.01]),
    releases=st.randoms(use_true_random=False),
)
def test_everything_comes_once_and_no_limit_is_passed(counts, per_target, lanes, interval, releases) -> None:
    source = feed(*counts, per_target=per_target, interval=interval, lanes=lanes)
    now, seen, in_flight = 100.0, [], []
    for _ in range(100_000):
        attempt = source.take(now)
        if attempt is not None:
            seen.append((attempt.aim.target, attempt.port))
            in_flight.append(attempt)
            assert max(Counter(targets(in_flight)).values()) <= per_target
        elif source.empty:
            break
        elif in_flight and releases.random() < 0.7:
            source.release(in_flight.pop(releases.randrange(len(in_flight))), now)
        else:
            now += source.delay(now) or 0.001
    assert source.empty
    assert len(seen) == len(set(seen)) == sum(counts)
