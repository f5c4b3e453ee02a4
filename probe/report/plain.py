"""The report of the terminal as a file: without colour, and as wide as a page that is printed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from probe.report import terminal

if TYPE_CHECKING:
    from probe.model.result import Report

_WIDTH = 100


def render(report: Report) -> bytes:
    """UTF-8."""
    return terminal.render(report, width=_WIDTH, color=False).encode("utf-8", "backslashreplace")
