"""Every protocol with a name, asked of the real server, and of ten servers that speak another.

The table protocol by server stands at the end of the tests.
"""

from __future__ import annotations

import json
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from probe.model.protocols import spoken
from probe.protocols import NAMED

from . import harness
from .daemons import PORTS, Daemons, needs
from .harness import matrix, pair
from .lab import Lab

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .harness import Portcheck, Run

# Protocol and port, and the server that speaks it there.
RIGHT = {
    "ssh 22": "sshd",
    "dns 53": "dnsmasq",
    "tftp 69": "dnsmasq",
    "ntp 123": "chronyd",
    "chrony 323": "chronyd",
    "dhcp 67": "dhcpd",
    "snmp 161": "snmpd",
    "rpcbind 111": "rpcbind",
    "nfs 2049": "ganesha",
    "iscsi 3260": "tgtd",
    "postgresql 5432": "postgresql",
    "redis 6379": "redis",
    "mysql 3306": "mariadb",
    "ldap 389": "slapd",
    "amqp 5672": "rabbitmq",
    "zookeeper 2181": "zookeeper",
    "smtp 25": "exim",
    "prometheus 9090": "prometheus",
    "alertmanager 9093": "alertmanager",
    "pushgateway 9091": "pushgateway",
    "prometheus-exporter 9100": "node-exporter",
    "etcd 2379": "etcd",
    "etcd-peer 2380": "etcd",
    "docker-registry 5000": "registry",
    "influxdb 8086": "influxd",
    "haproxy-stats 8404": "haproxy",
    "ceph-mon 3300": "ceph",
    "http 80": "nginx",
}
# Servers on TCP and UDP that every protocol is asked of. RabbitMQ waits for eight bytes before it says a word.
OTHERS = {
    "sshd": 22, "exim": 25, "nginx": 80, "slapd": 389, "etcd": 2379, "mariadb": 3306, "postgresql": 5432,
    "registry": 5000, "rabbitmq": 5672, "redis": 6379, "prometheus": 9090,
}  # fmt: skip
OTHERS_UDP = {"dnsmasq": 53, "tftp": 69, "chronyd": 123, "snmpd": 161, "cmdmon": 323}
# What else the program of a server speaks.
_DNSMASQ, _CHRONYD = ("dns", "dhcp", "tftp"), ("ntp", "chrony")
SEVERAL = {"dnsmasq": _DNSMASQ, "tftp": _DNSMASQ, "chronyd": _CHRONYD, "cmdmon": _CHRONYD}
SECURED = ("ldaps", "kubelet", "kubernetes-api")
# By its name a program may be the right one that was given no certificate, or stand before it, or have a port for HTTP.
SECURABLE = {"ldaps": ("slapd", "nginx")}
# Whoever has metrics is an exporter.
ALSO = {("prometheus-exporter", "etcd"), ("prometheus-exporter", "prometheus")}
OWN = {"docker-registry": "registry", "ssh": "sshd", "smtp": "exim", "ldap": "slapd", "mysql": "mariadb",
       "amqp": "rabbitmq", "dns": "dnsmasq", "ntp": "chronyd", "snmp": "snmpd", "chrony": "cmdmon"}  # fmt: skip


