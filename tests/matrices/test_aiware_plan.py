"""What the pages on aiWARE's ports and on its controller come to between hosts: the rows of both, by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from probe.model.words import Expect, Policy
from probe.spec import matrix

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from probe.plan import Plan

    Make = Callable[..., Plan]

LB = """
[lb]
lb-1           ansible_host=10.0.0.3
"""
HOSTS = """
[controller]
controller-1   ansible_host=10.0.0.1
controller-2   ansible_host=10.0.0.2
[app]
services-1     ansible_host=10.0.0.4
[api]
services-2     ansible_host=10.0.0.5
[automatestudio]
automate-1     ansible_host=10.0.0.6
[db]
db-1           ansible_host=10.0.0.7
[es]
es-1           ansible_host=10.0.0.8
[engine]
engine-1       ansible_host=10.0.0.9
engine-2       ansible_host=10.0.0.10
[minio]
minio-1        ansible_host=10.0.0.11
[nfs]
nfs-1          ansible_host=10.0.0.12
[nsq]
nsq-1          ansible_host=10.0.0.13
[prometheus]
prometheus-1   ansible_host=10.0.0.14
[redis]
redis-1        ansible_host=10.0.0.15
[registry]
registry-1     ansible_host=10.0.0.16
[storage]
storage-1      ansible_host=10.0.0.17
[office]
laptop         ansible_host=198.51.100.7 portcheck_zone=outside
"""

# "The aiware-agent is installed on every node": what it does, every host does.
TABLE = """
# Connections from the aiware-agent
every-host  > registry        443/docker-registry
every-host  > nfs             2049/nfs
every-host  > storage         30051,30551/http
# Connections from run modes
controller  > automatestudio  5000-6000/http  listen=some
controller  > redis           6379/redis
controller  > nsq             4150/nsqd
controller  > nsq             4151/nsqd-http
controller  > nsq             4161/nsqlookupd-http
controller  > nsq             4160/nsqlookupd
controller  > prometheus      9090/tcp
controller  > minio           10000/minio
engine      > controller      9000/http       # the specific instance; and, without an LB, any
engine      > minio           10000/minio
prometheus  > every-host      8000/http       # all agents
app, api    > redis           6379/redis
app, api    > es              9200/elasticsearch
app, api    > db              5432/postgresql
app, api    > nsq             4150/nsqd
app, api    > nsq             4151/nsqd-http
app, api    > nsq             4161/nsqlookupd-http
app, api    > nsq             4160/nsqlookupd
app, api    > minio           10000/minio
app, api    > app, api        8443/https
prometheus  > prometheus      9093/alertmanager
engine      > prometheus      9091/pushgateway
engine      > storage         30051,30551/http
engine      > engine          9580/http
prometheus  > db              9187/prometheus-exporter
prometheus  > registry        9111/http
prometheus  > controller      8001/http
# The controller page
controller  > db              5432/postgresql
"""
# "If aiWARE instance has an LB/Services run mode, then all connections to controller are through LB".
WITH_LB = """
every-host  > lb              8443/https
lb          > controller      9000/http
lb          > app, api        8443/https
outside     > lb              8443/https
outside     > lb              8080/http
"""
WITHOUT_LB = """
every-host  > controller      9000/http
outside     > controller      9000/http
"""

# Row, service, and why it cannot be asked.
UNCHECKED = {
    ("agent-to-registry-elsewhere", "registry-elsewhere", "no endpoint is given: set other_registries"),
    (
        "controller-to-agent-control",
        "agent-control",
        "the document does not say which port; set agent_port to check it",
    ),
    ("controller-to-external-services", "external-services", "no endpoint is given: set external_services"),
}


@pytest.fixture
def make(expected: Any, tmp_path: Path) -> Make:
    def make(hosts: str, **values: str) -> Plan:
        plan: Plan = expected.plan(["aiware"], hosts, tmp_path, **values)
        return plan

    return make


def test_the_rows_with_a_load_balancer(expected: Any, make: Make) -> None:
    expected.compare(make(HOSTS + LB), TABLE + WITH_LB)


def test_the_rows_without_a_load_balancer(expected: Any, make: Make) -> None:
    expected.compare(make(HOSTS), TABLE + WITHOUT_LB)


def test_what_cannot_be_asked(make: Make) -> None:
    found = {(row.rule, row.service, row.reason) for row in make(HOSTS).unchecked}
    assert found == UNCHECKED


def test_what_somebody_told_is_asked(expected: Any, make: Make) -> None:
    """The page gives neither the port of the engines' agent nor the registries and services elsewhere."""
    plan = make(
        HOSTS, agent_port="9600", other_registries="registry.example.com:443", external_services="api.example.com:8443"
    )
    assert plan.unchecked == ()
    told = """
        every-host > @registry.example.com 443/tcp
        controller > @api.example.com      8443/tcp
        controller > engine                9600/tcp
    """
    expected.compare(plan, TABLE + WITHOUT_LB + told)


