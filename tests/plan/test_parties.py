"""Roles that hold others, parties outside, and what a role says of the rest."""

from __future__ import annotations

import pytest

from probe.errors import UserError
from probe.model.words import Policy, Zone

from .laying import closed, lay, the, ways

HEADS = """
roles:
  agent: {on: every-host}
  head: {includes: [api, store], aliases: [master]}
  api: {}
  store: {includes: disk}
  disk: {includes: spindle}
  spindle: {}
services:
  api: {role: api, port: 443}
  disk: {role: disk, port: 7000}
  agent: {role: agent, port: 22}
flows:
  - {id: a, from: disk, to: api}
  - {id: b, from: api, to: disk}
  - {id: c, from: head, to: agent}
"""
NETWORKS = """
variables:
  developer_nets: {type: addresses, default: 192.168.7.0/24}
roles:
  web: {}
  developer: {zone: outside, networks: ["{developer_nets}", "fd07::/16"], help: people}
  partner: {zone: outside}
services: {site: {role: web, port: 443}, admin: {role: web, port: 9000}}
flows:
  - {id: dev, from: developer, to: admin}
  - {id: out, from: outside, to: site}
"""


class TestIncludes:
    def test_a_host_holds_them_all(self) -> None:
        plan = lay(HEADS, "h master", "d disk", "x")
        assert plan.roles("h") == ("agent", "head", "api", "store", "disk", "spindle")
        assert plan.role("h") == "head"
        assert plan.present == {"agent", "head", "api", "store", "disk", "spindle"}

    def test_as_source_and_as_target(self) -> None:
        plan = lay(HEADS, "h head", "d disk")
        assert ways(plan) == {
            "h>h:443/tcp api",
            "d>h:443/tcp api",
            "h>h:7000/tcp disk",
            "h>d:7000/tcp disk",
            "h>h:22/tcp agent",
            "h>d:22/tcp agent",
        }
        assert closed(plan) == {"d>h:7000/tcp disk", "d>h:22/tcp agent"}

    def test_a_check_names_the_role_that_the_row_is_about(self) -> None:
        check = the(lay(HEADS, "h head", "d disk"), source="h", service="disk", target="d")
        assert (check.source_role, check.target_role) == ("api", "disk")


class TestOutside:
    def test_a_host_with_an_address_in_its_networks_holds_the_role(self) -> None:
        plan = lay(NETWORKS, "w web", "dev zone=outside address=192.168.7.9", "x zone=outside address=192.168.8.9")
        assert (plan.role("dev"), plan.role("x")) == ("developer", "outside")
        assert ways(plan) == {"dev>w:443/tcp site", "dev>w:9000/tcp admin", "x>w:443/tcp site"}
        assert closed(plan) == {"x>w:9000/tcp admin"}

    @pytest.mark.parametrize(
        ("line", "held"),
        [
            ("dev zone=outside address=fd07::1", True),
            ("dev zone=outside address=fd08::1", False),
            ("dev zone=outside address=10.9.9.9,192.168.7.1", True),  # any of them
            ("dev zone=outside address=dev.example", False),  # a name lies in no network
            ("dev address=192.168.7.9", False),  # inside
            ("dev developer address=10.9.9.9", True),  # told
        ],
    )
    def test_who_holds_it(self, line: str, held: bool) -> None:
        plan = lay(NETWORKS, "w web", line)
        assert ("developer" in plan.roles("dev")) is held
        assert ("dev>w:9000/tcp admin" in ways(plan)) is held

    def test_its_networks_may_come_from_a_variable(self) -> None:
        lines = ("w web", "dev zone=outside address=172.16.0.1")
        assert not lay(NETWORKS, *lines).roles("dev")
        for how in (
            {"everywhere": {"developer_nets": "172.16.0.0/12"}},
            {"values": {"developer_nets": "172.16.0.0/12"}},
        ):
            assert lay(NETWORKS, *lines, **how).roles("dev") == ("developer",)

    def test_a_variable_that_holds_no_network(self) -> None:
        with pytest.raises(UserError, match=r"role 'developer': networks: 'lan.example' is no network\n  hint: write "):
            lay(NETWORKS, "w web", values={"developer_nets": "lan.example"})

    @pytest.mark.parametrize(
        ("line", "zone"),
        [
            ("p partner", Zone.OUTSIDE),  # all that it is there for is outside
            ("p partner web", Zone.INSIDE),
            ("p partner web zone=outside", Zone.OUTSIDE),
            ("p", Zone.INSIDE),
        ],
    )
    def test_the_zone_follows_from_the_roles(self, line: str, zone: Zone) -> None:
        assert lay(NETWORKS, "w web", line).zone("p") is zone

    def test_any_is_everybody_inside_and_outside(self) -> None:
        text = NETWORKS.replace("from: outside", "from: any")
        plan = lay(text, "w web", "x", "o zone=outside")
        assert ways(plan) == {"w>w:443/tcp site", "x>w:443/tcp site", "o>w:443/tcp site"}


class TestPolicyOfARole:
    TEXT = """
roles: {web: {}, junk: {policy: ignore}, db: {policy: enforce}}
services: {sql: {role: db, port: 5432}, site: {role: web, port: 80}, junk: {role: junk, port: 9}}
flows: [{from: web, to: sql}]
"""

    @pytest.mark.parametrize(
        ("line", "service", "policy"),
        [
            ("t web", "site", Policy.ADVISE),  # the zone's
            ("t db", "sql", Policy.ENFORCE),
            ("t junk", "junk", None),
            ("t db junk", "junk", Policy.ENFORCE),  # the strictest of its roles, for all that it offers
        ],
    )
    def test_is_worth_more_than_the_zone(self, line: str, service: str, policy: Policy | None) -> None:
        found = {check.service: check.policy for check in lay(self.TEXT, "x", line).checks("x")}
        assert found.get(service) is policy

    def test_and_holds_for_outside_too(self) -> None:
        text = self.TEXT.replace("policy: enforce", "policy: advise")
        assert the(lay(text, "x zone=outside", "d db")).policy is Policy.ADVISE
        assert the(lay(text, "x zone=outside", "d db", strict=True)).policy is Policy.ENFORCE

    def test_not_for_what_a_flow_allows(self) -> None:
        assert closed(lay(self.TEXT, "w web", "d db").checks("w")) == set()
