"""The rows of "Ports and Protocols" of Kubernetes, copied by hand from the page, beside those of the matrix."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from probe.model.words import Expect, Policy
from probe.spec import matrix

if TYPE_CHECKING:
    from pathlib import Path

HOSTS = """
[control-plane]
c1 ansible_host=10.0.0.1
c2 ansible_host=10.0.0.2
[worker]
w1 ansible_host=10.0.0.3
w2 ansible_host=10.0.0.4
[monitoring]
m1 ansible_host=10.0.0.5
[laptops]
o1 ansible_host=192.0.2.1 portcheck_zone=outside
"""
LB = """
[kube_lb]
b1 ansible_host=10.0.0.6
"""
ETCD = """
[etcd]
e1 ansible_host=10.0.0.7
e2 ansible_host=10.0.0.8
"""

# Protocol, direction, port range, purpose, used by. "All" must get in from inside, and may from outside.
TABLES = """
# Control plane
every-host    > control-plane  6443/kubernetes-api                                    # API server: all
outside       > control-plane  6443/kubernetes-api         need=optional
control-plane > control-plane  10250/kubelet                                   # kubelet: self, control plane
control-plane > control-plane  10259/tcp        local                      # scheduler: self
control-plane > control-plane  10257/tcp        local                      # controller manager: self
# Worker node(s)
control-plane > worker         10250/kubelet                                   # kubelet: control plane
worker        > worker         10250/kubelet        hosts=same                 # kubelet: self
worker        > worker         10256/tcp        hosts=same                 # kube-proxy: self
every-host    > worker         30000-32767/tcp  listen=some                # NodePort: all
every-host    > worker         30000-32767/udp  listen=some
outside       > worker         30000-32767/tcp  listen=some need=optional
outside       > worker         30000-32767/udp  listen=some need=optional
"""
STACKED = """
control-plane > control-plane  2379-2380/tcp    # etcd: kube-apiserver, etcd
"""
# Below the tables: etcd may be elsewhere.
EXTERNAL = """
control-plane, etcd > etcd  2379-2380/tcp
"""
# Below the tables: a load balancer on 443 may stand in front of the API servers.
BALANCED = """
every-host > kube_lb        443/kubernetes-api
outside    > kube_lb        443/kubernetes-api    need=optional
kube_lb    > control-plane  6443/kubernetes-api
kube_lb    > worker         10256/tcp                 # kube-proxy: load balancers
"""


@pytest.mark.parametrize(
    ("hosts", "table"),
    [
        (HOSTS, TABLES + STACKED),
        (HOSTS + LB, TABLES + STACKED + BALANCED),
        (HOSTS + ETCD, TABLES + EXTERNAL),
        (HOSTS + LB + ETCD, TABLES + EXTERNAL + BALANCED),
    ],
    ids=["plain", "lb", "etcd", "lb-etcd"],
)
def test_rows(expected: Any, tmp_path: Path, hosts: str, table: str) -> None:
    expected.compare(expected.plan(["kubernetes"], hosts, tmp_path), table)


def test_other_ports(expected: Any, tmp_path: Path) -> None:
    """The page calls its numbers defaults."""
    ports = {
        "kube_apiserver_port": "443",
        "kube_lb_port": "8443",
        "kube_etcd_ports": "12379-12380",
        "kube_node_ports": "31000-31099",
    }
    balanced = BALANCED.replace("443/kubernetes", "8443/kubernetes").replace("68443/kubernetes", "443/kubernetes")
    table = TABLES + STACKED + balanced
    for old, new in (("6443", "443"), ("2379-2380", "12379-12380"), ("30000-32767", "31000-31099")):
        table = table.replace(f" {old}/", f" {new}/")
    expected.compare(expected.plan(["kubernetes"], HOSTS + LB, tmp_path, **ports), table)


def test_the_pod_network_is_left_open(expected: Any, tmp_path: Path) -> None:
    found = expected.unchecked(expected.plan(["kubernetes"], HOSTS, tmp_path))
    assert {(rule, service) for rule, service, _ in found} == {("pod-network-mesh", "pod-network")}
    assert all("does not say" in reason for _, _, reason in found)


def test_the_pod_network_of_one_host(expected: Any, tmp_path: Path) -> None:
    alone = "[control-plane]\nc1 ansible_host=10.0.0.1\n"
    assert expected.unchecked(expected.plan(["kubernetes"], alone, tmp_path)) == set()


def test_a_balancer_outside_must_get_in(expected: Any, tmp_path: Path) -> None:
    lb = LB.replace("10.0.0.6", "192.0.2.2 portcheck_zone=outside")
    table = re.sub("outside +>", "o1, b1 >", BALANCED) + "kube_lb > control-plane 6443/kubernetes-api\n"
    expected.compare(expected.plan(["kubernetes"], HOSTS + lb, tmp_path), TABLES + STACKED + table)


def test_what_only_its_host_uses_is_closed_to_others(expected: Any, tmp_path: Path) -> None:
    plan = expected.plan(["kubernetes"], HOSTS, tmp_path)
    shut = {
        (check.source, check.target, str(check.ports), check.policy)
        for check in plan.all_checks()
        if check.expect is Expect.BLOCK and check.local
    }
    others = {"c1": ("c2", "w1", "w2", "m1", "o1"), "c2": ("c1", "w1", "w2", "m1", "o1")}
    assert shut == {
        (source, target, port, Policy.ENFORCE)
        for target, sources in others.items()
        for source in sources
        for port in ("10257", "10259")
    }


def test_lint() -> None:
    assert [str(found) for found in matrix.lint(["kubernetes"])] == []
