"""Real servers of Debian's, inside a host of the lab: each with a small configuration of its own, on its usual port.

What they write stands in a log beside their files. They end with the lab.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from .lab import eventually

if TYPE_CHECKING:
    from collections.abc import Callable

    from .lab import Lab

READY_SECONDS = 60
# What a server is started with, where that is not found under its name.
PROGRAMS = {
    "postgresql": "/usr/lib/postgresql/15/bin/postgres",
    "redis": "redis-server",
    "mariadb": "/usr/sbin/mariadbd",
    "rabbitmq": "/usr/lib/rabbitmq/bin/rabbitmq-server",
    "zookeeper": "/usr/share/zookeeper/bin/zkServer.sh",
    "ganesha": "ganesha.nfsd",
    "alertmanager": "prometheus-alertmanager",
    "pushgateway": "prometheus-pushgateway",
    "node-exporter": "prometheus-node-exporter",
    "registry": "docker-registry",
    "exim": "/usr/sbin/exim4",
    "ceph": "ceph-mon",
}
POSTGRES = Path("/usr/lib/postgresql/15/bin")


@dataclass
class Daemons:
    """`start` by name; `log` is what it has written by now."""

    lab: Lab
    host: str
    folder: Path
    started: list[str] = field(default_factory=list)
    read: dict[str, int] = field(default_factory=dict)

    def start(self, *names: str) -> None:
        """All of them at once; they listen when this returns."""
        for name in names:
            place = self.folder / name
            place.mkdir(parents=True)
            self.folder.chmod(0o755)
            SERVERS[name](self, place)
        for name in names:
            wanted = PORTS[name]
            eventually(
                lambda wanted=wanted: set(wanted) <= self.lab.listening(self.host),
                READY_SECONDS,
                lambda name=name: f"{name} to listen\n{self.log(name)[-3000:]}",
            )
            self.started.append(name)

    def log(self, name: str) -> str:
        return (self.folder / name / "log").read_text(encoding="utf-8", errors="replace")

    def news(self, name: str) -> list[str]:
        """The lines that it has written since this was last asked."""
        text, upto = self.log(name), self.read.get(name, 0)
        self.read[name] = len(text)
        return text[upto:].splitlines()

    def run(self, place: Path, *words: str | Path, user: str = "", **environment: str) -> None:
        """A process whose output is the log."""
        become = ("setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups") if user else ()
        with (place / "log").open("ab") as log:
            process = subprocess.Popen(
                [*self.lab.prefix(self.host), *become, *map(str, words)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, cwd=place,
                env={**os.environ, "HOME": str(place), **environment}, start_new_session=True,
            )  # fmt: skip
        self.lab._processes.append(process)  # type: ignore[arg-type]

    @property
    def network(self) -> str:
        return self.lab.address(self.host).rpartition(".")[0]


def needs(*names: str) -> None:
    """Skip the test where these servers cannot be had; fail it where the tests are required."""
    path = f"{os.environ['PATH']}:/usr/sbin:/sbin"
    absent = [name for name in names if shutil.which(PROGRAMS.get(name, name), path=path) is None]
    reason = f"not installed: {', '.join(absent)}" if absent else ""
    if not reason and subprocess.run(["setpriv", "--reuid=1", "true"], capture_output=True, check=False).returncode:
        reason = "some servers become another user, which needs root"
    if reason:
        (pytest.fail if os.environ.get("PORTCHECK_REQUIRE_NETNS") == "1" else pytest.skip)(reason)


def write(place: Path, name: str, text: str) -> Path:
    file = place / name
    file.write_text(text, encoding="utf-8")
    return file


def once(*words: str | Path) -> None:
    """A command that prepares a server."""
    done = subprocess.run([*map(str, words)], capture_output=True, text=True, timeout=60, check=False)
    if done.returncode:
        raise RuntimeError(f"{words[0]}: {done.stdout[-2000:]} {done.stderr[-2000:]}")


def sshd(daemons: Daemons, place: Path) -> None:
    Path("/run/sshd").mkdir(exist_ok=True)
    once("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", place / "key")
    daemons.run(place, "/usr/sbin/sshd", "-D", "-e", "-f", "/dev/null", "-h", place / "key", "-p", "22")


def dnsmasq(daemons: Daemons, place: Path) -> None:
    root = place / "tftp"
    root.mkdir()
    daemons.run(
        place, "/usr/sbin/dnsmasq", "-k", "-C", "/dev/null", "--no-resolv", "--no-hosts", "--log-facility=-",
        "--pid-file=", "--enable-tftp", f"--tftp-root={root}", "--user=root",
    )  # fmt: skip


def chronyd(daemons: Daemons, place: Path) -> None:
    # `-x`: the clock of the machine stays as it is.
    config = write(place, "conf", f"allow\nlocal stratum 3\nbindcmdaddress 0.0.0.0\ncmdallow\npidfile {place}/pid\n")
    daemons.run(place, "/usr/sbin/chronyd", "-d", "-x", "-U", "-u", "root", "-f", config)


def dhcpd(daemons: Daemons, place: Path) -> None:
    network = daemons.network
    pool = f"subnet {network}.0 netmask 255.255.255.0 {{ range {network}.100 {network}.110; }}\n"
    clients = "subnet 10.77.1.0 netmask 255.255.255.0 { option routers 10.77.1.1; }\n"
    config = write(place, "conf", f"authoritative;\n{pool}{clients}")
    leases = write(place, "leases", "")
    daemons.run(place, "/usr/sbin/dhcpd", "-4", "-f", "-d", "-cf", config, "-lf", leases, "-pf", place / "pid", "net")


def snmpd(daemons: Daemons, place: Path) -> None:
    config = write(place, "conf", "agentaddress udp:161\nrocommunity secret\n")
    daemons.run(
        place, "/usr/sbin/snmpd", "-f", "-Lo", "-C", "-c", config, "-p", place / "pid", "-I", "-smux",
        SNMP_PERSISTENT_DIR=str(place),
    )  # fmt: skip


def rpcbind(daemons: Daemons, place: Path) -> None:
    daemons.run(place, "/usr/sbin/rpcbind", "-f", "-a")


def ganesha(daemons: Daemons, place: Path) -> None:
    core = "NFS_CORE_PARAM { Protocols = 4; Enable_NLM = false; Enable_RQUOTA = false; }\n"
    recovery = f"NFSv4 {{ Graceless = true; RecoveryBackend = fs; RecoveryRoot = {place}; }}\n"
    config = write(place, "conf", core + recovery)
    daemons.run(place, "ganesha.nfsd", "-F", "-f", config, "-L", "STDOUT", "-p", place / "pid", "-N", "NIV_EVENT")


def start_tgtd(daemons: Daemons, place: Path) -> None:
    """Its control socket is one of the machine's, unless it is told where else."""
    daemons.run(place, "/usr/sbin/tgtd", "-f", TGT_IPC_SOCKET=f"{place}/control")


