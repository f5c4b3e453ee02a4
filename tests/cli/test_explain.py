"""`portcheck explain` on loopback, as a shell would call it."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
from referencing import Registry
from scapy.layers import inet, l2  # noqa: F401  (what reads the files must know what is in them)
from scapy.utils import rdpcap

from probe.resources import folder

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FROM, TO = "127.81.0.1", "127.81.0.2"
MATRIX = """\
portcheck: 1
name: shop
sources:
  ports: {title: Ports of the shop, url: "https://shop.example/ports"}
roles:
  web: {help: front}
  db: {help: data}
  lb: {help: nobody}
services:
  sql: {role: db, port: PORT, help: the orders}
  range: {role: db, port: 5000-6000, listen: some}
  admin: {role: db, port: 7001}
  ping: {role: db, protocol: icmp}
flows:
  - {id: orders, from: web, to: sql, help: each page asks, cite: ports}
  - {id: pages, from: web, to: sql}
  - {from: web, to: range}
  - {from: web, to: ping}
policy: {inside: ignore, outside: ignore}
"""


@pytest.fixture
def explain(portcheck: Any, shop: Path, free_ports: Callable[..., list[int]]) -> Any:
    """`code, out, err = explain("w1", "d1", …)`, with a port of `sql` that is free: `explain.port`."""
    (port,) = free_ports(1, TO)
    (shop / "shop.yaml").write_text(MATRIX.replace("PORT", str(port)))

    def call(*words: str) -> tuple[int, str, str]:
        code, out, err = portcheck("explain", *words, "-i", "hosts.txt")
        return code, out, err

    call.port = port  # type: ignore[attr-defined]
    return call


def test_what_passes_is_told_too(explain: Any) -> None:
    code, out, err = explain("w1", "d1", str(explain.port))
    assert (code, err) == (0, "")
    assert out.startswith(f"✓ w1 → d1 ({TO}), tcp {explain.port}: pass\n")
    for part in (
        "rule      shop orders\n    help      each page asks\n              the orders\n",
        "cites     Ports of the shop\n              https://shop.example/ports\n",
        "rule      shop pages\n",
        "must be reachable, policy enforce",
        "A fresh attempt, packet by packet",
        "w1 ─ d1",
        "the stand-in received the challenge and answered it",
    ):
        assert part in out
    assert "What to do" not in out
    assert "\x1b" not in out


def test_live_with_nothing_there(explain: Any) -> None:
    code, out, _ = explain("w1", "d1", f"{explain.port}/tcp", "--phase", "live")
    assert code == 1
    assert f"tcp {explain.port}: down · not-listening" in out
    assert "who       the owner of the target, d1" in out
    assert "docs/verdicts.md#not-listening" in out


def test_a_port_that_is_taken_before_the_installation_is_not_tried(explain: Any) -> None:
    with socket.create_server((TO, explain.port)):
        code, out, _ = explain("w1", "d1", str(explain.port), "--phase", "pre-install")
    assert code == 1
    assert "mismatch · port-taken" in out
    assert "Not looked at: there was no attempt to look at." in " ".join(out.split())


def test_an_agent_that_is_not_there(explain: Any, shop: Path) -> None:
    hosts = (shop / "hosts.txt").read_text().replace("d1 ", "d1 portcheck_exec=false ")
    (shop / "hosts.txt").write_text(hosts)
    code, out, _ = explain("w1", "d1", str(explain.port))
    assert code == 6
    assert "inconclusive · no-agent" in out
    assert "who       whoever runs portcheck" in out


def test_one_port_of_a_range_is_all_that_is_tried(explain: Any) -> None:
    code, out, _ = explain("w1", "d1", "5500", "--json", "-")
    (check,) = json.loads(out)["checks"]
    assert (code, check["ports"], check["service"]) == (0, "5500", "range")


def test_json_has_the_identity_of_the_whole_check(explain: Any, portcheck: Any) -> None:
    _, planned, _ = portcheck("plan", "-i", "hosts.txt", "--json")
    ids = {check["service"]: check["id"] for check in json.loads(planned)["checks"]}
    _, out, err = explain("w1", "d1", "5500", "--json", "-")
    document = json.loads(out)
    (check,) = document["checks"]
    assert err == ""
    assert document["schema"] == "portcheck.explain/1"
    assert check["id"] == ids["range"]
    assert set(check["packets"]) == {"source", "target"}
    assert check["path"]["reached"] is True
    assert check["asked"] == [{"rule": "flows[2]", "matrix": "shop", "help": [], "title": "", "url": ""}]


def test_files_beside_the_text(explain: Any, shop: Path) -> None:
    code, out, _ = explain("w1", "d1", str(explain.port), "--json", "x.json", "--pcap", "captured")
    assert code == 0
    assert out.startswith("✓")
    document = json.loads((shop / "x.json").read_text())
    schemas = [json.loads((folder("reports") / f"{name}.schema.json").read_text()) for name in ("explain", "report")]
    registry = Registry().with_contents((schema["$id"], schema) for schema in schemas)
    jsonschema.Draft202012Validator(schemas[0], registry=registry).validate(document)
    packets = document["checks"][0]["packets"]
    for end in ("source", "target"):
        assert len(rdpcap(str(shop / "captured" / f"{end}.pcap"))) == len(packets[end] or [])


class TestNothing:
    def test_a_port_that_the_matrix_does_not_name(self, explain: Any) -> None:
        code, out, err = explain("w1", "d1", "9999")
        assert (code, out) == (5, "")
        assert "the plan has no check of tcp or udp 9999 from w1 to d1" in err
        assert "no service of the matrix has that port on d1" in err
        assert f"tcp {explain.port}  must be reachable: sql (shop orders)" in err
        assert "tcp 5000-6000  must be reachable: range (shop flows[2])" in err
        assert "1 row of the matrix cannot be checked" in err

    def test_a_port_that_no_flow_speaks_of(self, explain: Any) -> None:
        code, _, err = explain("w1", "d1", "7001")
        assert code == 5
        assert "d1 offers it as admin: no flow lets the source reach it" in err

    def test_the_other_transport(self, explain: Any) -> None:
        code, _, err = explain("w1", "d1", f"{explain.port}/udp")
        assert code == 5
        assert f"no check of udp {explain.port} from w1 to d1" in err

    def test_a_source_without_an_agent(self, explain: Any, shop: Path) -> None:
        hosts = (shop / "hosts.txt").read_text().replace("w1 ", "w1 portcheck_agent=none ")
        (shop / "hosts.txt").write_text(hosts)
        code, _, err = explain("w1", "d1", str(explain.port))
        assert code == 5
        assert "w1 has no agent (portcheck_agent=none): it is a target only" in err

    def test_no_agent_is_started_for_nothing(self, explain: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("probe.cli.explain.carry_out", None)
        assert explain("d1", "w1", "80")[0] == 5


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("w1", "d11", "1"), "hosts.txt: there is no host 'd11'\n  hint: did you mean 'd1'?"),
        (("w1", TO, "1"), f"there is no host '{TO}'\n  hint: that is an address of d1"),
        (("w1", "\x1b[2J", "1"), r"there is no host '\x1b[2J'"),
        (("w1", "d1", "0"), "'0' is not of the form PORT, PORT/tcp or PORT/udp (port 0 does not exist"),
        (("w1", "d1", "53/icmp"), "'53/icmp' is not of the form"),
        (("w1", "d1", "53-54"), "'53-54': one port is wanted"),
        (("w1", "d1"), "the following arguments are required: PORT"),
        (("w1", "d1", "1", "--json", "hosts.txt/x"), "hosts.txt/x"),
        (("w1", "d1", "1", "--pcap", "hosts.txt"), "hosts.txt/source.pcap"),
        (("w1", "d1", "1", "--identity", "nothing.pem"), "nothing.pem"),
        (("w1", "d1", "1", "--set", "x=1"), "no such variable"),
    ],
    ids=" ".join,
)
def test_a_wrong_call_is_4_with_one_message(explain: Any, words: tuple[str, ...], said: str) -> None:
    code, out, err = explain(*words)
    assert (code, out) == (4, "")
    assert said in err
