"""What a run is made of: the files as they are, or as they were when they could be used."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from probe.audit import inputs
from probe.audit.order import Order
from probe.errors import UserError
from probe.model.inventory import Inventory
from probe.model.matrix import Matrix
from probe.spec import inventory, matrix

if TYPE_CHECKING:
    from pathlib import Path

    from probe.plan import Plan


@pytest.fixture
def order(shop: Path, monkeypatch: pytest.MonkeyPatch) -> Order:
    monkeypatch.chdir(shop)
    return Order(audit="shop", inventory="hosts.txt", phase="live", kept="kept")


def plan(order: Order) -> tuple[Plan, list[str]]:
    broken: list[str] = []
    found, _ = inputs.plan(order, lambda _: None, broken.append)
    return found, broken


def ports(found: Plan) -> list[str]:
    return [str(check.ports) for check in found.all_checks()]


def test_each_run_reads_them_anew(order: Order, shop: Path) -> None:
    assert ports(plan(order)[0]) == ["47813"]
    (shop / "shop.yaml").write_text((shop / "shop.yaml").read_text().replace("47813", "5433"))
    found, broken = plan(order)
    assert (ports(found), broken) == (["5433"], [])


@pytest.mark.parametrize("file", ["hosts.txt", "shop.yaml", "group_vars/web.yml"])
@pytest.mark.parametrize("content", ["[[", None])
def test_broken_or_gone_those_of_the_last_run_do(order: Order, shop: Path, file: str, content: str | None) -> None:
    (shop / "group_vars").mkdir()
    (shop / "group_vars/web.yml").write_text("rack: 7\n")
    plan(order)
    (shop / file).unlink()
    if content is not None:
        (shop / file).write_text(content)
    elif file.startswith("group_vars"):
        return  # a variable less is no broken file
    found, broken = plan(order)
    assert ports(found) == ["47813"]
    assert found.inventory.hosts["w1"].vars["rack"] == 7
    assert file in broken[0]


def test_a_line_of_a_file_is_not_told(order: Order, shop: Path) -> None:
    plan(order)
    (shop / "hosts.txt").write_text("[web]\nw1 ansible_password=hunter2 ansible_port='22\n")
    with pytest.raises(UserError, match="hunter2"):
        inventory.load("hosts.txt")
    _, broken = plan(order)
    assert "hosts.txt:2:" in broken[0]
    assert "hunter2" not in broken[0]


def test_files_that_do_not_fit_together_are_broken_too(order: Order, shop: Path) -> None:
    plan(order)
    (shop / "shop.yaml").write_text((shop / "shop.yaml").read_text().replace("47813", '"{nobody_says}"'))
    found, broken = plan(order)
    assert ports(found) == ["47813"]
    assert "nobody_says" in broken[0]


def test_rows_that_contradict_each_other_are_broken_too(order: Order, shop: Path) -> None:
    """That shows only where two services of one host come to have the same port."""
    matrix = (shop / "shop.yaml").read_text()
    matrix = matrix.replace("services:\n", 'services:\n  admin: {role: db, port: "{admin}", protocol: tcp}\n')
    matrix = matrix.replace("flows:\n", "flows:\n  - {from: web, to: admin, expect: block}\n")
    (shop / "shop.yaml").write_text(matrix + "variables: {admin: {default: 1}}\n")
    plan(order)
    (shop / "hosts.txt").write_text((shop / "hosts.txt").read_text() + "admin=47813\n")
    _, broken = plan(order)
    assert "and another row wants it reached" in broken[0]


def test_what_an_order_asks_of_them_holds_for_the_kept_ones(order: Order, shop: Path) -> None:
    plan(order)
    (shop / "hosts.txt").unlink()
    found, _ = plan(msgspec.structs.replace(order, only="service=nothing"))
    assert ports(found) == []


@pytest.mark.parametrize("kept", [None, b"", b"nonsense"])
def test_without_any_the_problem_is_told(order: Order, shop: Path, kept: bytes | None) -> None:
    (shop / "hosts.txt").write_text("[[")
    if kept is not None:
        (shop / "kept").write_bytes(kept)
    with pytest.raises(UserError, match=r"hosts\.txt:1:3"):
        plan(order)


def test_waivers_are_of_them(order: Order, shop: Path) -> None:
    order = msgspec.structs.replace(order, waivers="waivers.yaml")
    said = "portcheck-waivers: 1\nwaivers: [{rule: 'flows[0]', reason: r, owner: o, until: 2026-12-31}]\n"
    for content in (said, "waivers: ["):
        (shop / "waivers.yaml").write_text(content)
        _, waivers = inputs.plan(order, lambda _: None, lambda _: None)
        assert waivers is not None
        assert [(one.reason, one.until) for one in waivers] == [("r", "2026-12-31")]


def test_only_their_owner_reads_them(order: Order, shop: Path) -> None:
    plan(order)
    assert (shop / "kept").stat().st_mode & 0o777 == 0o600


def test_where_they_cannot_be_kept_the_run_is_made(order: Order, shop: Path) -> None:
    (shop / "file").write_text("")
    found, broken = plan(msgspec.structs.replace(order, kept="file/kept"))
    assert (ports(found), broken) == (["47813"], [])


@pytest.mark.parametrize("name", matrix.builtin())
def test_every_matrix_outlives_being_kept(name: str) -> None:
    found = matrix.load([name])
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(found), type=Matrix) == found


def test_so_does_an_inventory_with_variables_of_any_kind(shop: Path) -> None:
    (shop / "hosts.yaml").write_text(
        "all: {hosts: {a1: {portcheck_address: 10.0.0.1, n: {1: [a, 2.5]}, day: 2026-11-21, ok: true, b: 0x10}}}\n"
    )
    found = inventory.load(str(shop / "hosts.yaml"))
    again = msgspec.msgpack.decode(msgspec.msgpack.encode(found), type=Inventory)
    assert again.hosts["a1"].addresses == found.hosts["a1"].addresses
    assert {name: value for name, value in again.hosts["a1"].vars.items() if name != "day"} == {
        name: value for name, value in found.hosts["a1"].vars.items() if name != "day"
    }
