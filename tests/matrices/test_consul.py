"""The two tables of the Consul ports reference and what it says of each port, copied by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from probe.spec import matrix

if TYPE_CHECKING:
    from pathlib import Path

HOSTS = """
[consul_server]
s1 ansible_host=10.1.0.1
s2 ansible_host=10.1.0.2
t1 ansible_host=10.2.0.1 consul_datacenter=dc2
[consul_client]
c1 ansible_host=10.1.0.3
c2 ansible_host=10.1.0.4
d1 ansible_host=10.2.0.2 consul_datacenter=dc2
[consul_dataplane]
k1 ansible_host=10.1.0.5
[consul_workload]
w1 ansible_host=10.1.0.6
[mesh_gateway]
g1 ansible_host=10.1.0.7
h1 ansible_host=10.2.0.3 consul_datacenter=dc2
[out]
p1 ansible_host=192.0.2.1 portcheck_zone=outside
"""
# s1, s2, c1, c2, k1 and g1 are in dc1, by default; t1, d1 and h1 in dc2.
PORTS = """
# DNS and HTTP: from workloads, which clients may serve as well as servers
consul_workload > consul_server, consul_client  8600/dns/tcp  alternative
consul_workload > consul_server, consul_client  8600/dns/udp  alternative
consul_workload > consul_server, consul_client  8500/consul     alternative
# gRPC TLS: enabled at servers, for dataplanes
k1              > s1, s2                        8503/grpc
# Server RPC: servers among each other, and clients to servers, in the same datacenter
s1, s2, c1, c2  > s1, s2                        8300/tcp      hosts=other
d1              > t1                            8300/tcp
# LAN Serf: all agents of a datacenter
s1, s2, c1, c2  > s1, s2, c1, c2                8301/tcp      hosts=other
s1, s2, c1, c2  > s1, s2, c1, c2                8301/udp      hosts=other
t1, d1          > t1, d1                        8301/tcp      hosts=other
t1, d1          > t1, d1                        8301/udp      hosts=other
"""
HTTPS = "consul_workload > consul_server, consul_client  8501/consul  alternative\n"
GRPC = """
k1            > s1, s2         8502/grpc
consul_client > consul_client  8502/grpc  local
"""
CLIENT_GRPC_TLS = "consul_client > consul_client  8503/grpc  local\n"
# WAN federation without mesh gateways: all federated servers, on RPC and WAN Serf
DIRECT = """
s1, s2     > t1          8300/tcp
t1         > s1, s2      8300/tcp
s1, s2, t1 > s1, s2, t1  8302/tcp  hosts=other
s1, s2, t1 > s1, s2, t1  8302/udp  hosts=other
"""
# WAN federation with mesh gateways: what comes in comes from a gateway of the same datacenter
GATEWAYS = """
g1 > s1, s2  8300/tcp
g1 > s1, s2  8302/tcp
g1 > s1, s2  8302/udp
h1 > t1      8300/tcp
h1 > t1      8302/tcp
h1 > t1      8302/udp
"""
PEERING = """
p1            > consul_server       8503/grpc
consul_server > @peer.example.com   8503/grpc
consul_server > @peer2.example.com  443/grpc
"""
RECURSORS = """
consul_server, consul_client > @10.9.9.9  53/dns/tcp
consul_server, consul_client > @10.9.9.9  53/dns/udp
"""
AGENTS = "consul_server, consul_client, consul_dataplane"
SIDECARS = f"{AGENTS} > {AGENTS}  21000-21255/tcp  hosts=other listen=some\n"


@pytest.mark.parametrize(
    ("values", "more"),
    [
        ({}, ""),
        ({"consul_https": "true"}, HTTPS),
        ({"consul_grpc": "true"}, GRPC),
        ({"consul_client_grpc_tls": "true"}, CLIENT_GRPC_TLS),
        ({"consul_wan_federation": "direct"}, DIRECT),
        ({"consul_wan_federation": "mesh-gateway"}, GATEWAYS),
        (
            {
                "consul_peering": "true",
                "consul_peer_networks": "192.0.2.0/24",
                "consul_peers": "peer.example.com,peer2.example.com:443",
            },
            PEERING,
        ),
        (
            {
                "consul_peer_networks": "192.0.2.0/24",
                "consul_peers": "peer.example.com",
                "consul_recursors": "10.9.9.9",
            },
            "",
        ),
        ({"consul_recursion": "true", "consul_recursors": "10.9.9.9"}, RECURSORS),
        ({"consul_service_mesh": "true"}, SIDECARS),
    ],
    ids=[
        "default",
        "https",
        "grpc",
        "client-grpc-tls",
        "direct",
        "gateways",
        "peering",
        "unused",
        "recursors",
        "sidecars",
    ],
)
def test_rows(expected: Any, tmp_path: Path, values: dict[str, str], more: str) -> None:
    expected.compare(expected.plan(["consul"], HOSTS, tmp_path, **values), PORTS + more)


def test_what_is_off_asks_for_nothing(expected: Any, tmp_path: Path) -> None:
    assert expected.unchecked(expected.plan(["consul"], HOSTS, tmp_path)) == set()


def test_what_the_page_leaves_open(expected: Any, tmp_path: Path) -> None:
    """It has no port for the gateways; who the peers and the other DNS servers are has to be said."""
    values = {"consul_wan_federation": "mesh-gateway", "consul_peering": "true", "consul_recursion": "true"}
    found = expected.unchecked(expected.plan(["consul"], HOSTS, tmp_path, **values))
    assert {(rule, service) for rule, service, _ in found} == {
        ("server-to-gateway", "consul-mesh-gateway"),
        ("server-to-peer", "consul-peer"),
        ("agent-to-recursor", "consul-recursor"),
    }
    reasons = {service: reason for _, service, reason in found}
    assert "set consul_peers" in reasons["consul-peer"]
    assert "set consul_recursors" in reasons["consul-recursor"]


def test_lint() -> None:
    assert [str(found) for found in matrix.lint(["consul"])] == []
