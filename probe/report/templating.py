"""Templates of pages: whatever they print is made printable and bounded, then escaped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from probe.report.text import shorten
from probe.text import printable

if TYPE_CHECKING:
    from pathlib import Path

LONGEST = 500  # characters of any one text


def environment(place: Path) -> Environment:
    """Of the templates in this folder. A name that nobody has given is an error."""
    return Environment(
        loader=FileSystemLoader(place),
        autoescape=True,
        finalize=shown,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def shown(value: Any) -> Any:
    """What a template prints. Our own markup passes."""
    if value is None:
        return ""
    if isinstance(value, Markup) or not isinstance(value, str):
        return value
    return shorten(printable(value[: LONGEST + 1]), LONGEST)
