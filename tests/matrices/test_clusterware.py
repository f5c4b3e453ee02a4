"""The sections of "Services, Ports, Protocols", written out by hand from the page, beside the plan of a cluster."""

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

HOSTS = """
[head]
head-1     ansible_host=10.0.0.1
head-2     ansible_host=10.0.0.2
[compute]
compute-1  ansible_host=10.0.0.3
compute-2  ansible_host=10.0.0.4
[client]
laptop     ansible_host=198.51.100.7 portcheck_zone=outside
[office]
printer    ansible_host=198.51.100.9 portcheck_zone=outside
"""
TABLE = """
head, compute, client > head           80/http
# Chrony: head nodes serve the time; a compute node may, and then need not.
head, compute         > head           123/ntp
head, compute         > compute        123/ntp       need=optional listen=some hosts=other
head, compute         > head, compute  323/chrony    local hosts=same
# etcd: "to communicate with other head nodes"
head                  > head           52380/tcp     hosts=other
# OpenSSH: the page does not say who connects
head                  > head, compute  22/ssh
compute               > head, compute  22/ssh        need=optional
"""
DNS = """
head, compute         > head           53/dns/udp
head, compute         > head           53/dns/tcp
"""
TFTP = "compute > head 69/tftp\n"
HTTPS = "head, compute, client > head 443/https\n"
ISCSI = "compute > head 3260/iscsi\n"

TELEGRAF = {"cluster-to-telegraf-relay", "telegraf-relay-to-peer", "telegraf-relay-to-influxdb"}
UPSTREAM = {"head-to-upstream", "compute-to-upstream"}
DHCP = {"compute-to-dhcp", "head-to-dhcp-client"}


@pytest.fixture
def make(expected: Any, tmp_path: Path) -> Make:
    def make(hosts: str = HOSTS, **values: str) -> Plan:
        plan: Plan = expected.plan(["clusterware"], hosts, tmp_path, **values)
        return plan

    return make


def unchecked(plan: Plan) -> set[str]:
    return {row.rule for row in plan.unchecked}


def test_the_rows(expected: Any, make: Make) -> None:
    plan = make()
    expected.compare(plan, TABLE + DNS + TFTP)
    assert unchecked(plan) == TELEGRAF | UPSTREAM | DHCP


@pytest.mark.parametrize(
    ("values", "rows"),
    [
        ({"https": "true"}, TABLE + DNS + TFTP + HTTPS),
        ({"iscsi": "true"}, TABLE + DNS + TFTP + ISCSI),
        ({"tftp": "false"}, TABLE + DNS),
        ({"https": "true", "iscsi": "true", "tftp": "false"}, TABLE + DNS + HTTPS + ISCSI),
    ],
    ids=str,
)
def test_what_is_optional(expected: Any, make: Make, values: dict[str, str], rows: str) -> None:
    expected.compare(make(**values), rows)


def test_dhcp_is_there_if_the_product_provisions(expected: Any, make: Make) -> None:
    """Its client and its server send from the port on which they listen, as no agent can."""
    rows = {row for row in make().unchecked if row.rule in DHCP}
    assert {(row.sources, row.targets, row.ports, row.protocol) for row in rows} == {
        (("compute",), ("head",), "67", "dhcp"),
        (("head",), ("compute",), "68", "dhcp"),
    }
    assert all("sends from port" in row.reason for row in rows)
    plan = make(provisioning="false")
    assert unchecked(plan) == TELEGRAF | UPSTREAM
    expected.compare(plan, TABLE + DNS + TFTP)
    assert not {check.service for check in plan.all_checks()} & {"dhcp-server", "dhcp-client"}


def test_an_alternate_dns_source(expected: Any, make: Make) -> None:
    """Nobody asks the head nodes then."""
    plan = make(alternate_dns="true")
    expected.compare(plan, TABLE + TFTP)
    assert unchecked(plan) == TELEGRAF | UPSTREAM | DHCP | {"cluster-to-dns"}
    told = """
        head, compute > @192.0.2.53 53/dns/udp
        head, compute > @192.0.2.53 53/dns/tcp
    """
    expected.compare(make(alternate_dns="true", dns_servers="192.0.2.53"), TABLE + TFTP + told)


def test_upstream_time_servers(expected: Any, make: Make) -> None:
    """ "While not recommended, it is also possible" for a compute node to use them."""
    plan = make(time_servers="ntp.example.com")
    assert unchecked(plan) == TELEGRAF | DHCP
    told = """
        head    > @ntp.example.com 123/ntp need=recommended
        compute > @ntp.example.com 123/ntp need=optional
    """
    expected.compare(plan, TABLE + DNS + TFTP + told)


def test_the_ports_of_telegraf_and_influxdb_are_not_on_the_page(expected: Any, make: Make) -> None:
    rows = {row.rule: row.reason for row in make().unchecked if row.rule in TELEGRAF}
    assert rows == {
        "cluster-to-telegraf-relay": "the document does not say which port; set telegraf_relay_port to check it",
        "telegraf-relay-to-peer": "the document does not say which port; set telegraf_peer_port to check it",
        "telegraf-relay-to-influxdb": "the document does not say which port; set influxdb_port to check it",
    }
    plan = make(telegraf_relay_port="8186", telegraf_peer_port="8187", influxdb_port="8086")
    told = """
        head, compute > head 8186/http-or-https   alternative
        head          > head 8187/https hosts=other
        head          > head 8086/tcp   local hosts=same
    """
    expected.compare(plan, TABLE + DNS + TFTP + told)


def test_lint_warns_of_etcd_s_port() -> None:
    (warning,) = matrix.lint(["clusterware"])
    assert warning.message.startswith("52380 lies in the range 32768-60999")


def test_the_roles_and_their_other_names() -> None:
    roles = matrix.load(["clusterware"]).roles
    assert {name: (role.aliases, role.outside) for name, role in roles.items()} == {
        "head": (("head_nodes",), False),
        "compute": (("compute_nodes",), False),
        "client": ((), True),
    }


def test_what_is_local_must_not_be_reached(make: Make) -> None:
    checks = [
        check for check in make(influxdb_port="8086").all_checks() if check.local and check.expect is Expect.BLOCK
    ]
    assert {check.policy for check in checks} == {Policy.ENFORCE}
    assert {check.source for check in checks} == {"head-1", "head-2", "compute-1", "compute-2", "laptop", "printer"}
    assert {(check.target, str(check.ports)) for check in checks} == {
        *((host, "323") for host in ("head-1", "head-2", "compute-1", "compute-2")),
        *((host, "8086") for host in ("head-1", "head-2")),
    }


def test_a_client_has_the_gui_and_others_nothing(make: Make) -> None:
    plan = make(https="true")
    reached = {
        name: {(check.target, str(check.ports)) for check in plan.checks(name) if check.expect is Expect.REACH}
        for name in ("laptop", "printer")
    }
    assert reached == {
        "laptop": {(host, port) for host in ("head-1", "head-2") for port in ("80", "443")},
        "printer": set(),
    }
    assert {check.policy for check in plan.checks("printer")} == {Policy.ENFORCE}
