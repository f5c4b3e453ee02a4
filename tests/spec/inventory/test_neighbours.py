"""group_vars and host_vars. What wins where is compared with Ansible in test_ansible.py."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from probe.model.words import Zone
from probe.spec.diagnostics import SpecError
from probe.spec.inventory import examine, load

if TYPE_CHECKING:
    from conftest import Refused, Tree


def test_origins_name_the_owner_and_the_file(tree: Tree) -> None:
    tree(
        {
            "inv/hosts": "[web]\nw1:22 a=1\n[all:vars]\nb=1\nc=1\nd=1\ne=1\n[web:vars]\nc=2\n",
            "inv/group_vars/all": "d: 2\nf: 1\n",
            "inv/group_vars/web/main.yml": "e: 2\n",
            "inv/host_vars/w1.json": '{"g": 1}',
            "group_vars/web": "f: 2\n",
            "host_vars/w1": "h: 1\n",
        }
    )
    assert load("inv/hosts").hosts["w1"].origins == {
        "ansible_port": "host",
        "a": "host",
        "b": "group all",
        "c": "group web",
        "d": "group all, group_vars/all",
        "e": "group web, group_vars/web/main.yml",
        "f": "group web, ./group_vars/web",
        "g": "host, host_vars/w1.json",
        "h": "host, ./host_vars/w1",
    }


def test_the_working_directory_is_read_once_where_it_is_the_inventorys(tree: Tree) -> None:
    folder = tree({"hosts": "w1\n", "group_vars/all": "x: 1\n"})
    for path in ("hosts", "./hosts", str(folder / "hosts")):
        assert load(path).hosts["w1"].origins == {"x": "group all, group_vars/all"}


def test_what_portcheck_reads_may_stand_there(tree: Tree) -> None:
    tree(
        {
            "hosts": "[web]\nw1\n",
            "group_vars/all.yml": "portcheck_matrix: aiware\n",
            "group_vars/web.yml": "portcheck_zone: outside\n",
            "host_vars/w1.yml": "portcheck_address: [10.0.0.1, 10.0.0.2]\n",
        }
    )
    found = load("hosts")
    assert found.vars == {"portcheck_matrix": "aiware"}
    assert found.hosts["w1"].zone is Zone.OUTSIDE
    assert found.hosts["w1"].addresses == ("10.0.0.1", "10.0.0.2")


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("group_vars/web.yml", "# c\nportcheck_zone: dmz\n", "group_vars/web.yml:2:1: portcheck_zone is 'dmz'"),
        ("group_vars/web", "portcheck_zon: inside\n", "group_vars/web:1:1: there is no variable 'portcheck_zon'"),
        ("host_vars/w1.json", '{"ansible_host": 5}', "host_vars/w1.json:1:2: ansible_host is 5"),
        ("group_vars/all/x.yml", "- a\n", "group_vars/all/x.yml: variables are expected here"),
        ("group_vars/web.yml", "1: x\n", "group_vars/web.yml:1:1: the name of a variable is 1"),
        ("group_vars/web.yml", "a: 1\na: 2\n", "group_vars/web.yml:2:1: the key 'a' is here twice"),
        ("group_vars/web.yml", "a: [\n", "group_vars/web.yml:2:1: this is no YAML"),
        ("group_vars/web", "$ANSIBLE_VAULT;1.1\n", "group_vars/web: the whole file is encrypted"),
        ("host_vars/w1", "a: !vault x\n", "host_vars/w1:1:4: a value that is encrypted"),
    ],
)
def test_problems_name_the_file_and_the_place(name: str, text: str, message: str, tree: Tree, refused: Refused) -> None:
    tree({"hosts": "[web]\nw1\n", name: text})
    assert refused("hosts").startswith(message)


def test_problems_of_all_files_are_told(tree: Tree, refused: Refused) -> None:
    tree(
        {
            "hosts": "[web]\nw1\n[db]\nw1 portcheck_zone=dmz\n",
            "group_vars/all": "- a\n",
            "group_vars/web": "a: [\n",
            "host_vars/w1": "b: [\n",
        }
    )
    text = refused("hosts")
    assert [
        name for name in ("group_vars/all: ", "group_vars/web:2", "host_vars/w1:2", "hosts:4:4") if name not in text
    ] == []


def test_a_link_in_a_circle(tree: Tree, refused: Refused) -> None:
    folder = tree({"hosts": "[web]\nw1\n", "group_vars/web/a.yml": "x: 1\n"})
    (folder / "group_vars" / "web" / "again").symlink_to(".")
    assert "nested deeper than 20 levels" in refused("hosts")


def test_a_pipe_is_not_waited_for(tree: Tree, refused: Refused) -> None:
    folder = tree({"hosts": "[web]\nw1\n", "group_vars/all": "x: 1\n"})
    os.mkfifo(folder / "group_vars" / "web")
    assert "group_vars/web: is neither a file nor a directory" in refused("hosts")


def test_a_name_that_is_a_path_of_its_own(tree: Tree) -> None:
    folder = tree({"other/x.yml": "x: 1\n"})
    tree({"hosts": f"[{folder}/other/x]\nw1\n", "group_vars/all": "y: 1\n"})
    assert load("hosts").hosts["w1"].vars == {"y": 1}


LISTING = '{"_meta": {"hostvars": {"w1": {"x": 1}}}, "web": {"hosts": ["w1"]}}'


def test_a_listing_holds_all_variables_already(tree: Tree) -> None:
    tree({"inv/inventory.json": LISTING, "inv/group_vars/web": "x: 2\ny: 2\n", "group_vars/web": "x: 3\n"})
    found, warnings = examine("inv/inventory.json")
    assert found.hosts["w1"].vars == {"x": 1}
    assert [warning.message for warning in warnings] == [
        "group_vars/ and host_vars/ beside this file are not read: it holds all variables already"
    ]


def test_a_listing_in_a_directory_is_one_file_of_several(tree: Tree) -> None:
    tree({"inv/a.json": LISTING, "inv/b": "w2\n", "inv/group_vars/web": "y: 2\n"})
    assert load("inv").hosts["w1"].vars == {"x": 1, "y": 2}


def test_standard_input_has_no_neighbours(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tree({"hosts": "w1\n", "group_vars/all": "x: 1\n"})
    with (folder / "hosts").open() as file:
        monkeypatch.setattr("sys.stdin", file)
        assert load("-").hosts["w1"].vars == {}


def test_a_directory_that_may_not_be_read(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    # Root may read everything, so the refusal is played.
    folder = tree({"hosts": "[web]\nw1\n", "group_vars/web/a": "x: 1\n"})

    def refuse(path: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(type(folder), "iterdir", refuse)
    with pytest.raises(SpecError, match="group_vars/web: cannot be read: Permission denied"):
        load("hosts")
