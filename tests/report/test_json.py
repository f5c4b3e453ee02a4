from __future__ import annotations

import json as standard
from pathlib import Path
from typing import TYPE_CHECKING

import jsonschema
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.errors import UserError
from probe.model.words import Cause, Expect, Need, Phase, Policy, Severity, State, Transport, Verdict, Zone
from probe.report import json
from probe.resources import folder

if TYPE_CHECKING:
    from probe.model.result import Report

SCHEMA = standard.loads((folder("reports") / "report.schema.json").read_text())
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
GOLDEN = sorted((Path(__file__).parent.parent / "golden").glob("*.*.json"))

# The order that the design fixes; further fields may stand between.
RUN = ["id", "started", "finished", "phase", "matrix", "inventory", "seed", "version"]
SUMMARY = ["checks", "pass", "blocked", "down", "mismatch", "exposed", "inconclusive", "coverage"]
HOST = ["name", "addresses", "roles", "zone", "agent"]
CHECK = [
    "source",
    "target",
    "address",
    "transport",
    "ports",
    "protocol",
    "service",
    "rule",
    "expect",
    "policy",
    "state",
    "verdict",
    "cause",
    "where",
    "evidence",
    "elapsed_ms",
    "rtt_ms",
    "detail",
]


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_every_report_keeps_to_the_schema(one: Report) -> None:
    VALIDATOR.validate(standard.loads(json.render(one)))


@pytest.mark.parametrize("file", [*GOLDEN, folder("reports") / "samples" / "sample.json"], ids=lambda path: path.name)
def test_every_sample_keeps_to_the_schema(file: Path) -> None:
    VALIDATOR.validate(standard.loads(file.read_bytes()))


def test_what_is_written_is_read_back(one: Report) -> None:
    assert json.parse(json.render(one)) == one


def test_fields_come_in_the_order_of_the_design(rich: Report) -> None:
    data = standard.loads(json.render(rich))
    assert list(data) == [
        "schema",
        "run",
        "summary",
        "hosts",
        "checks",
        "findings",
        "not_checkable",
        "notes",
        "exposure",
        "waivers",
    ]
    for value, order in (
        (data["run"], RUN),
        (data["summary"], SUMMARY),
        (data["hosts"][0], HOST),
        (data["checks"][0], CHECK),
    ):
        assert [key for key in value if key in order] == order


def test_the_schema_requires_what_the_design_calls_stable() -> None:
    definitions = SCHEMA["$defs"]
    for name, fields in (("run", RUN), ("summary", SUMMARY), ("host", HOST), ("check", CHECK)):
        assert set(fields) <= set(definitions[name]["required"])


def test_the_schema_knows_every_word() -> None:
    properties = SCHEMA["$defs"]["check"]["properties"]
    words = {
        "transport": Transport,
        "expect": Expect,
        "policy": Policy,
        "need": Need,
        "severity": Severity,
        "state": State,
        "verdict": Verdict,
        "cause": Cause,
    }
    for field, enum in words.items():
        assert [word for word in properties[field]["enum"] if word is not None] == list(enum)
    assert SCHEMA["$defs"]["unchecked"]["properties"]["need"]["enum"] == list(Need)
    assert SCHEMA["$defs"]["run"]["properties"]["phase"]["enum"] == list(Phase)
    assert SCHEMA["$defs"]["host"]["properties"]["zone"]["enum"] == list(Zone)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("schema", "portcheck.report/2"),
        ("run", None),
        ("run.started", "yesterday"),
        ("summary.coverage", 1.5),
        ("hosts.0.zone", "dmz"),
        ("checks.0.verdict", "fine"),
        ("checks.0.cause", "network"),
        ("checks.0.ports", "22, 80"),
        ("checks.0.rtt_ms", "fast"),
        ("not_checkable.0.reason", None),
        ("not_checkable.0.sources", "lb"),
    ],
)
def test_the_schema_is_strict_about_what_is_stable(rich: Report, path: str, value: object) -> None:
    data = standard.loads(json.render(rich))
    *parents, last = path.split(".")
    part = data
    for key in parents:
        part = part[int(key) if isinstance(part, list) else key]
    part[last] = value
    assert not VALIDATOR.is_valid(data)
    del part[last]
    assert not VALIDATOR.is_valid(data)


def test_additions_are_allowed(rich: Report) -> None:
    data = standard.loads(json.render(rich))
    for part in (data, data["run"], data["summary"], data["hosts"][0], data["checks"][0]):
        part["later"] = 1
    VALIDATOR.validate(data)
    assert json.parse(standard.dumps(data).encode()) == rich


def test_each_check_is_one_line(rich: Report) -> None:
    lines = json.render(rich).splitlines()
    assert sum(line.startswith(b'{"id":') for line in lines) == len(rich.checks)


def test_what_cannot_be_checked_is_one_line_each(rich: Report) -> None:
    data = json.render(rich)
    assert sum(line.startswith(b'{"rule":') for line in data.splitlines()) == len(rich.not_checkable)
    assert standard.loads(data)["summary"]["not_checkable"] == len(rich.not_checkable)


def test_a_report_from_before_what_cannot_be_checked_was_told_is_read(examples: dict[str, Report]) -> None:
    data = standard.loads(json.render(examples["conforms"]))
    del data["not_checkable"], data["summary"]["not_checkable"]
    for check in data["checks"]:
        del check["application"], check["severity"], check["instead"]
    VALIDATOR.validate(data)
    assert json.parse(standard.dumps(data).encode()).not_checkable == ()


def test_a_severity_is_one_of_five_words(rich: Report) -> None:
    data = standard.loads(json.render(rich))
    data["checks"][0]["severity"] = "<script>"
    assert not VALIDATOR.is_valid(data)
    with pytest.raises(UserError, match="severity"):
        json.parse(standard.dumps(data).encode())


def test_a_file_name_that_is_no_utf8_does_not_stop_the_report(rich: Report) -> None:
    run = msgspec.structs.replace(rich.run, inventory="h\udcffosts")
    data = json.render(msgspec.structs.replace(rich, run=run, notes=("\ud800",)))
    assert standard.loads(data)["run"]["inventory"] == r"h\udcffosts"
    assert standard.loads(data)["notes"] == [r"\ud800"]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "no JSON report"),
        (b"[]", "no JSON report"),
        (b"{}", "missing required field `schema`"),
        (b'{"schema": "portcheck.report/2"}', "'portcheck.report/2'"),
        (b'{"schema": "portcheck.report/1"}', "missing required field `run`"),
        (b"\xff", "no JSON report"),
        (b"[" * 100_000, "no JSON report"),
    ],
)
def test_what_is_no_report_is_one_clear_error(data: bytes, said: str) -> None:
    with pytest.raises(UserError) as caught:
        json.parse(data, "old.json")
    assert str(caught.value).startswith("old.json: ")
    assert said in str(caught.value)


@given(st.binary())
def test_any_bytes_are_a_report_or_one_kind_of_error(data: bytes) -> None:
    with pytest.raises(UserError):
        json.parse(data)
