"""Marks of sweeps."""

from __future__ import annotations

from probe.wire.mark import fresh, marked
from probe.wire.messages import MOST_MARK


def test_no_two_are_alike_and_all_fit() -> None:
    marks = {fresh() for _ in range(100)}
    assert len(marks) == 100
    assert all(len(mark) <= MOST_MARK and mark.startswith(b"portcheck ") for mark in marks)


def test_a_datagram_says_its_port() -> None:
    assert marked(b"mark", 258) == b"mark\x01\x02"
