"""What the YAML parser complains of, said so that it helps."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.reader import ReaderError

from probe.spec.matrix.problems import WHOLE_FILE, Place

if TYPE_CHECKING:
    from probe.spec.matrix.problems import Problems

_ESCAPE = re.compile(r"\\U([0-9A-Fa-f]{8})")
# (what the parser says, what we say, hint); the first whose text is contained wins.
_SAYINGS = (
    (r"found character '\t'", "a tab, where YAML wants spaces", "indent with spaces"),
    ("cannot start any token", "a value cannot begin with this character", "put the value in quotes"),
    (
        "mapping values are not allowed here",
        "a second ': ' where one key and one value are expected",
        "put text with ': ' in it in quotes; check the indentation, and the space after each colon above",
    ),
    (
        "sequence entries are not allowed here",
        "a list item '- ' cannot begin here",
        "put it on a line of its own, or write [a, b]",
    ),
    (
        "could not find expected ':'",
        "the key before this place is not followed by ': '",
        "write key: value, with a space after the colon",
    ),
    (
        "found unknown escape character",
        "unknown escape in a text in double quotes",
        r"write \\ for a backslash, or use single quotes",
    ),
    (
        "expected escape sequence",
        "an escape in a text in double quotes is not complete",
        r"write \\ for a backslash, or use single quotes",
    ),
    ("expected the node content, but found ']'", "a ] that closes nothing", ""),
    ("expected the node content, but found '}'", "a } that closes nothing", ""),
    ("expected the node content", "a value is missing here", ""),
    ("expected ',' or ']'", "a list that begins with [ is not closed, or lacks a comma", "write [a, b]"),
    (
        "expected ',' or '}'",
        "a mapping that begins with { is not closed, or lacks a comma",
        "write {key: value, key: value}",
    ),
    ("found unexpected end of stream", "a quote is opened and never closed", ""),
    (
        "expected <block end>",
        "this line does not belong to the lines before it",
        "keys of one mapping begin in the same column",
    ),
    ("found incompatible YAML document", "another version of YAML than 1.x", "remove the line %YAML"),
)


def explain(error: Exception, text: str, problems: Problems) -> None:
    """Add the one problem that ended the parsing."""
    if isinstance(error, ReaderError):
        character = error.character if isinstance(error.character, int) else ord(error.character)
        message = f"the character U+{character:04X} is not allowed in YAML"
        problems.add(_place_of(text, int(error.position)), message, "remove it")
        return
    if not isinstance(error, MarkedYAMLError) or error.problem is None:
        found = next((one for one in _ESCAPE.finditer(text) if int(one[1], 16) > sys.maxunicode), None)
        place = _place_of(text, found.start()) if found else WHOLE_FILE
        problems.add(place, "an escape that stands for no character", r"write \\ for a backslash, or use single quotes")
        return
    said = f"{error.problem}"
    message, hint = next(((ours, hint) for theirs, ours, hint in _SAYINGS if theirs in said), (f"not YAML: {said}", ""))
    place = _mark(error.problem_mark)
    opened = _mark(error.context_mark)
    if opened.line and opened.line != place.line and ("is not closed" in message or "never closed" in message):
        # The parser notices at the end what went wrong at the beginning.
        hint, place = hint or "close it", opened
    problems.add(place, message, hint)


def _mark(mark: object) -> Place:
    line, column = getattr(mark, "line", None), getattr(mark, "column", None)
    return Place(line + 1, column + 1) if isinstance(line, int) and isinstance(column, int) else WHOLE_FILE


def _place_of(text: str, position: int) -> Place:
    before = text[:position].replace("\r\n", "\n").replace("\r", "\n")
    return Place(before.count("\n") + 1, len(before) - before.rfind("\n"))
