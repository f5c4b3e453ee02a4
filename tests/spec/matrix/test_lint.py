from __future__ import annotations

from pathlib import Path

import pytest

from probe.spec import matrix
from probe.spec.diagnostics import Severity

WORTH_A_LOOK = """\
portcheck: 1
name: shop
sources:
  doc: {title: Ports}
variables:
  used: {default: 52380}
  spare: {default: 1}
  open: {}
  many: {type: count, default: 11}
roles:
  web: {}
  idle: {}
  lb: {}
  small: {}
  agent: {on: every-host}
services:
  early: {role: agent, port: 90, cite: doc}
  web-http: {role: web, port: 80, protocol: http, cite: doc}
  web-more: {role: web, port: 79-81}
  web-udp: {role: web, port: 80, protocol: udp, cite: doc}
  web-open: {role: web, port: "{open}", cite: doc}
  metrics: {role: agent, port: 81, cite: doc}
  etcd: {role: web, port: "{used}", cite: doc}
  lonely: {role: web, port: 90, cite: doc}
  admin: {role: web, port: 91, bind: local, cite: doc}
  dns: {role: [lb, web], port: 80, protocol: [tcp, dns/udp], cite: doc}
  pool: {role: lb, port: 100-109, listen: some, count: "{many}", cite: doc}
  worker: {role: lb, port: 105, cite: doc}
  spread: {role: lb, port: 40000-40009, listen: some, count: 10, cite: doc}
  clear: {role: lb, port: 200, protocol: http, http: {credentials: {basic: {env: LOGIN}}}, cite: doc}
  anybody: {role: lb, port: 201, protocol: https, http: {headers: {X-Key: {env: KEY}}}, tls: {trust: true}, cite: doc}
  known: {role: lb, port: 202, protocol: https, http: {headers: {K: {env: K}}}, tls: {ca: f, name: true}, cite: doc}
  public: {role: lb, port: 203, protocol: http, http: {headers: {Accept: text/html}}, cite: doc}
flows:
  - {from: every-host, to: [web-http, web-more, web-udp, web-open], when: {not: {role: lb}}}
  - {from: web, to: [metrics, etcd, early, dns], cite: doc}
  - {from: web, to: [pool, worker, spread, clear, anybody, known, public], cite: doc}
  - {from: web, to: [worker, pool], when: {all: [{role: lb}, {not: {role: lb}}]}, cite: doc}
profiles:
  least: {requires: [small]}
"""

EXPECTED = """\
shop.yaml:7:3: warning: variable 'spare' is used by no row
shop.yaml:12:3: warning: role 'idle' is used by no service, flow or profile
shop.yaml:19:3: warning: service 'web-more' cites no source, where others do
shop.yaml:19:31: warning: services 'web-http' and 'web-more' share tcp 80 on the same hosts
shop.yaml:22:32: warning: services 'web-more' and 'metrics' share tcp 81 on the same hosts
shop.yaml:23:27: warning: 52380 lies in the range 32768-60999, from which systems take ports for outgoing connections
shop.yaml:24:3: warning: no flow leads to service 'lonely'
shop.yaml:24:29: warning: services 'early' and 'lonely' share tcp 90 on the same hosts
shop.yaml:26:32: warning: services 'web-http' and 'dns' share tcp 80 on the same hosts
shop.yaml:26:32: warning: services 'web-more' and 'dns' share tcp 80 on the same hosts
shop.yaml:26:32: warning: services 'web-udp' and 'dns' share udp 80 on the same hosts
shop.yaml:27:56: warning: 11 ports of service 'pool' are in use at a time, and it has 10
shop.yaml:30:48: warning: the secrets of 'clear' go to whoever answers there
shop.yaml:31:51: warning: the secrets of 'anybody' go to whoever answers there
shop.yaml:35:5: warning: flows[0] cites no source, where others do
shop.yaml:38:43: warning: the condition of flows[3] can never hold
"""


def heads(names: list[str]) -> str:
    return "".join(f"{diagnostic.render().splitlines()[0]}\n" for diagnostic in matrix.lint(names))


def test_warnings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("shop.yaml").write_text(WORTH_A_LOOK)
    assert heads(["shop.yaml"]) == EXPECTED
    assert all(found.severity is Severity.WARNING for found in matrix.lint(["shop.yaml"]))
    # Nothing of it keeps one from using the file.
    assert matrix.load(["shop.yaml"]).names == ("shop",)


def test_errors_come_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What looks unused may be misspelt elsewhere."""
    monkeypatch.chdir(tmp_path)
    Path("shop.yaml").write_text(WORTH_A_LOOK.replace("{role: web, port: 90", "{role: web, port: 0"))
    assert heads(["shop.yaml"]) == "shop.yaml:24:29: port 0 does not exist: ports go from 1 to 65535\n"


def test_what_another_file_uses_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("shop.yaml").write_text(WORTH_A_LOOK)
    Path("site.yaml").write_text(
        "portcheck: 1\nname: site\nservices:\n  x: {role: idle, port: '{spare}'}\n"
        "flows:\n  - {from: web, to: [x, lonely]}\n"
    )
    rest = EXPECTED.splitlines(keepends=True)
    gone = [line for line in rest if "spare" in line or "idle" in line or "leads to service 'lonely'" in line]
    assert heads(["shop.yaml", "site.yaml"]) == "".join(line for line in rest if line not in gone)


# What the documents say is so, however much it is worth a look.
ACCEPTED = {
    "clusterware": ["52380 lies in the range 32768-60999, from which systems take ports for outgoing connections"]
}


@pytest.mark.parametrize("name", matrix.builtin())
def test_the_built_in_ones_are_clean(name: str) -> None:
    assert [found.message for found in matrix.lint([name])] == ACCEPTED.get(name, [])
    assert matrix.load([name]).names == (name,)
