"""The ports of Elasticsearch's "Networking settings" and of remote clusters, copied by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from probe.spec import matrix

if TYPE_CHECKING:
    from pathlib import Path

HOSTS = """
[elasticsearch_master]
m1 ansible_host=10.0.0.1
[elasticsearch]
n1 ansible_host=10.0.0.2
n2 ansible_host=10.0.0.3
[far]
f1 ansible_host=10.1.0.1
f2 ansible_host=10.1.0.2
[far:vars]
es_cluster=far
{far}
[elasticsearch:children]
far
[kibana]
k1 ansible_host=10.0.0.4
[out]
x1 ansible_host=192.0.2.1 portcheck_zone=outside
"""
PLAIN = HOSTS.format(far="")
NODES = "m1, n1, n2, f1, f2"

# http.port 9200-9300: clients. transport.port 9300-9400: nodes of a cluster among each other.
CLIENTS = f"kibana > {NODES}  9200-9300/https  listen=some\n"
MESH = """
m1, n1, n2 > m1, n1, n2  9300-9400/tcp  hosts=other listen=some
f1, f2     > f1, f2      9300-9400/tcp  hosts=other listen=some
"""
# remote_cluster.port 9443, for clusters with API keys; with certificates it is the transport port.
API_KEY = "m1, n1, n2 > f1, f2  9443/tcp\n"
CERTIFICATE = "m1, n1, n2 > f1, f2  9300-9400/tcp  listen=some\n"
PROXY = f"{NODES} > @proxy.example.com  9400/tcp\n"


@pytest.mark.parametrize(
    ("hosts", "values", "table"),
    [
        (PLAIN, {}, CLIENTS + MESH),
        (PLAIN, {"es_http_tls": "false"}, CLIENTS.replace("https", "http") + MESH),
        (HOSTS.format(far="es_remote_access=api-key"), {}, CLIENTS + MESH + API_KEY),
        (HOSTS.format(far="es_remote_access=certificate"), {}, CLIENTS + MESH + CERTIFICATE),
        (PLAIN, {"es_proxy_mode": "true", "es_remote_proxies": "proxy.example.com:9400"}, CLIENTS + MESH + PROXY),
    ],
    ids=["default", "plain-http", "api-key", "certificate", "proxy"],
)
def test_rows(expected: Any, tmp_path: Path, hosts: str, values: dict[str, str], table: str) -> None:
    plan = expected.plan(["elasticsearch"], hosts, tmp_path, **values)
    expected.compare(plan, table)
    assert expected.unchecked(plan) == set()


def test_fixed_ports(expected: Any, tmp_path: Path) -> None:
    """As the page asks for it on master-eligible nodes."""
    hosts = HOSTS.format(far="es_remote_access=api-key")
    values = {"es_http_port": "9200", "es_transport_port": "9300", "es_remote_cluster_port": "9444"}
    table = (CLIENTS + MESH + API_KEY).replace("9200-9300", "9200").replace("9300-9400", "9300").replace("9443", "9444")
    expected.compare(expected.plan(["elasticsearch"], hosts, tmp_path, **values), table)


def test_a_proxy_has_to_be_named(expected: Any, tmp_path: Path) -> None:
    ((rule, service, reason),) = expected.unchecked(
        expected.plan(["elasticsearch"], PLAIN, tmp_path, es_proxy_mode="true")
    )
    assert (rule, service) == ("cluster-to-proxy", "elasticsearch-remote-proxy")
    assert "set es_remote_proxies" in reason


def test_lint() -> None:
    """The page's two ranges have 9300 in common."""
    assert [str(found) for found in matrix.lint(["elasticsearch"]) if "9300" not in str(found)] == []