def test_run_modes_add_up(expected: Any, make: Make) -> None:
    """ "If a node has multiple run modes, then you must open all the ports for all the run modes on that node"."""
    hosts = """
        [controller]
        n1 ansible_host=10.0.0.1
        [db]
        n1
        [nfs]
        n1
        [engine]
        n2 ansible_host=10.0.0.2
    """
    table = """
        every-host > controller 9000/http
        every-host > nfs        2049/nfs
        controller > db         5432/postgresql
        engine     > engine     9580/http
    """
    expected.compare(make(hosts), table)


def test_lint_has_nothing_to_say() -> None:
    assert matrix.lint(["aiware"]) == ()


@pytest.mark.parametrize("balancer", [LB, ""], ids=["lb", "no-lb"])
def test_the_table_of_exposed_ports_is_complete_for_hosts_outside(make: Make, balancer: str) -> None:
    """Each port that a service has, and that the table does not have, must be closed to the laptop."""
    plan = make(HOSTS + balancer)
    open_to_all = (
        {("lb-1", "8443"), ("lb-1", "8080")} if balancer else {("controller-1", "9000"), ("controller-2", "9000")}
    )
    checks = list(plan.checks("laptop"))
    assert {(check.target, str(check.ports)) for check in checks if check.expect is Expect.REACH} == open_to_all
    closed = {(check.target, str(check.ports)) for check in checks if check.expect is Expect.BLOCK}
    assert {check.policy for check in checks if check.expect is Expect.BLOCK} == {Policy.ENFORCE}
    offered = {
        *((name, "8000") for name in plan.inventory.hosts if name != "laptop"),
        *((name, port) for name in ("controller-1", "controller-2") for port in ("9000", "8001")),
        *((name, "8443") for name in ("services-1", "services-2")),
        *((name, "9580") for name in ("engine-1", "engine-2")),
        ("automate-1", "5000-6000"),
        *(("db-1", port) for port in ("5432", "9187")),
        ("es-1", "9200"),
        ("minio-1", "10000"),
        ("nfs-1", "2049"),
        *(("nsq-1", port) for port in ("4150", "4151", "4160", "4161")),
        *(("prometheus-1", port) for port in ("9090", "9091", "9093")),
        ("redis-1", "6379"),
        *(("registry-1", port) for port in ("443", "9111")),
        ("storage-1", "30051,30551"),
    }
    assert closed == offered - open_to_all


def test_inside_what_no_row_allows_is_told_and_fails_nothing(make: Make) -> None:
    blocked = [check for check in make(HOSTS + LB).checks("nfs-1") if check.expect is Expect.BLOCK]
    assert ("db-1", "5432") in {(check.target, str(check.ports)) for check in blocked}
    assert {check.policy for check in blocked} == {Policy.ADVISE}
