"""What a word means as a protocol."""

from __future__ import annotations

import pytest

from probe.model.matrix import Service
from probe.model.protocols import APPLICATIONS, NAMED, has_ports, spoken
from probe.model.words import Protocol


@pytest.mark.parametrize(
    ("word", "ways"),
    [
        ("tcp", ["tcp tcp"]),
        ("udp", ["udp udp"]),
        ("https", ["https https"]),
        ("postgresql", ["tcp postgresql"]),
        ("dns", ["tcp dns", "udp dns"]),
        ("dns/udp", ["udp dns"]),
        ("syslog/tcp", ["tcp syslog"]),
        ("redis/tls", ["tcp redis/tls"]),
        ("etcd", ["http-or-https etcd"]),
        ("etcd/https", ["https etcd"]),
        ("kubelet", ["https kubelet"]),
        ("redis/https", []),
        ("etcd/tcp", []),
        ("ntp/tls", []),
        ("tcp/udp", []),
        ("icmp/256", []),
        ("ip/256", []),
        ("icmp/", []),
        ("quic", []),
        ("TCP", []),
        ("", []),
    ],
)
def test_a_word(word: str, ways: list[str]) -> None:
    assert [f"{way.protocol} {way.word}" for way in spoken(word)] == ways
    assert not [way.reason for way in spoken(word) if way.reason]


@pytest.mark.parametrize(
    ("word", "reason", "ports"),
    [
        ("icmp", "ICMP has types and no ports", False),
        ("icmp/8", "ICMP type 8 is no port", False),
        ("ip/112", "IP protocol 112 has no ports", False),
        ("vrrp", "IP protocol 112 has no ports", False),
        ("esp", "IP protocol 50 has no ports", False),
        ("sctp", "SCTP is not asked for", True),
        ("unix", "a unix socket is not reached over the network", False),
        ("unstated", "the document does not say whether it is TCP or UDP", True),
    ],
)
def test_one_that_cannot_be_probed(word: str, reason: str, ports: bool) -> None:
    (way,) = spoken(word)
    assert (way.protocol, way.word, way.reason, has_ports(word)) == (None, word, reason, ports)


def test_all_that_have_a_name_mean_something() -> None:
    assert all(spoken(word) for word in NAMED)
    assert all(has_ports(word) for word in (*Protocol, *APPLICATIONS))


def test_a_service_speaks_each_way_once() -> None:
    assert [way.word for way in Service(name="s", protocols=("tcp", "dns/udp", "tcp")).spoken] == ["tcp", "dns"]
