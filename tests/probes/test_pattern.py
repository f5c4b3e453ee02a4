"""A regular expression on a stranger's text ends in time."""

from __future__ import annotations

import signal
import time

import pytest

from probe.probes.pattern import TooSlow, search


def test_it_matches_or_not() -> None:
    assert search('"status":"(green|yellow)"', '{"status":"green"}')
    assert not search('"status":"(green|yellow)"', '{"status":"red"}')


@pytest.mark.parametrize(("pattern", "text"), [("(a+)+b", "a" * 60), ("a.*b.*c", "a" * 65536)], ids=["nested", "long"])
def test_what_would_take_for_ever_is_cut_short(pattern: str, text: str) -> None:
    began = time.process_time()
    with pytest.raises(TooSlow):
        search(pattern, text, 0.02)
    assert time.process_time() - began < 20  # hours, were it not cut short


def test_the_alarm_is_as_it_was() -> None:
    before = signal.getsignal(signal.SIGALRM)
    search("a", "a")
    with pytest.raises(TooSlow):
        search("(a+)+b", "a" * 60, 0.01)
    assert signal.getsignal(signal.SIGALRM) is before
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
