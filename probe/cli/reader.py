"""Whoever reads our output may go before its end (`portcheck run … | head`)."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


def gone() -> None:
    """Nothing can be said on stdout any more, and nothing is wrong."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


@contextlib.contextmanager
def may_go() -> Iterator[None]:
    """What is written to stdout in here may find no reader: the command still ends as it would have."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        gone()
