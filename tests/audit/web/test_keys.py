from __future__ import annotations

import pytest

from probe.audit.web.keys import SESSION, Keys


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def test_a_session_ends_by_itself() -> None:
    clock = Clock()
    keys = Keys("a token of some length", clock)
    cookie = keys.begin()
    assert keys.session(cookie) is not None
    clock.now += SESSION + 1
    assert keys.session(cookie) is None


@pytest.mark.parametrize(
    "change",
    [
        lambda cookie: "",
        lambda cookie: "a.99999999999.b",
        lambda cookie: cookie[:-1] + ("0" if cookie[-1] != "0" else "1"),
        lambda cookie: cookie.replace(".", ".9", 1),
        lambda cookie: "x" + cookie,
        lambda cookie: cookie + "é\udcff",
        lambda cookie: "." * 1000,
    ],
    ids=["empty", "unsigned", "other signature", "later end", "other name", "not ASCII", "dots"],
)
def test_a_session_that_is_not_ours_is_none(change: object) -> None:
    keys = Keys("a token of some length")
    assert keys.session(change(keys.begin())) is None  # type: ignore[operator]
    assert keys.session(Keys("a token of some length").begin()) is None, "of another service"


def test_guessing_takes_longer_each_time_and_each_guesser_for_himself() -> None:
    clock = Clock()
    keys = Keys("a token of some length", clock)
    waits = []
    for _ in range(9):
        assert not keys.right("a guess", "192.0.2.1")
        waits.append(keys.wait("192.0.2.1"))
    assert waits == sorted(waits)
    assert waits[0] == 1.0
    assert waits[-1] == 60.0
    assert keys.wait("192.0.2.2") == 0
    assert not keys.right("a guess", "2001:db8::1")
    assert keys.wait("2001:db8::ffff") > 0, "one host has a whole network of 64 bits"
    assert keys.wait("2001:db8:0:1::1") == 0
    clock.now += 61
    assert keys.wait("192.0.2.1") == 0
    assert keys.right("a token of some length", "192.0.2.1")
    assert not keys.right("a guess", "192.0.2.1")
    assert keys.wait("192.0.2.1") == 1.0, "who was right begins anew"


def test_a_form_belongs_to_its_session() -> None:
    keys = Keys("a token of some length")
    one, two = keys.session(keys.begin()), keys.session(keys.begin())
    assert keys.is_form(keys.form(one), one)
    assert not keys.is_form(keys.form(one), two)
    assert not keys.is_form(keys.form(None), one)
    assert not keys.is_form("", None)
