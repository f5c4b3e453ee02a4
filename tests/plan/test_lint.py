from __future__ import annotations

from probe.model.inventory import Host, Inventory
from probe.plan import Plan, Wishes
from probe.plan.lint import remarks_on
from probe.spec.matrix import load_text

MATRIX = """\
portcheck: 1
name: shop
variables:
  rack: {type: text}
  api_port: {default: 9000}
roles:
  web: {}
  db: {}
services:
  api: {role: web, port: "{api_port}"}
  pool: {role: web, port: 9000-9010, listen: some}
  sql: {role: db, port: [5432, 9005]}
  names: {role: db, port: 9005, protocol: udp}
  cold: {role: db, port: 5432, when: {role: absent}}
flows:
  - {id: ask, from: web, to: [api, sql], scope: {same: rack}}
  - {from: web, to: [pool, names]}
"""


def said(*hosts: Host, matrix: str = MATRIX) -> list[tuple[str, str, str]]:
    inventory = Inventory(source="hosts.txt", hosts={host.name: host for host in hosts})
    plan = Plan(load_text(matrix.replace("{role: absent}", "{not: {role: web}}")), inventory, Wishes())
    return [(one.message, one.service, one.rule) for one in remarks_on(plan)]


def host(name: str, *roles: str, **variables: object) -> Host:
    return Host(name=name, addresses=(f"10.0.0.{len(name)}",), roles=roles, vars=variables)


def test_services_that_want_one_port_of_a_host() -> None:
    both = [host(name, "web", "db", rack="a") for name in ("a", "b", "c", "d", "e", "f")]
    assert said(*both) == [
        ("services 'pool' and 'sql' share tcp 9005 on a, b, c, d, e and 1 more", "sql", ""),
    ]


def test_a_variable_of_one_host_makes_them_meet() -> None:
    odd, even = host("odd", "web", "db", rack="a", api_port=5432), host("even", "web", "db", rack="a")
    assert ("services 'api' and 'sql' share tcp 5432 on odd", "sql", "") in said(odd, even)


def test_a_row_that_leads_nowhere_although_its_roles_are_there() -> None:
    assert said(host("w", "web", rack="a"), host("db", "db", rack="b")) == []  # each web host reaches its own api
    text = MATRIX.replace("to: [api, sql]", "to: sql").replace("[pool, names]", "[pool, names, api]")
    found = said(host("w", "web", rack="a"), host("db", "db", rack="b"), matrix=text)
    assert found == [("ask matches no pair of these hosts, although there are hosts of web", "", "ask")]
    assert said(host("w", "web", rack="a"), matrix=text) == []  # there is no db


def test_what_one_row_wants_and_another_forbids_for_these_hosts() -> None:
    text = MATRIX + "  - {id: shut, from: db, to: pool, expect: block}\n"
    assert said(host("w", "web", rack="a"), host("db", "db", rack="a"), matrix=text) == []
    found = said(host("w", "web", rack="a"), host("both", "web", "db", rack="a"), matrix=text)
    assert [message for message, _, _ in found if "shut" in message] == [
        "shut forbids both to reach pool on w (tcp 9000-9010), and another row wants it reached"
    ]
