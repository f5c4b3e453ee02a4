"""Files of waivers: what is read, and what is said of what cannot be."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from ruamel.yaml import YAML

from probe.errors import UserError
from probe.model.words import Cause, Transport, Verdict
from probe.spec import waivers
from probe.spec.diagnostics import SpecError

PAGE = Path(__file__).parents[2] / "docs" / "waivers.md"
HEAD = "portcheck-waivers: 1\nwaivers:\n"
WHO = "reason: planned, owner: jane, until: 2026-12-31"


def said(row: str) -> str:
    """What is said of a file with this one row."""
    with pytest.raises(SpecError) as caught:
        waivers.load_text(f"{HEAD}  - {{{row}}}\n", "w.yaml")
    return str(caught.value)


def test_everything_that_a_waiver_may_ask() -> None:
    row = (
        'id: 1234567890123456, rule: "flows[3]", matrix: shop, sources: [engine-*, web], targets: db-1, service: sql, '
        f"transport: tcp, ports: [22, 5000-5010], verdicts: [blocked, down], causes: network, {WHO}"
    )
    (one,), warnings = waivers.load_text(f"{HEAD}\n  - {{{row}}}\n", "w.yaml")
    assert warnings == ()
    assert (one.place, one.reason, one.owner, one.until) == ("w.yaml:4", "planned", "jane", "2026-12-31")
    assert one.id == ("1234567890123456",)  # of digits alone, and no number
    assert (one.rule, one.matrix, one.service) == (("flows[3]",), ("shop",), ("sql",))
    assert (one.sources, one.targets) == (("engine-*", "web"), ("db-1",))
    assert (one.transport, one.ports) == (Transport.TCP, "22,5000-5010")
    assert (one.verdicts, one.causes) == ((Verdict.BLOCKED, Verdict.DOWN), (Cause.NETWORK,))
    assert one.matches == (
        "id 1234567890123456, matrix shop, rule flows[3], sources engine-* or web, targets db-1, service sql, "
        "transport tcp, ports 22,5000-5010, verdicts blocked or down, causes network"
    )


def test_a_file_whose_last_waiver_is_gone() -> None:
    assert waivers.load_text(f"{HEAD[:-1]} []\n") == ((), ())


@pytest.mark.parametrize(
    ("row", "message", "hint"),
    [
        (f"matrix: shop, {WHO}", "a waiver needs the key 'id' or 'rule' or 'service' or 'sources' or 'targets'", ""),
        ("service: sql, owner: jane, until: never", "a waiver needs the key 'reason'", "why it is accepted"),
        ("service: sql, reason: x, until: never", "a waiver needs the key 'owner'", "who accepts it"),
        ("service: sql, reason: x, owner: y", "a waiver needs the key 'until'", "the last day"),
        ("service: sql, reason: x, owner: y, until: 2026-02-30", "'2026-02-30' is no day", "the calendar"),
        ("service: sql, reason: x, owner: y, until: 31.12.2026", "'31.12.2026' is no day", "2026-12-31, or never"),
        ("service: sql, reason: x, owner: y, until: ", "expected a day, found nothing", "2026-12-31, or never"),
        (f"id: 0e4d2f, {WHO}", "expected the id of a check, found the text '0e4d2f'", "16 digits"),
        (f"source: db, {WHO}", "unknown key 'source' in a waiver", "did you mean 'sources'?"),
        (f"from: db, {WHO}", "unknown key 'from' in a waiver", "write sources"),
        (f"service: sql, ports: 70000, {WHO}", "port 70000 does not exist", ""),
        (f"service: sql, ports: '{{sql_port}}', {WHO}", "a variable cannot stand here", ""),
        (f"service: sql, verdicts: pass, {WHO}", "unknown verdict 'pass'", "what passes needs no waiver"),
        (f"service: sql, causes: netwrok, {WHO}", "unknown cause 'netwrok'", "did you mean 'network'?"),
        (f"service: sql, causes: no-agent, {WHO}", "no-agent is a cause of what is inconclusive", "add verdicts"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(row: str, message: str, hint: str) -> None:
    text = said(row)
    assert re.match(r"w\.yaml:3:\d+: ", text)
    assert message in text
    assert f"  hint: {hint}" in text or hint in text.rpartition("hint: ")[2]


def test_every_problem_at_once() -> None:
    text = said("sorces: db, reason: 12, owner: jane, until: soon")
    assert len(re.findall(r"^w\.yaml:3:\d+: ", text, re.MULTILINE)) == 4


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the file is empty"),
        ("portcheck: 1\nname: x\n", "this is no file of waivers: 'portcheck-waivers: 1' is missing"),
        ("portcheck-waivers: 2\nwaivers: []\n", "2 is not the version"),
        ("portcheck-waivers: 1\n", "a file of waivers needs the key 'waivers'"),
        ("- a\n", "expected a file of waivers, found a list"),
        (f"{HEAD}  - a: [b\n  - c\n", "a list that begins with [ is not closed"),
        (f"{HEAD}  - &a {{id: b}}\n", "anchors"),
        (f"{HEAD}  - {{service: x}}\n---\n{HEAD}", "a file of waivers is one document"),
    ],
)
def test_what_is_no_file_of_waivers(text: str, message: str) -> None:
    with pytest.raises(SpecError, match=re.escape(message)):
        waivers.load_text(text)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no such file"):
        waivers.load(str(tmp_path / "none.yaml"))


def test_what_is_worth_a_look() -> None:
    rows = "".join(f"  - {{service: sql, reason: {reason}, owner: y, until: never}}\n" for reason in "ab")
    found, warnings = waivers.load_text(HEAD + rows, "w.yaml")
    assert len(found) == 2
    assert [(one.line, one.message.partition(":")[0]) for one in warnings] == [
        (3, "this waiver never ends"),
        (4, "this waiver is about the same as that of w.yaml"),
        (4, "this waiver never ends"),
    ]


def test_the_page_and_the_schema_agree_with_the_reader() -> None:
    validator = Draft202012Validator(waivers.schema())
    Draft202012Validator.check_schema(waivers.schema())
    pieces = re.findall(r"^```yaml\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert len(pieces) >= 2
    for piece in pieces:
        waivers.load_text(piece)
        data = YAML(typ="rt", pure=True).load(piece)
        validator.validate(json.loads(json.dumps(data, default=str)))
    for row in (
        "service: sql",
        f"sources: [], {WHO}",
        f"service: a, verdicts: pass, {WHO}",
        f"service: a, x: 1, {WHO}",
    ):
        data = YAML(typ="safe", pure=True).load(f"{HEAD}  - {{{row}}}")
        assert not validator.is_valid(json.loads(json.dumps(data, default=str)))


def test_the_page_has_every_key() -> None:
    spans = set(re.findall(r"`([^`\n]+)`", PAGE.read_text(encoding="utf-8")))
    assert set(waivers.WAIVER.keys) - spans == set()
