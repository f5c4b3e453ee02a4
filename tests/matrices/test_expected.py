"""The tables of this folder's tests can fail: a row too many, a row too few, a row that means nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

MATRIX = """
portcheck: 1
name: shop
roles: {web: , db: }
services:
  sql: {role: db, port: 5432}
  clock: {role: db, port: 123, protocol: udp}
  pages: {role: web, port: 8000-8009, protocol: http, listen: some}
flows:
  - {from: web, to: [sql, clock]}
  - {from: every-host, to: sql, need: optional}
  - {from: outside, to: pages}
"""
HOSTS = """
[web]
w1 ansible_host=10.0.0.1
[db]
d1 ansible_host=10.0.0.2
[out]
o1 ansible_host=192.0.2.1 portcheck_zone=outside
"""
TABLE = """
web        > db   5432/tcp
web        > db   123/udp
db         > db   5432/tcp        need=optional
outside    > web  8000-8009/http  listen=some
every-host > db   5432/tcp        need=optional   # web's own row is the stronger
"""


@pytest.fixture
def plan(expected: Any, tmp_path: Path) -> Any:
    (tmp_path / "shop.yaml").write_text(MATRIX)
    return expected.plan([str(tmp_path / "shop.yaml")], HOSTS, tmp_path)


def test_a_table_that_is_right(expected: Any, plan: Any) -> None:
    expected.compare(plan, TABLE)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("123/udp", "123-124/udp", "missing from the plan: w1 > d1 (10.0.0.2)  124/udp"),
        ("123/udp", "123/tcp", "not in the document:  w1 > d1 (10.0.0.2)  123/udp"),
        ("8009/http", "8008/http", "not in the document:  o1 > w1 (10.0.0.1)  8009/http/tcp"),
        ("8009/http  listen=some", "8009/http", "listen=all"),
        ("web        > db   5432/tcp", "", "need=required"),
        ("123/udp", "123/udp hosts=same", "no pair of hosts fits the row: web        > db   123/udp hosts=same"),
        ("123/udp", "123/udp host=same", "unknown option"),
        ("web        > db   123/udp", "web db 123/udp", "SOURCES > TARGETS"),
    ],
)
def test_a_table_that_is_wrong(expected: Any, plan: Any, old: str, new: str, said: str) -> None:
    assert old in TABLE
    with pytest.raises(AssertionError) as caught:
        expected.compare(plan, TABLE.replace(old, new, 1))
    assert said in str(caught.value)