def tgtd(daemons: Daemons, place: Path) -> None:
    start_tgtd(daemons, place)
    eventually(lambda: "tcp 3260" in daemons.lab.listening(daemons.host), READY_SECONDS, "tgtd to listen")
    control = ("env", f"TGT_IPC_SOCKET={place}/control", "tgtadm", "--lld", "iscsi", "--mode", "target", "--tid", "1")
    once(*daemons.lab.prefix(daemons.host), *control, "--op", "new", "-T", "iqn.2001-04.com.example:disk")
    once(*daemons.lab.prefix(daemons.host), *control, "--op", "bind", "-I", "ALL")


def postgresql(daemons: Daemons, place: Path) -> None:
    shutil.chown(place, "postgres")
    become = ("setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups")
    once(*become, POSTGRES / "initdb", "-D", place / "data", "-A", "trust", "--no-sync")
    daemons.run(place, POSTGRES / "postgres", "-D", place / "data", "-h", "*", "-k", place, "-F", user="postgres")


def redis(daemons: Daemons, place: Path) -> None:
    daemons.run(place, "redis-server", "--bind", "*", "-::*", "--protected-mode", "no", "--save", "")


def mariadb(daemons: Daemons, place: Path) -> None:
    once("mariadb-install-db", "--no-defaults", f"--datadir={place}/data", "--user=root", "--skip-test-db",
         "--auth-root-authentication-method=normal")  # fmt: skip
    init = write(place, "init", "CREATE USER app@'%' IDENTIFIED BY 'secret';\n")
    daemons.run(
        place, "/usr/sbin/mariadbd", "--no-defaults", f"--datadir={place}/data", "--user=root", f"--socket={place}/s",
        "--bind-address=*", "--max-connect-errors=2", f"--pid-file={place}/pid", "--skip-name-resolve",
        f"--init-file={init}",
    )  # fmt: skip


