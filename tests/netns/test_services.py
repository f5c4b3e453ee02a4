"""Real servers that are not as they should be, or not for everybody: what each row says of them."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from .daemons import PORTS, SERVERS, Daemons, needs, once, start_tgtd, write
from .harness import pair
from .lab import Lab, chain, eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .harness import Portcheck, Run

NEEDED = ("postgresql", "redis", "chronyd", "tgtd", "haproxy", "dnsmasq", "dhcpd", "slapd", "etcd")


def locked_redis(daemons: Daemons, place: Path) -> None:
    daemons.run(place, "redis-server", "--bind", "*", "--requirepass", "open sesame", "--save", "", "--port", "6380")


def secured_postgresql(daemons: Daemons, place: Path) -> None:
    SERVERS["postgresql"](daemons, place)
    data = place / "data"
    eventually(lambda: "tcp 5432" in daemons.lab.listening(daemons.host), 20, "postgresql to listen")
    become = ("setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups")
    once(
        *become, "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=db.example",
        "-keyout", data / "server.key", "-out", data / "server.crt",
    )  # fmt: skip
    with (data / "postgresql.conf").open("a", encoding="utf-8") as config:
        config.write("ssl = on\n")
    once(*become, "/usr/lib/postgresql/15/bin/pg_ctl", "reload", "-D", data)


def closed_chronyd(daemons: Daemons, place: Path) -> None:
    """As on a machine that only asks others for the time."""
    config = write(place, "conf", f"pidfile {place}/pid\n")
    daemons.run(place, "/usr/sbin/chronyd", "-d", "-x", "-U", "-u", "root", "-f", config)


def choosy_chronyd(daemons: Daemons, place: Path) -> None:
    """It serves another network."""
    config = write(place, "conf", f"allow 192.0.2.0/24\nlocal\ncmdport 0\nport 1123\npidfile {place}/pid\n")
    daemons.run(place, "/usr/sbin/chronyd", "-d", "-x", "-U", "-u", "root", "-f", config)


def lost_chronyd(daemons: Daemons, place: Path) -> None:
    """It serves, and has nobody to ask for the time."""
    config = write(place, "conf", f"allow\ncmdport 0\nport 1124\npidfile {place}/pid\n")
    daemons.run(place, "/usr/sbin/chronyd", "-d", "-x", "-U", "-u", "root", "-f", config)


def shy_redis(daemons: Daemons, place: Path) -> None:
    """In protected mode: it talks to its own host alone."""
    daemons.run(place, "redis-server", "--bind", "*", "--protected-mode", "yes", "--save", "", "--port", "6381")


def dhcp_dnsmasq(daemons: Daemons, place: Path) -> None:
    """It leases addresses of its own network, and knows that of the source."""
    ranges = (f"{daemons.network}.100,{daemons.network}.110,255.255.255.0", "10.77.1.0,static,255.255.255.0")
    daemons.run(
        place, "/usr/sbin/dnsmasq", "-k", "-C", "/dev/null", "--port=0", "--log-facility=-", "--pid-file=",
        "--user=root", *(f"--dhcp-range={one}" for one in ranges), f"--dhcp-leasefile={place}/leases",
    )  # fmt: skip


def certified(place: Path, name: str) -> tuple[Path, Path]:
    """Key and certificate of an authority of its own, and one that it vouches for; both in `place`."""
    key, certificate = place / "key.pem", place / "certificate.pem"
    made = ("-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}")
    once("openssl", "req", "-x509", *made, "-keyout", key, "-out", certificate)
    return key, certificate


def secured_etcd(daemons: Daemons, place: Path) -> None:
    """Members show each other certificates; clients need none."""
    key, certificate = certified(place, "etcd.example")
    peer = f"https://{daemons.lab.address(daemons.host)}:2380"
    daemons.run(
        place, "etcd", f"--data-dir={place}/data", "--listen-client-urls=https://0.0.0.0:2379",
        "--advertise-client-urls=https://127.0.0.1:2379", f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}", f"--initial-cluster=default={peer}", f"--cert-file={certificate}",
        f"--key-file={key}", f"--peer-cert-file={certificate}", f"--peer-key-file={key}", "--peer-client-cert-auth",
        f"--peer-trusted-ca-file={certificate}",
    )  # fmt: skip


def secured_redis(daemons: Daemons, place: Path) -> None:
    key, certificate = certified(place, "redis.example")
    daemons.run(
        place, "redis-server", "--bind", "*", "--port", "0", "--tls-port", "6390", "--tls-cert-file", certificate,
        "--tls-key-file", key, "--tls-auth-clients", "no", "--protected-mode", "no", "--save", "",
    )  # fmt: skip


def secured_slapd(daemons: Daemons, place: Path) -> None:
    key, certificate = certified(place, "ldap.example")
    (place / "data").mkdir()
    config = write(
        place,
        "conf",
        f"include /etc/ldap/schema/core.schema\npidfile {place}/pid\nmodulepath /usr/lib/ldap\nmoduleload back_mdb\n"
        f"TLSCertificateFile {certificate}\nTLSCertificateKeyFile {key}\n"
        f"database mdb\nsuffix dc=example\ndirectory {place}/data\n",
    )
    daemons.run(place, "/usr/sbin/slapd", "-h", "ldaps:///", "-f", config, "-d", "stats")


@pytest.fixture(scope="module")
def services(_namespaces: None, portcheck: Portcheck) -> Iterator[Run]:
    needs(*NEEDED)
    with tempfile.TemporaryDirectory(prefix="portcheck-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        with Lab("a1", "b1") as lab, pytest.MonkeyPatch.context() as patched:
            daemons = Daemons(lab, "b1", Path(folder))
            for start, ports in (
                (locked_redis, ("tcp 6380",)),
                (secured_postgresql, ("tcp 5432",)),
                (closed_chronyd, ("udp 323",)),
                (choosy_chronyd, ("udp 1123",)),
                (lost_chronyd, ("udp 1124",)),
                (shy_redis, ("tcp 6381",)),
                (start_tgtd, ("tcp 3260",)),
                (secured_etcd, ("tcp 2379", "tcp 2380")),
                (secured_redis, ("tcp 6390",)),
                (secured_slapd, ("tcp 636",)),
                (dhcp_dnsmasq, ("udp 67",)),
            ):
                patched.setitem(SERVERS, start.__name__, start)
                patched.setitem(PORTS, start.__name__, ports)
                daemons.start(start.__name__)
            daemons.start("haproxy", "dnsmasq")
            place = Path(folder) / "secured_etcd"
            text = MATRIX.format(certificate=place / "certificate.pem", key=place / "key.pem")
            run = portcheck(lab, pair(), text, phase="live")
            assert (Path(folder) / "dhcp_dnsmasq" / "leases").read_text() == ""
            yield run


MATRIX = """\
portcheck: 1
name: lab
roles: {{source: {{}}, target: {{}}}}
services:
  redis: {{role: target, port: 6380, protocol: redis}}
  postgresql: {{role: target, port: 5432, protocol: postgresql}}
  trusted: {{role: target, port: 5432, protocol: postgresql, tls: {{trust: true}}}}
  own-words:
    role: target
    port: 5432
    dialogue:
      - {{starttls: {{send: {{hex: 00000008 04d2162f}}, expect: {{text: S, whole: true}}}}}}
  idle-client: {{role: target, port: 123, protocol: ntp}}
  local-commands: {{role: target, port: 323, protocol: chrony}}
  other-network: {{role: target, port: 1123, protocol: ntp}}
  no-time: {{role: target, port: 1124, protocol: ntp}}
  strangers: {{role: target, port: 6381, protocol: redis}}
  no-targets: {{role: target, port: 3260, protocol: iscsi}}
  dead-web: {{role: target, port: 8000, protocol: prometheus}}
  dead-https: {{role: target, port: 7000, protocol: https}}
  dead-raw: {{role: target, port: 7000, protocol: kafka}}
  balancer: {{role: target, port: 8443, protocol: https, status: 200}}
  not-tls: {{role: target, port: 5432, protocol: tls}}
  not-web: {{role: target, port: 5432, protocol: https}}
  not-kubelet: {{role: target, port: 5432, protocol: kubelet}}
  nobody: {{role: target, port: 7001, protocol: kafka}}
  members: {{role: target, port: 2379, protocol: etcd}}
  peers: {{role: target, port: 2380, protocol: etcd-peer}}
  peers-known: {{role: target, port: 2380, protocol: etcd-peer, tls: {{certificate: "{certificate}", key: "{key}"}}}}
  redis-tls: {{role: target, port: 6390, protocol: redis/tls}}
  redis-plain: {{role: target, port: 6390, protocol: redis}}
  directory: {{role: target, port: 636, protocol: ldaps}}
  addresses: {{role: target, port: 67, protocol: dhcp}}
