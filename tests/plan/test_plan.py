"""Which checks come of a matrix and an inventory."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from probe.errors import UserError
from probe.model.conditions import Condition
from probe.model.matrix import EVERY_HOST, OUTSIDE, Service, Variable
from probe.model.words import Expect, Need, Policy, Protocol, Transport, Zone
from probe.plan import Plan, Wishes

from .laying import ways


def test_a_role_reaches_a_service_and_nothing_else(make: Any) -> None:
    plan = make.plan()
    assert ways(plan.checks("w1")) == {
        "w1>d1:5432/tcp sql",
        "w1>w1:22/tcp ssh",
        "w1>d1:22/tcp ssh",
        "w1>w1:80,443/tcp site",
    }
    assert ways(plan.checks("w1"), Expect.BLOCK) == {"w1>d1:123/udp clock"}


def test_a_check_says_where_it_comes_from(make: Any) -> None:
    (check,) = (check for check in make.plan().checks("w1") if check.service == "sql")
    assert (check.source_role, check.target_role) == ("web", "db")
    assert (check.rule, check.matrix, check.need, check.policy) == ("flows[0]", "shop", Need.REQUIRED, Policy.ENFORCE)
    assert (check.protocol, check.transport) == (Protocol.TCP, Transport.TCP)
    assert check.address == "10.0.0." + str(1 + sum(b"d1") % 250)


def test_an_alias_and_a_role_by_variable_mean_the_role(make: Any) -> None:
    plan = make.plan(make.host("w1", "www"), make.host("d1", "staff", "db"))
    assert plan.role("w1") == "web"
    assert plan.roles("d1") == ("agent", "db")
    assert "w1>d1:5432/tcp sql" in ways(plan.checks("w1"))


def test_a_host_without_a_role_is_still_every_host(make: Any) -> None:
    plan = make.plan(make.host("x1"), make.host("w1", "web"))
    assert ways(plan.checks("x1")) == {"x1>x1:22/tcp ssh", "x1>w1:22/tcp ssh"}
    assert ways(plan.checks("x1"), Expect.BLOCK) == {"x1>w1:80,443/tcp site"}


def test_outside_is_no_every_host(make: Any) -> None:
    plan = make.plan(make.host("out", zone=Zone.OUTSIDE), make.host("w1", "web"), make.host("d1", "db"))
    assert plan.role("out") == "outside"
    assert ways(plan.checks("out")) == {"out>w1:80,443/tcp site"}
    assert ways(plan.checks("out"), Expect.BLOCK) == {
        "out>w1:22/tcp ssh",
        "out>d1:22/tcp ssh",
        "out>d1:5432/tcp sql",
        "out>d1:123/udp clock",
    }
    assert {check.policy for check in plan.checks("out") if check.expect is Expect.BLOCK} == {Policy.ENFORCE}
    assert not [check for check in plan.all_checks() if check.target == "out"]  # it offers nothing


@pytest.mark.parametrize(
    ("when", "holds"),
    [
        (Condition(role="cache"), False),
        (Condition(negated=Condition(role="cache")), True),
        (Condition(all_of=(Condition(role="db"), Condition(role="web"))), True),
        (Condition(any_of=(Condition(role="cache"), Condition(role="agent"))), True),
    ],
    ids=["role", "not", "all", "any"],
)
def test_a_flow_may_depend_on_the_roles_that_are_there(make: Any, when: Condition, holds: bool) -> None:
    matrix = make.matrix(flows=(make.flow(0, "web", "sql", when=when),))
    assert ("w1>d1:5432/tcp sql" in ways(make.plan(matrix=matrix).checks("w1"))) is holds


class TestBlocked:
    """What no flow allows."""

    def test_a_port_that_some_flow_allows_is_not_forbidden(self, make: Any) -> None:
        services = dict(make.matrix().services)
        services["sql-admin"] = Service(name="sql-admin", roles=("db",), port="5430-5433", matrix="shop")
        plan = make.plan(matrix=make.matrix(services=services))
        assert ways(plan.checks("w1"), Expect.BLOCK) == {
            "w1>d1:5430-5431,5433/tcp sql-admin",
            "w1>d1:123/udp clock",
        }

    def test_a_port_that_two_services_name_is_forbidden_once(self, make: Any) -> None:
        services = dict(make.matrix().services)
        services["sql-too"] = Service(name="sql-too", roles=("db",), port="5432-5433", matrix="shop")
        matrix = make.matrix(services=services, flows=())
        assert ways(make.plan(matrix=matrix).checks("w1"), Expect.BLOCK) == {
            "w1>d1:22/tcp ssh",
            "w1>d1:5432/tcp sql",
            "w1>d1:5433/tcp sql-too",
            "w1>d1:123/udp clock",
        }

    def test_the_other_transport_is_another_port(self, make: Any) -> None:
        services = {
            "dns": Service(name="dns", roles=("db",), port="53", matrix="shop"),
            "dns-udp": Service(name="dns-udp", roles=("db",), port="53", protocols=("udp",), matrix="shop"),
        }
        plan = make.plan(matrix=make.matrix(services=services, flows=(make.flow(0, "web", "dns"),)))
        assert ways(plan.checks("w1"), Expect.BLOCK) == {"w1>d1:53/udp dns-udp"}

    def test_a_local_service_must_not_be_reached(self, make: Any) -> None:
        services = {"sql": Service(name="sql", roles=("db",), port="5432", local=True, matrix="shop")}
        plan = make.plan(matrix=make.matrix(services=services, flows=()))
        assert ways(plan.checks("w1"), Expect.BLOCK) == {"w1>d1:5432/tcp sql"}

    def test_never_from_a_host_to_itself(self, make: Any) -> None:
        found = ways(make.plan(matrix=make.matrix(flows=())).checks("d1"), Expect.BLOCK)
        assert found == {"d1>w1:22/tcp ssh", "d1>w1:80,443/tcp site"}

    @pytest.mark.parametrize(
        ("policy", "strict", "worth"),
        [
            ({}, False, {"x1": "advise", "out": "enforce"}),
            ({}, True, {"x1": "enforce", "out": "enforce"}),
            ({Zone.INSIDE: Policy.ENFORCE, Zone.OUTSIDE: Policy.ADVISE}, False, {"x1": "enforce", "out": "advise"}),
            ({Zone.INSIDE: Policy.IGNORE}, False, {"out": "enforce"}),
            ({Zone.INSIDE: Policy.IGNORE}, True, {"out": "enforce"}),
        ],
        ids=["default", "default-strict", "own", "ignore", "ignore-strict"],
    )
    def test_what_it_is_worth(self, make: Any, policy: Any, strict: bool, worth: dict[str, str]) -> None:
        hosts = (make.host("x1"), make.host("out", zone=Zone.OUTSIDE), make.host("d1", "db"))
        plan = make.plan(*hosts, matrix=make.matrix(policy=policy), strict=strict)
        found = {check.source: check.policy for check in plan.all_checks() if check.expect is Expect.BLOCK}
        assert found == worth

    def test_it_is_plain_tcp_or_udp(self, make: Any) -> None:
        plan = make.plan(make.host("x1"), make.host("w1", "web"), make.host("d1", "db"))
        found = {check.service: check.protocol for check in plan.checks("x1") if check.expect is Expect.BLOCK}
        assert found == {"site": Protocol.TCP, "sql": Protocol.TCP, "clock": Protocol.UDP}


def test_the_strongest_need_wins_and_the_others_are_named(make: Any) -> None:
    flows = (
        make.flow(0, "web", "sql", need=Need.OPTIONAL),
        make.flow(1, "cache", "sql"),
        make.flow(2, EVERY_HOST, "sql", need=Need.RECOMMENDED),
    )
    (check,) = (check for check in make.plan(matrix=make.matrix(flows=flows)).checks("w1") if check.service == "sql")
    assert (check.need, check.rule, check.also) == (Need.RECOMMENDED, "flows[2]", ("flows[0]",))


class TestVariables:
    """--set over the inventory over the default."""

    @pytest.mark.parametrize(
        ("inventory", "wish", "port"),
        [({}, {}, "5432"), ({"db_port": 6000}, {}, "6000"), ({"db_port": 6000}, {"db_port": "7000"}, "7000")],
        ids=["default", "inventory", "set"],
    )
    def test_who_wins(self, make: Any, inventory: dict[str, Any], wish: dict[str, str], port: str) -> None:
        plan = make.plan(make.host("w1", "web"), make.host("d1", "db", vars=inventory), values=wish)
        assert f"w1>d1:{port}/tcp sql" in ways(plan.checks("w1"))

    def test_each_host_has_its_own(self, make: Any) -> None:
        hosts = [make.host(f"d{port}", "db", vars={"db_port": port}) for port in (6001, 6002)]
        assert ways(make.plan(make.host("w1", "web"), *hosts).checks("w1")) >= {
            "w1>d6001:6001/tcp sql",
            "w1>d6002:6002/tcp sql",
        }

    def test_one_that_nobody_knows(self, make: Any) -> None:
        with pytest.raises(UserError, match=r"--set dbport: shop has no such variable \(there is: db_port, admin\)"):
            make.plan(values={"dbport": "1"})

    def test_one_that_is_no_port(self, make: Any) -> None:
        with pytest.raises(UserError, match=r"'sql' on host 'd1': .*70000[^\n]*\n  hint: set it with --set db_port"):
            make.plan(values={"db_port": "70000"})

    def test_one_that_has_no_value(self, make: Any) -> None:
        services = {"sql": Service(name="sql", roles=("db",), port="{nowhere}")}
        matrix = make.matrix(services=services, variables={"nowhere": Variable(name="nowhere")})
        with pytest.raises(UserError, match="service 'sql' on host 'd1': variable 'nowhere' has no value"):
            make.plan(matrix=matrix)


def test_each_address_is_a_check_of_its_own(make: Any) -> None:
    plan = make.plan(make.host("w1", "web"), make.host("d1", "db", addresses=("10.0.0.9", "2001:db8::9")))
    found = [check for check in plan.checks("w1") if check.service == "sql"]
    assert {check.address for check in found} == {"10.0.0.9", "2001:db8::9"}
    assert len({check.id for check in found}) == 2


def test_a_host_and_itself(make: Any) -> None:
    same = [check for check in make.plan().checks("w1") if check.same_host]
    assert {check.service for check in same} == {"ssh", "site"}
    assert all(check.expect is Expect.REACH for check in same)


class TestOrder:
    """Identities hold; the order is the seed's."""

    hosts = 8

    def plan(self, make: Any, **wishes: Any) -> Plan:
        roles = ("web", "db")
        return make.plan(*(make.host(f"h{n}", roles[n % 2]) for n in range(self.hosts)), **wishes)

    def test_identities_are_unique_and_hold_across_seeds(self, make: Any) -> None:
        one, two = ([check.id for check in self.plan(make, seed=seed).all_checks()] for seed in (1, 2))
        assert len(set(one)) == len(one)
        assert set(one) == set(two)
        assert one != two

    def test_an_identity_never_changes(self, make: Any) -> None:
        """Baselines lean on it. If this fails, say so in the changelog."""
        (check,) = (check for check in make.plan().checks("w1") if check.service == "sql")
        assert check.id == "65eedb63b4c6e6a4"

    def test_one_seed_is_one_order(self, make: Any) -> None:
        one, two = ([check.id for check in self.plan(make, seed=5).all_checks()] for _ in range(2))
        assert one == two

    def test_it_goes_round_the_targets(self, make: Any) -> None:
        """No target gets all its visits at once, and no two sources begin with the same one by design."""
        plan = self.plan(make, seed=3)
        first = [check.target for check in plan.checks("h0")][: self.hosts]
        assert len(set(first)) == self.hosts
        begins = {next(plan.checks(source)).target for source in plan.sources}
        assert len(begins) > 1


