"""Protocols by name, one file each. What runs on a node knows none of them: it is told what to send and to expect."""

from __future__ import annotations

import functools
import logging
from typing import TYPE_CHECKING

from probe.model.observation import Holder
from probe.model.words import Protocol
from probe.protocols import (
    amqp,
    ceph_mon,
    chrony,
    dhcp,
    dns,
    iscsi,
    kafka,
    ldap,
    mongodb,
    mysql,
    nsq,
    ntp,
    postgresql,
    redis,
    rpc,
    smtp,
    snmp,
    ssh,
    tftp,
    web,
    zookeeper,
)

if TYPE_CHECKING:
    from probe.model.words import Transport
    from probe.protocols.named import Named

log = logging.getLogger("portcheck")

NAMED: dict[str, Named] = {
    "alertmanager": web.ALERTMANAGER,
    "amqp": amqp.AMQP,
    "ceph-mon": ceph_mon.CEPH_MON,
    "chrony": chrony.CHRONY,
    "consul": web.CONSUL,
    "dhcp": dhcp.DHCP,
    "dns": dns.DNS,
    "docker-registry": web.DOCKER_REGISTRY,
    "elasticsearch": web.ELASTICSEARCH,
    "etcd": web.ETCD,
    "etcd-peer": web.ETCD_PEER,
    "haproxy-stats": web.HAPROXY_STATS,
    "influxdb": web.INFLUXDB,
    "iscsi": iscsi.ISCSI,
    "kafka": kafka.KAFKA,
    "kubelet": web.KUBELET,
    "kubernetes-api": web.KUBERNETES_API,
    "ldap": ldap.LDAP,
    "ldaps": ldap.LDAPS,
    "minio": web.MINIO,
    "mongodb": mongodb.MONGODB,
    "mysql": mysql.MYSQL,
    "nfs": rpc.NFS,
    "nsqd": nsq.NSQD,
    "nsqd-http": web.NSQD_HTTP,
    "nsqlookupd": nsq.NSQLOOKUPD,
    "nsqlookupd-http": web.NSQLOOKUPD_HTTP,
    "ntp": ntp.NTP,
    "postgresql": postgresql.POSTGRESQL,
    "prometheus": web.PROMETHEUS,
    "prometheus-exporter": web.PROMETHEUS_EXPORTER,
    "pushgateway": web.PUSHGATEWAY,
    "redis": redis.REDIS,
    "rpcbind": rpc.RPCBIND,
    "smtp": smtp.SMTP,
    "snmp": snmp.SNMP,
    "ssh": ssh.SSH,
    "sunrpc": rpc.RPCBIND,
    "tftp": tftp.TFTP,
    "zookeeper": zookeeper.ZOOKEEPER,
}
INSIDE_TLS = "/tls"
# They listen in the place of others; some may speak HTTP on their own instead.
_RELAYS = frozenset({
    "docker-proxy", "rootlessport", "stunnel", "stunnel4", "socat", "systemd-socket-", "kube-proxy", "pasta",
    "slirp4netns",
})  # fmt: skip
# It opens sockets for others.
_RUNTIMES = frozenset({"systemd"})
_BALANCERS = frozenset({"haproxy", "nginx", "envoy", "traefik", "caddy"})
# Rows that name no service but HTTP or TLS itself.
_HTTP = frozenset({Protocol.HTTP, Protocol.HTTPS, Protocol.HTTP_OR_HTTPS})
_WEB_SERVERS = frozenset({"apache2", "httpd", "lighttpd", "h2o", "angie", "openresty"})
# They are known for another protocol, and have a port for HTTP too (statistics, an API, DNS over HTTPS).
_ALSO_WEB = frozenset({
    "named", "unbound", "coredns", "pdns_server", "pdns_recursor", "knotd", "kresd", "consul", "dragonfly",
    "ganesha.nfsd", "ceph-mgr", "mongod", "proxysql", "maxscale", "mysqlrouter", "Kafka", "QuorumPeerMain",
    "ZooKeeperServerMain", "rabbit", "Artemis", "DirectoryServer",
})  # fmt: skip


def known_as(word: str) -> Named | None:
    """That of a name, which may be inside TLS: `redis`, `redis/tls`."""
    return NAMED.get(word.removesuffix(INSIDE_TLS))


def told(word: str, transport: Transport, said: bytes) -> str:
    """An answer in words; empty where nobody knows better than its bytes do."""
    known = known_as(word)
    if known is None or known.tell is None or not said:
        return ""
    try:
        return known.tell(said, transport)
    except Exception as error:  # noqa: BLE001  (whatever a dissector makes of a stranger's bytes, it is no reason to fail)
        log.debug("an answer in %s could not be told: %r", word, error)
        return ""


def holder(word: str, by: str) -> Holder:
    """What the processes that hold a port (`redis-server (pid 812)`, `java Kafka (pid 9)`, several with commas) are to
    this protocol.
    """
    known, http = known_as(word), word in _HTTP
    names = {name.partition(" (pid ")[0].split()[-1] for name in by.split(", ") if name.strip().find(" (pid ") > 0}
    if not names or (known is None and not http and word != Protocol.TLS):
        return Holder.UNKNOWN
    if names & (_web_programs() if http else set(known.programs.split() if known is not None else ())):
        return Holder.SPEAKER
    if names & _BALANCERS:
        return Holder.BALANCER
    if names & _RELAYS:
        return Holder.RELAY
    if known is None and not http:
        return Holder.UNKNOWN  # there is hardly a server that cannot be had inside TLS
    others = _programs() - _ALSO_WEB if http or (known is not None and known.web) else _programs()
    return Holder.ANOTHER if names <= others else Holder.UNKNOWN


def meant_by(program: str) -> str:
    """A hint for who names a program in the place of what it speaks: `postgres`, `nginx`; empty if none is known."""
    found = [name for name, known in NAMED.items() if program in known.programs.split() and program not in _RUNTIMES]
    if program in _BALANCERS | _WEB_SERVERS:
        found = [Protocol.HTTP.value, Protocol.HTTPS.value]
    return f"did you mean {' or '.join(map(repr, found))}?" if found else ""


@functools.cache
def _programs() -> frozenset[str]:
    """Those that are known for a protocol, and do not run other people's programs."""
    return frozenset(program for known in NAMED.values() for program in known.programs.split()) - _RUNTIMES


@functools.cache
def _web_programs() -> frozenset[str]:
    """Those of them that speak HTTP, and web servers."""
    web = frozenset(program for known in NAMED.values() if known.web for program in known.programs.split())
    return (web | _WEB_SERVERS) - _RUNTIMES - _BALANCERS
