"""The three formats of a sweep: each says the same, fits, and is read by what it is made for."""

from __future__ import annotations

import datetime as dt
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.model.ports import PortSet
from probe.model.swept import Rejection, Swept
from probe.model.words import State, Transport
from probe.report import nmapxml, sweepjson
from probe.report import sweep as terminal
from probe.report.sweep import SweepReport, inconclusive
from probe.resources import folder

from .samples import agreed

SCHEMA = json.loads((folder("reports") / "sweep.schema.json").read_text())
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
DTD = Path("/usr/share/nmap/nmap.dtd")
BEGAN = dt.datetime(2026, 11, 21, 8, 0, tzinfo=dt.UTC)
WHOLE = Swept(
    address="10.0.0.2",
    transport=Transport.TCP,
    states={
        State.CLOSED: "1-21,23-79,81-5999,6020-6999,7521-8079,8081-65535",
        State.OPEN: "22,80,8080",
        State.FILTERED: "7000-7520",
        State.REJECTED: "6000-6014",
        State.UNREACHABLE: "6015-6019",
    },
    rejections=(
        Rejection(sender="10.0.0.254", type=3, code=13, ports="6000-6009"),
        Rejection(sender="", type=0, code=0, ports="6010-6014"),
        Rejection(sender="10.0.0.254", type=3, code=1, ports="6015-6019"),
    ),
    sometimes="8080",
    sent=66_000,
    answers=65_000,
    rounds=3,
    loss=0.049,
    residual=2e-9,
    pace=2000.0,
    seconds=33.2,
    engine="packet",
)
DATAGRAMS = Swept(
    address="10.0.0.2",
    transport=Transport.UDP,
    states={State.OPEN: "53", State.CLOSED: "54-60", State.OPEN_FILTERED: "61-100"},
    limited="61-100",
    sent=150,
    answers=8,
    rounds=3,
    engine="connect",
)
LATE = Swept(
    address="fe80::1%eth0",
    transport=Transport.TCP,
    states={State.ERROR: "1-65535"},
    problem="the deadline of 600 s ended it",
    sent=100,
    engine="connect",
)


def report(*sweeps: Swept, name: str = "db.example", **more: Any) -> SweepReport:
    asked = PortSet()
    for text in sweeps[0].states.values():
        asked |= PortSet.parse(text)
    return SweepReport(
        name=name,
        ports=asked,
        transport=sweeps[0].transport,
        sweeps=sweeps,
        started=BEGAN,
        finished=BEGAN + dt.timedelta(seconds=33.3),
        seed=7,
        version="0.1.0",
        words=("sweep", name),
        **more,
    )


REPORTS = {
    "tcp": report(WHOLE),
    "udp": report(DATAGRAMS),
    "late": report(LATE, gentle=True),
    "two": report(WHOLE, LATE),
    "interrupted": report(LATE, interrupted=True),
}


@pytest.fixture(params=REPORTS.values(), ids=REPORTS)
def each(request: pytest.FixtureRequest) -> SweepReport:
    found: SweepReport = request.param
    return found


def test_the_terminal_tells_what_is_open_and_who_rejects() -> None:
    lines = terminal.render(report(WHOLE), width=100, color=False).splitlines()
    assert lines[0] == "db.example (10.0.0.2): 3 of 65,535 tcp ports open"
    assert "     8080  http-alt  only sometimes" in lines
    assert "  open                  3  22,80,8080" in lines
    assert "      by 10.0.0.254, ICMP admin-prohibited: 6000-6009" in lines
    assert "      by this machine itself, before anything left it: 6010-6014" in lines
    assert "66,000 SYNs sent in 3 rounds, at most 2,000 a second; 65,000 answers; loss on the way 4.9 %" in " ".join(
        lines
    )
    assert "less than one in a million" in " ".join(lines)


def test_the_terminal_is_honest_about_datagrams() -> None:
    text = " ".join(terminal.render(report(DATAGRAMS), width=100, color=False).split())
    assert "open|filtered 40 61-100" in text
    assert "of the 40 silent ports any may be closed" in text


def test_a_gentle_sweep_that_ended_early_says_how_to_go_on() -> None:
    assert "--max-rate" in terminal.render(REPORTS["late"], width=100, color=False)
    assert "--max-rate" not in terminal.render(report(LATE), width=100, color=False)


def test_a_target_that_answers_everywhere_is_one_sentence() -> None:
    sweep = Swept(
        address="10.0.0.2", transport=Transport.TCP, states={State.OPEN: "1-65535"}, everything=True, engine="packet"
    )
    text = terminal.render(report(sweep), width=100, color=False)
    assert text.startswith("db.example (10.0.0.2): something answers on every port\n")
    assert "ssh" not in text
    assert json.loads(sweepjson.render(report(sweep)))["services"] == {}


@pytest.mark.parametrize("width", [20, 60, 80, 200])
def test_the_terminal_fits(each: SweepReport, width: int) -> None:
    text = terminal.render(each, width=width, color=False)
    assert max(map(len, text.splitlines())) <= max(width, 60)
    assert text.endswith("\n")


def test_colour_changes_no_word(each: SweepReport) -> None:
    coloured = terminal.render(each, width=80, color=True)
    plain = coloured
    for code in range(40):
        plain = plain.replace(f"\x1b[{code}m", "").replace(f"\x1b[{code};1m", "")
    assert plain == terminal.render(each, width=80, color=False) != coloured


