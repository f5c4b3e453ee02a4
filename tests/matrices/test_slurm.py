"""The ways of Slurm's Network Configuration Guide, section by section, copied by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from probe.spec import matrix

if TYPE_CHECKING:
    from pathlib import Path

# Two clusters, "cluster" and "east", which share slurmdbd and its database.
HOSTS = """
[slurmctld]
c1 ansible_host=10.0.0.1
c2 ansible_host=10.0.0.2
e1 ansible_host=10.1.0.1 slurm_cluster=east
[slurmdbd]
a1 ansible_host=10.0.0.3
a2 ansible_host=10.0.0.4
[slurm_database]
m1 ansible_host=10.0.0.5
[slurmexechosts]
n1 ansible_host=10.0.0.6
n2 ansible_host=10.0.0.7
f1 ansible_host=10.1.0.2 slurm_cluster=east
[slurm_login]
l1 ansible_host=10.0.0.8
k1 ansible_host=10.1.0.3 slurm_cluster=east
[slurmrestd]
r1 ansible_host=10.0.0.9
[slurm_rest_client]
w1 ansible_host=10.0.0.10
[out]
x1 ansible_host=192.0.2.1 portcheck_zone=outside
"""
GUIDE = """
# slurmctld: to slurmdbd on 6819, to slurmd on 6818. With several of them: each reaches each slurmdbd.
slurmctld   > slurmdbd        6819/tcp
c1, c2      > n1, n2          6818/tcp
e1          > f1              6818/tcp
# slurmdbd: each to the database on 3306, and to slurmctld
slurmdbd    > slurm_database  3306/mysql
slurmdbd    > slurmctld       6817/tcp
# slurmd: to slurmctld on 6817
n1, n2      > c1, c2          6817/tcp
f1          > e1              6817/tcp
# client commands: to each slurmctld and slurmdbd
l1          > c1, c2          6817/tcp
k1          > e1              6817/tcp
slurm_login > slurmdbd        6819/tcp
# srun: to slurmd, which forwards to other nodes
l1          > n1, n2          6818/tcp
k1          > f1              6818/tcp
n1, n2      > n1, n2          6818/tcp    hosts=other
"""
REST = """
slurm_rest_client > slurmrestd  6820/http
slurmrestd        > c1, c2      6817/tcp
slurmrestd        > slurmdbd    6819/tcp
"""
# In a federation the controllers of different clusters reach each other.
FEDERATION = """
c1, c2 > e1      6817/tcp
e1     > c1, c2  6817/tcp
"""
# slurmstepd connects to srun, on ports that are random unless SrunPortRange pins them.
SRUN = """
n1, n2 > l1  60001-63000/tcp  listen=some
f1     > k1  60001-63000/tcp  listen=some
"""


@pytest.mark.parametrize(
    ("values", "table"),
    [
        ({}, GUIDE + REST),
        ({"slurm_federation": "true"}, GUIDE + REST + FEDERATION),
        ({"srun_ports": "60001-63000"}, GUIDE + REST + SRUN),
        (
            {
                "slurmctld_port": "6817-6820",
                "slurmd_port": "7818",
                "slurmdbd_port": "7819",
                "slurm_storage_port": "3307",
            },
            GUIDE.replace("6818/", "7818/")
            .replace("6819/", "7819/")
            .replace("6817/", "6817-6820/")
            .replace("3306", "3307")
            + REST.replace("6817/", "6817-6820/").replace("6819/", "7819/"),
        ),
    ],
    ids=["default", "federation", "srun-ports", "other-ports"],
)
def test_rows(expected: Any, tmp_path: Path, values: dict[str, str], table: str) -> None:
    expected.compare(expected.plan(["slurm"], HOSTS, tmp_path, **values), table)


def test_what_cannot_be_asked(expected: Any, tmp_path: Path) -> None:
    """Ports that srun draws at random, and the socket of MUNGE."""
    found = expected.unchecked(expected.plan(["slurm"], HOSTS, tmp_path))
    assert {(rule, service) for rule, service, _ in found} == {("slurmd-to-srun", "srun"), ("munge-self", "munge")}
    reasons = {service: reason for _, service, reason in found}
    assert "unix socket" in reasons["munge"]
    pinned = expected.plan(["slurm"], HOSTS, tmp_path, srun_ports="60001-63000", slurm_munge="false")
    assert expected.unchecked(pinned) == set()


def test_munge_is_wherever_slurm_is(expected: Any, tmp_path: Path) -> None:
    plan = expected.plan(["slurm"], HOSTS, tmp_path)
    assert {name for name in plan.inventory.hosts if "slurm-host" not in plan.roles(name)} == {"m1", "w1", "x1"}


def test_lint() -> None:
    assert [str(found) for found in matrix.lint(["slurm"])] == []
