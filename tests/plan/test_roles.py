"""Roles, profiles, and what of an inventory a matrix does not know."""

from __future__ import annotations

from typing import Any

import pytest

from probe.errors import UserError
from probe.model.words import Zone
from probe.plan import Plan, Wishes
from probe.plan.roles import main_role, roles_of


@pytest.mark.parametrize(
    ("groups", "zone", "roles", "main"),
    [
        (("web",), Zone.INSIDE, ("agent", "web"), "web"),
        (("db", "front"), Zone.INSIDE, ("agent", "web", "db"), "web"),  # the matrix's order, its own names
        ((), Zone.INSIDE, ("agent",), "agent"),
        (("staff",), Zone.INSIDE, ("agent",), "agent"),
        ((), Zone.OUTSIDE, (), "outside"),
        (("web",), Zone.OUTSIDE, ("web",), "web"),
        (("agent",), Zone.OUTSIDE, ("agent",), "outside"),  # named is named, wherever it stands
    ],
)
def test_the_roles_of_a_host(make: Any, groups: Any, zone: Zone, roles: Any, main: str) -> None:
    matrix, host = make.matrix(), make.host("h", *groups, zone=zone)
    found = roles_of(matrix, host)
    assert found == roles
    assert main_role(matrix, found, zone) == main


def notes(make: Any, groups: dict[str, tuple[str, ...]], **roles: tuple[str, ...]) -> list[str]:
    hosts = [make.host(name, *named) for name, named in roles.items()]
    return list(Plan(make.matrix(), make.inventory(*hosts, groups=groups), Wishes()).notes)


def test_a_group_that_looks_misspelt_is_told(make: Any) -> None:
    found = notes(make, {"all": ("c1",), "cahce": ("c1",)}, c1=("cahce",))
    assert found == ["group 'cahce' is no role of shop: did you mean 'cache'?"]


def test_a_group_that_nobody_knows_is_told_where_its_hosts_have_no_role(make: Any) -> None:
    found = notes(make, {"printers": ("p1",)}, p1=("printers",))
    (note,) = found
    assert note.startswith("group 'printers' is no role of shop; its ")


@pytest.mark.parametrize(
    "groups",
    [
        {"berlin": ("w1",), "web": ("w1",)},  # a place, whose hosts have roles
        {"empty": ()},
        {"all": ("w1",), "ungrouped": ()},
        {"www": ("w1",)},  # an alias
    ],
    ids=["place", "empty", "ansible's", "alias"],
)
def test_ordinary_groups_are_no_news(make: Any, groups: dict[str, tuple[str, ...]]) -> None:
    assert notes(make, groups, w1=("web", *groups)) == []


class TestProfile:
    def test_one_whose_roles_are_there(self, make: Any) -> None:
        assert list(make.plan(profile="small").all_checks())

    def test_one_whose_roles_are_not(self, make: Any) -> None:
        with pytest.raises(UserError, match=r"--profile small: no host of the inventory has the role db; .* web, db"):
            make.plan(make.host("w1", "web"), profile="small")

    def test_one_that_does_not_exist(self, make: Any) -> None:
        with pytest.raises(UserError, match=r"--profile huge: shop has no such profile \(there is: small\)"):
            make.plan(profile="huge")


def test_a_misspelt_role_of_ours_is_an_error_with_the_nearest(make: Any) -> None:
    """A group may be anything; a host whose own role is unknown would not be checked, and nobody would know."""
    hosts = [make.host("w1", "web"), make.host("d1", vars={"portcheck_roles": "web, dbb"})]
    with pytest.raises(UserError, match=r"host 'd1': portcheck_roles: 'dbb' is no role of shop\n  hint: .*'db'"):
        Plan(make.matrix(), make.inventory(*hosts), Wishes())


def test_a_host_without_an_agent_is_a_target_only(make: Any) -> None:
    plan = make.plan(make.host("w1", "web"), make.host("d1", "db", vars={"portcheck_agent": "none"}))
    assert plan.sources == ("w1",)
    assert {check.source for check in plan.all_checks()} == {"w1"}
    assert "d1" in {check.target for check in plan.all_checks()}
    assert plan.notes == ("d1: no agent (portcheck_agent=none), so checked as a target only",)