def slapd(daemons: Daemons, place: Path) -> None:
    (place / "data").mkdir()
    config = write(
        place, "conf", f"include /etc/ldap/schema/core.schema\npidfile {place}/pid\nmodulepath /usr/lib/ldap\n"
        f"moduleload back_mdb\ndatabase mdb\nsuffix dc=example\ndirectory {place}/data\n",
    )  # fmt: skip
    daemons.run(place, "/usr/sbin/slapd", "-h", "ldap:///", "-f", config, "-d", "stats")


def rabbitmq(daemons: Daemons, place: Path) -> None:
    here = dict.fromkeys(("RABBITMQ_MNESIA_BASE", "RABBITMQ_LOG_BASE"), str(place))
    here |= {"RABBITMQ_PID_FILE": f"{place}/pid", "RABBITMQ_ENABLED_PLUGINS_FILE": f"{place}/plugins"}
    fixed = {"RABBITMQ_NODENAME": "lab@localhost", "RABBITMQ_LOGS": "-", "RABBITMQ_CONF_ENV_FILE": "/dev/null"}
    daemons.run(place, "/usr/lib/rabbitmq/bin/rabbitmq-server", **here, **fixed)


def zookeeper(daemons: Daemons, place: Path) -> None:
    config = write(place, "conf", f"dataDir={place}/data\nclientPort=2181\nadmin.enableServer=false\n")
    names = ("zookeeper", "slf4j-log4j12", "log4j-1.2")
    jars = ":".join(["/etc/zookeeper/conf", *(f"/usr/share/java/{name}.jar" for name in names)])
    daemons.run(
        place, "java", "-Xmx128m", "-cp", jars, "-Dzookeeper.root.logger=INFO,CONSOLE",
        "org.apache.zookeeper.server.quorum.QuorumPeerMain", config,
    )  # fmt: skip


def go(program: str, *flags: str) -> Callable[[Daemons, Path], None]:
    """A server that needs nothing but flags; `{here}` in them is its folder."""

    def start(daemons: Daemons, place: Path) -> None:
        daemons.run(place, program, *(flag.format(here=place) for flag in flags))

    return start


def prometheus(daemons: Daemons, place: Path) -> None:
    config = write(place, "conf", "scrape_configs: []\n")
    daemons.run(place, "prometheus", f"--config.file={config}", f"--storage.tsdb.path={place}/data")


def alertmanager(daemons: Daemons, place: Path) -> None:
    config = write(place, "conf", "route: {receiver: none}\nreceivers: [{name: none}]\n")
    daemons.run(
        place, "prometheus-alertmanager", f"--config.file={config}", f"--storage.path={place}/data",
        "--cluster.listen-address=",
    )  # fmt: skip


def etcd(daemons: Daemons, place: Path) -> None:
    peer = f"http://{daemons.lab.address(daemons.host)}:2380"
    daemons.run(
        place, "etcd", f"--data-dir={place}/data", "--listen-client-urls=http://0.0.0.0:2379",
        "--advertise-client-urls=http://127.0.0.1:2379", f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}", f"--initial-cluster=default={peer}",
    )  # fmt: skip


def registry(daemons: Daemons, place: Path) -> None:
    config = write(
        place,
        "conf",
        f"version: 0.1\nstorage: {{filesystem: {{rootdirectory: {place}/data}}}}\nhttp: {{addr: ':5000'}}\n",
    )
    daemons.run(place, "docker-registry", "serve", config)


def influxd(daemons: Daemons, place: Path) -> None:
    config = write(
        place, "conf", f'reporting-disabled = true\nbind-address = "127.0.0.1:8088"\n[meta]\ndir = "{place}/meta"\n'
        f'[data]\ndir = "{place}/data"\nwal-dir = "{place}/wal"\n',
    )  # fmt: skip
    daemons.run(place, "influxd", "-config", config)


def nginx(daemons: Daemons, place: Path) -> None:
    config = write(
        place, "conf", f"daemon off; user root; pid {place}/pid; error_log stderr info; events {{}}\n"
        f"http {{ access_log {place}/access; client_body_temp_path {place}; proxy_temp_path {place};\n"
        f"fastcgi_temp_path {place}; uwsgi_temp_path {place}; scgi_temp_path {place};\n"
        "server { listen 80; root /usr/share/nginx/html; } }\n",
    )  # fmt: skip
    daemons.run(place, "/usr/sbin/nginx", "-e", "stderr", "-c", config)


