"""The kinds of value that only a matrix has: ports, defaults, conditions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from probe.model.expand import port_parts
from probe.model.matrix import Condition
from probe.model.ports import HIGHEST, LOWEST, PortError
from probe.spec.diagnostics import nearest
from probe.spec.matrix.kinds import describe, name
from probe.spec.matrix.problems import quoted
from probe.spec.matrix.tree import Mapping, Scalar, Sequence

if TYPE_CHECKING:
    from probe.spec.matrix.problems import Problems
    from probe.spec.matrix.tree import Node

PORT_FORMS = 'write 22, 5000-6000, [4150, 4151] or "{variable}"'


@dataclass(frozen=True)
class Default:
    """The default of a variable: a number or a text, which may not be empty."""

    def read(self, node: Node, problems: Problems) -> int | str | None:
        if isinstance(node, Scalar) and node.text.strip():
            value = node.value
            if isinstance(value, int) and not isinstance(value, bool):
                return value
            if isinstance(value, str):
                return value.strip()
        hint = 'a port, or a text such as "5000-6000"; without a default the variable must be set'
        problems.add(node.place, f"expected a number or text, found {describe(node)}", hint)
        return None

    def schema(self) -> dict[str, Any]:
        return {"type": ["integer", "string"]}


@dataclass(frozen=True)
class Ports:
    """Ports with their variables, as one text (`probe.model.expand`)."""

    def read(self, node: Node, problems: Problems) -> str | None:
        if isinstance(node, Sequence):
            if not node.items:
                problems.add(node.place, "the list of ports is empty", PORT_FORMS)
            texts = [self._one(item, problems) for item in node.items]
            return ",".join(text for text in texts if text) or None
        return self._one(node, problems)

    def _one(self, node: Node, problems: Problems) -> str | None:
        if isinstance(node, Mapping) and len(node.pairs) == 1:
            (key,) = node.pairs
            problems.add(
                node.place,
                "expected a port, found a mapping",
                f'a variable is written in quotes: "{{{quoted(key)[1:-1]}}}"',
            )
            return None
        if not isinstance(node, Scalar) or node.empty or isinstance(node.value, bool):
            problems.add(node.place, f"expected a port, found {describe(node)}", PORT_FORMS)
            return None
        try:
            parts = port_parts(node.text)
        except PortError as error:
            problems.add(node.inside(error.offset), str(error), PORT_FORMS)
            return None
        return ",".join(f"{part.low}-{part.high}" if part.high else part.low for part in parts)

    def schema(self) -> dict[str, Any]:
        end = r"(?:[0-9]{1,5}|\{ *[A-Za-z_][A-Za-z0-9_]* *\})"
        part = rf" *{end} *(?:[-\u2010-\u2015\u2212] *{end} *)?"
        one = {
            "anyOf": [
                {"type": "integer", "minimum": LOWEST, "maximum": HIGHEST},
                {"type": "string", "pattern": f"^{part}(?:,{part})*$"},
            ]
        }
        return {"anyOf": [*one["anyOf"], {"type": "array", "items": one, "minItems": 1}]}


@dataclass(frozen=True)
class When:
    """The condition of a flow, which may hold conditions."""

    def read(self, node: Node, problems: Problems) -> Condition | None:
        if not isinstance(node, Mapping) or len(node.pairs) != 1:
            found = describe(node) if not isinstance(node, Mapping) else f"a mapping with {len(node.pairs)} keys"
            problems.add(
                node.place,
                f"expected a condition, found {found}",
                "a condition is one of {role: X}, {not: …}, {all: […]}, {any: […]}",
            )
            return None
        ((key, value),) = node.pairs.values()
        match key.text:
            case "role":
                role = name("the name of a role").read(value, problems)
                return Condition(role=role) if role else None
            case "not":
                part = self.read(value, problems)
                return Condition(negated=part) if part else None
            case "all" | "any":
                if not isinstance(value, Sequence) or not value.items:
                    found = "an empty list" if isinstance(value, Sequence) else describe(value)
                    problems.add(value.place, f"expected a list of conditions, found {found}")
                    return None
                parts = tuple(part or Condition() for part in [self.read(item, problems) for item in value.items])
                return Condition(all_of=parts) if key.text == "all" else Condition(any_of=parts)
            case _:
                known = nearest(key.text, ("role", "not", "all", "any"))
                problems.add(key.place, f"unknown condition {quoted(key.text)}", known)
                return None

    def schema(self) -> dict[str, Any]:
        return {"$ref": "#/$defs/condition"}


def condition_schema() -> dict[str, Any]:
    """What `$ref: #/$defs/condition` stands for."""
    itself = {"$ref": "#/$defs/condition"}
    several = {"type": "array", "items": itself, "minItems": 1}
    meanings = {
        "role": (name("role").schema(), "holds if at least one host of the inventory has this role"),
        "not": (itself, "holds if the condition in it does not"),
        "all": (several, "holds if all of these do"),
        "any": (several, "holds if at least one of these does"),
    }
    return {
        "type": "object",
        "properties": {key: schema | {"description": meaning} for key, (schema, meaning) in meanings.items()},
        "additionalProperties": False,
        "minProperties": 1,
        "maxProperties": 1,
    }
