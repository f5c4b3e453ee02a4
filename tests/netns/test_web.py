"""HTTP and TLS in full, of a real nginx: each key of the matrix met and not met, before the installation and after."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from .harness import pair
from .lab import Lab, chain, eventually

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .harness import Portcheck, Run

PASSWORD = "pa55word-that-nobody-sees"
PLAIN, GOOD, EXPIRED, OTHER_NAME, STRANGER, OLD, CLIENTS, SOON = 8080, 8443, 8444, 8445, 8446, 8447, 8448, 8449
SILENT, HOSTILE, BANNER = 8460, 8461, 8462
NGINX = """\
daemon off;
user root;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{}}
http {{
  access_log {folder}/access.log;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  server {{
    listen 8080 default_server;
    location = / {{ return 200 '{{"status":"green"}}'; }}
    location = /red {{ return 200 '{{"status":"red"}}'; }}
    location = /down {{ return 503; }}
    location = /broken {{ return 500; }}
    location = /login {{ return 302 /; }}
    location = /away {{ return 302 http://192.0.2.1/stolen; }}
    location = /loop {{ return 301 /loop; }}
    location = /echo {{ return 200 '$request_method $http_x_tenant'; }}
    location = /private {{
      auth_basic "staff";
      auth_basic_user_file {folder}/users;
      try_files /hello.txt =404;
    }}
    location = /big {{ try_files /big.bin =404; }}
    root {folder};
  }}
  server {{ listen 8080; server_name shop.example; return 204; }}
{secured}
}}
"""
SECURED = """\
  server {{
    listen {port} ssl;
    ssl_certificate {pem};
    ssl_certificate_key {pem};
    {more}
    return 200 'secured';
  }}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, authority: Any) -> Path:
    """What nginx serves, and how."""
    folder = tmp_path_factory.mktemp("nginx")
    stranger = type(authority)(folder, "Stranger")
    good = authority.intermediate().issue("b1.example", "shop.example", file="good")
    pems = {
        GOOD: (good, ""),
        EXPIRED: (authority.issue("shop.example", valid=(-30, -2), file="expired"), ""),
        OTHER_NAME: (authority.issue("else.example"), ""),
        STRANGER: (stranger.issue("shop.example"), ""),
        OLD: (good, "ssl_protocols TLSv1 TLSv1.1; ssl_ciphers DEFAULT:@SECLEVEL=0;"),
        CLIENTS: (good, f"ssl_verify_client on; ssl_client_certificate {authority.root};"),
        SOON: (authority.issue("shop.example", valid=(-30, 5.5), file="soon"), ""),
    }
    secured = "".join(SECURED.format(port=port, pem=pem, more=more) for port, (pem, more) in pems.items())
    (folder / "nginx.conf").write_text(NGINX.format(folder=folder, secured=secured))
    (folder / "users").write_text(f"user:{{PLAIN}}{PASSWORD}\n")
    (folder / "login").write_text(f"user:{PASSWORD}\n")
    (folder / "wrong").write_text("user:another\n")
    (folder / "hello.txt").write_text("hello")
    (folder / "big.bin").write_bytes(b"x" * 10 * 1024 * 1024)
    (folder / "client.pem").write_bytes(authority.issue("client", file="client").read_bytes())
    (folder / "ca.pem").write_bytes(authority.root.read_bytes())
    return folder


def cases(folder: Path) -> dict[str, tuple[dict[str, Any], str, str | None, str]]:
    """By name: the keys of the service, the verdict and cause once it runs, and words of the row."""
    ca, name = str(folder / "ca.pem"), "shop.example"

    def http(path: str = "/", status: int | None = None, **keys: Any) -> dict[str, Any]:
        said = {"port": PLAIN, "protocol": "http", "path": path, "status": status, "http": keys}
        return {key: value for key, value in said.items() if value}

    def tls(port: int, protocol: str = "https", **keys: Any) -> dict[str, Any]:
        return {"port": port, "protocol": protocol} | ({"tls": keys} if keys else {})

    def login(file: str) -> dict[str, Any]:
        return {"credentials": {"basic": {"file": str(folder / file)}}}

    return {
        # HTTP
        "http": (http(), "pass", None, "HTTP 200 from 'nginx"),
        "text": (http(body={"text": "green"}), "pass", None, ""),
        "regex": (http(body={"regex": '"status":"(green|yellow)"'}), "pass", None, ""),
        "red": (http("/red", body={"regex": "green|yellow"}), "mismatch", "unhealthy", '"status":"red"'),
        "big": (http("/big", body={"text": "y"}), "mismatch", "unhealthy", "the body begins"),
        "down": (http("/down"), "mismatch", "unhealthy", "HTTP 503"),
        "down-as-it-should": (http("/down", 503), "pass", None, "HTTP 503"),
        "broken": (http("/broken"), "mismatch", "http-status", "HTTP 500"),
        "moved": (http("/login", 200), "mismatch", "http-status", "HTTP 302 to http://"),
        "followed": (http("/login", 200, redirects=1), "pass", None, "after a redirect"),
        "away": (http("/away", 200, redirects=5), "mismatch", "http-status", "HTTP 302 to http://192.0.2.1/stolen"),
        "loop": (http("/loop", 200, redirects=3), "mismatch", "http-status", "HTTP 301"),
        "head": (http("/echo", 200, method="HEAD"), "pass", None, ""),
        "header": (http("/echo", headers={"X-Tenant": "t1"}, body={"text": "GET t1"}), "pass", None, ""),
        "host": (http(status=204, host="shop.example"), "pass", None, "HTTP 204"),
        "nobody": (http("/private", 200), "mismatch", "http-status", "HTTP 401"),
        "user": (http("/private", 200, body={"text": "hello"}, **login("login")), "pass", None, ""),
        "stranger": (http("/private", 200, **login("wrong")), "mismatch", "http-status", "HTTP 401"),
        # TLS without a demand: the network is asked, and what came of it is told
        **{f"https-{port}": (tls(port), "pass", None, "valid until") for port in (GOOD, EXPIRED, OTHER_NAME, STRANGER)},
        "https-old": (tls(OLD), "pass", None, "TLS 1.1"),
        "https-for-plain": (tls(PLAIN), "mismatch", "tls", "what came is no TLS"),
        "plain-for-https": ({"port": GOOD, "protocol": "http"}, "mismatch", "http-status", "HTTP 400"),
        # TLS with demands
        "all": (
            tls(GOOD, server_name=name, name=True, ca=ca, minimum="1.2", expiry={"days": 14}),
            "pass",
            None,
            "issued by CN=Test Intermediate",
        ),
        "expired": (tls(EXPIRED, expiry=True), "mismatch", "tls", "the certificate has expired on"),
        "expired-and-trusted": (tls(EXPIRED, ca=ca), "mismatch", "tls", "certificate has expired"),
        "soon": (tls(SOON, expiry={"days": 14}), "mismatch", "tls", "expires in 5 days"),
        "not-so-soon": (tls(SOON, expiry={"days": 3}), "pass", None, ""),
        "other-name": (tls(OTHER_NAME, name=True, server_name=name), "mismatch", "tls", "made out to else.example"),
        "name-of-none": (tls(GOOD, name=True), "mismatch", "tls", "made out to b1.example, shop.example, not to 10."),
        "untrusted": (tls(STRANGER, ca=ca), "mismatch", "tls", "not trusted: unable to get local issuer"),
        "system": (tls(GOOD, trust=True), "mismatch", "tls", "not trusted"),
        "old": (tls(OLD, minimum="1.2"), "mismatch", "tls", "TLS 1.1 came of it, and at least 1.2 is demanded"),
        "no-client": (tls(CLIENTS), "mismatch", "http-status", "HTTP 400"),
        "client": (tls(CLIENTS, certificate=str(folder / "client.pem")), "pass", None, ""),
        # TLS alone, and either
        "tls": (tls(GOOD, "tls"), "pass", None, "shook hands in TLS"),
        "tls-demands": (tls(GOOD, "tls", ca=ca, name=True, server_name=name, expiry=True), "pass", None, ""),
        "tls-expired": (tls(EXPIRED, "tls", expiry=True), "mismatch", "tls", "has expired"),
        "tls-for-plain": (tls(PLAIN, "tls"), "mismatch", "tls", "what came is no TLS"),
        "either-http": (tls(PLAIN, "http-or-https"), "pass", None, "without TLS: HTTP 200"),
        "either-https": (tls(GOOD, "http-or-https"), "pass", None, "HTTPS: HTTP 200"),
        "either-expired": (tls(EXPIRED, "http-or-https", expiry=True), "mismatch", "tls", "has expired"),
        # what is no web server at all
        "silent": (tls(SILENT, "tls"), "mismatch", None, "no answer came"),
        "silent-either": (tls(SILENT, "http-or-https"), "mismatch", None, "no answer came"),
        "hostile": (tls(HOSTILE, "tls"), "mismatch", "tls", "what came is no TLS"),
        "hostile-either": (tls(HOSTILE, "http-or-https"), "mismatch", "wrong-service", "not the one expected"),
        "banner": (tls(BANNER, "http-or-https"), "mismatch", "wrong-service", "220 mail.example"),
    }


NAMES = tuple(cases(Path()))


def matrix(services: Mapping[str, dict[str, Any]]) -> str:
    return json.dumps(
        {
            "portcheck": 1,
            "name": "web",
            "roles": {"source": {}, "target": {}},
            "services": {name: {"role": "target", **keys} for name, keys in services.items()},
            "flows": [{"from": "source", "to": name} for name in services],
            "policy": {"inside": "ignore", "outside": "ignore"},
        },
        indent=1,
    )


@pytest.fixture(scope="module")
def text(folder: Path) -> str:
    return matrix({name: keys for name, (keys, *_) in cases(folder).items()})


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab("a1", "b1") as lab:
        yield lab


@pytest.fixture(scope="module")
def before(portcheck: Portcheck, lab: Lab, text: str) -> Run:
    """Nothing is installed; one port is shut."""
    lab.nft("r", chain("forward", f"tcp dport {SOON} drop"))
    run = portcheck(lab, pair(), text)
    lab.nft("r", "flush ruleset")
    return run


@pytest.fixture(scope="module")
def live(portcheck: Portcheck, lab: Lab, before: Run, text: str, folder: Path) -> Run:
    del before  # which is of the same lab
    lab.serve("b1", f"silent {SILENT}", f"hostile {HOSTILE}", f"banner {BANNER}")
    nginx = lab.start("b1", "nginx", "-c", str(folder / "nginx.conf"), "-e", str(folder / "start.log"))
    wanted = {f"tcp {port}" for port in (PLAIN, GOOD, EXPIRED, OTHER_NAME, STRANGER, OLD, CLIENTS, SOON)}

    def listens() -> bool:
        assert nginx.poll() is None, (folder / "error.log").read_text() + (folder / "start.log").read_text()
        return wanted <= lab.listening("b1")

    eventually(listens, 10, "nginx did not start")
    return portcheck(lab, pair(), text, phase="live")


@pytest.mark.parametrize("name", NAMES)
def test_once_it_runs(live: Run, folder: Path, name: str, record_property: Any) -> None:
    keys, verdict, cause, words = cases(folder)[name]
    row = live.row(service=name)
    expected = f"{verdict} {cause or ''}".strip()
    record_property("situation", (f"web: {name}", expected, f"{row['verdict']} {row['cause'] or ''}".strip()))
    assert (row["verdict"], row["cause"]) == (verdict, cause), (keys, row)
    told = " | ".join([row["detail"], *(item["what"] for item in row["evidence"])])
    assert words in told


@pytest.mark.parametrize("name", NAMES)
def test_before_it_is_installed(before: Run, folder: Path, name: str) -> None:
    """The same rows, and no service to meet their demands: the way is what counts."""
    port = cases(folder)[name][0]["port"]
    assert before.outcome(service=name) == (("blocked", "network") if port == SOON else ("pass", None)), before


def test_the_chain_is_in_the_report(live: Run, authority: Any) -> None:
    seen = live.row(service="all")["tls"]
    assert (seen["version"], len(seen["chain"])) == ("1.2", 2)
    own, above = seen["chain"]
    assert own["names"] == ["b1.example", "shop.example"]
    assert (own["issuer"], above["issuer"]) == ("CN=Test Intermediate", f"CN={authority.name}")
    assert len({own["fingerprint"], above["fingerprint"]}) == 2
    assert own["not_before"] < own["not_after"]
    assert "tls" not in live.row(service="http")


def test_the_same_port_may_be_asked_in_several_ways(live: Run) -> None:
    assert {row["ports"] for row in live.rows(verdict="pass")} >= {str(PLAIN), str(GOOD), str(EXPIRED)}


def test_the_password_is_nowhere(live: Run, folder: Path) -> None:
    assert live.row(service="user")["verdict"] == "pass"
    for said in (live.stdout, live.stderr, json.dumps(live.report)):
        assert PASSWORD not in said
    assert PASSWORD not in (folder / "access.log").read_text()


def test_what_nginx_complains_of(live: Run, folder: Path) -> None:
    """Handshakes are complete, requests are whole: an error is only what was asked for."""
    assert live.code == 1
    complaints = [line for line in (folder / "error.log").read_text().splitlines() if "[info]" not in line]
    expected = ("no user/password", "password mismatch", "no required SSL certificate", "password")
    assert [line for line in complaints if not any(words in line for words in expected)] == []
