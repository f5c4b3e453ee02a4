"""`portcheck plan` and `portcheck run` on loopback, as a shell would call them."""

from __future__ import annotations

import json
import socket
import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

from probe.resources import folder

if TYPE_CHECKING:
    from pathlib import Path

FROM, TO = "127.81.0.1", "127.81.0.2"


@pytest.fixture
def here(portcheck: Any, free_ports: Any) -> Any:
    """`code, out, err = here("run", …)` with the inventory and a database port that is free; `here.port` is it."""
    (port,) = free_ports(1, TO)

    def call(command: str, *words: str) -> tuple[int, str, str]:
        code, out, err = portcheck(command, "-i", "hosts.txt", "--set", f"sql_port={port}", "--seed", "7", *words)
        return code, out, err

    call.port = port
    return call


class TestPlan:
    def test_as_a_table(self, here: Any) -> None:
        code, out, err = here("plan")
        assert (code, err) == (0, "")
        assert f"tcp {here.port}" in out
        assert "sql" in out
        assert "no packet was sent" in " ".join(out.split()).lower()

    def test_as_json(self, here: Any) -> None:
        code, out, _ = here("plan", "--json")
        document = json.loads(out)
        assert code == 0
        assert document["schema"] == "portcheck.plan/1"
        assert document["plan"]["seed"] == 7
        (check,) = document["checks"]
        assert (check["source"], check["target"], check["ports"], check["expect"]) == (
            "w1",
            "d1",
            str(here.port),
            "reach",
        )

    def test_into_a_file(self, here: Any, shop: Path) -> None:
        code, out, _ = here("plan", "--json", "plan.json")
        assert (code, out) == (0, "")
        assert json.loads((shop / "plan.json").read_text())["checks"]

    def test_the_inventory_on_stdin(self, portcheck: Any, shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        with (shop / "hosts.txt").open() as file:
            monkeypatch.setattr("sys.stdin", file)
            code, out, _ = portcheck("plan", "-i", "-", "-m", "shop.yaml", "--json")
        assert code == 0
        assert len(json.loads(out)["checks"]) == 1

    def test_nothing(self, here: Any) -> None:
        code, out, err = here("plan", "--only", "service=nothing")
        assert (code, out) == (5, "")
        assert "nothing to check" in err

    def test_a_group_that_looks_misspelt(self, portcheck: Any, shop: Path) -> None:
        (shop / "hosts.txt").write_text("[webb]\nw1 portcheck_address=10.0.0.1\n[db]\nd1 portcheck_address=10.0.0.2\n")
        _, _, err = portcheck("plan", "-i", "hosts.txt", "-m", "shop.yaml")
        assert "did you mean 'web'" in err

    def test_no_matrix_fits(self, portcheck: Any, shop: Path) -> None:
        (shop / "hosts.txt").write_text("[printers]\np1 portcheck_address=10.0.0.1\n")
        code, _, err = portcheck("plan", "-i", "hosts.txt")
        assert code == 4
        assert err.startswith("hosts.txt: which matrix? no built-in matrix knows all of its roles")
        assert "--matrix NAME|FILE" in err


class TestRun:
    def test_a_table_for_people(self, here: Any) -> None:
        code, out, err = here("run", "--phase", "pre-install")
        assert code == 0
        assert "conforms" in out
        assert err == ""  # nobody looks: no progress

    def test_json_on_stdout_is_nothing_but_json(self, here: Any) -> None:
        code, out, err = here("run", "--phase", "pre-install", "--json", "-")
        document = json.loads(out)
        assert (code, err) == (0, "")
        jsonschema.validate(document, json.loads((folder("reports") / "report.schema.json").read_text()))
        assert (document["schema"], document["run"]["seed"]) == ("portcheck.report/1", 7)
        (check,) = document["checks"]
        assert (check["verdict"], check["cause"], check["state"], check["ports"]) == (
            "pass",
            None,
            "open",
            str(here.port),
        )

    def test_every_format_at_once(self, here: Any, shop: Path) -> None:
        code, out, _ = here("run", "--json", "r.json", "--html", "r.html", "--junit", "r.xml")
        assert code == 0
        assert "conforms" in out
        assert json.loads((shop / "r.json").read_text())["summary"]["pass"] == 1
        assert (shop / "r.html").read_text().lower().startswith("<!doctype html>")
        assert ET.parse(shop / "r.xml").getroot().tag in {"testsuites", "testsuite"}

    def test_a_port_that_is_taken(self, here: Any) -> None:
        with socket.create_server((TO, here.port)):
            code, out, _ = here("run", "--phase", "pre-install")
        assert code == 1
        assert "port-taken" in out

    def test_nothing_listens_in_phase_live(self, here: Any) -> None:
        code, out, _ = here("run", "--phase", "live")
        assert code == 1
        assert "not-listening" in out

    def test_an_agent_that_is_not_there(self, here: Any, shop: Path) -> None:
        hosts = (shop / "hosts.txt").read_text().replace("d1 ", "d1 portcheck_exec=false ")
        (shop / "hosts.txt").write_text(hosts)
        code, out, _ = here("run")
        assert code == 6
        assert "no-agent" in out

    def test_nothing_to_check(self, here: Any) -> None:
        code, out, _ = here("run", "--only", "service=nothing")
        assert code == 5
        assert "nothing to check" in out
