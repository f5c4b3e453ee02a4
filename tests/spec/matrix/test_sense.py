from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from probe.model.matrix import Remark
from probe.spec import matrix
from probe.spec.matrix import sense

if TYPE_CHECKING:
    from pathlib import Path

BASE = """\
portcheck: 1
name: shop
variables:
  tls: {default: true}
  overlay: {choices: [vxlan, geneve]}
  rack: {type: text}
roles:
  web: {}
  db: {}
  clients: {zone: outside}
services:
  sql: {role: db, port: 5432}
  sqls: {role: db, port: 5433, when: tls}
  desk: {role: clients, port: 99}
flows:
"""


def lint(tmp_path: Path, *flows: str) -> list[str]:
    file = tmp_path / "shop.yaml"
    file.write_text(BASE + "".join(f"  - {flow}\n" for flow in flows))
    found = [one.render().splitlines()[0].removeprefix(f"{tmp_path}/") for one in matrix.lint([str(file)])]
    return [line for line in found if "is used by no" not in line and "no flow leads" not in line]


@pytest.mark.parametrize(
    ("flows", "message"),
    [
        (
            ["{from: web, to: sql}", "{from: web, to: sql, expect: block}"],
            "shop.yaml:17:5: flows[1] forbids web to reach 'sql', and flows[0] wants it",
        ),
        (
            ["{id: shut, from: any, to: sql, expect: block}", "{from: [db, web], to: [sqls, sql]}"],
            "shop.yaml:17:5: flows[1] wants db to reach 'sql', and shut forbids it",
        ),
    ],
)
def test_contradictions(tmp_path: Path, flows: list[str], message: str) -> None:
    assert lint(tmp_path, *flows) == [message]


@pytest.mark.parametrize("narrow", ["when: {not: tls}", "hosts: other", "scope: {same: rack}", "when: {role: clients}"])
def test_what_is_narrowed_is_no_contradiction(tmp_path: Path, narrow: str) -> None:
    flows = "{from: web, to: sql}", f"{{from: web, to: sql, expect: block, {narrow}}}"
    assert [line for line in lint(tmp_path, *flows) if "error" in line] == []


@pytest.mark.parametrize(
    ("flow", "message"),
    [
        (
            "{from: web, to: sql, when: {all: [tls, {not: tls}]}}",
            "shop.yaml:16:32: warning: the condition of flows[0] can never hold",
        ),
        (
            "{from: web, to: sql, when: {all: [{variable: overlay, is: vxlan}, {variable: overlay, is: geneve}]}}",
            "shop.yaml:16:32: warning: the condition of flows[0] can never hold",
        ),
        (
            "{from: web, to: sql, when: {not: {variable: overlay, is: [vxlan, geneve]}}}",
            "shop.yaml:16:32: warning: the condition of flows[0] can never hold",
        ),
        (
            "{from: web, to: sql, when: {all: [{family: ipv4}, {family: ipv6}]}}",
            "shop.yaml:16:32: warning: the condition of flows[0] can never hold",
        ),
        (
            "{from: web, to: [sql, sqls], when: {not: tls}}",
            "shop.yaml:16:27: warning: flows[0] never leads to 'sqls': their conditions exclude each other",
        ),
        (
            "{from: web, to: sql, scope: {same: rack, different: rack}}",
            "shop.yaml:16:33: warning: flows[0] matches no pair of hosts: 'rack' cannot be the same and differ",
        ),
        (
            "{from: clients, to: sql, hosts: same}",
            "shop.yaml:16:37: warning: flows[0] matches no host: none inside is outside",
        ),
    ],
)
def test_rows_that_can_never_match(tmp_path: Path, flow: str, message: str) -> None:
    assert lint(tmp_path, flow) == [message]


@pytest.mark.parametrize(
    "when",
    [
        "tls",
        "{all: [{source: tls}, {target: {not: tls}}]}",
        "{all: [{role: web}, {target: {not: {role: web}}}]}",
        "{any: [tls, {not: tls}]}",
        "{all: [{variable: rack, is: a}, {source: {variable: rack, is: b}}]}",
        "{not: {variable: rack, is: [a, b]}}",
    ],
)
def test_conditions_that_may_hold(tmp_path: Path, when: str) -> None:
    assert lint(tmp_path, f"{{from: web, to: sql, when: {when}}}") == []


def test_rows_that_stand_twice(tmp_path: Path) -> None:
    flows = "{from: web, to: [sql, sqls]}", "{from: [db, web], to: sql, help: again}", "{from: web, to: sql, when: tls}"
    assert lint(tmp_path, *flows) == ["shop.yaml:17:27: warning: flows[1] repeats flows[0]: web to 'sql'"]


def test_a_condition_of_very_many_cases_is_taken_as_possible() -> None:
    many = sense.Condition(all_of=tuple(sense.Condition(role=f"r{number}") for number in range(30)))
    assert sense.possible(many, {})


def test_remarks_stand_where_their_row_does(tmp_path: Path) -> None:
    file = tmp_path / "shop.yaml"
    file.write_text(BASE + "  - {id: ask, from: web, to: [sql, sqls, desk]}\n  - {from: web, to: sql, when: tls}\n")
    remarks = [
        Remark(message="one", service="sql"),
        Remark(message="two", matrix="shop", rule="ask", hint="look"),
        Remark(message="three"),
    ]
    found = matrix.lint([str(file)], lambda merged: remarks)
    heads = [one.render().splitlines()[0].removeprefix(f"{tmp_path}/") for one in found]
    assert [head for head in heads if head.rpartition(" ")[2] in ("one", "two", "three")] == [
        "shop.yaml: warning: three",
        "shop.yaml:12:25: warning: one",
        "shop.yaml:16:5: warning: two",
    ]
