from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from probe.spec.inventory import directory, load

if TYPE_CHECKING:
    from conftest import Refused, Tree


def test_the_order_is_that_of_the_names(tree: Tree) -> None:
    tree({"inv/b/x": "", "inv/b/a": "", "inv/a": "", "inv/c.yml": "", "inv/B": ""})
    assert directory.files("inv") == ["inv/B", "inv/a", "inv/b/a", "inv/b/x", "inv/c.yml"]


def test_every_file_is_heard(tree: Tree, refused: Refused) -> None:
    tree({"inv/1": "w1 x\n", "inv/2.yml": "- x\n", "inv/3": "w2 portcheck_zone=dmz\n"})
    text = refused("inv")
    assert "inv/1:1:4: 'x' is no variable" in text
    assert "inv/2.yml: this is no inventory" in text
    # What follows from a file that was not read is not told.
    assert "dmz" not in text


def test_problems_name_the_file_and_the_place(tree: Tree, refused: Refused) -> None:
    tree({"inv/1": "[web]\nw1\n", "inv/2.yml": "web:\n  vars:\n    portcheck_zone: dmz\n"})
    assert refused("inv").startswith("inv/2.yml:3:5: portcheck_zone is 'dmz'")


def test_nothing_in_it(tree: Tree, refused: Refused) -> None:
    tree({"inv/hosts.txt": "w1\n"})
    text = refused("inv")
    assert text.startswith("inv: no file in this directory is an inventory")
    assert ".txt" in text


def test_no_hosts_in_it(tree: Tree, refused: Refused) -> None:
    tree({"inv/hosts": "# none\n", "inv/more.yml": ""})
    assert refused("inv").startswith("inv: this inventory has no hosts")


def test_advice_names_the_directory(tree: Tree, refused: Refused) -> None:
    tree({"in v/hosts": "w1\n", "in v/aws.yml": "plugin: amazon.aws.aws_ec2\n"})
    assert "ansible-inventory -i 'in v' --list" in refused("in v")


def test_a_link_that_leads_nowhere(tree: Tree, refused: Refused) -> None:
    (tree({"inv/hosts": "w1\n"}) / "inv" / "more").symlink_to("nowhere")
    assert "inv/more: there is no such file" in refused("inv")


def test_a_link_in_a_circle(tree: Tree, refused: Refused) -> None:
    (tree({"inv/hosts": "w1\n"}) / "inv" / "again").symlink_to(".")
    assert "nested deeper than 20 levels" in refused("inv")


def test_a_pipe_is_not_waited_for(tree: Tree, refused: Refused) -> None:
    os.mkfifo(tree({"inv/hosts": "w1\n"}) / "inv" / "pipe")
    assert "inv/pipe: is neither a file nor a directory" in refused("inv")


def test_files_are_bounded(tree: Tree, refused: Refused, monkeypatch: pytest.MonkeyPatch) -> None:
    tree({f"inv/{number}": "w1\n" for number in range(4)})
    monkeypatch.setattr(directory, "MAX_FILES", 3)
    assert "more than 3 files" in refused("inv")


@pytest.mark.parametrize("path", ["inv", "inv/", "./inv"])
def test_however_it_is_named(path: str, tree: Tree) -> None:
    tree({"inv/hosts": "[web]\nw1\n", "inv/group_vars/web.yml": "x: 1\n"})
    assert load(path).hosts["w1"].origins == {"x": "group web, group_vars/web.yml"}
