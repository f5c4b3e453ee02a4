"""Which groups a host is in, and whose variable wins."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from probe.spec.diagnostics import SpecError
from probe.spec.inventory import draft

if TYPE_CHECKING:
    from conftest import Load


def test_precedence(read: Load) -> None:
    found = read(
        """
h1 a=host
[child]
h1
[parent:children]
child
[all:vars]
a=all
b=all
c=all
d=all
[parent:vars]
a=parent
b=parent
c=parent
[child:vars]
a=child
b=child
"""
    )
    assert found.hosts["h1"].vars == {"a": "host", "b": "child", "c": "parent", "d": "all"}


@pytest.mark.parametrize(
    ("priorities", "winner"),
    [({}, "zeta"), ({"alpha": 10}, "alpha"), ({"alpha": "'3'", "zeta": 2}, "alpha"), ({"zeta": 0}, "alpha")],
)
def test_equals_go_by_priority_then_by_name(priorities: dict[str, object], winner: str, read: Load) -> None:
    text = "[zeta]\nh1\n[alpha]\nh1\n[alpha:vars]\nx=alpha\n[zeta:vars]\nx=zeta\n"
    text += "".join(f"[{name}:vars]\nansible_group_priority={value}\n" for name, value in priorities.items())
    assert read(text).hosts["h1"].vars == {"x": winner}


@pytest.mark.parametrize("order", [("top", "flat"), ("flat", "top")])
def test_the_longest_way_counts_as_depth(order: tuple[str, str], read: Load) -> None:
    # `deep` is a child of `flat` and a grandchild of `top`: it is deeper than `middle`, and wins in spite of its name.
    sections = {"top": "[top:children]\nmiddle\n[middle:children]\ndeep\n", "flat": "[flat:children]\ndeep\n"}
    text = "".join(sections[name] for name in order)
    found = read(f"{text}[deep]\nh1\n[middle]\nh1\n[deep:vars]\nx=deep\n[middle:vars]\nx=middle\n")
    assert found.hosts["h1"].vars == {"x": "deep"}
    assert found.hosts["h1"].roles[:2] == ("deep", "middle")
    assert set(found.hosts["h1"].roles[2:]) == {"top", "flat"}


def test_ungrouped_holds_what_is_in_no_other_group(read: Load) -> None:
    found = read("a1\nb1\n[web]\nb1\n[all]\nc1\n[ungrouped:vars]\nx=1\n")
    assert found.groups["ungrouped"] == ("a1", "c1")
    assert found.groups["all"] == ("c1", "a1", "b1")
    assert {name: host.vars for name, host in found.hosts.items()} == {"a1": {"x": 1}, "b1": {}, "c1": {"x": 1}}
    assert found.hosts["a1"].roles == ()


def test_children_are_the_groups_directly_below(read: Load) -> None:
    found = read("[site:children]\nweb\ndb\n[web]\nw1\n[db]\n[rack:children]\nweb\n")
    assert found.children == {
        "all": ("ungrouped", "site", "rack"),
        "ungrouped": (),
        "site": ("web", "db"),
        "web": (),
        "db": (),
        "rack": ("web",),
    }


def test_origins_name_who_wins(read: Load) -> None:
    found = read("[web]\nw1:22 a=1\n[site:children]\nweb\n[site:vars]\na=2\nb=2\n[all:vars]\nb=3\nc=3\ngroups=x\n")
    assert found.hosts["w1"].origins == {"a": "host", "b": "group site", "c": "group all", "ansible_port": "host"}


def test_a_host_of_all_that_is_named_as_a_group(read: Load) -> None:
    # Ansible takes it for the group, which so becomes a child of `ungrouped`.
    found = read("[all]\nweb\n[web]\nw1\n[ungrouped:vars]\nx=1\n")
    assert found.children["ungrouped"] == ("web",)
    assert found.groups["ungrouped"] == ("w1",)
    assert {name: host.vars for name, host in found.hosts.items()} == {"web": {}, "w1": {"x": 1}}


def test_names_that_ansible_keeps_for_itself(read: Load) -> None:
    assert read("a1 inventory_dir=x groups=y mine=1\n").hosts["a1"].vars == {"mine": 1}


def test_variables_of_all_are_the_inventorys(read: Load) -> None:
    assert read("a1\n[all:vars]\nportcheck_matrix=aiware\n").vars == {"portcheck_matrix": "aiware"}


def test_every_cycle_is_named(read: Load) -> None:
    with pytest.raises(SpecError) as caught:
        read("h1\n[a:children]\nb\n[b:children]\na\n[c:children]\nd\n[d:children]\nc\nd\n")
    messages = [problem.message.partition(": ")[2] for problem in caught.value.diagnostics]
    assert messages == ["a → b → a", "c → d → c", "d → d"]


def test_all_cannot_be_below(read: Load) -> None:
    with pytest.raises(SpecError, match="all → web → all"):
        read("h1\n[web:children]\nall\n")


def test_nesting_is_bounded(read: Load) -> None:
    chain = "".join(f"[g{level}:children]\ng{level + 1}\n" for level in range(3000))
    with pytest.raises(SpecError, match="nested deeper than 100 levels"):
        read(f"{chain}[g3000]\nh1\n")


def test_hosts_are_bounded(read: Load) -> None:
    with pytest.raises(SpecError, match="more than 100,000 hosts"):
        read("h[1:60000]\nk[1:60000]\n")


def test_memberships_are_bounded(read: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(draft, "MAX_STEPS", 1000)
    with pytest.raises(SpecError, match="memberships and variables"):
        read("[g1]\nh[1:400]\n[g2]\nh[1:400] x=1\n")


def test_a_problem_that_many_hosts_inherit_counts_once(read: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(draft, "MAX_PROBLEMS", 1)
    with pytest.raises(SpecError) as caught:
        read("[web]\nw[1:50]\n[web:vars]\nportcheck_zone=dmz\n")
    assert len(caught.value.diagnostics) == 1