@given(st.sets(st.integers(1, 65535), min_size=1, max_size=400), st.integers(60, 220))
def test_any_set_of_ports_fits(found: set[int], width: int) -> None:
    text = str(PortSet.of(found))
    sweep = Swept(
        address="2001:db8::1",
        transport=Transport.TCP,
        states={State.REJECTED: text},
        rejections=(Rejection(sender="2001:db8::ffff", type=1, code=1, ports=text),),
        engine="packet",
    )
    lines = terminal.render(report(sweep), width=width, color=False).splitlines()
    assert max(map(len, lines)) <= width


def test_a_hostile_name_steers_no_terminal() -> None:
    hostile = report(WHOLE, name="\x1b[2Jevil\u202e.example")
    for data in (
        terminal.render(hostile, width=80, color=False).encode(),
        sweepjson.render(hostile),
        nmapxml.render(hostile),
    ):
        assert b"\x1b" not in data
        assert "\u202e".encode() not in data
    assert b"\\x1b[2Jevil" in nmapxml.render(hostile)


def test_json_keeps_to_the_schema(each: SweepReport) -> None:
    VALIDATOR.check_schema(SCHEMA)
    VALIDATOR.validate(json.loads(sweepjson.render(each)))


def test_the_sample_is_as_agreed() -> None:
    assert agreed("sweep.json", sweepjson.render(report(WHOLE)))


def test_json_has_the_promised_fields() -> None:
    found = json.loads(sweepjson.render(report(WHOLE)))
    assert list(found)[:6] == ["schema", "name", "address", "transport", "summary", "ports"]
    assert found["schema"] == "portcheck.sweep/1"
    assert found["summary"] == {
        "open": 3,
        "closed": 64991,
        "filtered": 521,
        "rejected": 15,
        "unreachable": 5,
        "open|filtered": 0,
        "error": 0,
    }
    assert found["ports"]["open"] == "22,80,8080"
    assert found["services"] == {"22": "ssh", "80": "http", "8080": "http-alt"}
    assert json.loads(sweepjson.render(report(LATE)))["ports"] == {"open": "", "error": "1-65535"}


def test_the_other_addresses_of_a_name_are_in_more() -> None:
    found = json.loads(sweepjson.render(REPORTS["two"]))
    assert [found["address"], *(other["address"] for other in found["more"])] == ["10.0.0.2", "fe80::1%eth0"]


def test_xml_is_what_nmap_writes(each: SweepReport) -> None:
    if not DTD.exists() or not shutil.which("xmllint"):
        pytest.skip("needs the Debian packages nmap and libxml2-utils")
    read = subprocess.run(
        ["xmllint", "--noout", "--dtdvalid", DTD, "-"], input=nmapxml.render(each), capture_output=True, check=False
    )
    assert read.returncode == 0, read.stderr


def test_xml_counts_each_port_once() -> None:
    ports = ET.fromstring(nmapxml.render(report(WHOLE))).find("host/ports")
    assert ports is not None
    extra = {one.get("state"): one for one in ports.findall("extraports")}
    assert {state: int(one.get("count", 0)) for state, one in extra.items()} == {"closed": 64991, "filtered": 541}
    reasons = [(one.get("reason"), one.get("ports")) for one in extra["filtered"].findall("extrareasons")]
    assert reasons == [
        ("admin-prohibited", "6000-6009"),
        ("perm-denied", "6010-6014"),
        ("host-unreach", "6015-6019"),
        ("no-response", "7000-7520"),
    ]
    assert [one.get("portid") for one in ports.findall("port")] == ["22", "80", "8080"]


def test_xml_says_that_a_run_is_not_whole() -> None:
    for one, whole in (("tcp", True), ("late", False), ("interrupted", False)):
        finished = ET.fromstring(nmapxml.render(REPORTS[one])).find("runstats/finished")
        assert finished is not None
        assert finished.get("exit") == ("success" if whole else "error")


def test_ndiff_sees_what_changed(tmp_path: Path) -> None:
    if not shutil.which("ndiff"):
        pytest.skip("needs the Debian package ndiff")
    now = Swept(
        address="10.0.0.2",
        transport=Transport.TCP,
        states={State.OPEN: "22,3306", State.CLOSED: "1-21,23-3305,3307-65535"},
        engine="connect",
    )
    (tmp_path / "old.xml").write_bytes(nmapxml.render(report(WHOLE)))
    (tmp_path / "new.xml").write_bytes(nmapxml.render(report(now)))
    seen = subprocess.run(
        ["ndiff", tmp_path / "old.xml", tmp_path / "new.xml"], capture_output=True, text=True, check=False
    )
    assert seen.returncode == 1, seen.stderr
    changed = {
        line.split()[0] + line.split()[1] for line in seen.stdout.splitlines() if "/tcp" in line and line[0] in "+-"
    }
    assert {"+3306/tcpopen", "-80/tcpopen", "-8080/tcpopen"} <= changed


def test_what_was_not_measured_is_inconclusive() -> None:
    assert not inconclusive(report(WHOLE))
    assert inconclusive(report(WHOLE, LATE))
    nowhere = Swept(
        address="2001:db8::1", transport=Transport.TCP, states={State.UNREACHABLE: "1-10"}, problem="no route"
    )
    assert inconclusive(report(nowhere))
    # One of two addresses that has no route here is no failure.
    assert not inconclusive(report(WHOLE, nowhere))
