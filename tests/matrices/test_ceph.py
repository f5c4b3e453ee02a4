"""What Ceph's Network Configuration Reference and the pages beside it say of ports, copied by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from probe.model.words import Expect, Severity
from probe.spec import matrix

if TYPE_CHECKING:
    from pathlib import Path

# Each host has an address on the public network, 192.168.0.0/24; one monitor and the OSDs also have one on the cluster
# network, 10.0.0.0/24.
HOSTS = """
[mon]
m1 portcheck_address=192.168.0.1
m2 portcheck_address=192.168.0.2{m2}
[mgr]
m1
m3 portcheck_address=192.168.0.11
[osd]
o1 portcheck_address=192.168.0.3{o1}
o2 portcheck_address=192.168.0.4{o2}
[mds]
s1 portcheck_address=192.168.0.5
[rgw]
g1 portcheck_address=192.168.0.6
[ceph_client]
c1 portcheck_address=192.168.0.7
[rgw_client]
c2 portcheck_address=192.168.0.8
[ceph_admin]
a1 portcheck_address=192.168.0.9
[prometheus]
p1 portcheck_address=192.168.0.10
[out]
x1 portcheck_address=192.0.2.1 portcheck_zone=outside
"""
SINGLE = HOSTS.format(m2="", o1="", o2="")
SEPARATE = HOSTS.format(m2=",10.0.0.2", o1=",10.0.0.3", o2=",10.0.0.4")
NETWORKS = {"ceph_networks": "separate", "ceph_public_network": "192.168.0.0/24", "ceph_cluster_network": "10.0.0.0/24"}

PUBLIC = """
# Monitors listen on 3300 and 6789, on the public network.
mon, mgr, osd, mds, rgw, ceph_client > mon            3300,6789/ceph-mon  address=192.168.0.0/24
# MDS, managers and OSDs take a port of 6800-7568; clients and other daemons reach them on the public network.
mon, mgr, osd, mds, rgw, ceph_client > mgr, osd, mds  6800-7568/tcp  address=192.168.0.0/24 listen=some
"""
CLUSTER = """
# With a cluster network, OSDs reach other OSDs there.
osd > osd  6800-7568/tcp  address=10.0.0.0/24 hosts=other listen=some
"""
DASHBOARD = "ceph_admin > mgr  8443/https\n"  # 8443, or 8080 when SSL is disabled
PROMETHEUS = "prometheus > mgr  9283/prometheus-exporter\n"
GATEWAY = "rgw_client > rgw  7480/http\n"
# cephadm is a module of the manager, and connects to every host of the cluster.
CEPHADM = "mgr > mon, mgr, osd, mds, rgw  22/ssh\n"


@pytest.mark.parametrize(
    ("values", "table"),
    [
        ({}, PUBLIC + DASHBOARD + PROMETHEUS + GATEWAY + CEPHADM),
        ({"ceph_bind_port_max": "7300"}, PUBLIC.replace("7568", "7300") + DASHBOARD + PROMETHEUS + GATEWAY + CEPHADM),
        ({"ceph_dashboard_tls": "false"}, PUBLIC + "ceph_admin > mgr 8080/http\n" + PROMETHEUS + GATEWAY + CEPHADM),
        ({"ceph_dashboard": "false", "ceph_prometheus_module": "false", "cephadm": "false"}, PUBLIC + GATEWAY),
        (
            {"ceph_rgw_port": "80,443", "ceph_rgw_tls": "true", "ceph_ssh_port": "2222"},
            PUBLIC + DASHBOARD + PROMETHEUS + "rgw_client > rgw 80,443/https\n" + CEPHADM.replace("22/", "2222/"),
        ),
    ],
    ids=["default", "older", "plain-dashboard", "no-modules", "other-ports"],
)
def test_one_network(expected: Any, tmp_path: Path, values: dict[str, str], table: str) -> None:
    expected.compare(expected.plan(["ceph"], SINGLE, tmp_path, **values), table)


def test_two_networks(expected: Any, tmp_path: Path) -> None:
    """What is not about a network is asked at all addresses of a host."""
    plan = expected.plan(["ceph"], SEPARATE, tmp_path, **NETWORKS)
    expected.compare(plan, PUBLIC + CLUSTER + DASHBOARD + PROMETHEUS + GATEWAY + CEPHADM)


def test_the_cluster_network_is_kept_apart(expected: Any, tmp_path: Path) -> None:
    """As the reference prefers it."""
    plan = expected.plan(["ceph"], SEPARATE, tmp_path, **NETWORKS)
    found = {
        (check.source, check.address, str(check.ports), check.severity)
        for check in plan.all_checks()
        if check.expect is Expect.BLOCK and check.rule == "cluster-network-apart"
    }
    addresses = ("10.0.0.3", "10.0.0.4")
    assert found == {(s, a, "6800-7568", Severity.MEDIUM) for s in ("c1", "c2", "x1") for a in addresses}


def test_an_osd_that_is_a_client_too(expected: Any, tmp_path: Path) -> None:
    hosts = SEPARATE.replace("[ceph_client]", "[ceph_client]\no1")
    expected.compare(
        expected.plan(["ceph"], hosts, tmp_path, **NETWORKS),
        PUBLIC + CLUSTER + DASHBOARD + PROMETHEUS + GATEWAY + CEPHADM,
    )


def test_an_osd_without_an_address_there(expected: Any, tmp_path: Path) -> None:
    plan = expected.plan(["ceph"], SINGLE, tmp_path, **NETWORKS)
    expected.compare(plan, PUBLIC + DASHBOARD + PROMETHEUS + GATEWAY + CEPHADM)
    assert {(rule, service) for rule, service, _ in expected.unchecked(plan)} >= {("osd-mesh", "ceph-osd-cluster")}


def test_all_can_be_asked(expected: Any, tmp_path: Path) -> None:
    assert expected.unchecked(expected.plan(["ceph"], SINGLE, tmp_path)) == set()
    assert expected.unchecked(expected.plan(["ceph"], SEPARATE, tmp_path, **NETWORKS)) == set()


def test_lint() -> None:
    assert [str(found) for found in matrix.lint(["ceph"])] == []