@pytest.fixture(scope="module")
def daemons(_namespaces: None) -> Iterator[Daemons]:
    needs(*PORTS)
    # Not pytest's own: some of them become another user, who may not enter that.
    with tempfile.TemporaryDirectory(prefix="portcheck-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        with Lab("a1", "b1") as lab:
            started = Daemons(lab, "b1", Path(folder))
            started.start(*PORTS)
            yield started


@pytest.fixture(scope="module")
def right(daemons: Daemons, portcheck: Portcheck) -> Run:
    services = {need.split()[0]: need for need in RIGHT}
    for server in PORTS:
        daemons.news(server)
    return portcheck(daemons.lab, pair(), services, phase="live")


@pytest.fixture(scope="module")
def written(right: Run, daemons: Daemons) -> dict[str, list[str]]:
    """What each server wrote of us while it was asked in its own protocol."""
    assert right.rows()
    us = daemons.lab.address("a1")
    return {server: [line for line in daemons.news(server) if us in line] for server in PORTS}


@pytest.mark.parametrize("need", RIGHT)
def test_the_real_server_passes(right: Run, need: str) -> None:
    for row in right.rows(service=need.split(maxsplit=1)[0]):
        assert (row["verdict"], row["cause"], row["state"]) == ("pass", None, "open"), row


def test_what_it_said_is_told(right: Run) -> None:
    said = {row["service"]: row["evidence"][0]["what"] for row in right.rows()}
    assert said["dns"] == "DNS answer, REFUSED, from 10.77.3.2"
    assert said["ntp"] == "NTP answer, stratum 3, from 10.77.3.2"
    assert said["dhcp"] == "DHCP ack of server 10.77.3.2, from 10.77.3.2"
    assert said["tftp"].startswith("TFTP error, File not found, from 10.77.3.2; it answers from port ")
    assert said["nfs"] == "NFS answer, version 4, from 10.77.3.2"
    assert said["rpcbind"] == "rpcbind answer, versions 2 to 4, from 10.77.3.2"
    assert said["mysql"].startswith("MySQL greeting, version ")
    assert said["iscsi"] == "iSCSI login answer, success, from 10.77.3.2"


# As docs/protocols.md says; all others write nothing of us.
WRITTEN = {
    "sshd": r"Connection closed by \S+ port \d+ \[preauth\]",
    "dnsmasq": r".*\bfile \S+/portcheck-no-such-file-\w+ not found for .*",
    "dhcpd": r"DHCP(INFORM from|ACK to) .*",
    "snmpd": r"Connection from UDP: .*",
    "slapd": r".* conn=\d+ fd=\d+ ACCEPT from .*",  # with `-d stats`, as here
    "mariadb": r".*\[Warning\] Access denied for user 'portcheck'@.*",
    "rabbitmq": r".*(accepting|closing) AMQP connection .*",
    "zookeeper": r".* INFO .* Processing srvr command from .*",
    "registry": r".*(GET /v2/|response completed).*",
    "influxd": r".*GET /ping.*",
    "haproxy": r".*(<BADREQ>|GET /stats;csv).*",  # each request is logged here
}


@pytest.mark.parametrize("server", PORTS)
def test_what_a_server_writes_of_it(written: dict[str, list[str]], server: str) -> None:
    assert [line for line in written[server] if not re.fullmatch(WRITTEN.get(server, "nothing"), line)] == []


def test_a_server_that_counts_is_asked_often(daemons: Daemons, portcheck: Portcheck) -> None:
    """It would shut out whoever left three times in the middle of a handshake."""
    for _ in range(5):
        run = portcheck(daemons.lab, pair(), {"mysql": "mysql 3306"}, phase="live")
        assert run.row(service="mysql")["verdict"] == "pass", run


def test_before_the_installation_the_same_rows_pass(portcheck: Portcheck) -> None:
    """A stand-in takes the place of every one of them."""
    services = {name: f"{name} {known.port}" for name, known in NAMED.items()}
    services["registry"] = "docker-registry 5005"
    with Lab("a1", "b1") as lab:
        run = portcheck(lab, pair(), services, phase="pre-install")
    assert {row["service"] for row in run.rows()} == services.keys()
    assert {(row["verdict"], row["cause"]) for row in run.rows()} == {("pass", None)}, run


@pytest.fixture(scope="module")
def wrong(daemons: Daemons, portcheck: Portcheck, request: pytest.FixtureRequest) -> Run:
    rows = {}
    for name in NAMED:
        transports = {way.protocol.transport.value for way in spoken(name) if way.protocol is not None}
        for transport, others in (("tcp", OTHERS), ("udp", OTHERS_UDP)):
            if transport not in transports:
                continue
            word = f"{name}/{transport}" if len(transports) > 1 else name
            rows |= {f"{name}.{transport}.{server}": f"{word} {port}" for server, port in others.items()}
    text = matrix(pair(), rows, {})
    patched = pytest.MonkeyPatch()
    patched.setattr(harness, "DEADLINE_SECONDS", 180)
    try:
        return portcheck(daemons.lab, pair(), text, phase="live")
    finally:
        patched.undo()


def test_the_wrong_server_never_passes(wrong: Run, daemons: Daemons, record_property: pytest.RecordProperty) -> None:
    unexpected = []
    for row in wrong.rows():
        name, transport, server = row["service"].split(".")
        found = row["cause"] or row["verdict"]
        record_property("protocol", (f"{name}/{transport}", server, found))
        right = OWN.get(name, name) == server or (name, server) in ALSO
        wanted = {"pass"} if right else {"wrong-service"}
        if name in SECURED and server in SECURABLE.get(name, ("nginx", "rabbitmq")):
            wanted = {"tls"}
            if server == "slapd":  # it hangs up; of so many rows not each is looked at from both ends
                wanted.add("mismatch")
        if transport == "udp" and name in SEVERAL.get(server, ()):
            # By its name the program may be the right one, and need not answer a stranger.
            wanted.add("inconclusive")
        if found not in wanted:
            unexpected.append((name, transport, server, found, [one["what"] for one in row["evidence"]]))
    assert unexpected == [], json.dumps(unexpected, indent=1)


def test_the_servers_live_on(wrong: Run, daemons: Daemons, portcheck: Portcheck) -> None:
    assert wrong.rows()
    services = {need.split()[0]: need for need in RIGHT}
    again = portcheck(daemons.lab, pair(), services, phase="live")
    assert again.verdicts() == {"pass"}, again


IPV6 = ("ssh 22", "dns 53", "tftp 69", "ntp 123", "nfs 2049", "postgresql 5432", "redis 6379", "mysql 3306", "ldap 389",
        "amqp 5672", "zookeeper 2181", "smtp 25", "prometheus 9090")  # fmt: skip


def test_over_ipv6(daemons: Daemons, portcheck: Portcheck) -> None:
    services = {need.split()[0]: need for need in IPV6}
    run = portcheck(daemons.lab, pair(), services, phase="live", families=(6,))
    assert {row["service"] for row in run.rows()} == services.keys()
    assert run.verdicts() == {"pass"}, run