def test_only_a_part(make: Any) -> None:
    plan = make.plan(only=lambda check: check.service == "sql")
    assert {check.service for check in plan.all_checks()} == {"sql"}


def test_a_hundred_thousand_checks_cost_little_memory(make: Any) -> None:
    """They are made as they are asked for."""
    names = [f"h{number:03d}" for number in range(330)]
    hosts = {name: make.host(name, "db", addresses=(f"10.1.{n // 250}.{n % 250 + 1}",)) for n, name in enumerate(names)}
    matrix = make.matrix(
        services={"ssh": Service(name="ssh", roles=("agent",), port="22")}, flows=(make.flow(0, EVERY_HOST, "ssh"),)
    )
    inventory = make.inventory(*hosts.values())
    before, count, most = sys.getallocatedblocks(), 0, 0
    for count, _ in enumerate(Plan(matrix, inventory, Wishes()).all_checks(), 1):
        if count % 1000 == 1:
            most = max(most, sys.getallocatedblocks() - before)
    assert count == 330 * 330 > 100_000
    assert most * 512 < 60e6  # no block that Python counts is larger than 512 bytes


def test_outside_needs_no_flow_to_be_a_source(make: Any) -> None:
    plan = make.plan(make.host("out", zone=Zone.OUTSIDE), matrix=make.matrix(flows=(make.flow(0, OUTSIDE, "site"),)))
    assert list(plan.all_checks()) == []
