"""The schema and the loader say the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from probe import resources
from probe.spec import matrix
from probe.spec.diagnostics import SpecError
from probe.spec.matrix.dialogue import STEP, dialogue_schema
from probe.spec.matrix.grammar import MATRIX
from probe.spec.matrix.rows import OffOr, Row, Rows, Table, TrueOr
from probe.spec.matrix.schema import schema
from probe.spec.matrix.when import condition_schema

HERE = Path(__file__).parent
EXAMPLES = Path(__file__).parents[3] / "examples"
# What a schema cannot know: where names lead, what stands twice or contradicts, what numbers a text holds.
BEYOND = {
    "aliases",
    "contradiction",
    "flow-to-local",
    "flow-to-role",
    "flows-missing",
    "no-names-at-all",
    "overrides-that-leave-nothing",
    "programs",
    "role-keys",
    "unknown-names",
    "yaml-anchor",
    "yaml-surrogate",
}


def plain(text: str) -> Any:
    return YAML(typ="safe", pure=True).load(text)


def texts(folder: str) -> dict[str, Any]:
    """Those of the folder that are YAML at all, by name."""
    found = {}
    for path in sorted((HERE / folder).glob("*.yaml")):
        try:
            found[path.stem] = plain(path.read_text(encoding="utf-8"))
        except (YAMLError, ValueError, OverflowError, RecursionError):
            continue
    return found


BAD = texts("bad")


@pytest.mark.parametrize("name", matrix.builtin())
def test_allows_the_built_in_matrices(name: str) -> None:
    text = (resources.folder("matrices") / f"{name}.yaml").read_text(encoding="utf-8")
    Draft202012Validator(schema()).validate(plain(text))


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.stem)
def test_allows_the_examples(path: Path) -> None:
    Draft202012Validator(schema()).validate(plain(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize("name", [name for name in BAD if name not in BEYOND])
def test_refuses_what_the_loader_refuses(name: str) -> None:
    assert not Draft202012Validator(schema()).is_valid(BAD[name])


@pytest.mark.parametrize("name", sorted(BEYOND))
def test_what_only_the_loader_knows(name: str) -> None:
    Draft202012Validator(schema()).validate(BAD[name])


def test_is_a_schema() -> None:
    Draft202012Validator.check_schema(schema())


def keys_of_the_schema(node: Any, path: str = "") -> dict[str, str]:
    """Each object's keys, as `services.*.port`, with their description."""
    found = {}
    for key, child in node.get("properties", {}).items():
        found[f"{path}{key}"] = child.get("description", "")
        # A row that may be the boolean true besides, or a text.
        found |= keys_of_the_schema(child.get("anyOf", [{}])[-1] | child, f"{path}{key}.")
        for inner in (child.get("additionalProperties"), child.get("items")):
            if isinstance(inner, dict):
                # A row that may be the word off besides.
                row = inner if "properties" in inner else inner.get("anyOf", [{}])[-1]
                if inner.get("anyOf", [{}])[0].get("type") == "string":
                    continue  # a header, which is a text or a secret
                found |= keys_of_the_schema(row, f"{path}{key}.*.")
    return found


def keys_of_the_loader(kind: Row | OffOr, path: str = "") -> set[str]:
    row = kind.row if isinstance(kind, (OffOr, TrueOr)) else kind
    found = set()
    for text, key in row.keys.items():
        found.add(f"{path}{text}")
        if isinstance(key.kind, (Table, Rows)) and isinstance(key.kind.row, (Row, OffOr)):
            found |= keys_of_the_loader(key.kind.row, f"{path}{text}.*.")
        elif isinstance(key.kind, (Row, TrueOr)):
            found |= keys_of_the_loader(key.kind, f"{path}{text}.")
    return found


def test_has_the_keys_of_the_loader_and_no_others() -> None:
    keys = keys_of_the_schema(schema())
    assert keys.keys() == keys_of_the_loader(MATRIX)
    assert all(keys.values()), "each key is explained"
    assert len(keys) > 90


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


@pytest.mark.parametrize("key", condition_schema()["anyOf"][1]["properties"])
def test_every_key_of_a_condition_is_read(key: str) -> None:
    for word, unknown in ((key, False), (f"zz{key}", True)):
        with pytest.raises(SpecError) as caught:
            matrix.load_text(f"portcheck: 1\nname: x\nflows: [{{from: a, to: b, when: {{{word}: }}}}]\n")
        assert (f"unknown condition {word!r}" in str(caught.value)) == unknown


@pytest.mark.parametrize("key", STEP.keys)
def test_every_key_of_a_step_is_read(key: str) -> None:
    assert key in dialogue_schema()["items"]["anyOf"][1]["properties"]
    for word, unknown in ((key, False), (f"zz{key}", True)):
        with pytest.raises(SpecError) as caught:
            matrix.load_text(f"portcheck: 1\nname: x\nservices: {{a: {{dialogue: [{{{word}: }}]}}}}\n")
        assert (f"unknown key {word!r}" in str(caught.value)) == unknown


