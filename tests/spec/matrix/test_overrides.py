"""What one file changes in the rows of another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from probe.model.conditions import Condition
from probe.model.dialogue import Dialogue, Expect, Known, Pattern, Send
from probe.model.http import HttpDemand, Method
from probe.model.matrix import Scope
from probe.model.tls import TlsDemand
from probe.model.words import During, Enough, Hosts, Listen, Need, Severity
from probe.spec import matrix
from probe.spec.diagnostics import Severity as Level
from probe.spec.matrix.grammar import FLOW_CHANGES, SERVICE_CHANGES

if TYPE_CHECKING:
    from pathlib import Path

    from probe.model.matrix import Matrix

SHOP = """\
portcheck: 1
name: shop
variables: {rack: {type: text}, vip: {type: addresses}, tls: {default: true}}
roles: {web: {}, db: {}, lb: {}}
services:
  pages: {role: web, port: 80, protocol: http-or-https, severity: high, help: pages}
  sql: {role: db, port: 5432}
flows:
  - {id: to-sql, from: web, to: [sql, pages], need: recommended, help: data}
  - {from: lb, to: pages}
  - {from: db, to: sql}
"""
# Written in a file, field of the model, value there.
OF_A_FLOW: dict[str, tuple[str, str, Any]] = {
    "hosts": ("other", "hosts", Hosts.OTHER),
    "scope": ("{same: rack}", "scope", Scope(same=("rack",))),
    "enough": ("one", "enough", Enough.ONE),
    "when": ("{role: lb}", "when", Condition(role="lb")),
    "during": ("joining", "during", During.JOINING),
    "need": ("optional", "need", Need.OPTIONAL),
    "unchecked": ("no way", "unchecked", "no way"),
    "severity": ("low", "severity", Severity.LOW),
    "remedy": ("ask", "remedy", "ask"),
    "help": ("other", "help", "other"),
}
OF_A_SERVICE: dict[str, tuple[str, str, Any]] = {
    "port": ("[81, 82]", "port", "81,82"),
    "protocol": ("https", "protocols", ("https",)),
    "path": ("/health", "path", "/health"),
    "status": ("204", "status", (204,)),
    "http": ("{method: HEAD}", "http", HttpDemand(method=Method.HEAD)),
    "tls": ("{minimum: 1.3}", "tls", TlsDemand(minimum="1.3")),
    "listen": ("some", "listen", Listen.SOME),
    "at": ('"{vip}:80"', "at", ("{vip}:80",)),
    "when": ("{not: tls}", "when", Condition(negated=Condition(variable="tls"))),
    "unchecked": ("no way", "unchecked", "no way"),
    "severity": ("low", "severity", Severity.LOW),
    "remedy": ("ask", "remedy", "ask"),
    "help": ("other", "help", "other"),
}


def overridden(tmp_path: Path, changes: str) -> Matrix:
    """The shop, and a second file with these overrides."""
    (tmp_path / "shop.yaml").write_text(SHOP)
    (tmp_path / "site.yaml").write_text(f"portcheck: 1\nname: site\noverrides:\n{changes}")
    names = [str(tmp_path / "shop.yaml"), str(tmp_path / "site.yaml")]
    assert [found.render() for found in matrix.lint(names) if found.severity is Level.ERROR] == []
    return matrix.load(names)


def fields_of(row: Any) -> dict[str, Any]:
    return {name: getattr(row, name) for name in row.__struct_fields__}


def test_the_keys_that_can_be_changed_are_here() -> None:
    assert OF_A_FLOW.keys() == set(FLOW_CHANGES)
    # What a dialogue may be depends on the protocol: see below.
    assert OF_A_SERVICE.keys() | {"dialogue"} == set(SERVICE_CHANGES)


def test_a_dialogue(tmp_path: Path) -> None:
    changes = "  services:\n    pages: {protocol: tcp, dialogue: [{send: hi}, {expect: ho}]}\n"
    found = overridden(tmp_path, changes).services["pages"].dialogue
    assert found == Dialogue(steps=(Send((Known(b"hi"),)), Expect(patterns=(Pattern(start=(Known(b"ho"),)),))))


@pytest.mark.parametrize("key", OF_A_FLOW)
def test_a_key_of_a_flow(key: str, tmp_path: Path) -> None:
    text, field, value = OF_A_FLOW[key]
    found = overridden(tmp_path, f"  flows:\n    to-sql: {{{key}: {text}}}\n")
    before = matrix.load_text(SHOP)
    assert fields_of(found.flows[0]) == fields_of(before.flows[0]) | {field: value}
    assert found.flows[1:] == before.flows[1:]


@pytest.mark.parametrize("key", OF_A_SERVICE)
def test_a_key_of_a_service(key: str, tmp_path: Path) -> None:
    text, field, value = OF_A_SERVICE[key]
    found = overridden(tmp_path, f"  services:\n    pages: {{{key}: {text}}}\n")
    before = matrix.load_text(SHOP)
    assert fields_of(found.services["pages"]) == fields_of(before.services["pages"]) | {field: value}
    assert found.services["sql"] == before.services["sql"]
    assert list(found.services) == list(before.services)


@pytest.mark.parametrize("name", ["flows[1]", "shop:flows[1]"])
def test_a_flow_without_id(name: str, tmp_path: Path) -> None:
    found = overridden(tmp_path, f"  flows:\n    {name}: {{need: optional}}\n")
    assert [flow.need for flow in found.flows] == [Need.RECOMMENDED, Need.OPTIONAL, Need.REQUIRED]


@pytest.mark.parametrize("name", ["to-sql", "shop:to-sql"])
def test_a_flow_that_is_off(name: str, tmp_path: Path) -> None:
    found = overridden(tmp_path, f"  flows:\n    {name}: off\n")
    # The others keep their names.
    assert [flow.rule for flow in found.flows] == ["flows[1]", "flows[2]"]


def test_a_service_that_is_off(tmp_path: Path) -> None:
    """It is gone from each flow, and a flow to nothing else with it."""
    found = overridden(tmp_path, "  services:\n    sql: off\n")
    assert list(found.services) == ["pages"]
    assert [(flow.rule, flow.services) for flow in found.flows] == [("to-sql", ("pages",)), ("flows[1]", ("pages",))]


def test_several_changes(tmp_path: Path) -> None:
    found = overridden(
        tmp_path,
        "  flows:\n    to-sql: {need: optional, help: x}\n    flows[2]: off\n  services:\n    sql: {port: 5433}\n",
    )
    assert [(flow.rule, flow.need, flow.help) for flow in found.flows] == [
        ("to-sql", Need.OPTIONAL, "x"),
        ("flows[1]", Need.REQUIRED, ""),
    ]
    assert found.services["sql"].port == "5433"


def test_rows_of_the_same_file(tmp_path: Path) -> None:
    found = matrix.load_text(f"{SHOP}overrides: {{flows: {{to-sql: {{need: optional}}}}}}\n")
    assert found.flows[0].need is Need.OPTIONAL
