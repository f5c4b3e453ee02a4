"""The kinds of value that a matrix is made of.

Each reads itself from the tree and describes itself as JSON Schema, so that the two cannot part ways.

`read` gives the value, or None where there is none to use; then it has written down why.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from probe.spec.diagnostics import nearest
from probe.spec.matrix.problems import quoted
from probe.spec.matrix.tree import Mapping, Scalar, Sequence

if TYPE_CHECKING:
    from collections.abc import Callable
    from enum import StrEnum

    from probe.spec.matrix.problems import Problems
    from probe.spec.matrix.tree import Node

NAME = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}"
VARIABLE = r"[A-Za-z_][A-Za-z0-9_]{0,63}"
NAME_FORM = "use letters, digits, '_', '-' and '.', at most 64"


class Kind(Protocol):
    def read(self, node: Node, problems: Problems) -> Any: ...

    def schema(self) -> dict[str, Any]: ...


def describe(node: Node) -> str:
    """What stands there, in the words of somebody who edits the file."""
    match node:
        case Sequence():
            return "a list"
        case Mapping():
            return "a mapping"
        case Scalar(text=text):
            match node.value:
                case None:
                    return "nothing"
                case bool():
                    return f"the boolean {text}"
                case int() | float():
                    return f"the number {quoted(text)[1:-1]}"
                case _:
                    return f"the text {quoted(text)}"


@dataclass(frozen=True)
class Text:
    """One text. `pattern` is what it must look like, and `form` says so in words.

    Patterns keep to what Python's and ECMA's expressions have in common: they go into the schema.
    """

    what: str = "text"
    pattern: str = ""
    form: str = ""

    def read(self, node: Node, problems: Problems) -> str | None:
        if not isinstance(node, Scalar) or not isinstance(node.value, str):
            # Quotes help a number; they do not help a list.
            hint = "put it in quotes" if isinstance(node, Scalar) and node.value is not None else ""
            problems.add(node.place, f"expected {self.what}, found {describe(node)}", hint)
            return None
        text = node.text.strip()
        if not text:
            problems.add(node.place, f"expected {self.what}, found an empty text")
            return None
        if self.pattern and not re.fullmatch(self.pattern, text):
            problems.add(node.place, f"{quoted(text)} is not {self.what}", self.form)
            return None
        return text

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "minLength": 1} | ({"pattern": f"^(?:{self.pattern})$"} if self.pattern else {})


def name(what: str) -> Text:
    return Text(what, NAME, NAME_FORM)


@dataclass(frozen=True)
class Word:
    """One word of a closed list. `hint` is added for words that the list does not come close to."""

    what: str
    words: tuple[str, ...]
    make: Callable[[str], Any] = str
    hint: str = ""

    @classmethod
    def of(cls, what: str, enum: type[StrEnum], hint: str = "") -> Word:
        return cls(what, tuple(member.value for member in enum), enum, hint)

    def read(self, node: Node, problems: Problems) -> Any:
        if not isinstance(node, Scalar) or node.empty:
            problems.add(
                node.place, f"expected a {self.what}, found {describe(node)}", f"there is: {', '.join(self.words)}"
            )
            return None
        if node.text not in self.words:
            known = nearest(node.text, self.words)
            hint = known if known.startswith("did") or not self.hint else f"{known}; {self.hint}"
            problems.add(node.place, f"unknown {self.what} {quoted(node.text)}", hint)
            return None
        return self.make(node.text)

    def schema(self) -> dict[str, Any]:
        return {"enum": list(self.words)}


@dataclass(frozen=True)
class Whole:
    """A whole number between two others."""

    what: str
    low: int
    high: int

    def read(self, node: Node, problems: Problems) -> int | None:
        value = node.value if isinstance(node, Scalar) else None
        if isinstance(value, bool) or not isinstance(value, int):
            problems.add(node.place, f"expected {self.what}, found {describe(node)}", self._form)
            return None
        if not self.low <= value <= self.high:
            problems.add(node.place, f"{value} is not {self.what}", self._form)
            return None
        return value

    @property
    def _form(self) -> str:
        return f"write {self.low}" if self.low == self.high else f"a number from {self.low} to {self.high}"

    def schema(self) -> dict[str, Any]:
        return {"type": "integer", "minimum": self.low, "maximum": self.high}


@dataclass(frozen=True)
class Flag:
    """`true` or `false`."""

    def read(self, node: Node, problems: Problems) -> bool | None:
        value = node.value if isinstance(node, Scalar) else None
        if isinstance(value, bool):
            return value
        problems.add(node.place, f"expected true or false, found {describe(node)}")
        return None

    def schema(self) -> dict[str, Any]:
        return {"type": "boolean"}


@dataclass(frozen=True)
class OneOrMany:
    """A value, or a list of at least one, none of them twice. Reads as a tuple."""

    kind: Kind
    single: bool = True

    def read(self, node: Node, problems: Problems) -> tuple[Any, ...] | None:
        if not isinstance(node, Sequence):
            if not self.single:
                problems.add(node.place, f"expected a list, found {describe(node)}", "write [a, b]")
                return None
            value = self.kind.read(node, problems)
            return None if value is None else (value,)
        if not node.items:
            problems.add(node.place, "the list is empty")
            return None
        seen: dict[Any, None] = {}
        for item in node.items:
            value = self.kind.read(item, problems)
            if value is None:
                continue
            if value in seen:
                problems.add(item.place, f"{quoted(str(value))} stands twice in this list")
            seen[value] = None
        return tuple(seen)

    def schema(self) -> dict[str, Any]:
        one = self.kind.schema()
        many = {"type": "array", "items": one, "minItems": 1, "uniqueItems": True}
        return {"anyOf": [one, many]} if self.single else many
