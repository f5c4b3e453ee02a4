"""The schema and the loader say the same."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from ruamel.yaml import YAML

from probe import resources
from probe.spec import matrix
from probe.spec.diagnostics import SpecError
from probe.spec.matrix.grammar import MATRIX
from probe.spec.matrix.rows import Row, Rows, Table
from probe.spec.matrix.schema import schema

HERE = Path(__file__).parent
DOCS = Path(__file__).parents[3] / "docs" / "matrix.md"
# What a schema cannot know: where names lead, what numbers a text holds, what YAML itself allows.
SHAPE = [
    "unknown-key-top",
    "unknown-key-nested",
    "wrong-types",
    "unknown-words",
    "flows-empty",
    "flows-null",
    "flow-incomplete",
]
SHAPE += [
    "version-missing",
    "version-unsupported",
    "version-wrong",
    "version-misspelt",
    "not-a-matrix",
    "a-list",
    "a-word",
]
SHAPE += [
    "name-missing",
    "name-boolean",
    "conditions",
    "reserved-names",
    "source-url",
    "comma-in-braces",
    "equal-names-in-list",
]


def plain(text: str) -> Any:
    return YAML(typ="safe", pure=True).load(text)


def examples() -> list[str]:
    return re.findall(r"^```yaml\n(.*?)^```", DOCS.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("name", matrix.builtin())
def test_allows_the_built_in_matrices(name: str) -> None:
    text = (resources.folder("matrices") / f"{name}.yaml").read_text(encoding="utf-8")
    Draft202012Validator(schema()).validate(plain(text))


@pytest.mark.parametrize("name", SHAPE)
def test_refuses_what_the_loader_refuses(name: str) -> None:
    text = (HERE / "bad" / f"{name}.yaml").read_text(encoding="utf-8")
    assert not Draft202012Validator(schema()).is_valid(plain(text))


def test_is_a_schema() -> None:
    Draft202012Validator.check_schema(schema())


def keys_of_the_schema(node: Any, path: str = "") -> dict[str, str]:
    """Each object's keys, as `services.*.port`, with their description."""
    found = {}
    for key, child in node.get("properties", {}).items():
        found[f"{path}{key}"] = child.get("description", "")
        found |= keys_of_the_schema(child, f"{path}{key}.")
        for inner in (child.get("additionalProperties"), child.get("items")):
            if isinstance(inner, dict):
                found |= keys_of_the_schema(inner, f"{path}{key}.*.")
    return found


def keys_of_the_loader(row: Row, path: str = "") -> set[str]:
    found = set()
    for text, key in row.keys.items():
        found.add(f"{path}{text}")
        if isinstance(key.kind, (Table, Rows)):
            found |= keys_of_the_loader(key.kind.row, f"{path}{text}.*.")
        elif isinstance(key.kind, Row):
            found |= keys_of_the_loader(key.kind, f"{path}{text}.")
    return found


def test_has_the_keys_of_the_loader_and_no_others() -> None:
    keys = keys_of_the_schema(schema())
    assert keys.keys() == keys_of_the_loader(MATRIX)
    assert all(keys.values()), "each key is explained"
    assert len(keys) > 35


def test_every_key_of_the_schema_is_read() -> None:
    """The loader itself is asked, not its tables: the key is known, and one that is spelt otherwise is not."""
    for path in keys_of_the_schema(schema()):
        *above, key = path.split(".")
        for word, unknown in ((key, False), (f"zz{key}", True)):
            text = f"{word}: 1"
            for step in reversed(above):
                inner = text.replace("\n", "\n  ")
                row = f"- {inner}" if above[0] == "flows" else f"row:\n  {inner}"
                text = row if step == "*" else f"{step}:\n  {inner}"
            with pytest.raises(SpecError) as caught:
                matrix.load_text(f"portcheck: 1\nname: x\n{text}\n")
            assert (f"unknown key {word!r}" in str(caught.value)) == unknown, path


def test_the_documentation_has_every_key() -> None:
    text = DOCS.read_text(encoding="utf-8")
    words = {path.split(".")[-1] for path in keys_of_the_schema(schema())} | {"role", "not", "all", "any"}
    assert {word for word in words if f"`{word}`" not in text} == set()


@pytest.mark.parametrize("example", examples(), ids=[str(number) for number, _ in enumerate(examples())])
def test_the_examples_of_the_documentation_load(example: str) -> None:
    if example.startswith("portcheck:"):
        matrix.load_text(example)
        Draft202012Validator(schema()).validate(plain(example))
    else:
        assert set(plain(example)) <= MATRIX.keys.keys()