VARIABLES = """\
portcheck: 1
name: x
variables: {p: {type: boolean, default: true}, q: {default: 9}}
roles: {web: {}}
"""
ROW = {"role": "web", "port": "80", "protocol": "https", "listen": "some"}
# Values at the edge of what the schema's patterns allow.
EDGES = {
    "port": [
        *("22", "65535", "65536", "0", "-1", "80.5", "true", "''", "'80, 443'", "'80 - 90'", "'80–90'", "'80,'", "80-"),
        *(
            "'{p}'",
            "'{p}-{q}'",
            "'{p + 1}'",
            "'{}'",
            "'{p'",
            "random",
            "unstated",
            "' random '",
            "'80,random'",
            "Random",
        ),
        *("[80]", "[]", "[80, random]", "[[80]]", "['80-90', '{p}']", "{p: }", "null", "'1,2-3,{p}'", "1e3"),
    ],
    "protocol": ["tcp", "TCP", "[tcp, udp]", "[]", "[tcp, tcp]", "postgresql", "1", "''", "null", "{tcp: }"],
    "status": ["200", "[200, 204]", "[200, 200]", "99", "600", "'200'", "200.0", "true"],
    "count": ["0", "4", "-1", "'4'", "'{p}'", "' {p} '", "'{p} '", "1.5", "true", "[1]"],
    "address": ["'{p}'", "'{ p }'", "p", "'{p}{q}'", "'{1}'", "1"],
    "at": ["'a:1'", "a", "''", "[]", "['a:1', 'a:1']", "443", "null", "'a b:1'"],
    "dialogue": [
        *("[{expect: a}]", "[{send: a}]", "[]", "[tls]", "[starttls]", "[{tls: true}]", "tls", "{expect: a}", "[{}]"),
        *("[{expect: [a, b], unhealthy: c}]", "[{expect: {hex: 61}}]", "[{expect: {hex: '??'}}]", "[{expect: 1}]"),
        *("[{expect: {regex: a, length: 3, text: b}}]", "[{expect: {hex: 61, text: b}}]", "[{expect: {whole: true}}]"),
        *("[{expect: a, within: 0.5, most: 1}]", "[{expect: a, within: 0}]", "[{expect: a, most: 65537}]"),
        *("[{send: {text: a}}, {expect: a}]", "[{send: {hex: 0x61}}, {expect: a}]", "[{send: , expect: a}]"),
        *(
            "[{starttls: {send: a, expect: b, declined: [c, d]}}]",
            "[{starttls: {send: a}}]",
            "[{tls: {}}]",
        ),
    ],
    "path": ["/", "/a", "a", "'/a b'", "'/é'", "''"],
    "http": [
        *("{}", "null", "1", "{method: GET}", "{method: POST}", "{method: }", "{headers: {}}", "{headers: {A: b}}"),
        *(
            "{headers: {'A b': c}}",
            "{headers: {A: 1}}",
            "{headers: {A: {env: B}}}",
            "{headers: {A: {env: B, file: c}}}",
        ),
        *("{credentials: {}}", "{credentials: {basic: {env: B}}}", "{credentials: {bearer: {file: B}}}"),
        *("{credentials: {basic: {env: B}, bearer: {env: B}}}", "{credentials: {basic: a}}", "{body: {text: a}}"),
        *("{body: {regex: '('}}", "{body: {}}", "{body: a}", "{redirects: 10}", "{redirects: 11}", "{redirects: true}"),
        *("{host: a.example}", "{host: 'a b'}", "{host: '[::1]:80'}", "{host: 'a:1'}", "{path: /}"),
    ],
    "tls": [
        *("{}", "null", "true", "{expiry: true}", "{expiry: false}", "{expiry: {}}", "{expiry: {days: 0}}"),
        *("{expiry: {days: -1}}", "{minimum: 1.2}", "{minimum: '1.2'}", "{minimum: 1.4}", "{name: true}", "{name: 1}"),
        *("{trust: false}", "{ca: a.pem}", "{ca: a.pem, trust: false}", "{key: a}", "{certificate: a, key: b}"),
        *("{server_name: a}", "{server_name: 'a b'}", "{server_name: 1}"),
    ],
    "severity": ["low", "Low", "''", "1", "null", "[low]"],
    "when": ["p", "'p q'", "{role: web}", "{}", "{variable: p, is: 1}", "{is: 1}", "1", "true", "null", "[p]"],
}


@pytest.mark.parametrize(("key", "value"), [(key, value) for key, values in EDGES.items() for value in values])
def test_the_schema_lets_nothing_be_marked_that_loads(key: str, value: str) -> None:
    """An editor must not mark what is right. What is wrong it may not always see."""
    row = ROW | ({"protocol": "tcp"} if key == "dialogue" else {})
    rest = "".join(f", {word}: {text}" for word, text in row.items() if word != key)
    text = f"{VARIABLES}services: {{s: {{{key}: {value}{rest}}}}}\nflows: [{{from: web, to: s}}]\n"
    try:
        matrix.load_text(text)
    except SpecError:
        return
    Draft202012Validator(schema()).validate(plain(text))
