"""`portcheck inventory`, as a user calls it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from probe.cli.exitcodes import Exit
from probe.cli.main import main

TEXT = """\
[web]
w1 ansible_host=10.0.0.1 ansible_user=ops
w2 portcheck_address=10.0.0.2,2001:db8:1111:2222:3333:4444:5555:6666 portcheck_exec="ip netns exec w2"
[db]
d1.example.com portcheck_agent=https://d1.example.com:7443 portcheck_zone=outside
d2 portcheck_agent=none size=8
[site:children]
web
db
"""


@pytest.fixture
def hosts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "hosts.txt").write_text(TEXT)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    return "hosts.txt"


@pytest.mark.parametrize("form", [["FILE"], ["-i", "FILE"], ["--inventory", "FILE"], ["--inventory=FILE"]])
def test_show_fits_80_columns(form: list[str], hosts: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inventory", "show", *(word.replace("FILE", hosts) for word in form)]) == Exit.CONFORMS
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[0].split() == ["host", "addresses", "roles", "zone", "reached", "by"]
    assert lines[2].split() == ["w1", "10.0.0.1", "web,", "site", "inside", "ssh", "ops@10.0.0.1"]
    assert lines[-1] == "hosts.txt: 4 hosts, 3 groups"
    assert any("no agent" in line for line in lines)


def test_show_json(hosts: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inventory", "show", "--json", hosts]) == Exit.CONFORMS
    found = json.loads(capsys.readouterr().out)
    assert list(found) == ["hosts", "groups", "children"]
    assert found["hosts"]["d2"] == {
        "addresses": ["d2"],
        "roles": ["db", "site"],
        "zone": "inside",
        "vars": {"portcheck_agent": "none", "size": 8},
    }
    assert found["groups"]["site"] == ["w1", "w2", "d1.example.com", "d2"]
    assert found["children"]["all"] == ["ungrouped", "site"]
    assert found["children"]["site"] == ["web", "db"]


def test_show_the_variables_of_a_host(hosts: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("group_vars").mkdir()
    Path("group_vars/db.yml").write_text('size: 1\nkind: "\\x9b"\n')
    assert main(["inventory", "show", hosts, "--host", "d2"]) == Exit.CONFORMS
    assert [line.split(maxsplit=2) for line in capsys.readouterr().out.splitlines()[2:]] == [
        ["size", "8", "host"],
        ["kind", '"\\x9b"', "group db, group_vars/db.yml"],
        ["portcheck_agent", '"none"', "host"],
    ]


def test_show_a_host_without_variables(hosts: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path(hosts).write_text("a1\n")
    assert main(["inventory", "show", hosts, "--host", "a1"]) == Exit.CONFORMS
    assert capsys.readouterr().out == "a1 has no variables\n"


def test_show_a_host_that_is_not_there(hosts: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inventory", "show", hosts, "--host", "d3"]) == Exit.USAGE
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "hosts.txt: there is no host 'd3'" in captured.err
    assert "there is: d1.example.com, d2" in captured.err


def test_lint_of_a_good_one(hosts: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inventory", "lint", hosts]) == Exit.CONFORMS
    assert capsys.readouterr().out == "hosts.txt: 4 hosts, 3 groups; no problems\n"


def test_lint_with_warnings(hosts: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path(hosts).write_text("a1\n[web]\n")
    assert main(["inventory", "lint", "-i", hosts]) == Exit.CONFORMS
    out = capsys.readouterr().out
    assert out.startswith("hosts.txt:1:1: warning: 'a1' has no role")
    assert out.endswith("hosts.txt: 1 host, 1 group; 2 warnings\n")


def test_lint_with_errors(hosts: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path(hosts).write_text("[web]\nw1 portcheck_zone=dmz\nw[2:1]\n")
    assert main(["inventory", "lint", hosts]) == Exit.USAGE
    captured = capsys.readouterr()
    assert captured.out.count("hosts.txt:") == 2
    assert captured.err == "2 errors\n"


@pytest.mark.parametrize(
    "words",
    [
        ["inventory", "show"],
        ["inventory", "lint", "a", "-i", "b"],
        ["inventory", "show", "missing.txt"],
        ["inventory", "show", "."],
        ["inventory", "show", "hosts.txt", "--json", "--host", "d2"],
        ["inventory"],
        ["inventory", "shwo", "hosts.txt"],
    ],
)
def test_usage(words: list[str], hosts: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == Exit.USAGE
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "Traceback" not in captured.err
    assert captured.err
