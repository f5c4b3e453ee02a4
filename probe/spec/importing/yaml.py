"""Values, entries and comments as YAML, laid out as people write it by hand."""

from __future__ import annotations

import json
import re
import textwrap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

WIDTH = 120
Value = str | int | tuple[int | str, ...]

# Text that means itself without quotes, whoever reads it.
_PLAIN = re.compile(r"(?:[^\W\d_]|\()[\w ,.;:/()'%+*=<>&!?@-]*\Z")
_RANGE = re.compile(r"[0-9]+-[0-9]+\Z")
_WORDS = frozenset({"null", "true", "false", "yes", "no", "on", "off", "y", "n"})


def value(of: Value, *, inside: bool = True) -> str:
    """A value on one line. `inside`: it stands between brackets, where a comma ends it."""
    if isinstance(of, int):
        return str(of)
    if isinstance(of, tuple):
        return f"[{', '.join(value(item) for item in of)}]"
    plain = _RANGE.match(of) or (
        _PLAIN.match(of)
        and of.lower() not in _WORDS
        and not (": " in of or of.endswith((":", " ")) or (inside and "," in of))
    )
    # What JSON makes of a text without control characters, YAML reads as the same text.
    return of if plain else json.dumps(of, ensure_ascii=False)


def entry(start: str, values: Mapping[str, Value]) -> Iterator[str]:
    """The lines of an entry: on one line where that fits, else a line for each key. `start` is `  name:` or `  -`."""
    line = f"{start} {{{', '.join(f'{key}: {value(of)}' for key, of in values.items())}}}" if values else start
    if len(line) <= WIDTH:
        yield line
        return
    # The first key of an item stands in the line of the dash.
    lead = f"{start} " if start.endswith("-") else "    "
    if lead == "    ":
        yield start
    for key, of in values.items():
        yield from _pair(lead, key, of)
        lead = "    "


def _pair(lead: str, key: str, of: Value) -> Iterator[str]:
    line = f"{lead}{key}: {value(of, inside=False)}"
    if len(line) <= WIDTH or isinstance(of, int):
        yield line
    elif isinstance(of, str):
        yield f"{lead}{key}: >-"
        yield from (f"      {part}" for part in _wrapped(of, WIDTH - 6))
    else:
        yield f"{lead}{key}:"
        yield from (f"      - {value(item)}" for item in of)


def comment(text: str, indent: str, mark: str = "") -> Iterator[str]:
    """A comment in as many lines as it takes. None but the first begins with the mark."""
    first, *rest = _wrapped(f"{mark}{text}", WIDTH - len(indent) - 4)
    yield f"{indent}# {first}"
    yield from (f"{indent}#   {line}" for line in rest)


def joined(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False) or [""]
