"""YAML text to a tree whose every node knows its line and column.

Built from the parser's events and not from its composed nodes, so that depth and size are bounded before memory and
time are spent, and so that what a plain word means is decided here, once: numbers, true and false, null, as YAML 1.2
has them (`no` and `22:22` are text).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from probe.spec.matrix import syntax
from probe.spec.matrix.problems import Place, Problems, quoted

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

MAX_DEPTH = 24
MAX_NODES = 50_000
MAX_TEXT = 10_000

_WHOLE = re.compile(r"[-+]?[0-9]{1,18}\Z")
_REAL = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z")
_BOOLEANS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}


class Scalar(NamedTuple):
    """A word or text as written; `plain` if it stands without quotes."""

    text: str
    plain: bool
    place: Place

    @property
    def empty(self) -> bool:
        return self.plain and self.text in ("", "~", "null", "Null", "NULL")

    @property
    def value(self) -> str | int | float | bool | None:
        """What YAML 1.2 says that it is."""
        if not self.plain:
            return self.text
        if self.empty:
            return None
        if self.text in _BOOLEANS:
            return _BOOLEANS[self.text]
        if _WHOLE.match(self.text):
            return int(self.text)
        return float(self.text) if len(self.text) < 40 and _REAL.match(self.text) else self.text

    def inside(self, offset: int) -> Place:
        """The place of a character of the text, good for text that stands on one line without escapes."""
        return Place(self.place.line, self.place.column + offset + (not self.plain))


class Sequence(NamedTuple):
    items: tuple[Node, ...]
    place: Place


class Mapping(NamedTuple):
    """Of equal keys, which are reported as the tree is built, `pairs` has the first."""

    pairs: dict[str, tuple[Scalar, Node]]
    place: Place

    def get(self, key: str) -> Node | None:
        pair = self.pairs.get(key)
        return pair[1] if pair else None


Node = Scalar | Sequence | Mapping


class _Stop(Exception):
    """Reading on makes no sense."""


def parse(text: str, problems: Problems, what: str = "matrix") -> Node | None:
    """The tree of the one document in `text`; None if it is empty or no YAML that we read: see the problems. `what` it
    should be is said where it can be none.
    """
    events = iter(YAML(typ="safe", pure=True).parse(text))
    try:
        root = _Builder(events, problems, what).document()
    except _Stop:
        return None
    # Besides its own errors the parser lets out what chr() and int() say of impossible escapes.
    except (YAMLError, ValueError, OverflowError) as error:
        syntax.explain(error, text, problems)
        return None
    return root


class _Builder:
    def __init__(self, events: Iterator[Any], problems: Problems, what: str) -> None:
        self.events = events
        self.problems = problems
        self.what = what
        self.nodes = 0

    def document(self) -> Node | None:
        root: Node | None = None
        documents = 0
        for event in self.events:
            if isinstance(event, DocumentStartEvent):
                documents += 1
                if documents > 1:
                    self.stop(
                        _place(event),
                        "a second YAML document starts here",
                        f"a {self.what} is one document: remove the line ---",
                    )
            elif isinstance(event, (ScalarEvent, AliasEvent, SequenceStartEvent, MappingStartEvent)):
                root = self.node(event, depth=1, owner=None)
        return root

    def node(self, event: Any, depth: int, owner: Scalar | None) -> Node:
        """`owner` is the key before the value: an empty value has no place of its own."""
        place = _place(event)
        self.nodes += 1
        if self.nodes > MAX_NODES:
            self.stop(place, f"more than {MAX_NODES} values: this is no {self.what}")
        if depth > MAX_DEPTH:
            self.stop(place, f"nested more than {MAX_DEPTH} deep: this is no {self.what}")
        if isinstance(event, AliasEvent) or event.anchor is not None:
            self.stop(
                place,
                "anchors (&name) and aliases (*name) are not read here",
                "write the value out, or put it in quotes if it is text",
            )
        if event.tag is not None:
            self.stop(
                place,
                f"YAML tags ({quoted(str(event.tag))}) are not read here",
                "leave it out, or put the value in quotes if it is text",
            )
        if isinstance(event, SequenceStartEvent):
            return Sequence(tuple(self.items(depth)), place)
        if isinstance(event, MappingStartEvent):
            return self.mapping(place, depth)
        if len(event.value) > MAX_TEXT:
            self.stop(place, f"a text of more than {MAX_TEXT} characters: this is no {self.what}")
        if event.style is None and not event.value and owner is not None:
            place = owner.place
        scalar = Scalar(event.value, event.style is None, place)
        if unprintable := next((char for char in scalar.text if not (char.isprintable() or char in "\r\n\t")), None):
            self.problems.add(
                place, f"the character U+{ord(unprintable):04X} cannot be shown and does not belong in a {self.what}"
            )
        return scalar

    def items(self, depth: int) -> Iterator[Node]:
        while not isinstance(event := next(self.events), SequenceEndEvent):
            yield self.node(event, depth + 1, None)

    def mapping(self, place: Place, depth: int) -> Mapping:
        pairs: dict[str, tuple[Scalar, Node]] = {}
        while not isinstance(event := next(self.events), MappingEndEvent):
            key = self.node(event, depth + 1, None)
            value = self.node(next(self.events), depth + 1, key if isinstance(key, Scalar) else None)
            if not isinstance(key, Scalar):
                self.problems.add(key.place, "a key must be one word", 'a variable is written in quotes: "{name}"')
            elif first := pairs.get(key.text):
                self.problems.add(
                    key.place,
                    f"the key {quoted(key.text)} is already in line {first[0].place.line}",
                    "keep one of the two",
                )
            else:
                pairs[key.text] = (key, value)
        return Mapping(pairs, place)

    def stop(self, place: Place, message: str, hint: str = "") -> None:
        self.problems.add(place, message, hint)
        raise _Stop


def _place(event: Any) -> Place:
    return Place(event.start_mark.line + 1, event.start_mark.column + 1)
