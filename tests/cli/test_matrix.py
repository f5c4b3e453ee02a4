from __future__ import annotations

import json
from pathlib import Path

import pytest

from probe.cli.exitcodes import Exit
from probe.cli.main import main
from probe.spec import matrix

BAD = Path(__file__).parents[1] / "spec" / "matrix" / "bad"


def test_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["matrix", "list"]) == Exit.CONFORMS
    header, *rows = capsys.readouterr().out.splitlines()
    assert header.split() == ["NAME", "TITLE", "ROLES", "SERVICES", "FLOWS"]
    assert [row.split()[0] for row in rows] == list(matrix.builtin())
    aiware = matrix.load(["aiware"])
    numbers = [str(len(section)) for section in (aiware.roles, aiware.services, aiware.flows)]
    assert rows[0].split() == ["aiware", "Veritone", "aiWARE", *numbers]


def test_show_markdown(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["matrix", "show", "--markdown", "aiware"]) == Exit.CONFORMS
    out = capsys.readouterr().out
    assert out.startswith(
        "# Veritone aiWARE (aiware)\n\n## Roles\n\n| Role | Also called | Description |\n| --- | --- | --- |\n"
    )
    # Row beside row of the document.
    assert "| db | 5432 | postgresql/tcp | db-postgresql: PostgreSQL database for AI Data and AI Processing " in out
    spoken = "nsqd/tcp, nsqd-http/http, nsqlookupd/tcp, nsqlookupd-http/http"
    assert f"| nsq | 4150, 4151, 4160, 4161 | {spoken} | nsqd-tcp, nsqd-http, nsqlookupd-tcp, " in out
    assert f"| controller | nsq | 4150, 4151, 4160, 4161 | {spoken} | controller-to-nsq: Used for queuing " in out
    assert out.endswith("\nOpen, but allowed by no flow: advise inside, enforce outside\n")


def test_markdown_is_not_broken_by_what_is_in_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "x.yaml"
    file.write_text(
        "portcheck: 1\nname: x\nroles: {a: {help: '<b> | *c* `d`'}}\n"
        "services: {s: {role: a, port: 1}}\nflows: [{from: a, to: s}]\n"
    )
    assert main(["matrix", "show", "--markdown", str(file)]) == Exit.CONFORMS
    assert r"| a | \<b> \| \*c\* \`d\` |" in capsys.readouterr().out


def test_show_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["matrix", "show", "--json", "aiware"]) == Exit.CONFORMS
    found = json.loads(capsys.readouterr().out)
    assert found["services"]["controller-api"]["ports"] == "9000"
    assert found["flows"][0]["rule"] == "agent-to-controller"


def test_lint_of_a_clean_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["matrix", "lint", "aiware"]) == Exit.CONFORMS
    assert capsys.readouterr().out == "aiware: no errors, no warnings\n"


def test_lint_of_each_alone_and_of_all_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("site.yaml").write_text("portcheck: 1\nname: site\nroles: {mine: }\nflows:\n  - {from: mine, to: es-http}\n")
    assert main(["matrix", "lint", "aiware", "site.yaml", "none.yaml"]) == Exit.USAGE
    out, err = capsys.readouterr()
    assert "site.yaml:5:22: unknown service 'es-http'\n" in out
    assert "aiware: no errors, no warnings\n" in out
    assert out.endswith("site.yaml: 1 error, no warnings\n")
    assert err == "none.yaml: there is no such file\n"
    assert main(["matrix", "lint", "--merged", "aiware", "site.yaml"]) == Exit.CONFORMS
    assert capsys.readouterr().out == "aiware + site.yaml: no errors, no warnings\n"


def test_errors_fail_lint(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(BAD)
    assert main(["matrix", "lint", "flow-to-role.yaml"]) == Exit.USAGE
    expected = (BAD / "flow-to-role.txt").read_text() + "flow-to-role.yaml: 1 error, no warnings\n"
    assert capsys.readouterr().out == expected


def test_warnings_do_not_fail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("x.yaml").write_text(
        "portcheck: 1\nname: x\nroles: {a: , b: }\nservices: {s: {role: a, port: 1}}\nflows: [{from: a, to: s}]\n"
    )
    assert main(["matrix", "lint", "x.yaml"]) == Exit.CONFORMS
    assert capsys.readouterr().out == (
        "x.yaml:3:14: warning: role 'b' is used by no service, flow or profile\n"
        "  roles: {a: , b: }\n"
        "               ^\n"
        "x.yaml: no errors, 1 warning\n"
    )


def test_errors_go_to_stderr(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(BAD)
    assert main(["matrix", "show", "flow-to-role.yaml"]) == Exit.USAGE
    out, err = capsys.readouterr()
    assert (out, err) == ("", (BAD / "flow-to-role.txt").read_text())


def test_schema(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["matrix", "schema"]) == Exit.CONFORMS
    assert json.loads(capsys.readouterr().out)["required"] == ["portcheck", "name"]


@pytest.mark.parametrize(
    "words", [[], ["show"], ["lint"], ["import"], ["show", "--json", "--markdown", "aiware"]], ids=str
)
def test_usage(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["matrix", *words]) == Exit.USAGE
    assert "usage: portcheck matrix" in capsys.readouterr().err
