"""`matrix show` and `matrix diff` as people see them: the texts in tables/, which PORTCHECK_UPDATE=1 writes anew."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from probe.cli.exitcodes import Exit
from probe.cli.main import main
from probe.spec import matrix
from probe.spec.matrix.grammar import FLOW, PROFILE, ROLE_ROW, SCOPE, SERVICE, SOURCE, VARIABLE_ROW
from probe.spec.matrix.problems import Problems
from probe.spec.matrix.tree import parse

HERE = Path(__file__).parent / "tables"
SHOWN = {
    "show-80.txt": ["show", "everything.yaml"],
    "show-200.txt": ["show", "everything.yaml"],
    "show.md": ["show", "--markdown", "everything.yaml"],
    "show.json": ["show", "--json", "everything.yaml"],
    "diff-80.txt": ["diff", "everything.yaml", "another.yaml"],
    "diff.md": ["diff", "--markdown", "everything.yaml", "another.yaml"],
    "diff.json": ["diff", "--json", "everything.yaml", "another.yaml"],
    "diff-texts.md": ["diff", "--texts", "--markdown", "everything.yaml", "another.yaml"],
}


@pytest.mark.parametrize("name", SHOWN)
def test_as_people_see_it(name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(HERE)
    width = re.search(r"\d+", name)
    monkeypatch.setenv("COLUMNS", width[0] if width else "80")
    assert main(["matrix", *SHOWN[name]]) == (Exit.DEVIATIONS if "diff" in name else Exit.CONFORMS)
    found, beside = capsys.readouterr().out, HERE / name
    if os.environ.get("PORTCHECK_UPDATE"):
        beside.write_text(found, encoding="utf-8")
    assert found == beside.read_text(encoding="utf-8")
    if width:
        assert max(map(len, found.splitlines())) <= int(width[0])


def test_each_text_belongs_to_a_call() -> None:
    assert {path.name for path in HERE.iterdir() if path.suffix != ".yaml"} == set(SHOWN)


def test_everything_has_every_key() -> None:
    """What the texts beside it show is all that the language has."""
    text = (HERE / "everything.yaml").read_text(encoding="utf-8")
    root: Any = parse(text, Problems("everything.yaml", text))
    for section, row in (
        ("sources", SOURCE),
        ("variables", VARIABLE_ROW),
        ("roles", ROLE_ROW),
        ("services", SERVICE),
        ("profiles", PROFILE),
    ):
        assert _keys(root.get(section).pairs.values()) == set(row.keys), section
    flows = [(None, flow) for flow in root.get("flows").items]
    assert _keys(flows) == set(FLOW.keys)
    assert _keys(flow.pairs["scope"] for _, flow in flows if "scope" in flow.pairs) == set(SCOPE.keys)


def _keys(rows: Any) -> set[str]:
    return {key for _, row in rows for key in row.pairs}


@pytest.mark.parametrize("name", matrix.builtin())
def test_each_built_in_is_shown_in_full(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for columns in (80, 100, 200):
        monkeypatch.setenv("COLUMNS", str(columns))
        assert main(["matrix", "show", name]) == Exit.CONFORMS
        assert max(map(len, capsys.readouterr().out.splitlines())) <= columns
    assert main(["matrix", "show", "--markdown", name]) == Exit.CONFORMS
    out = capsys.readouterr().out
    loaded = matrix.load([name])
    rules = [flow.rule for flow in loaded.flows]
    words = {*loaded.roles, *loaded.services, *loaded.variables, *loaded.profiles, *rules}
    cites = {service.cite for service in loaded.services.values()} | {flow.cite for flow in loaded.flows}
    words |= {f"[{cite}]" for cite in cites - {""}}
    assert {word for word in words if re.sub(r"([_\[\]])", r"\\\1", word) not in out} == set()


def test_where_the_two_pages_disagree(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["matrix", "diff", "--markdown", "aiware", "aiware-anywhere"]) == Exit.DEVIATIONS
    out = capsys.readouterr().out
    assert "\n| registry | 443 docker-registry/http | 5000 docker-registry/http |\n" in out
    assert "\n| services | services; also called api, app | api; also called core |\n" in out
    assert "\n| db | 9187 prometheus-exporter/http | - |\n" in out
    assert "\n| prometheus | 9090 tcp | controller | - |\n" in out


def test_two_states_of_one_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = "portcheck: 1\nname: x\nroles: {a: }\nservices: {s: {role: a, port: %d}}\nflows: [{from: a, to: s}]\n"
    for name, port in (("old.yaml", 1), ("same.yaml", 1), ("new.yaml", 2)):
        Path(name).write_text(text % port)
    assert main(["matrix", "diff", "old.yaml", "new.yaml"]) == Exit.DEVIATIONS
    out = capsys.readouterr().out
    assert out.startswith("old.yaml and new.yaml differ\n\nPorts by role\n\nRole    old.yaml    new.yaml\n")
    assert out.endswith("\na       1 tcp       2 tcp\n")
    assert main(["matrix", "diff", "old.yaml", "same.yaml"]) == Exit.CONFORMS
    assert capsys.readouterr().out == "old.yaml and same.yaml say the same\n"
    assert main(["matrix", "diff", "--json", "old.yaml", "same.yaml"]) == Exit.CONFORMS
    assert json.loads(capsys.readouterr().out)["differences"] == []


def test_diff_of_what_cannot_be_read(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["matrix", "diff", "aiware", "none.yaml"]) == Exit.USAGE
    assert capsys.readouterr().err == "none.yaml: there is no such file\n"


@pytest.mark.parametrize("words", [[], ["aiware"], ["a", "b", "c"], ["--json", "--markdown", "a", "b"]], ids=str)
def test_usage_of_diff(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["matrix", "diff", *words]) == Exit.USAGE
    assert "usage: portcheck matrix" in capsys.readouterr().err
