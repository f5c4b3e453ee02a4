"""A regular expression on a stranger's text, with a limit: some expressions take hours on some texts."""

from __future__ import annotations

import re
import signal
from functools import lru_cache
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from types import FrameType

_LONGEST = 0.1


class TooSlow(Exception):
    """The expression did not come to an end on this text."""


def search(pattern: str, text: str, longest: float = _LONGEST) -> bool:
    """Whether `text` has a part that matches; raises TooSlow after so many seconds, and re.error.

    For the main thread, where Python's signal handlers run: `re` looks for signals as it goes.
    """
    compiled = _compiled(pattern)
    before = signal.signal(signal.SIGALRM, _ring)
    try:
        signal.setitimer(signal.ITIMER_REAL, longest)
        try:
            return compiled.search(text) is not None
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
    finally:
        signal.signal(signal.SIGALRM, before)


@lru_cache(maxsize=64)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


def _ring(number: int, frame: FrameType | None) -> NoReturn:
    raise TooSlow
