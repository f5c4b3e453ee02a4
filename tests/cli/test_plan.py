"""What `portcheck plan` says of what cannot be checked, and of the variables."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

MATRIX = """\
portcheck: 1
name: shop
title: A shop
variables:
  sql_port: {default: 47811, help: port of the database}
  nfs_port: {type: port, default: random, help: port of mountd}
  shop_tls: {type: boolean, default: false, help: whether the shop has TLS}
  rack: {type: text, help: where the host stands}
  mirrors: {type: endpoints, default: [], help: where packages come from}
roles:
  web: {help: front}
  db: {help: data}
services:
  sql: {role: db, port: "{sql_port}", protocol: postgresql}
  mountd: {role: db, port: "{nfs_port}", protocol: sunrpc}
  failover: {role: db, protocol: vrrp}
  console: {role: db, port: 8443, protocol: tcp, unchecked: "WHY"}
flows:
FLOWS
policy: {inside: ignore, outside: ignore}
"""
FLOWS = """\
  - {from: web, to: sql}
  - {from: web, to: [mountd, failover, console], need: optional}
"""
HOSTS = """\
[web]
w1 portcheck_address=10.0.0.1
w2 portcheck_address=10.0.0.2
w3 portcheck_address=10.0.0.3
w4 portcheck_address=10.0.0.4
[db]
d1 portcheck_address=10.0.0.9 rack=north
[db:vars]
sql_port=5433
[all:vars]
portcheck_matrix=shop.yaml
"""


def write(folder: Path, flows: str = FLOWS, why: str = "a person has to log in") -> None:
    (folder / "shop.yaml").write_text(MATRIX.replace("WHY", why).replace("FLOWS\n", flows))
    (folder / "hosts.txt").write_text(HOSTS)


@pytest.fixture(params=[80, 200])
def width(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setenv("COLUMNS", str(request.param))
    return int(request.param)


def blocks(out: str) -> dict[str, list[str]]:
    """The lines of each table, by its first line."""
    parts = [part.splitlines() for part in out.strip().split("\n\n")]
    return {lines[0]: lines[1:] for lines in parts}


def test_no_line_is_wider_than_the_terminal(portcheck: Any, shop: Path, width: int) -> None:
    write(shop, why="a long story that goes on and on " * 20)
    matrix = (shop / "shop.yaml").read_text()
    matrix = matrix.replace("port: 8443", f"port: {list(range(8443, 8643, 2))}")
    (shop / "shop.yaml").write_text(matrix.replace("console", "console-of-the-database"))
    _, out, _ = portcheck(
        "plan", "-i", "hosts.txt", "--set", f"mirrors={','.join(f'm{n}.example.com' for n in range(40))}"
    )
    assert max(map(len, out.splitlines())) <= width


def test_what_cannot_be_checked_is_told_with_its_reason(portcheck: Any, shop: Path, width: int) -> None:
    write(shop)
    code, out, _ = portcheck("plan", "-i", "hosts.txt")
    assert code == 0
    lines = blocks(out)["Not checkable: 3 rows of the matrix"]
    rows = [tuple(line.split()) for line in lines]
    assert rows[0] == ("FROM", "TO", "SERVICE", "WHAT", "WORTH", "WHY")
    assert ("web", "db", "failover", "vrrp", "optional", "(2)") in rows
    assert ("web", "db", "console", "tcp", "8443", "optional", "(3)") in rows
    assert ("web", "db", "mountd", "sunrpc", "{nfs_port}", "optional", "(1)") in rows
    assert "(2) IP protocol 112 has no ports" in lines
    assert "(3) a person has to log in" in lines


def test_variables_are_told_with_their_origins(portcheck: Any, shop: Path, width: int) -> None:
    write(shop)
    _, out, _ = portcheck("plan", "-i", "hosts.txt", "--set", "shop_tls=yes")
    lines = blocks(out)["Variables"]
    assert [line.split() for line in lines[:6]] == [
        ["NAME", "VALUE", "ORIGIN", "HOSTS"],
        ["sql_port", "47811", "default", "w[1:4]"],
        ["sql_port", "5433", "group", "db", "d1"],
        ["shop_tls", "true", "--set", "all"],
        ["rack", "-", "not", "set", "w[1:4]"],
        ["rack", "north", "host", "d1"],
    ]
    assert lines[6:] == ["default everywhere: nfs_port random; mirrors empty"]


def test_a_variable_that_nobody_gave_is_named(portcheck: Any, shop: Path) -> None:
    write(shop)
    (shop / "hosts.txt").write_text(HOSTS.replace(" rack=north", ""))
    _, out, _ = portcheck("plan", "-i", "hosts.txt")
    assert blocks(out)["Variables"][-1] == "not set anywhere: rack"


def test_both_are_in_the_json(portcheck: Any, shop: Path) -> None:
    write(shop)
    _, out, _ = portcheck("plan", "-i", "hosts.txt", "--json")
    document = json.loads(out)
    assert [row["service"] for row in document["not_checkable"]] == ["mountd", "failover", "console"]
    assert document["not_checkable"][1]["reason"] == "IP protocol 112 has no ports"
    assert {"name": "sql_port", "value": "5433", "origin": "group db", "hosts": ["d1"]} in document["variables"]
    assert {check["application"] for check in document["checks"]} == {"postgresql"}


def test_a_plan_of_nothing_that_can_be_checked(portcheck: Any, shop: Path) -> None:
    write(shop, "  - {from: web, to: failover}\n")
    code, out, err = portcheck("plan", "-i", "hosts.txt")
    assert code == 5
    assert "Not checkable: 1 row of the matrix" in blocks(out)
    assert err == "nothing to check: 1 row of the matrix cannot be checked: IP protocol 112 has no ports\n"
    code, out, _ = portcheck("plan", "-i", "hosts.txt", "--json")
    assert (code, json.loads(out)["checks"], len(json.loads(out)["not_checkable"])) == (5, [], 1)


def test_only_is_to_blame_where_it_leaves_nothing(portcheck: Any, shop: Path) -> None:
    write(shop)
    code, _, err = portcheck("plan", "-i", "hosts.txt", "--only", "service=nothing")
    assert (code, err) == (5, "nothing to check: --only leaves nothing\n")


def test_what_files_say_does_not_steer_the_terminal(portcheck: Any, shop: Path) -> None:
    write(shop)
    (shop / "hosts.txt").write_text(HOSTS.replace("rack=north", 'rack="no\u202ert\x9bh"'))
    _, out, _ = portcheck("plan", "-i", "hosts.txt")
    assert all(line.isprintable() for line in out.splitlines())
    assert r"no\u202ert\x9bh" in out
