"""The bullets of "Set Up Firewall Rules", written out by hand from the page, beside the plan over two agents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from probe.errors import UserError
from probe.model.words import Expect, Policy
from probe.spec import matrix

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from probe.plan import Plan

    Make = Callable[..., Plan]

HOSTS = """
[master]
master-1   ansible_host=10.0.0.1
[agent]
agent-1    ansible_host=10.0.0.2 gpus=8
agent-2    ansible_host=10.0.0.3
[developer]
laptop     ansible_host=198.51.100.7 portcheck_zone=outside
[office]
printer    ansible_host=198.51.100.9 portcheck_zone=outside
"""
TLS = """
agent      > master  8443/https
developer  > master  8443/https
"""
PLAIN = """
agent      > master  8080/http
developer  > master  8080/http
"""
# "Outbound TCP to all ports on the Determined agents"; "inbound and outbound TCP on all ports to and from each
# Determined agent". What follows it on the page is part of all ports, but for the protocol that one of them speaks.
TABLE = """
master     > agent   1-65535/tcp  listen=some
agent      > agent   1-65535/tcp  listen=some hosts=other
agent      > agent   12350/ssh    listen=some hosts=other
"""

# "The details are as follows", each from every agent to every other: row | service | ports | how many are in use.
DETAILS = {
    ("agent-to-agent", "agent-all", "1-65535", ""),
    ("agent-to-synchronization", "trial-synchronization", "1734,1750", ""),
    ("agent-to-ssh", "trial-ssh", "12350", ""),
    ("agent-to-deepspeed", "rendezvous-deepspeed", "29500", ""),
    ("agent-to-torch", "rendezvous-torch", "29400", ""),
    ("agent-to-gloo-rendezvous", "rendezvous-gloo", "12355", ""),
    ("agent-to-gloo", "trial-gloo", "1024-65535", ""),
    ("agent-to-nccl", "trial-nccl", "1024-65535", "{gpus + 2}"),
    ("agent-to-tensorboard", "tensorboard", "2600-2899", ""),
    ("agent-to-notebook", "notebook", "2900-3199", ""),
    ("agent-to-shell", "shell", "3200-3599", ""),
}


@pytest.fixture
def make(expected: Any, tmp_path: Path) -> Make:
    def make(hosts: str = HOSTS, **values: str) -> Plan:
        plan: Plan = expected.plan(["determined"], hosts, tmp_path, **values)
        return plan

    return make


@pytest.mark.parametrize(("tls", "rows"), [("true", TLS), ("false", PLAIN)])
def test_the_rows(expected: Any, make: Make, tls: str, rows: str) -> None:
    expected.compare(make(tls=tls), rows + TABLE)


def test_the_master_s_port_can_be_another(expected: Any, make: Make) -> None:
    """The page gives "the default port"."""
    expected.compare(make(tls="true", master_tls_port="443"), TLS.replace("8443", "443") + TABLE)
    expected.compare(make(tls="false", master_port="80"), PLAIN.replace("8080", "80") + TABLE)


def details(plan: Plan) -> set[tuple[str, str, str, str]]:
    services = plan.matrix.services
    return {
        (check.rule, check.service, str(check.ports), services[check.service].count)
        for check in plan.checks("agent-1")
        if check.target == "agent-2" and check.expect is Expect.REACH
    }


def test_the_details_between_agents(make: Make) -> None:
    assert details(make()) == DETAILS


@pytest.mark.parametrize(
    ("variable", "row"),
    [
        ("deepspeed", "agent-to-deepspeed"),
        ("torch", "agent-to-torch"),
        ("other_training", "agent-to-gloo-rendezvous"),
    ],
)
def test_what_only_one_way_of_training_needs(make: Make, variable: str, row: str) -> None:
    assert details(make(**{variable: "false"})) == {detail for detail in DETAILS if detail[0] != row}


def test_a_master_that_is_an_agent_asks_nothing_of_itself(expected: Any, make: Make) -> None:
    """Of all ports of its own there is nothing to ask, but its agent needs the master's."""
    hosts = "[master]\nn1 ansible_host=10.0.0.1\n[agent]\nn1\nn2 ansible_host=10.0.0.2\n"
    table = """
        n1, n2 > n1 8443/https
        n1     > n2 1-65535/tcp listen=some
        n2     > n1 1-65535/tcp listen=some
        n1     > n2 12350/ssh   listen=some
        n2     > n1 12350/ssh   listen=some
    """
    expected.compare(make(hosts), table)


def test_what_agents_need_outside_is_for_somebody_to_say(expected: Any, make: Make) -> None:
    plan = make()
    assert {(row.rule, row.service, row.sources, row.reason) for row in plan.unchecked} == {
        ("agent-to-registries", "registries", ("agent",), "no endpoint is given: set registries"),
        ("agent-to-storage", "storage", ("agent",), "no endpoint is given: set storage"),
        ("agent-to-resources", "resources", ("agent",), "no endpoint is given: set resources"),
    }
    told = make(registries="registry.example.com:443", storage="s3.example.com:443", resources="pypi.example.com:443")
    assert told.unchecked == ()
    endpoints = """
        agent > @registry.example.com 443/tcp
        agent > @s3.example.com       443/tcp
        agent > @pypi.example.com     443/tcp
    """
    expected.compare(told, TLS + TABLE + endpoints)


def test_the_roles_and_their_other_names() -> None:
    roles = matrix.load(["determined"]).roles
    assert {name: (role.aliases, role.outside) for name, role in roles.items()} == {
        "master": ((), False),
        "agent": (("agents",), False),
        "developer": (("developers",), True),
    }


def test_developers_have_one_way_in_and_others_none(make: Make) -> None:
    plan = make()
    for host, ways in (("laptop", {("master-1", "8443")}), ("printer", set())):
        checks = list(plan.checks(host))
        assert {(check.target, str(check.ports)) for check in checks if check.expect is Expect.REACH} == ways
        blocked = {(check.target, str(check.ports), check.policy) for check in checks if check.expect is Expect.BLOCK}
        closed = {("agent-1", "1-65535"), ("agent-2", "1-65535"), ("master-1", "8443")}
        assert blocked == {(*place, Policy.ENFORCE) for place in closed - ways}


def test_a_network_of_developers(make: Make) -> None:
    plan = make(developer_networks="198.51.100.8/30")
    reached = {
        check.source for check in plan.all_checks() if check.target == "master-1" and check.expect is Expect.REACH
    }
    assert reached == {"agent-1", "agent-2", "laptop", "printer"}


def test_lint_has_nothing_to_say() -> None:
    """Of ranges that are used as need be, neither that they overlap nor that they are ephemeral."""
    assert matrix.lint(["determined"]) == ()


def test_there_is_no_port_65536() -> None:
    """The page's own range, as it stands there, is explained to whoever writes it down."""
    text = """
        portcheck: 1
        name: raw
        roles: {agent: }
        services: {gloo: {role: agent, port: 1024-65536, listen: some}}
        flows: [{from: agent, to: gloo}]
    """
    with pytest.raises(UserError, match="65535"):
        matrix.load_text(text)
