"""`--output` and `--format`, waivers of a run, and `portcheck report`, as a shell would call them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from probe.cli.outputs import Output
from probe.resources import folder

if TYPE_CHECKING:
    from pathlib import Path

SAMPLE = folder("reports") / "samples" / "sample.json"
FIRST = "# ❌ No, do not install yet.\n"
WAIVED = (
    "portcheck-waivers: 1\nwaivers:\n"
    "  - {service: '*', reason: all of it, owner: jane, until: never, "
    "verdicts: [blocked, down, mismatch, exposed, inconclusive]}\n"
)


@pytest.fixture
def kept(shop: Path) -> Path:
    (shop / "r.json").write_bytes(SAMPLE.read_bytes())
    return shop


def first_line(file: Path) -> str:
    return file.read_text().partition("\n")[0]


def test_the_table_where_nothing_else_is_asked_for(portcheck: Any, kept: Path) -> None:
    code, out, err = portcheck("report", "r.json")
    assert (code, err) == (0, "")
    assert out.startswith("9 deviations in 47 checks")


def test_several_at_once_and_the_table(portcheck: Any, kept: Path) -> None:
    words = ("--format", "markdown", "--output", "summary.txt", "--output", "out/report.html", "-o", "a.nmap.xml")
    code, out, _ = portcheck("report", "r.json", *words, "--junit", "j.xml")
    assert code == 0
    assert out.startswith("9 deviations")
    assert first_line(kept / "summary.txt") + "\n" == FIRST
    assert first_line(kept / "out" / "report.html").lower() == "<!doctype html>"
    assert "<!DOCTYPE nmaprun>" in (kept / "a.nmap.xml").read_text()
    assert "<testsuites" in (kept / "j.xml").read_text()


def test_a_format_with_no_output_behind_it_is_stdouts(portcheck: Any, kept: Path) -> None:
    code, out, _ = portcheck("report", "r.json", "--output", "all.jsonl", "--format", "csv")
    assert code == 0
    assert out.startswith("id,matrix,rule,")
    assert first_line(kept / "all.jsonl").startswith('{"line":"run","schema":"portcheck.lines/1"')


def test_stdout_by_name(portcheck: Any, kept: Path) -> None:
    assert portcheck("report", "r.json", "--format", "markdown", "--output", "-")[1].startswith(FIRST)
    assert portcheck("report", "r.json", "--output", "-")[1].startswith("9 deviations")
    assert json.loads(portcheck("report", "r.json", "--json", "-")[1])["schema"] == "portcheck.report/1"


def test_from_stdin(portcheck: Any, kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (kept / "r.json").open() as file:
        monkeypatch.setattr("sys.stdin", file)
        assert portcheck("report", "-", "--format", "markdown")[1].startswith(FIRST)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--json", "-", "--format", "csv"), "only one report can go to stdout, not json and csv"),
        (("--output", "-", "--output", "-"), "only one report can go to stdout"),
        (("--output", "a.md", "--format", "csv", "--output", "a.md"), "a.md: two reports cannot go into one file"),
        (("--output", "report"), "report: which format?"),
        (("--format", "pdf"), "invalid choice: 'pdf'"),
        (("--format", "csv", "--format", "html"), "--format csv is followed by another"),
        (("--output", "r.json/a.md"), "r.json/a.md: cannot be written"),
        (("--waivers", "none.yaml"), "none.yaml: there is no such file"),
    ],
)
def test_what_cannot_be_meant(portcheck: Any, kept: Path, words: tuple[str, ...], said: str) -> None:
    code, out, err = portcheck("report", "r.json", *words)
    assert (code, out) == (4, "")
    assert said in err


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot be read: No such file or directory"),
        (b"", "no JSON report of portcheck"),
        (b'{"schema": "portcheck.plan/1"}', "'portcheck.plan/1'"),
    ],
)
def test_what_is_no_report(portcheck: Any, shop: Path, content: bytes | None, said: str) -> None:
    if content is not None:
        (shop / "x.json").write_bytes(content)
    code, _, err = portcheck("report", "x.json")
    assert code == 4
    assert err.startswith("x.json: ")
    assert said in err
    assert "hint: " in err


def test_one_that_cannot_be_written_does_not_cost_the_others(
    portcheck: Any, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from probe.errors import UserError
    from probe.report import files

    write = files.write

    def full(path: str, data: Any) -> None:
        if path == "b.csv":
            raise UserError("b.csv: cannot be written: disk full")
        write(path, data)

    monkeypatch.setattr(files, "write", full)
    code, out, err = portcheck("report", "r.json", "-o", "b.csv", "-o", "c.md")
    assert (code, err) == (4, "b.csv: cannot be written: disk full\n")
    assert out.startswith("9 deviations")
    assert first_line(kept / "c.md") + "\n" == FIRST


class TestWaivers:
    def test_a_kept_report_as_a_file_would_have_it(self, portcheck: Any, kept: Path) -> None:
        (kept / "w.yaml").write_text(WAIVED)
        code, out, err = portcheck("report", "r.json", "--waivers", "w.yaml")
        assert code == 0
        assert out.startswith("conforms: 23 of 47 checks pass, 24 waived")
        assert "w.yaml:3:5: warning: this waiver never ends" in err

    def test_a_run_whose_deviations_are_accepted_is_0(self, portcheck: Any, shop: Path, free_ports: Any) -> None:
        (port,) = free_ports(1, "127.81.0.2")
        words = ("run", "-i", "hosts.txt", "--set", f"sql_port={port}", "--phase", "live", "--exposure", "known")
        assert portcheck(*words)[0] == 1
        (shop / "w.yaml").write_text(WAIVED.replace("never", "2999-12-31"))
        code, out, err = portcheck(*words, "--waivers", "w.yaml", "--json", "r.json")
        assert (code, err) == (0, "")
        assert "until 2999-12-31 by jane: all of it" in " ".join(out.split())
        report = json.loads((shop / "r.json").read_text())
        assert report["checks"][0]["waived"] == {"reason": "all of it", "owner": "jane", "until": "2999-12-31"}
        assert report["waivers"][0]["state"] == "used"
        (shop / "w.yaml").write_text(WAIVED.replace("never", "2020-12-31"))
        code, out, _ = portcheck(*words, "--waivers", "w.yaml")
        assert code == 1
        assert "w.yaml:3 (service *" in out
        assert "expired on 2020-12-31" in out

    def test_a_file_that_is_wrong_ends_it_before_anything_is_sent(self, portcheck: Any, shop: Path) -> None:
        (shop / "w.yaml").write_text(WAIVED.replace("owner: jane, ", ""))
        code, out, err = portcheck("run", "-i", "hosts.txt", "--waivers", "w.yaml")
        assert (code, out) == (4, "")
        assert err.startswith("w.yaml:3:5: a waiver needs the key 'owner'")

    def test_lint_and_schema(self, portcheck: Any, shop: Path) -> None:
        (shop / "w.yaml").write_text(WAIVED)
        code, out, _ = portcheck("waivers", "lint", "w.yaml")
        assert code == 0
        assert out.endswith("w.yaml: 1 waiver, 1 warning\n")
        (shop / "w.yaml").write_text("portcheck-waivers: 1\nwaivers: 3\n")
        code, _, err = portcheck("waivers", "lint", "w.yaml")
        assert code == 4
        assert "expected a list of waivers, found the number 3" in err
        assert json.loads(portcheck("waivers", "schema")[1])["title"] == "portcheck waivers, version 1"


class TestSettings:
    """What `run` takes from portcheck.toml, and `report` does not."""

    def outputs(self, *words: str) -> Any:
        from probe.cli.main import parser_for
        from probe.cli.outputs import wanted

        parser, _ = parser_for("run")
        return wanted(parser.parse_args(["run", *words]))

    def test_a_list_of_outputs(self, shop: Path) -> None:
        (shop / "portcheck.toml").write_text('output = ["report.html", "summary.md"]\nwaivers = "w.yaml"\n')
        assert self.outputs() == (
            Output("report.html", "html"),
            Output("summary.md", "markdown"),
            Output("-", "text"),
        )
        assert self.outputs("-o", "a.csv") == (Output("a.csv", "csv"), Output("-", "text"))

    def test_a_format_is_that_of_stdout_until_somebody_says_another(self, shop: Path) -> None:
        (shop / "portcheck.toml").write_text('format = "markdown"\n')
        assert self.outputs("-o", "a.csv") == (Output("a.csv", "csv"), Output("-", "markdown"))
        assert self.outputs("--format", "csv") == (Output("-", "csv"),)
        assert self.outputs("--json", "-") == (Output("-", "json"),)

    def test_a_format_that_is_none(self, portcheck: Any, shop: Path) -> None:
        (shop / "portcheck.toml").write_text('format = "pdf"\n')
        code, _, err = portcheck("run", "-i", "hosts.txt")
        assert code == 4
        assert "portcheck.toml:1:10: format: 'pdf' is not one of text, json" in err

    def test_a_kept_report_is_written_only_where_asked(self, portcheck: Any, kept: Path) -> None:
        (kept / "portcheck.toml").write_text('output = ["report.html"]\nformat = "markdown"\n')
        assert portcheck("report", "r.json")[1].startswith("9 deviations")
        assert not (kept / "report.html").exists()


def test_every_format_of_a_report_that_was_kept_is_that_of_the_report(portcheck: Any, shop: Path) -> None:
    """Nothing that another format shows is lost in the JSON."""
    for suffix in ("jsonl", "html", "junit.xml", "md", "csv", "nmap.xml", "json"):
        code, _, _ = portcheck("report", str(SAMPLE), "--output", f"again.{suffix}")
        assert code == 0
        assert (shop / f"again.{suffix}").read_bytes() == (SAMPLE.parent / f"sample.{suffix}").read_bytes()
