"""JSON text to plain values. The standard library reads it fast; places are found only when a message needs one."""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from probe.spec.inventory.draft import quoted

if TYPE_CHECKING:
    from collections.abc import Iterable

    from probe.spec.inventory.draft import Draft
    from probe.spec.inventory.source import Origin, Place, Source

_BLANK = re.compile(r"[ \t\n\r]*")
_UNSAFE = "__ansible_unsafe"
MAX_DEPTH = 60


def load(draft: Draft, source: Source) -> Any:
    """The value of the text. Raises SpecError for what is no JSON; equal keys are noted in the draft."""
    document = _Document(draft, source)
    source.locate = document.locate
    return document.load()


class _Document:
    """The value of a text, and where each member of each of its objects and lists stands."""

    def __init__(self, draft: Draft, source: Source) -> None:
        self.draft = draft
        self.source = source
        self.text = source.text
        self.value: Any = None
        self._twice = False
        # By the object's id: the objects live as long as `value` does.
        self._places: dict[int, dict[Any, int]] | None = None
        self._starts = [0, *accumulate(len(line) for line in self.text.splitlines(keepends=True))]

    def load(self) -> Any:
        try:
            self.value = json.loads(self.text, object_pairs_hook=self._object)
        except json.JSONDecodeError as error:
            raise self.draft.stop(self._at(error.pos), f"this is no JSON: {_problem(error)}", _hint(error)) from None
        except RecursionError:
            raise self.draft.stop(self.source.at(0, 0), "this JSON is nested too deep") from None
        except ValueError:
            # What is left is a number with more digits than Python reads.
            raise self.draft.stop(
                self.source.at(0, 0), "a number of thousands of digits", "is it the right file?"
            ) from None
        if isinstance(self.value, (dict, list)):
            self._tidy()
        if self._twice:
            self._places = self._index(report=True)
        return self.value

    def locate(self, container: Any, key: Any) -> Place:
        """The place of a key in an object or of an index in a list; (line, column) is a place already."""
        if isinstance(container, int):
            return (container, key)
        if self._places is None:
            self._places = self._index(report=False)
        offset = self._places.get(id(container), {}).get(key)
        return (0, 0) if offset is None else self._place(offset)

    def _object(self, pairs: list[tuple[str, Any]]) -> Any:
        value = dict(pairs)
        if len(value) != len(pairs):
            self._twice = True
        return value

    def _tidy(self) -> None:
        """Bound the depth; take the marks off text that Ansible marks as no template: here all text is text."""
        waiting: list[tuple[Any, int]] = [(self.value, 0)]
        while waiting:
            container, depth = waiting.pop()
            if depth > MAX_DEPTH:
                raise self.draft.stop(self.source.at(0, 0), f"this JSON is nested deeper than {MAX_DEPTH} levels")
            members: Iterable[tuple[Any, Any]] = (
                container.items() if isinstance(container, dict) else enumerate(container)
            )
            for key, item in members:
                if isinstance(item, dict) and item.keys() == {_UNSAFE}:
                    container[key] = item[_UNSAFE]
                elif isinstance(item, (dict, list)):
                    waiting.append((item, depth + 1))

    def _place(self, offset: int) -> Place:
        line = bisect_right(self._starts, offset)
        line = min(line, len(self.source.lines)) or 1
        return (line, offset - self._starts[line - 1] + 1)

    def _at(self, offset: int) -> Origin:
        return self.source.at(*self._place(offset))

    def _index(self, *, report: bool) -> dict[int, dict[Any, int]]:
        """Where the members stand. `report`: note equal keys."""
        walk = _Walk(self.text)
        try:
            walk.value(_blank(self.text, 0), self.value)
        except RecursionError:
            # Only a value that an equal key replaced can be that deep; messages then do without places.
            walk.places.clear()
        for key, first, second in walk.twice if report else ():
            line = self._place(first)[0]
            message = f"the key {quoted(key)} is here twice: line {line} has it already"
            self.draft.error(self._at(second), message, "keep one; Ansible would take the last")
        return walk.places


class _Walk:
    """Reads a text beside the value it stands for. The text is known to be JSON, so each step finds what it expects."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.decoder = json.JSONDecoder()
        # By the id of the object or list: the offsets of its members.
        self.places: dict[int, dict[Any, int]] = {}
        self.twice: list[tuple[str, int, int]] = []

    def value(self, at: int, value: Any) -> int:
        """Walk over the value at this offset; returns the offset behind it."""
        if self.text[at] == "{":
            return self.object(at, value)
        if self.text[at] == "[":
            return self.list(at, value)
        return self.decoder.raw_decode(self.text, at)[1]

    def object(self, at: int, value: Any) -> int:
        offsets: dict[Any, int] = {}
        at = _blank(self.text, at + 1)
        while self.text[at] != "}":
            key, end = self.decoder.raw_decode(self.text, at)
            if key in offsets:
                self.twice.append((key, offsets[key], at))
            offsets[key] = at
            colon = _blank(self.text, end)
            at = self.after(_blank(self.text, colon + 1), value.get(key) if isinstance(value, dict) else None)
        self.places[id(value)] = offsets
        return at + 1

    def list(self, at: int, value: Any) -> int:
        offsets: dict[Any, int] = {}
        at = _blank(self.text, at + 1)
        while self.text[at] != "]":
            index = len(offsets)
            offsets[index] = at
            # Where equal keys replaced this list, the value beside it is another one, and its places do not matter.
            at = self.after(at, value[index] if isinstance(value, list) and index < len(value) else None)
        self.places[id(value)] = offsets
        return at + 1

    def after(self, at: int, value: Any) -> int:
        """Walk over a member; returns the offset of the next one, or of the closing bracket."""
        at = _blank(self.text, self.value(at, value))
        return _blank(self.text, at + 1) if self.text[at] == "," else at


def _blank(text: str, at: int) -> int:
    found = _BLANK.match(text, at)
    return found.end() if found else at


def _problem(error: json.JSONDecodeError) -> str:
    return error.msg[0].lower() + error.msg[1:]


def _hint(error: json.JSONDecodeError) -> str:
    if error.msg.startswith("Extra data"):
        return "one file holds one JSON object"
    if error.pos >= len(error.doc.rstrip()):
        return "the text ends too early: was it cut off?"
    return "a file that starts with { is read as JSON, as `ansible-inventory --list` prints it"
