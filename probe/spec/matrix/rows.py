"""How values are put together: rows with known keys, tables of rows by name, lists of rows."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from probe.spec.diagnostics import nearest
from probe.spec.matrix.kinds import NAME, NAME_FORM, describe
from probe.spec.matrix.problems import quoted
from probe.spec.matrix.tree import Mapping, Scalar, Sequence

if TYPE_CHECKING:
    from probe.spec.matrix.kinds import Kind
    from probe.spec.matrix.problems import Problems
    from probe.spec.matrix.tree import Node


class Entry(Protocol):
    """What may stand behind a name."""

    def read(self, node: Node, problems: Problems, owner: Scalar | None = None) -> Any: ...

    def schema(self) -> dict[str, Any]: ...


@dataclass(frozen=True)
class Key:
    """A key of a row: what may stand there, and the sentence that explains it in the schema."""

    kind: Kind
    help: str
    required: bool = False


@dataclass(frozen=True)
class Row:
    """A mapping with known keys. Reads as a dict of those that could be read.

    `either`: keys of which at least one is needed, `alone`: and no two. `gotchas` are hints for keys that people are
    known to write, `instead` is one for those who write no mapping.
    """

    what: str
    keys: dict[str, Key]
    gotchas: dict[str, str] = field(default_factory=dict)
    instead: str = ""
    either: tuple[str, ...] = ()
    alone: bool = False

    def read(self, node: Node, problems: Problems, owner: Scalar | None = None) -> dict[str, Any]:
        """`owner` is the name of the row, where a missing key is best shown."""
        if isinstance(node, Scalar) and node.empty:
            node = Mapping({}, node.place)
        if not isinstance(node, Mapping):
            hint = self.instead or f"its keys are: {', '.join(self.keys)}"
            problems.add(node.place, f"expected {self.what}, found {describe(node)}", hint)
            return {}
        row = {}
        for text, (key, value) in node.pairs.items():
            if text in self.keys:
                row[text] = self.keys[text].kind.read(value, problems)
            elif not problems.full:
                hint = self.gotchas.get(text) or _gotcha(text, value) or nearest(text, self.keys)
                problems.add(key.place, f"unknown key {quoted(text)} in {self.what}", hint)
        place = owner.place if owner else node.place
        for text, known in self.keys.items():
            if known.required and text not in node.pairs:
                problems.add(place, f"{self.what} needs the key {text!r}", known.help)
        chosen = [text for text in node.pairs if text in self.either]
        if self.either and not chosen:
            words = " or ".join(map(repr, self.either))
            problems.add(place, f"{self.what} needs the key {words}", self.keys[self.either[0]].help)
        if self.alone and len(chosen) > 1:
            message = f"{self.what} has {' or '.join(map(repr, self.either))}, not both"
            problems.add(node.pairs[chosen[1]][0].place, message, "keep one of them")
        return {text: value for text, value in row.items() if value is not None}

    def schema(self) -> dict[str, Any]:
        required = [text for text, key in self.keys.items() if key.required]
        return (
            {
                "type": "object" if required or self.either else ["object", "null"],
                "properties": {text: key.kind.schema() | {"description": key.help} for text, key in self.keys.items()},
                "additionalProperties": False,
            }
            | ({"required": required} if required else {})
            | (
                {"oneOf" if self.alone else "anyOf": [{"required": [text]} for text in self.either]}
                if self.either
                else {}
            )
        )


@dataclass(frozen=True)
class OffOr:
    """The word `off`, which reads as a row with that key, or a row."""

    row: Row

    def read(self, node: Node, problems: Problems, owner: Scalar | None = None) -> dict[str, Any]:
        if isinstance(node, Scalar) and node.text == "off":
            return {"off": True}
        if isinstance(node, Scalar):
            hint = f"write off, or the keys to change: {', '.join(self.row.keys)}"
            problems.add(node.place, f"expected off or {self.row.what}, found {describe(node)}", hint)
            return {}
        return self.row.read(node, problems, owner)

    def schema(self) -> dict[str, Any]:
        return {"anyOf": [{"const": "off"}, self.row.schema()]}


@dataclass(frozen=True)
class TrueOr:
    """The boolean `true`, which reads as a row without keys, or a row."""

    row: Row

    def read(self, node: Node, problems: Problems) -> dict[str, Any] | None:
        if isinstance(node, Mapping):
            return self.row.read(node, problems) or None
        if isinstance(node, Scalar) and node.value is True:
            return {}
        problems.add(node.place, f"expected true or {self.row.what}, found {describe(node)}", self.row.instead)
        return None

    def schema(self) -> dict[str, Any]:
        return {"anyOf": [{"const": True}, self.row.schema()]}


@dataclass(frozen=True)
class Table:
    """Rows by name. Reads as a dict with an entry for each name, usable or not: nobody is to call it unknown."""

    what: str
    row: Entry
    pattern: str = NAME
    form: str = NAME_FORM
    reserved: tuple[str, ...] = ()

    def read(self, node: Node, problems: Problems) -> dict[str, Any] | None:
        if not isinstance(node, Mapping) or not node.pairs:
            found = "an empty one" if isinstance(node, Mapping) else describe(node)
            problems.add(node.place, f"expected a mapping with {self.what} by name, found {found}")
            return None
        for text, (key, _) in node.pairs.items():
            if not re.fullmatch(self.pattern, text):
                problems.add(key.place, f"{quoted(text)} cannot be a name here", self.form)
            elif text in self.reserved:
                problems.add(key.place, f"{text!r} has a meaning of its own and cannot be a name here")
        return {text: self.row.read(value, problems, owner=key) for text, (key, value) in node.pairs.items()}

    def schema(self) -> dict[str, Any]:
        names: dict[str, Any] = {"pattern": f"^(?:{self.pattern})$"}
        if self.reserved:
            names["not"] = {"enum": list(self.reserved)}
        return {"type": "object", "propertyNames": names, "additionalProperties": self.row.schema(), "minProperties": 1}


@dataclass(frozen=True)
class Rows:
    """Rows without names. Reads as a list with a dict for each, so that their numbers stay."""

    what: str
    row: Row
    least: int = 1

    def read(self, node: Node, problems: Problems) -> list[dict[str, Any]] | None:
        if not isinstance(node, Sequence) or len(node.items) < self.least:
            found = "an empty one" if isinstance(node, Sequence) else describe(node)
            problems.add(node.place, f"expected a list of {self.what}, found {found}")
            return None
        return [self.row.read(item, problems) for item in node.items]

    def schema(self) -> dict[str, Any]:
        return {"type": "array", "items": self.row.schema(), "minItems": self.least}


def _gotcha(text: str, value: Node) -> str:
    """In braces a comma begins the next key, whatever the writer meant: `{port: 80, 443}`, `{help: this, and that}`."""
    if not (isinstance(value, Scalar) and value.empty):
        return ""
    if text[:1].isdigit():
        return "a list is written [80, 443]"
    return "inside { } text with a comma is put in quotes" if " " in text else ""
