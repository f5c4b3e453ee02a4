"""One file: its text as a tree, and what could be read of it as a Matrix. The places stay here; the model has none."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from probe.model.matrix import Flow, Matrix, Profile, Role, Scope, Service, Source, Variable
from probe.model.words import VariableType, Zone
from probe.spec.diagnostics import nearest
from probe.spec.matrix.asked import demands
from probe.spec.matrix.grammar import MATRIX, VERSION
from probe.spec.matrix.kinds import describe
from probe.spec.matrix.problems import WHOLE_FILE, Problems, quoted
from probe.spec.matrix.tree import Mapping, Scalar, Sequence, parse

if TYPE_CHECKING:
    from probe.spec.matrix.problems import Place
    from probe.spec.matrix.tree import Node


@dataclass(frozen=True)
class Document:
    """What was unusable is among the problems and missing, or at its default, in `matrix`. `overrides` has what the
    file changes in rows, by section and name.
    """

    file: str
    root: Mapping
    matrix: Matrix
    problems: Problems
    overrides: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.matrix.names[0]

    def value(self, *path: str | int) -> Node:
        """The value at a path of keys and indexes, or the last on the way to it that is there."""
        node: Node = self.root
        for step in path:
            if isinstance(node, Mapping) and isinstance(step, str) and step in node.pairs:
                node = node.pairs[step][1]
            elif isinstance(node, Sequence) and isinstance(step, int) and step < len(node.items):
                node = node.items[step]
        return node

    def has(self, *path: str | int) -> bool:
        """Whether the key that ends the path is written there."""
        node = self.value(*path[:-1])
        return isinstance(node, Mapping) and path[-1] in node.pairs

    def key(self, *path: str | int) -> Place:
        """The place of the key that ends the path."""
        node, last = self.value(*path[:-1]), path[-1]
        return node.pairs[last][0].place if isinstance(node, Mapping) and last in node.pairs else node.place

    def word(self, path: tuple[str | int, ...], word: str) -> Place:
        """The place of a word in a list, or of the one word that stands for the list."""
        node = self.value(*path)
        items = node.items if isinstance(node, Sequence) else ()
        return next(
            (item.place for item in items if isinstance(item, Scalar) and item.text.strip() == word), node.place
        )

    def mention(self, path: tuple[str | int, ...], variable: str) -> Place:
        """The place of the first text of a list that has this variable in it, or of the one text, or the list."""
        node = self.value(*path)
        items = node.items if isinstance(node, Sequence) else ()
        name = re.compile(rf"(?<![A-Za-z0-9_]){re.escape(variable)}(?![A-Za-z0-9_])")
        return next((item.place for item in items if isinstance(item, Scalar) and name.search(item.text)), node.place)


def read(file: str, text: str) -> tuple[Document | None, Problems]:
    """The document, or None where the text is not a matrix at all."""
    problems = Problems(file, text)
    root = parse(text, problems)
    if root is None:
        if not problems.found:
            problems.add(WHOLE_FILE, "the file is empty", f"a matrix begins with portcheck: {VERSION}")
        return None, problems
    if not _is_matrix(root, problems) or not isinstance(root, Mapping):
        return None, problems
    data = MATRIX.read(root, problems)
    return Document(file, root, build(data, file), problems, data.get("overrides", {})), problems


def _is_matrix(root: Node, problems: Problems) -> bool:
    """Whether it is worth reading on; of a file in another language each line would be a problem."""
    if not isinstance(root, Mapping):
        problems.add(
            root.place, f"expected a mapping, found {describe(root)}", f"a matrix begins with portcheck: {VERSION}"
        )
        return False
    version = root.get("portcheck")
    if version is None and not root.pairs.keys() & MATRIX.keys.keys():
        problems.add(root.place, f"this is not a matrix: 'portcheck: {VERSION}' is missing", nearest_key(root))
        return False
    if isinstance(version, Scalar) and isinstance(version.value, int) and version.value != VERSION:
        message = f"version {quoted(version.text)[1:-1]} of the matrix language is not supported"
        problems.add(version.place, message, f"this portcheck reads version {VERSION}: portcheck: {VERSION}")
        return False
    return True


def nearest_key(root: Mapping) -> str:
    close = next((hint for key in root.pairs if (hint := nearest(key, ["portcheck"])).startswith("did")), "")
    return close or f"a matrix begins with portcheck: {VERSION}"


def build(data: dict[str, Any], file: str) -> Matrix:
    """The model's values from what the grammar has read. `file` is the path of the text, from which relative ones
    count.
    """
    matrix = data.get("name", "")
    return Matrix(
        names=(matrix,),
        title=data.get("title", ""),
        sources={key: Source(key=key, **row) for key, row in data.get("sources", {}).items()},
        variables={key: _variable(key, row) for key, row in data.get("variables", {}).items()},
        roles={key: _role(key, row) for key, row in data.get("roles", {}).items()},
        services={key: _service(key, row, matrix, file) for key, row in data.get("services", {}).items()},
        flows=tuple(_flow(number, row, matrix) for number, row in enumerate(data.get("flows", ()))),
        policy={Zone(zone): policy for zone, policy in data.get("policy", {}).items()},
        profiles={key: Profile(name=key, **row) for key, row in data.get("profiles", {}).items()},
    )


def _variable(key: str, row: dict[str, Any]) -> Variable:
    """A type that is not said follows from what is."""
    if "type" not in row:
        is_boolean = isinstance(row.get("default"), bool)
        row["type"] = (
            VariableType.CHOICE if "choices" in row else VariableType.BOOLEAN if is_boolean else VariableType.PORTS
        )
    return Variable(name=key, **row)


def _role(key: str, row: dict[str, Any]) -> Role:
    rest = {name: value for name, value in row.items() if name not in ("on", "zone")}
    return Role(name=key, every_host="on" in row, outside="zone" in row, **rest)


def _service(key: str, row: dict[str, Any], matrix: str, file: str) -> Service:
    return Service(name=key, local="bind" in row, matrix=matrix, **service_fields(row, file))


def service_fields(row: dict[str, Any], file: str) -> dict[str, Any]:
    """The keys of a service as the fields of the model."""
    names = {"role": "roles", "protocol": "protocols"}
    return {names.get(key, key): value for key, value in row.items() if key != "bind"} | demands(row, file)


def _flow(number: int, row: dict[str, Any], matrix: str) -> Flow:
    fields = flow_fields(row)
    rule, between = fields.pop("id", f"flows[{number}]"), "between" in row
    sources = row.get("between" if between else "from", ())
    return Flow(rule=rule, sources=sources, services=row.get("to", ()), between=between, matrix=matrix, **fields)


def flow_fields(row: dict[str, Any]) -> dict[str, Any]:
    """The keys of a flow as the fields of the model, without those that say who and what."""
    fields = {key.replace("-", "_"): value for key, value in row.items() if key not in ("from", "between", "to")}
    if "scope" in fields:
        fields["scope"] = Scope(**{key.replace("-", "_"): value for key, value in fields["scope"].items()})
    return fields
