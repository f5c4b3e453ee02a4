"""What a second file changes in the plan of the first."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from probe.model.words import Expect, Need, Phase
from probe.spec.matrix import load

from .laying import closed, lay, reasons, ways

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from probe.plan import Plan

FIRST = """
portcheck: 1
name: shop
variables: {tls: {type: boolean, default: false}}
roles: {web: {}, db: {}}
services:
  sql: {role: db, port: 5432, severity: low}
  site: {role: web, port: 80}
flows:
  - {id: app-to-db, from: web, to: [sql, site]}
  - {from: db, to: site}
"""
PLAIN = {"w>d:5432/tcp sql", "w>w:80/tcp site", "d>w:80/tcp site"}


@pytest.fixture
def laid(tmp_path: Path) -> Callable[..., Plan]:
    def make(overrides: str, **wishes: object) -> Plan:
        first, second = tmp_path / "shop.yaml", tmp_path / "ours.yaml"
        first.write_text(FIRST)
        second.write_text(f"portcheck: 1\nname: ours\noverrides: {overrides}\n")
        return lay(load([str(first), str(second)]), "w web", "d db", **wishes)

    return make


@pytest.mark.parametrize(
    ("overrides", "reached", "blocked"),
    [
        ("{flows: {app-to-db: off}}", {"d>w:80/tcp site"}, {"w>d:5432/tcp sql"}),
        ("{flows: {'shop:app-to-db': off}}", {"d>w:80/tcp site"}, {"w>d:5432/tcp sql"}),
        ("{flows: {'shop:flows[1]': off}}", PLAIN - {"d>w:80/tcp site"}, {"d>w:80/tcp site"}),
        ("{services: {sql: off}}", PLAIN - {"w>d:5432/tcp sql"}, set()),  # its port is not even named
        ("{services: {sql: {port: 5433}}}", PLAIN - {"w>d:5432/tcp sql"} | {"w>d:5433/tcp sql"}, set()),
        ("{services: {sql: {protocol: [tcp, udp]}}}", PLAIN | {"w>d:5432/udp sql"}, set()),
        ("{services: {sql: {when: tls}}}", PLAIN - {"w>d:5432/tcp sql"}, set()),
        ("{services: {sql: {at: 'far.example:1'}}}", PLAIN - {"w>d:5432/tcp sql"} | {"w>far.example:1/tcp sql"}, set()),
        ("{flows: {app-to-db: {hosts: other}}}", PLAIN - {"w>w:80/tcp site"}, set()),
        ("{flows: {app-to-db: {when: tls}}}", {"d>w:80/tcp site"}, {"w>d:5432/tcp sql"}),
        ("{flows: {app-to-db: {when: {not: tls}}}}", PLAIN, set()),
    ],
)
def test_off_and_changed(laid: Callable[..., Plan], overrides: str, reached: set[str], blocked: set[str]) -> None:
    plan = laid(overrides)
    assert (ways(plan), closed(plan)) == (reached, blocked)


def test_words_of_a_flow_and_of_a_service(laid: Callable[..., Plan]) -> None:
    plan = laid(
        "{flows: {app-to-db: {need: optional, severity: high, remedy: Ask., enough: one}},"
        " services: {site: {severity: critical, listen: some}}}"
    )
    found = {(check.source, check.service): check for check in plan.all_checks() if check.expect is Expect.REACH}
    sql, site = found["w", "sql"], found["d", "site"]
    assert (sql.need, sql.severity, sql.remedy, bool(sql.alternatives)) == (Need.OPTIONAL, "high", "Ask.", True)
    assert (site.severity, site.listen) == ("critical", "some")
    assert (sql.rule, sql.matrix, site.rule) == ("app-to-db", "shop", "flows[1]")  # still rows of the first


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        ("{flows: {app-to-db: {unchecked: by hand}}}", {"app-to-db sql: by hand", "app-to-db site: by hand"}),
        ("{services: {sql: {unchecked: by hand}}}", {"app-to-db sql: by hand"}),
        ("{services: {sql: {port: unstated}}}", {"app-to-db sql: the document does not say which port"}),
    ],
)
def test_made_not_checkable(laid: Callable[..., Plan], overrides: str, said: set[str]) -> None:
    assert reasons(laid(overrides)) == said


def test_during(laid: Callable[..., Plan]) -> None:
    overrides = "{flows: {app-to-db: {during: upgrade}}}"
    assert ways(laid(overrides)) == PLAIN
    assert ways(laid(overrides, phase=Phase.LIVE)) == {"d>w:80/tcp site"}


def test_an_identity_does_not_change_with_what_is_said_of_the_row(laid: Callable[..., Plan]) -> None:
    plain = {check.id for check in laid("{services: {site: {help: nothing}}}").all_checks()}
    assert {check.id for check in laid("{flows: {app-to-db: {need: optional, severity: low}}}").all_checks()} == plain
