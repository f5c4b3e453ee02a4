"""The protocols that a matrix may name, and how each is asked for."""

from __future__ import annotations

import functools
import re
from typing import NamedTuple

from probe.model.words import Protocol, Transport

_TCP, _UDP = Transport.TCP, Transport.UDP
APPLICATIONS: dict[str, tuple[Transport, ...]] = {
    "amqp": (_TCP,),
    "cassandra": (_TCP,),
    "ceph-mon": (_TCP,),
    "chrony": (_UDP,),
    "dhcp": (_UDP,),
    "dns": (_TCP, _UDP),
    "geneve": (_UDP,),
    "grpc": (_TCP,),
    "iscsi": (_TCP,),
    "kafka": (_TCP,),
    "kerberos": (_TCP, _UDP),
    "ldap": (_TCP,),
    "ldaps": (_TCP,),
    "memcached": (_TCP,),
    "mongodb": (_TCP,),
    "mqtt": (_TCP,),
    "mysql": (_TCP,),
    "netbios": (_UDP,),
    "nfs": (_TCP,),
    "nsq": (_TCP,),
    "nsqd": (_TCP,),
    "nsqlookupd": (_TCP,),
    "ntp": (_UDP,),
    "postgresql": (_TCP,),
    "radius": (_UDP,),
    "rdp": (_TCP,),
    "redis": (_TCP,),
    "rpcbind": (_TCP, _UDP),
    "smb": (_TCP,),
    "smtp": (_TCP,),
    "snmp": (_UDP,),
    "ssh": (_TCP,),
    "statsd": (_UDP,),
    "sunrpc": (_TCP, _UDP),
    "syslog": (_UDP,),
    "tftp": (_UDP,),
    "vxlan": (_UDP,),
    "wireguard": (_UDP,),
    "zookeeper": (_TCP,),
}
"""Protocols of applications, with the transports that they use where the matrix does not say which."""

_EITHER = Protocol.HTTP_OR_HTTPS
WEB: dict[str, Protocol] = {
    "alertmanager": _EITHER,
    "consul": _EITHER,
    "docker-registry": _EITHER,
    "elasticsearch": _EITHER,
    "etcd": _EITHER,
    "etcd-peer": _EITHER,
    "haproxy-stats": _EITHER,
    "influxdb": _EITHER,
    "kubelet": Protocol.HTTPS,
    "kubernetes-api": Protocol.HTTPS,
    "minio": _EITHER,
    "nsqd-http": _EITHER,
    "nsqlookupd-http": _EITHER,
    "prometheus": _EITHER,
    "prometheus-exporter": _EITHER,
    "pushgateway": _EITHER,
}
"""Those that are asked in HTTP, with how."""

_PROBED = frozenset(Protocol)
# IP protocols by their numbers: https://www.iana.org/assignments/protocol-numbers.
_IP = {"igmp": 2, "ipip": 4, "gre": 47, "esp": 50, "ah": 51, "ospf": 89, "vrrp": 112, "sctp": 132}
_NUMBERED = re.compile(r"(?:ip/(?P<ip>\d{1,3})|icmp/(?P<icmp>\d{1,3}))\Z")
_WITH_TRANSPORT = re.compile(r"([a-z][a-z0-9-]*)/(tcp|udp|tls|http|https)\Z")
PATTERN = r"[a-z][a-z0-9-]{1,23}(?:/[a-z0-9]{1,5})?"
"""What the word of a protocol looks like."""
NAMED = (*Protocol, *APPLICATIONS, *WEB, "icmp", *_IP, "unix", "unstated")
"""All words but the numbered ones, and those with a transport."""
FORMS = (
    "tcp, udp, tls, http, https, http-or-https, the protocol of an application such as postgresql, dns/udp, redis/tls, "
    "icmp/8, ip/112, unix, unstated"
)


class Spoken(NamedTuple):
    """A protocol on one transport. `protocol` is how portcheck asks, None where it cannot; `reason` then says why.

    `application` is the matrix's word where that says more than `protocol`.
    """

    protocol: Protocol | None
    application: str = ""
    reason: str = ""

    @property
    def word(self) -> str:
        return self.application or (self.protocol.value if self.protocol else "")


@functools.cache
def spoken(word: str) -> tuple[Spoken, ...]:
    """What a matrix means by this word, once for each transport; empty if it means nothing."""
    if word in _PROBED:
        return (Spoken(Protocol(word)),)
    if word in WEB:
        return (Spoken(WEB[word], word),)
    if word in APPLICATIONS:
        return tuple(Spoken(Protocol(transport.value), word) for transport in APPLICATIONS[word])
    found = _WITH_TRANSPORT.match(word)
    if found and found[1] in WEB and found[2] in ("http", "https"):
        return (Spoken(Protocol(found[2]), found[1]),)
    if found and found[2] == "tls" and Transport.TCP in APPLICATIONS.get(found[1], ()):
        return (Spoken(Protocol.TCP, word),)
    if found and found[1] in APPLICATIONS and found[2] in ("tcp", "udp"):
        return (Spoken(Protocol(found[2]), found[1]),)
    reason = _reason(word)
    return (Spoken(None, word, reason),) if reason else ()


def has_ports(word: str) -> bool:
    """Whether the protocol knows ports, so that a matrix has to give them."""
    return word in ("sctp", "unstated") or any(way.protocol for way in spoken(word))


def _reason(word: str) -> str:
    if word == "unix":
        return "a unix socket is not reached over the network"
    if word == "unstated":
        return "the document does not say whether it is TCP or UDP"
    if word == "sctp":
        return "SCTP is not asked for"
    if word == "icmp":
        return "ICMP has types and no ports"
    if word in _IP:
        return f"IP protocol {_IP[word]} has no ports"
    found = _NUMBERED.match(word)
    if found and found["ip"] and int(found["ip"]) < 256:
        return f"IP protocol {int(found['ip'])} has no ports"
    if found and found["icmp"] and int(found["icmp"]) < 256:
        return f"ICMP type {int(found['icmp'])} is no port"
    return ""