flows:
  - {{from: source, to: [members, peers, peers-known, redis-tls, redis-plain, directory, addresses]}}
  - {{from: source, to: [redis, postgresql, trusted, own-words, idle-client, local-commands, other-network]}}
  - {{from: source, to: [no-targets, no-time, strangers, dead-web, dead-https, dead-raw, nobody]}}
  - {{from: source, to: [balancer, not-tls, not-web, not-kubelet]}}
policy: {{inside: ignore, outside: ignore}}
"""
FOUND = {
    "redis": ("pass", None, "Redis wants a password"),
    "postgresql": ("pass", None, "PostgreSQL offers TLS"),
    "trusted": ("mismatch", "tls", "not trusted"),
    "own-words": ("pass", None, "it answered as it should"),
    "idle-client": ("down", "not-listening", ""),
    "local-commands": ("down", "bound-elsewhere", ""),
    "other-network": ("inconclusive", None, "no answer"),
    "no-time": ("mismatch", "unhealthy", "not synchronised"),
    "strangers": ("mismatch", "unhealthy", "DENIED"),
    "no-targets": ("mismatch", "unhealthy", "by the other side without an answer"),
    "dead-web": ("mismatch", "unhealthy", "503"),
    # It hangs up on everybody, after it has looked for a back end for three seconds.
    "dead-https": ("mismatch", "unhealthy", "by the other side"),
    "dead-raw": ("mismatch", "unhealthy", "closed by the other side"),
    "balancer": ("pass", None, "CN=balancer.example"),
    # PostgreSQL hangs up on what it does not know, and not on who says nothing.
    "not-tls": ("mismatch", "tls", "it hangs up on a TLS handshake"),
    "not-web": ("mismatch", "wrong-service", "it hangs up on a TLS handshake"),
    "not-kubelet": ("mismatch", "wrong-service", "postgres (pid "),
    "nobody": ("down", "not-listening", ""),
    "members": ("pass", None, "HTTPS: HTTP 200"),
    "peers": ("mismatch", "tls", "client certificate"),
    "peers-known": ("pass", None, "HTTPS: HTTP 200"),
    "redis-tls": ("pass", None, "Redis says PONG"),
    "redis-plain": ("mismatch", "tls", "it wants TLS"),
    "directory": ("pass", None, "LDAP answer"),
    "addresses": ("pass", None, "DHCP ack of server 10.77.3.2"),
}


@pytest.mark.parametrize("service", FOUND)
def test_what_is_found(services: Run, service: str) -> None:
    row = services.row(service=service)
    verdict, cause, words = FOUND[service]
    assert (row["verdict"], row["cause"]) == (verdict, cause), row
    assert words in " ".join(one["what"] for one in row["evidence"]), row


def test_the_handshake_is_told(services: Run) -> None:
    said = " ".join(one["what"] for one in services.row(service="postgresql")["evidence"])
    assert "TLS 1.3" in said
    assert "CN=db.example" in said


def test_who_may_not_send_from_a_port_says_so(portcheck: Portcheck) -> None:
    """DHCP is asked from port 68: without the privilege that is nobody's fault on the network."""
    needs("dhcpd")
    with tempfile.TemporaryDirectory(prefix="portcheck-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        with Lab("a1", "b1") as lab:
            daemons = Daemons(lab, "b1", Path(folder))
            daemons.start("dhcpd")
            bounded = " ".join((*lab.prefix("a1"), "setpriv", "--bounding-set=-net_bind_service,-net_raw"))
            run = portcheck(
                lab, pair(), {"dhcp": "dhcp 67"}, phase="live", variables={"a1": {"portcheck_exec": bounded}}
            )
    row = run.row(service="dhcp")
    assert (row["verdict"], row["cause"]) == ("inconclusive", "resources"), row
    assert "from port 68, for which the agent needs root or CAP_NET_BIND_SERVICE" in row["evidence"][0]["what"]


def test_one_after_the_other_breaks(portcheck: Portcheck) -> None:
    """A small site: each service is stopped once, and found."""
    names = {"postgresql": "postgresql 5432", "redis": "redis 6379", "dnsmasq": "dns 53", "chronyd": "ntp 123"}
    needs(*names)
    with tempfile.TemporaryDirectory(prefix="portcheck-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        with Lab("a1", "b1") as lab:
            daemons = Daemons(lab, "b1", Path(folder))
            daemons.start(*names)
            for number, name in enumerate(names):
                _stop(lab, name)
                run = portcheck(lab, pair(), names, phase="live")
                assert {row["verdict"] for row in run.rows(service=name)} == {"down"}, run
                alive = list(names)[number + 1 :]
                assert {row["verdict"] for one in alive for row in run.rows(service=one)} <= {"pass"}, run


COMMANDS = {"postgresql": "postgres", "redis": "redis-server", "dnsmasq": "dnsmasq", "chronyd": "chronyd"}


def _stop(lab: Lab, name: str) -> None:
    """Kill the processes of that name inside the lab's host."""
    for pid in lab.pids("b1"):
        comm = Path(f"/proc/{pid}/comm")
        if comm.exists() and comm.read_text().strip() == COMMANDS[name]:
            os.kill(pid, 9)
    ports = PORTS[name]
    eventually(lambda: not set(ports) & lab.listening("b1"), 20, f"{name} to end")


def test_data_that_does_not_pass_is_no_slow_service(portcheck: Portcheck) -> None:
    """A device lets connections be made and swallows what they carry: to an asker, a service that does not answer."""
    needs("redis")
    with tempfile.TemporaryDirectory(prefix="portcheck-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        with Lab("a1", "b1") as lab:
            Daemons(lab, "b1", Path(folder)).start("redis")
            lab.nft("r", chain("forward", "tcp dport 6379 tcp flags & psh == psh drop"))
            run = portcheck(lab, pair(), {"redis": "redis 6379", "bare": "tcp 6379"}, phase="live")
    assert run.outcome(service="redis") == ("blocked", "payload"), run
    assert run.outcome(service="bare") == ("pass", None), run
