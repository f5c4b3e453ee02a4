"""One line on the terminal that says how far a run is."""

from __future__ import annotations

import os
import shutil
import sys
import time
from typing import TYPE_CHECKING, TextIO

from probe.report.text import name, shorten

if TYPE_CHECKING:
    from collections.abc import Callable

_PERIOD = 0.1
_BAR = 24


class Progress:
    """Rewrites one line of stderr, at most ten times a second. Silent where stderr is no terminal, or a dumb one."""

    def __init__(self, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = sys.stderr if stream is None else stream
        self._clock = clock
        self._live = self._stream.isatty() and os.environ.get("TERM") != "dumb"
        self._colour = self._live and not os.environ.get("NO_COLOR")
        self._next = -1.0
        self._shown = False

    def update(self, done: int, total: int, failing: int, text: str) -> None:
        """`done` of `total` ports (0: not known) are measured, `failing` are not as required so far; `text` says
        what is done.
        """
        now = self._clock()
        if not self._live or now < self._next:
            return
        self._next = now + _PERIOD
        width = max(shutil.get_terminal_size().columns - 1, 10)
        self._write("\r\x1b[2K" + self._line(done, total, failing, text, width))
        self._shown = True

    def close(self) -> None:
        """Take the line away; what is printed next starts on a clean one. May be called more than once."""
        if self._shown:
            self._write("\r\x1b[2K")
            self._shown = False

    def _line(self, done: int, total: int, failing: int, text: str, width: int) -> str:
        head = f"{done:,} of {total:,} ports" if total else f"{done:,} ports"
        if total and width >= 60:
            filled = min(_BAR * done // total, _BAR)
            head = f"[{'#' * filled}{'.' * (_BAR - filled)}] {head}"
        wrong = f", {failing:,} failing" if failing else ""
        line = shorten(f"{head}{wrong}  {name(text, width) if text else ''}".rstrip(), width)
        if wrong and self._colour:
            line = line.replace(wrong, f"\x1b[31m{wrong}\x1b[0m", 1)
        return line

    def _write(self, text: str) -> None:
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError, UnicodeError):
            # The terminal has gone; the run has not.
            self._live = False
