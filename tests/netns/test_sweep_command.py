"""`portcheck sweep` as a user types it, on a host of the lab, beside nmap where that is installed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

from probe.resources import folder

from .harness import _environment
from .lab import COMMAND_SECONDS, Lab, chain, command, eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SCHEMA = json.loads((folder("reports") / "sweep.schema.json").read_text())
WITHOUT_RAW = ("setpriv", "--bounding-set=-net_raw", "--inh-caps=-net_raw")
TALKATIVE = ("sysctl", "-q", "-e", "-w", "net.ipv4.icmp_msgs_per_sec=1000000", "net.ipv4.icmp_msgs_burst=100000")


class Command:
    """One sweep under way; `end` waits for it."""

    def __init__(self, lab: Lab, here: Path, *words: str, prefix: tuple[str, ...] = (), columns: int = 100) -> None:
        self._report = here / "out.json"
        self.process = subprocess.Popen(
            [*lab.prefix("a1"), *prefix, sys.executable, "-m", "probe", "sweep", *words, "--json", str(self._report)],
            cwd=here,
            env={**_environment(), "COLUMNS": str(columns), "PYTHONPATH": os.pathsep.join(sys.path)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def end(self) -> tuple[int, dict[str, Any], str, str]:
        """Exit code, report, stdout and stderr."""
        stdout, stderr = self.process.communicate(timeout=120)
        assert "Traceback" not in stderr, stderr
        text = self._report.read_text() if self._report.exists() else ""
        found = json.loads(text) if text else {}
        if found:
            jsonschema.validate(found, SCHEMA)
        return self.process.returncode, found, stdout, stderr


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab("a1", "b1") as lab:
        command(*lab.prefix("r"), *TALKATIVE)
        lab.serve("b1", "banner 22", "http 80", "echo 5432", "http 8080")
        lab.nft("b1", chain("input", "tcp dport 7000-7099 drop"))
        lab.nft("r", chain("forward", "tcp dport 6000-6009 reject with icmpx type admin-prohibited"))
        yield lab


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("prefix", [(), WITHOUT_RAW], ids=["raw", "plain"])
def test_all_ports(lab: Lab, tmp_path: Path, prefix: tuple[str, ...], family: int) -> None:
    address = lab.address("b1", family)
    code, found, stdout, stderr = Command(lab, tmp_path, address, "--max-rate", "0", prefix=prefix).end()
    assert (code, stderr) == (0, "")
    assert found["ports"] == {
        "open": "22,80,5432,8080",
        "closed": "1-21,23-79,81-5431,5433-5999,6010-6999,7100-8079,8081-65535",
        "filtered": "7000-7099",
        "rejected": "6000-6009",
    }
    assert found["rejections"] == [
        {"sender": lab.router_address("a1", family), "type": 3 if family == 4 else 1, "code": 13 if family == 4 else 1}
        | {"ports": "6000-6009"}
    ]
    assert found["engine"] == ("connect" if prefix else "packet")
    assert found["residual"] < 1e-6
    assert f"{address}: 4 of 65,535 tcp ports open" in stdout
    assert "     5432  postgresql" in stdout.splitlines()
    assert f"by {lab.router_address('a1', family)}, ICMP admin-prohibited" in stdout


def test_the_default_pace_is_gentle(lab: Lab, tmp_path: Path) -> None:
    code, found, _, _ = Command(lab, tmp_path, lab.address("b1"), "-p", "10000-14000").end()
    assert code == 0
    # The pace is measured over a round of four thousand; its first grant comes at once.
    assert 0 < found["pace"] < 2100


@pytest.mark.parametrize("prefix", [(), WITHOUT_RAW], ids=["raw", "plain"])
def test_an_interrupt_ends_it_with_what_is_known(lab: Lab, tmp_path: Path, prefix: tuple[str, ...]) -> None:
    words = (lab.address("b1"), "-p", "1-20000", "--max-rate", "1000", "--xml", "out.xml")
    before = packets(lab)
    running = Command(lab, tmp_path, *words, prefix=prefix)
    # From here on there is something to tell.
    eventually(lambda: packets(lab) > before + 1000, COMMAND_SECONDS, "no packet leaves")
    began = time.monotonic()
    running.process.send_signal(signal.SIGINT)
    code, found, stdout, stderr = running.end()
    assert code == 2
    assert time.monotonic() - began < 5
    assert "interrupted" in stderr
    assert stdout.startswith("interrupted: this is what was known by then\n")
    assert found["interrupted"]
    assert found["summary"]["error"] > 0
    assert found["summary"]["closed"] > 0
    assert 'exit="error"' in (tmp_path / "out.xml").read_text()


def packets(lab: Lab) -> int:
    """Sent by `a1` so far."""
    [link] = json.loads(command("ip", "-n", lab.namespace("a1"), "-j", "-s", "link", "show", "net"))
    sent: int = link["stats64"]["tx"]["packets"]
    return sent


def test_udp(lab: Lab, tmp_path: Path) -> None:
    code, found, stdout, _ = Command(lab, tmp_path, lab.address("b1"), "--udp", "-p", "50-60").end()
    assert code == 0
    assert found["ports"] == {"open": "", "closed": "50-60"}
    assert "0 of 11 udp ports open" in stdout


def test_nothing_measured_is_no_success(tmp_path: Path) -> None:
    with Lab("a1") as lab:
        lab.ip("a1", "route del default", "route add unreachable default")
        code, found, stdout, _ = Command(lab, tmp_path, "203.0.113.1", "-p", "1-10").end()
        assert code == 6
        assert found["ports"] == {"open": "", "unreachable": "1-10"}
        assert "nothing can be sent to 203.0.113.1" in stdout


@pytest.mark.skipif(not (shutil.which("nmap") and shutil.which("ndiff")), reason="needs Debian's nmap and ndiff")
@pytest.mark.parametrize("prefix", [(), WITHOUT_RAW], ids=["raw", "plain"])
def test_ndiff_sees_no_difference_to_nmap(lab: Lab, tmp_path: Path, prefix: tuple[str, ...]) -> None:
    ports = "1-100,5432,6000-6009,7000-7001"
    theirs, ours = tmp_path / "theirs.xml", tmp_path / "ours.xml"
    kind = "-sT" if prefix else "-sS"
    command(*lab.prefix("a1"), "nmap", "-n", "-Pn", kind, "-p", ports, "-oX", str(theirs), lab.address("b1"))
    code, *_ = Command(lab, tmp_path, lab.address("b1"), "-p", ports, "--xml", "ours.xml", prefix=prefix).end()
    assert code == 0
    seen = subprocess.run(["ndiff", theirs, ours], capture_output=True, text=True, check=False)
    assert seen.returncode in (0, 1), seen.stderr
    # Their tables of services differ, and the first lines name the two programs.
    said = [line.split() for line in seen.stdout.splitlines() if "/tcp" in line or "shown" in line]
    assert {(port[1:], state) for port, state, *_ in said if port[0] == "-"} == {
        (port[1:], state) for port, state, *_ in said if port[0] == "+"
    }
