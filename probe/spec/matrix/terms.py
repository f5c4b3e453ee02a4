"""The kinds of value that only a matrix has: ports, counts, defaults, protocols, variables by their name in braces."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from probe.model.expand import port_parts
from probe.model.expression import terms
from probe.model.ports import HIGHEST, LOWEST, PortError
from probe.model.protocols import FORMS, NAMED, PATTERN, spoken
from probe.model.variables import Unknown
from probe.protocols import meant_by
from probe.spec.diagnostics import nearest
from probe.spec.matrix.kinds import describe
from probe.spec.matrix.problems import quoted
from probe.spec.matrix.tree import Mapping, Scalar, Sequence

if TYPE_CHECKING:
    from probe.spec.matrix.problems import Problems
    from probe.spec.matrix.tree import Node

PORT_FORMS = 'write 22, 5000-6000, [4150, 4151], "{variable}", random or unstated'
_LITERAL_FORMS = "write 123 or 1-1023"
# The longest text of an expression in braces is checked by its own parser.
_BRACES = r"\{[^{}]{1,200}\}"


@dataclass(frozen=True)
class Default:
    """The default of a variable: a number, a text, true or false, or a list of numbers and texts (as a tuple)."""

    def read(self, node: Node, problems: Problems) -> int | str | bool | tuple[int | str, ...] | None:
        if isinstance(node, Sequence):
            items = [self._one(item, problems) for item in node.items]
            return tuple(item for item in items if item is not None)
        if isinstance(node, Scalar) and isinstance(node.value, bool):
            return node.value
        return self._one(node, problems)

    def _one(self, node: Node, problems: Problems) -> int | str | None:
        if isinstance(node, Scalar) and node.text.strip():
            value = node.value
            if isinstance(value, int) and not isinstance(value, bool):
                return value
            if isinstance(value, str):
                return value.strip()
        hint = "write a number, a text, true or false, or a list; without a default the variable must be set"
        problems.add(node.place, f"expected a value, found {describe(node)}", hint)
        return None

    def schema(self) -> dict[str, Any]:
        one = ["integer", "string"]
        return {"type": [*one, "boolean", "array"], "items": {"type": one}}


@dataclass(frozen=True)
class Count:
    """A whole number, or an expression in braces."""

    def read(self, node: Node, problems: Problems) -> str | None:
        if isinstance(node, Scalar):
            if isinstance(node.value, int) and not isinstance(node.value, bool) and node.value >= 0:
                return node.text
            if isinstance(node.value, str) and re.fullmatch(_BRACES, node.value.strip()):
                try:
                    terms(node.text.strip()[1:-1])
                except PortError as error:
                    problems.add(node.place, str(error))
                    return None
                return node.text.strip()
        problems.add(
            node.place, f"expected a whole number from 0 up, found {describe(node)}", 'write 4 or "{gpus + 2}"'
        )
        return None

    def schema(self) -> dict[str, Any]:
        return {"anyOf": [{"type": "integer", "minimum": 0}, {"type": "string", "pattern": f"^ *{_BRACES} *$"}]}


@dataclass(frozen=True)
class Variable:
    """The name of a variable, written in braces."""

    pattern: str

    def read(self, node: Node, problems: Problems) -> str | None:
        text = node.text.strip() if isinstance(node, Scalar) else ""
        found = re.fullmatch(rf"\{{ *({self.pattern}) *\}}", text)
        if found is None:
            hint = 'a variable is written in quotes: "{name}"'
            problems.add(node.place, f"expected a variable, found {describe(node)}", hint)
            return None
        return found[1]

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "pattern": rf"^ *\{{ *{self.pattern} *\}} *$"}


@dataclass(frozen=True)
class Spoken:
    """The word of a protocol (`probe.model.protocols`)."""

    def read(self, node: Node, problems: Problems) -> str | None:
        if not isinstance(node, Scalar) or node.empty:
            problems.add(node.place, f"expected a protocol, found {describe(node)}", f"there is: {FORMS}")
            return None
        if not spoken(node.text):
            close = meant_by(node.text) or nearest(node.text, map(str, NAMED))
            hint = close if close.startswith("did") else f"there is: {FORMS}; for any other write tcp or udp"
            problems.add(node.place, f"unknown protocol {quoted(node.text)}", hint)
            return None
        return node.text

    def schema(self) -> dict[str, Any]:
        return {"anyOf": [{"enum": list(NAMED)}, {"type": "string", "pattern": f"^{PATTERN}$"}]}


@dataclass(frozen=True)
class Ports:
    """Ports with their variables, as one text (`probe.model.expand`)."""

    variables: bool = True

    def read(self, node: Node, problems: Problems) -> str | None:
        if isinstance(node, Sequence):
            if not node.items:
                problems.add(node.place, "the list of ports is empty", self._forms)
            texts = [self._one(item, problems, alone=False) for item in node.items]
            return ",".join(text for text in texts if text) or None
        return self._one(node, problems, alone=True)

    def _one(self, node: Node, problems: Problems, *, alone: bool) -> str | None:
        if isinstance(node, Mapping) and len(node.pairs) == 1:
            (key,) = node.pairs
            problems.add(
                node.place,
                "expected a port, found a mapping",
                f'a variable is written in quotes: "{{{quoted(key)[1:-1]}}}"',
            )
            return None
        if not isinstance(node, Scalar) or node.empty or isinstance(node.value, bool):
            problems.add(node.place, f"expected a port, found {describe(node)}", self._forms)
            return None
        try:
            parts = port_parts(node.text)
        except PortError as error:
            problems.add(node.inside(error.offset), str(error), self._forms)
            return None
        if any(part.ends for part in parts) and not self.variables:
            problems.add(node.place, "a variable cannot stand here", self._forms)
            return None
        if not parts and not (alone and self.variables):
            hint = "write it alone, without a list" if self.variables else self._forms
            problems.add(node.place, f"{quoted(node.text)} cannot stand here", hint)
            return None
        return ",".join(f"{part.low}-{part.high}" if part.high else part.low for part in parts) or node.text.strip()

    @property
    def _forms(self) -> str:
        return PORT_FORMS if self.variables else _LITERAL_FORMS

    def schema(self) -> dict[str, Any]:
        end = rf"(?:[0-9]{{1,5}}|{_BRACES})" if self.variables else "[0-9]{1,5}"
        part = rf" *{end} *(?:[-\u2010-\u2015\u2212] *{end} *)?"
        one = [
            {"type": "integer", "minimum": LOWEST, "maximum": HIGHEST},
            {"type": "string", "pattern": f"^{part}(?:,{part})*$"},
        ]
        words = [{"type": "string", "pattern": f"^ *(?:{'|'.join(Unknown)}) *$"}] if self.variables else []
        return {"anyOf": [*one, *words, {"type": "array", "items": {"anyOf": one}, "minItems": 1}]}