def haproxy(daemons: Daemons, place: Path) -> None:
    """Statistics, two balancers whose back ends are dead, in HTTP and in TCP, and one in HTTPS that answers itself."""
    pem = place / "pem"
    once("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=balancer.example",
         "-keyout", pem, "-out", place / "certificate")  # fmt: skip
    with pem.open("ab") as file:
        file.write((place / "certificate").read_bytes())
    config = write(
        place, "conf", "defaults\n  timeout connect 1s\n  timeout client 10s\n  timeout server 10s\n  mode http\n"
        "  log stdout format raw local0\n  option httplog\n"
        "frontend stats\n  bind :8404\n  stats enable\n  stats uri /stats\n"
        "listen web\n  bind :8000\n  server dead 127.0.0.1:9\n"
        "listen raw\n  bind :7000\n  mode tcp\n  option tcplog\n  server dead 127.0.0.1:9\n"
        f"frontend secured\n  bind :8443 ssl crt {pem}\n  http-request return status 200\n",
    )  # fmt: skip
    daemons.run(place, "/usr/sbin/haproxy", "-W", "-db", "-f", config)


def exim(daemons: Daemons, place: Path) -> None:
    config = write(
        place,
        "conf",
        f"primary_hostname = lab.example\nspool_directory = {place}/spool\nlog_file_path = {place}/%slog\n"
        "acl_smtp_rcpt = deny\n",
    )
    shutil.chown(place, "Debian-exim", "Debian-exim")
    daemons.run(place, "/usr/sbin/exim4", "-C", config, "-bdf", "-oX", "25")


def ceph(daemons: Daemons, place: Path) -> None:
    """A monitor that has nobody beside it."""
    address, cluster = daemons.lab.address(daemons.host), "5ca1ab1e-0000-4000-8000-000000000000"
    addresses, files = f"[v2:{address}:3300,v1:{address}:6789]", ("-c", place / "conf", "-i", "lab")
    open_to_all = "".join(f"auth_{which}_required = none\n" for which in ("cluster", "service", "client"))
    here = f"mon_data = {place}/data\nrun_dir = {place}\n"
    write(place, "conf", f"[global]\nfsid = {cluster}\nmon_host = {addresses}\n{open_to_all}{here}")
    once("monmaptool", "--create", "--fsid", cluster, "--addv", "lab", addresses, place / "map")
    once("ceph-mon", *files, "--mkfs", "--monmap", place / "map")
    daemons.run(place, "ceph-mon", *files, "-d", "--public-addrv", addresses)


SERVERS: dict[str, Callable[[Daemons, Path], None]] = {
    "sshd": sshd,
    "dnsmasq": dnsmasq,
    "chronyd": chronyd,
    "dhcpd": dhcpd,
    "snmpd": snmpd,
    "rpcbind": rpcbind,
    "ganesha": ganesha,
    "tgtd": tgtd,
    "postgresql": postgresql,
    "redis": redis,
    "mariadb": mariadb,
    "slapd": slapd,
    "rabbitmq": rabbitmq,
    "zookeeper": zookeeper,
    "prometheus": prometheus,
    "alertmanager": alertmanager,
    "pushgateway": go("prometheus-pushgateway"),
    "node-exporter": go("prometheus-node-exporter"),
    "etcd": etcd,
    "registry": registry,
    "influxd": influxd,
    "nginx": nginx,
    "haproxy": haproxy,
    "exim": exim,
    "ceph": ceph,
}
PORTS: dict[str, tuple[str, ...]] = {
    "sshd": ("tcp 22",),
    "dnsmasq": ("tcp 53", "udp 53", "udp 69"),
    "chronyd": ("udp 123", "udp 323"),
    "dhcpd": ("udp 67",),
    "snmpd": ("udp 161",),
    "rpcbind": ("tcp 111", "udp 111"),
    "ganesha": ("tcp 2049",),
    "tgtd": ("tcp 3260",),
    "postgresql": ("tcp 5432",),
    "redis": ("tcp 6379",),
    "mariadb": ("tcp 3306",),
    "slapd": ("tcp 389",),
    "rabbitmq": ("tcp 5672",),
    "zookeeper": ("tcp 2181",),
    "prometheus": ("tcp 9090",),
    "alertmanager": ("tcp 9093",),
    "pushgateway": ("tcp 9091",),
    "node-exporter": ("tcp 9100",),
    "etcd": ("tcp 2379", "tcp 2380"),
    "registry": ("tcp 5000",),
    "influxd": ("tcp 8086",),
    "nginx": ("tcp 80",),
    "haproxy": ("tcp 8404", "tcp 8000", "tcp 7000", "tcp 8443"),
    "exim": ("tcp 25",),
    "ceph": ("tcp 3300", "tcp 6789"),
}
