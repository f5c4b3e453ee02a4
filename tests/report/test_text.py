from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.report.text import count, folded, listed, name, percent, sentence


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (["b-2", "b-1", "b-3"], ["b-[1:3]"]),
        (["b-1", "b-2"], ["b-1", "b-2"]),
        (["b-8", "b-9", "b-10", "b-11"], ["b-[8:11]"]),
        (["db08.x", "db09.x", "db10.x", "db12.x"], ["db[08:10].x", "db12.x"]),
        (["a1", "a3", "a5"], ["a1", "a3", "a5"]),
        (["1", "2", "3"], ["[1:3]"]),
        (["web", "db", ""], ["-", "db", "web"]),
        ([], []),
    ],
)
def test_names_that_count_up_are_folded(names: list[str], told: list[str]) -> None:
    assert folded(names) == told


def _unfolded(text: str) -> list[str]:
    head, bracket, rest = text.partition("[")
    if not bracket:
        return [text]
    span, _, tail = rest.partition("]")
    first, _, last = span.partition(":")
    return [f"{head}{number:0{len(first)}d}{tail}" for number in range(int(first), int(last) + 1)]


@given(st.sets(st.from_regex(r"[ab]-?[0-9]{1,3}(\.x)?", fullmatch=True)))
def test_folding_loses_and_invents_no_name(names: set[str]) -> None:
    back = [one for text in folded(names) for one in _unfolded(text)]
    assert sorted(back) == sorted(names)


@given(st.text())
def test_what_is_shown_steers_no_terminal(text: str) -> None:
    assert name(text).isprintable()
    assert len(name(text, 10)) <= 10
    assert sentence(text).isprintable()


def test_hostile_text_is_shown_and_not_obeyed() -> None:
    assert name("a\x1b[2J\u202eb\n") == r"a\x1b[2J\u202eb\n"
    assert name("x" * 100, 10) == "xxxxxxxxx…"
    assert sentence("one\n\ttwo\x07") == r"one two\x07"


def test_lists_say_how_much_they_leave_out() -> None:
    assert listed("abc", 2) == "a, b, c"
    assert listed("abcd", 2) == "a, b, … (2 more)"


def test_numbers() -> None:
    assert count(1, "check") == "1 check"
    assert count(2000, "check") == "2,000 checks"
    assert [percent(share) for share in (0, 0.0001, 0.5, 0.99999, 1)] == ["0 %", "0.1 %", "50.0 %", "99.9 %", "100 %"]
