"""The network table of "Cluster Deployment", and what else the page says of connections, written out by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from probe.errors import UserError
from probe.model.words import Expect, Policy
from probe.plan import Plan, Wishes
from probe.spec import matrix

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Make = Callable[..., Plan]

RUN_MODES = ["api", "controller", "db", "es", "engine", "lb", "minio", "nfs", "nsq", "prometheus", "redis", "registry"]

HOSTS = """
[api]
api-1          ansible_host=10.0.1.1
[controller]
controller-1   ansible_host=10.0.1.2
controller-2   ansible_host=10.0.1.3
[db]
db-1           ansible_host=10.0.1.4
[es]
es-1           ansible_host=10.0.1.5
[engine]
engine-1       ansible_host=10.0.1.6
engine-2       ansible_host=10.0.1.7
[lb]
lb-1           ansible_host=10.0.1.8
[minio]
minio-1        ansible_host=10.0.1.9
[nfs]
nfs-1          ansible_host=10.0.1.10
[nsq]
nsq-1          ansible_host=10.0.1.11
[prometheus]
prometheus-1   ansible_host=10.0.1.12
[redis]
redis-1        ansible_host=10.0.1.13
[registry]
registry-1     ansible_host=10.0.1.14
[automate]
automate-1     ansible_host=10.0.1.15
[cli]
laptop         ansible_host=198.51.100.7 portcheck_zone=outside
[office]
printer        ansible_host=198.51.100.9 portcheck_zone=outside
"""

# The table repeats the rows of DB at its end.
TABLE = """
db          > controller  9000/http-or-https
db          > registry    5000/docker-registry
db          > nfs         2049/nfs
controller  > controller  9000/http-or-https
controller  > registry    5000/docker-registry
controller  > db          5432/postgresql
controller  > automate    5000-6000/http  listen=some
controller  > nfs         2049/nfs
controller  > redis       6379/redis
controller  > nsq         4150/nsqd
controller  > nsq         4151/nsqd-http
controller  > nsq         4161/nsqlookupd-http
controller  > nsq         4160/nsqlookupd
engine      > controller  9000/http-or-https
engine      > registry    5000/docker-registry
engine      > nfs         2049/nfs
prometheus  > controller  9000/http-or-https
prometheus  > every-host  8000/http       # *all*
prometheus  > controller  8001/http
cli         > controller  9000/http-or-https       # not in the table: "Configure aiWARE CLI"
"""

UNCHECKED = {
    ("installation", "installer", "no endpoint is given: set installer"),
    ("outside-to-lb", "lb-https", "the document does not say which port; set lb_port to check it"),
}


@pytest.fixture
def make(expected: Any, tmp_path: Path) -> Make:
    def make(hosts: str = HOSTS, **values: str) -> Plan:
        plan: Plan = expected.plan(["aiware-anywhere"], hosts, tmp_path, **values)
        return plan

    return make


def test_the_rows(expected: Any, make: Make) -> None:
    plan = make()
    expected.compare(plan, TABLE)
    assert {(row.rule, row.service, row.reason) for row in plan.unchecked} == UNCHECKED


def test_the_controller_s_port_can_be_changed(expected: Any, make: Make) -> None:
    """ "HTTP/HTTPS, can be changed"."""
    expected.compare(make(controller_port="9443"), TABLE.replace("9000/", "9443/"))


def test_a_controller_is_validated_by_its_version(make: Make) -> None:
    asked = {
        (check.path, check.status)
        for check in make().all_checks()
        if check.service == "controller-api" and check.expect is Expect.REACH
    }
    assert asked == {("/edge/v1/version", (200,))}


def test_what_is_told_is_asked(expected: Any, make: Make) -> None:
    plan = make(installer="get.aiware.com:443", lb_port="443")
    assert plan.unchecked == ()
    told = """
        every-host > @get.aiware.com 443/https
        outside    > lb              443/https
    """
    expected.compare(plan, TABLE + told)


def test_what_replaces_db_and_nfs_is_a_target_and_no_node(expected: Any, make: Make) -> None:
    """ "An existing PostgreSQL server can replace a `db` node"; "NAS or SAN [...] can replace the `nfs` run mode".
    Neither has an agent of aiWARE, whose metrics Prometheus would want.
    """
    hosts = HOSTS.replace("10.0.1.4\n", "10.0.1.4 portcheck_agent=none managed=true\n")
    hosts = hosts.replace("10.0.1.10\n", "10.0.1.10 portcheck_agent=none managed=true\n")
    table = "".join(
        f"{line}\n" for line in TABLE.splitlines() if not line.startswith("db ") and "every-host" not in line
    )
    nodes = (
        "prometheus > api, controller, es, engine, lb, minio, nsq, prometheus, redis, registry, automate 8000/http\n"
    )
    plan = make(hosts)
    expected.compare(plan, table + nodes)
    assert "db-1" not in plan.sources


def test_a_replaced_db_that_has_an_agent_of_portcheck_connects_to_nothing(make: Make) -> None:
    hosts = HOSTS.replace("10.0.1.4\n", "10.0.1.4 managed=true\n")
    plan = make(hosts, installer="get.aiware.com:443")
    assert [check for check in plan.checks("db-1") if check.expect is Expect.REACH] == []


def test_twelve_run_modes_and_their_other_names() -> None:
    roles = matrix.load(["aiware-anywhere"]).roles
    assert [name for name in roles if name in RUN_MODES] == RUN_MODES
    assert [name for name in roles if name not in RUN_MODES] == ["agent", "automate", "cli"]
    assert {name: role.aliases for name, role in roles.items() if role.aliases} == {
        "api": ("core",),
        "controller": ("admin",),
        "es": ("elasticsearch",),
        "engine": ("worker",),
    }
    assert [name for name, role in roles.items() if role.every_host] == ["agent"]
    assert [name for name, role in roles.items() if role.outside] == ["cli"]


def test_the_cluster_types() -> None:
    profiles = matrix.load(["aiware-anywhere"]).profiles
    assert {name: profile.requires for name, profile in profiles.items()} == {
        "coreless": ("controller", "db", "engine", "nfs", "prometheus", "registry"),
        "anywhere": tuple(RUN_MODES),
    }


@pytest.mark.parametrize(("profile", "missing"), [("coreless", "registry"), ("anywhere", "minio")])
def test_a_cluster_type_wants_its_run_modes(make: Make, profile: str, missing: str) -> None:
    whole = make()
    Plan(whole.matrix, whole.inventory, Wishes(profile=profile))
    lacking = make(HOSTS.replace(f"[{missing}]", "[nothing]"))
    with pytest.raises(UserError, match=missing):
        Plan(lacking.matrix, lacking.inventory, Wishes(profile=profile))


def test_lint_has_nothing_to_say_but_of_the_registry_among_automate_s_ports() -> None:
    warnings = [warning.message for warning in matrix.lint(["aiware-anywhere"])]
    assert all("'registry-docker' and 'automate-studio'" in message and "tcp 5000" in message for message in warnings)


def test_outside_only_the_cli_has_a_way_in(make: Make) -> None:
    plan = make()
    assert not [check for check in plan.checks("printer") if check.expect is Expect.REACH]
    blocked = [check for check in plan.checks("printer") if check.expect is Expect.BLOCK]
    assert {("controller-1", "9000"), ("db-1", "5432"), ("automate-1", "5000-6000")} <= {
        (check.target, str(check.ports)) for check in blocked
    }
    assert {check.policy for check in blocked} == {Policy.ENFORCE}


def test_the_same_thing_has_the_same_name_as_in_aiware() -> None:
    """So that the two pages can be compared: they disagree about the registry's port, and about little else."""
    anywhere, aiware = (matrix.load([name]).services for name in ("aiware-anywhere", "aiware"))
    shared = {name for name in anywhere if name in aiware}
    assert set(anywhere) - shared == {"installer"}
    assert {name for name in shared if anywhere[name].port != aiware[name].port} == {"registry-docker", "lb-https"}
    for name in shared:
        asked, there = anywhere[name], aiware[name]
        assert (asked.path, asked.status) == (there.path, there.status), name
        # Of the API the one page says HTTP, the other either.
        assert asked.protocols == (("http-or-https",) if name == "controller-api" else there.protocols), name
