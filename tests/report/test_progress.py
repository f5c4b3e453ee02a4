from __future__ import annotations

import io
import os
import shutil

import pytest

from probe.report.progress import Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def _screen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr(shutil, "get_terminal_size", lambda: os.terminal_size((80, 24)))


def test_silent_where_it_is_no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    for stream, term in ((io.StringIO(), "xterm"), (Terminal(), "dumb")):
        monkeypatch.setenv("TERM", term)
        progress = Progress(stream)
        progress.update(1, 2, 0, "x")
        progress.close()
        assert not stream.getvalue()


def test_one_line_ten_times_a_second() -> None:
    stream, clock = Terminal(), Clock()
    progress = Progress(stream, clock)
    for step in range(1001):
        clock.now = step / 1000
        progress.update(step, 1000, 0, "checking")
    assert 10 <= stream.getvalue().count("\r") <= 11
    assert "\n" not in stream.getvalue()


def test_close_leaves_a_clean_line() -> None:
    stream = Terminal()
    progress = Progress(stream)
    progress.close()
    assert not stream.getvalue()
    progress.update(5, 10, 2, "checking")
    progress.close()
    progress.close()
    assert stream.getvalue() == (
        "\r\x1b[2K[############............] 5 of 10 ports\x1b[31m, 2 failing\x1b[0m  checking\r\x1b[2K"
    )


def test_no_color(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    stream = Terminal()
    Progress(stream).update(5, 10, 2, "checking")
    assert "\x1b[31m" not in stream.getvalue()


@pytest.mark.parametrize("columns", [12, 40, 80])
def test_it_fits_and_is_safe(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "get_terminal_size", lambda: os.terminal_size((columns, 24)))
    monkeypatch.setenv("NO_COLOR", "1")
    stream = Terminal()
    Progress(stream).update(123456, 0, 7, "ev\x1b[2Jil\n" * 50)
    line = stream.getvalue().removeprefix("\r\x1b[2K")
    assert line.isprintable()
    assert len(line) < columns


def test_a_terminal_that_went_away_is_no_error() -> None:
    stream = Terminal()
    progress = Progress(stream)
    stream.close()
    progress.update(1, 2, 0, "x")
    progress.close()
