"""The kind of value that is a condition: a word, or a mapping that may hold conditions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from probe.model.conditions import Condition
from probe.model.words import Family
from probe.spec.diagnostics import nearest
from probe.spec.matrix.kinds import VARIABLE, OneOrMany, Text, Word, describe, name
from probe.spec.matrix.problems import quoted
from probe.spec.matrix.tree import Mapping, Scalar, Sequence

if TYPE_CHECKING:
    from probe.spec.matrix.problems import Problems
    from probe.spec.matrix.tree import Node

_KEYS = ("role", "variable", "family", "source", "target", "not", "all", "any")
_HINT = (
    "write a boolean variable, or one of {role: X}, {variable: X, is: Y}, {family: ipv6}, {source: …}, {target: …}, "
    "{not: …}, {all: […]}, {any: […]}"
)
_SEVERAL = "write {all: [{…}, {…}]} if all must hold, {any: [{…}, {…}]} if one is enough"
_VARIABLE = Text("the name of a variable", VARIABLE, "use letters, digits and '_', and no digit first")
_ROLE = name("the name of a role")
_FAMILY = Word.of("family", Family)


@dataclass(frozen=True)
class Is:
    """What a variable must be: a text, or true or false, as text."""

    def read(self, node: Node, problems: Problems) -> str | None:
        if isinstance(node, Scalar) and not node.empty and node.text.strip():
            return node.text.strip().lower() if isinstance(node.value, bool) else node.text.strip()
        problems.add(node.place, f"expected a value, found {describe(node)}", "write is: value, or is: [one, other]")
        return None

    def schema(self) -> dict[str, Any]:
        return {"type": ["string", "integer", "boolean"]}


@dataclass(frozen=True)
class When:
    """A condition (`probe.model.conditions`)."""

    def read(self, node: Node, problems: Problems) -> Condition | None:
        if isinstance(node, Scalar) and isinstance(node.value, str) and node.text.strip():
            word = _VARIABLE.read(node, problems)
            return Condition(variable=word) if word else None
        keys = [text for text in node.pairs if text != "is"] if isinstance(node, Mapping) else []
        if not isinstance(node, Mapping) or len(keys) != 1:
            found = f"a mapping with {len(keys)} keys" if isinstance(node, Mapping) else describe(node)
            problems.add(node.place, f"expected a condition, found {found}", _SEVERAL if len(keys) > 1 else _HINT)
            return None
        text = keys[0]
        key, value = node.pairs[text]
        if "is" in node.pairs and text != "variable":
            problems.add(node.pairs["is"][0].place, "'is' goes with 'variable'", "write {variable: X, is: Y}")
            return None
        match text:
            case "role" if isinstance(value, Sequence):
                hint = "write {any: [{role: a}, {role: b}]}"
                problems.add(value.place, "expected the name of a role, found a list", hint)
                return None
            case "role":
                role = _ROLE.read(value, problems)
                return Condition(role=role) if role else None
            case "variable":
                return self._variable(node, value, problems)
            case "family":
                family = _FAMILY.read(value, problems)
                return Condition(family=family) if family else None
            case "source" | "target" | "not":
                part = self.read(value, problems)
                return _single(text, part) if part else None
            case "all" | "any":
                return self._several(text, value, problems)
            case _:
                problems.add(key.place, f"unknown condition {quoted(text)}", nearest(text, _KEYS))
                return None

    def _variable(self, node: Mapping, value: Node, problems: Problems) -> Condition | None:
        word = _VARIABLE.read(value, problems)
        wanted = node.get("is")
        values = OneOrMany(Is()).read(wanted, problems) if wanted is not None else None
        if word is None or (wanted is not None and values is None):
            return None
        return Condition(variable=word, values=values)

    def _several(self, text: str, value: Node, problems: Problems) -> Condition | None:
        if not isinstance(value, Sequence) or not value.items:
            found = "an empty list" if isinstance(value, Sequence) else describe(value)
            problems.add(value.place, f"expected a list of conditions, found {found}", "write [{role: a}, {role: b}]")
            return None
        parts = tuple(part or Condition() for part in [self.read(item, problems) for item in value.items])
        return Condition(all_of=parts) if text == "all" else Condition(any_of=parts)

    def schema(self) -> dict[str, Any]:
        return {"$ref": "#/$defs/condition"}


def _single(key: str, part: Condition) -> Condition:
    if key == "not":
        return Condition(negated=part)
    return Condition(source=part) if key == "source" else Condition(target=part)


def condition_schema() -> dict[str, Any]:
    """What `$ref: #/$defs/condition` stands for."""
    itself = {"$ref": "#/$defs/condition"}
    several = {"type": "array", "items": itself, "minItems": 1}
    meanings = {
        "role": (
            _ROLE.schema(),
            "holds if a host of the inventory has this role; inside source or target, if that host has",
        ),
        "variable": (_VARIABLE.schema(), "holds if this variable is true, or what is says"),
        "family": (_FAMILY.schema(), "holds if the address that is dialled is of this IP family"),
        "source": (itself, "holds if the condition in it does for the source host itself"),
        "target": (itself, "holds if the condition in it does for the target host itself"),
        "not": (itself, "holds if the condition in it does not"),
        "all": (several, "holds if all of these do"),
        "any": (several, "holds if at least one of these does"),
    }
    properties = {key: schema | {"description": meaning} for key, (schema, meaning) in meanings.items()}
    properties["is"] = OneOrMany(Is()).schema() | {"description": "with variable: the value or values that it has"}
    mapping = {
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
        "minProperties": 1,
        "maxProperties": 2,
        "dependentRequired": {"is": ["variable"]},
    }
    return {"anyOf": [{"type": "string", "pattern": f"^{VARIABLE}$"}, mapping]}
