from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from probe.model.words import Zone
from probe.spec.diagnostics import SpecError

if TYPE_CHECKING:
    from conftest import Load


@pytest.mark.parametrize(
    ("line", "addresses"),
    [
        ("w1", ("w1",)),
        ("w1.example.com", ("w1.example.com",)),
        ("10.0.0.1", ("10.0.0.1",)),
        ("[2001:db8::1]:22", ("2001:db8::1",)),
        ("w1 ansible_host=10.0.0.1", ("10.0.0.1",)),
        ("w1 ansible_host=10.0.0.1 ansible_ssh_host=10.0.0.2", ("10.0.0.2",)),
        ("w1 ansible_host=[2001:db8::1]", ("2001:db8::1",)),
        ("w1 ansible_host=fe80::1%eth0", ("fe80::1%eth0",)),
        ("w1 ansible_host=i-0abc123", ("i-0abc123",)),
        ("w1 ansible_host=10.0.0.1 portcheck_address=10.1.0.1", ("10.1.0.1",)),
        ('w1 portcheck_address="10.0.0.1, [2001:db8::1],10.0.0.1"', ("10.0.0.1", "2001:db8::1")),
        ("w1 portcheck_address=\"['10.0.0.1', 'db.example.com']\"", ("10.0.0.1", "db.example.com")),
        ("host_1", ("host_1",)),
        ("bücher.example", ("bücher.example",)),
    ],
)
def test_addresses(line: str, addresses: tuple[str, ...], read: Load) -> None:
    (host,) = read(f"{line}\n").hosts.values()
    assert host.addresses == addresses


@pytest.mark.parametrize(
    ("written", "roles"),
    [
        ("", ("web", "site")),
        ("portcheck_roles=db", ("web", "site", "db")),
        ("portcheck_roles='lb, web,db'", ("web", "site", "lb", "db")),
        ("portcheck_roles=\"['lb', 'db']\"", ("web", "site", "lb", "db")),
    ],
)
def test_roles(written: str, roles: tuple[str, ...], read: Load) -> None:
    found = read(f"[site:children]\nweb\n[web]\nw1 {written}\n")
    assert found.hosts["w1"].roles == roles


def test_zone(read: Load) -> None:
    found = read("a1\nb1 portcheck_zone=outside\nc1 portcheck_zone=inside\n[d]\nd1\n[d:vars]\nportcheck_zone=outside\n")
    assert [host.zone for host in found.hosts.values()] == [Zone.INSIDE, Zone.OUTSIDE, Zone.INSIDE, Zone.OUTSIDE]


@pytest.mark.parametrize(
    "line",
    [
        # What reaches the host decides which variables must be usable.
        'w1 portcheck_agent=none ansible_port=ssh ansible_user="{{ user }}"',
        'w1 portcheck_exec="docker exec -i w1" ansible_port=ssh',
        "w1 ansible_connection=local ansible_port=ssh",
        "w1 ansible_connection=ansible.builtin.local ansible_port=ssh",
        'w1 portcheck_agent=https://10.0.0.1:7443 ansible_host="{{ x }}" portcheck_address=10.0.0.1',
        "w1 portcheck_agent=https://[2001:db8::1]:7443",
        "w1 ansible_port='\"22\"' ansible_user=1000",
        'w1 motd="{{ kept }}"',
        "w1 portcheck_matrix=aiware",
    ],
)
def test_accepted(line: str, read: Load) -> None:
    read(f"{line}\n")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('w1 ansible_user="{{ user }}"', "ansible_user is a template"),
        ('w1 ansible_host="{{ x }}" portcheck_address=10.0.0.1', "ansible_host is a template"),
        ("w1 ansible_port=70000", "ansible_port is 70000, not a port"),
        ("w1 ansible_port=True", "ansible_port is True, not a port"),
        ("w1 ansible_host=True", "ansible_host is True, which is not text"),
        ('w1 portcheck_address="{{ a }},{{ b }}"', "portcheck_address is a template"),
        ("w1 portcheck_adress=10.0.0.1", "there is no variable 'portcheck_adress'"),
        ("w1 Port_Check_Zone=outside", "there is no variable 'Port_Check_Zone'"),
    ],
)
def test_refused(line: str, message: str, read: Load) -> None:
    with pytest.raises(SpecError) as caught:
        read(f"{line}\n")
    assert message in str(caught.value)
    assert "inventory" in str(caught.value) or "hint: " in str(caught.value)


def test_a_groups_variable_is_wrong_once_however_many_hosts_inherit_it(read: Load) -> None:
    with pytest.raises(SpecError) as caught:
        read("[web]\nw[1:50]\n[web:vars]\nportcheck_zone=dmz\n")
    (problem,) = caught.value.diagnostics
    assert (problem.line, problem.column) == (4, 1)
