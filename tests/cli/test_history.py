"""`portcheck history` and `portcheck diff`, as a user meets them."""

from __future__ import annotations

import json as standard
import shutil
from typing import TYPE_CHECKING

import msgspec
import pytest

from probe.history.store import open_history
from probe.history.values import RunState
from probe.model.result import CheckResult, Evidence
from probe.report import json

from ..history.reports import report, row, rows_of  # noqa: TID252  (tests are no package)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Portcheck = Callable[..., tuple[int, str, str]]

BAD, GOOD = {("a", "10.0.0.1"): "ppnnpppp"}, {("a", "10.0.0.1"): "pppppppp"}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three runs that end well, badly, well, one that is lost and one that could not be made."""
    place = tmp_path_factory.mktemp("history") / "kept.db"
    history = open_history(str(place))
    for number, cells in enumerate((GOOD, BAD, GOOD), 1):
        said = Evidence(at="source", what=f"said by {number // 2}")
        history.record("night", report([*rows_of(cells, "silence"), row("b", "d", evidence=(said,))], number))
    history.begin("night", "run-4", "2026-01-04T02:00:00Z")
    history.recover("night")
    history.fail("night", "run-5", "2026-01-05T02:00:00Z", RunState.FAILED, "hosts.txt:3:1: no group\n  hint: name it")
    history.record("other", report([], 1))
    history.close()
    return place


@pytest.fixture
def kept(shop: Path, made: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with that history in it."""
    monkeypatch.setenv("PORTCHECK_HISTORY", "kept.db")
    shutil.copy(made, shop)
    return shop


def test_where_no_history_is_none_is_made(portcheck: Portcheck, shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(shop / "state"))
    code, _, err = portcheck("history", "list")
    assert code == 4
    assert f"{shop}/state/portcheck/history.db: there is no history\n  hint: " in err
    assert not (shop / "state").exists()


def test_the_place_comes_from_the_settings_and_nothing_else_does(
    portcheck: Portcheck, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PORTCHECK_HISTORY")
    (kept / "portcheck.toml").write_text('history = "kept.db"\nhtml = "report.html"\n')
    assert portcheck("history", "show", "night")[0] == 0
    assert not (kept / "report.html").exists()
    assert portcheck("history", "list", "--history", "nowhere.db")[0] == 4
    assert "cannot be opened: File name too long" in portcheck("history", "list", "--history", "h" * 300)[2]


def test_a_slip_in_the_scheme_makes_no_file_with_the_password_in_its_name(portcheck: Portcheck, kept: Path) -> None:
    before = sorted(kept.iterdir())
    for words in (("history", "list"), ("audit", "-i", "hosts.txt", "--once")):
        code, out, err = portcheck(*words, "--history", "postgresq://u:geheim@127.0.0.1/h")
        assert (code, out) == (4, "")
        assert "postgresq://…: no history can be kept there\n  hint: name a file, or postgresql://" in err
        assert "geheim" not in err
    assert sorted(kept.iterdir()) == before


def test_list(portcheck: Portcheck, kept: Path) -> None:
    code, out, _ = portcheck("history", "list")
    assert code == 0
    assert [line.split()[:3] for line in out.splitlines()] == [
        ["AUDIT", "RUNS", "RUN"], ["night", "5", "5"], ["other", "1", "1"],
    ]  # fmt: skip
    out = portcheck("history", "list", "night", "--limit", "4")[1]
    assert [line.split()[0] for line in out.splitlines()] == ["RUN", "5", "4", "3", "2", "run", "hint:", "run", "…"]
    assert "run 5: hosts.txt:3:1: no group\n    hint: name it\n" in out
    assert "portcheck history list night --before 2" in out
    assert max(map(len, out.splitlines())) <= 80
    assert [line.split()[0] for line in portcheck("history", "list", "night", "--before", "2")[1].splitlines()] == [
        "RUN", "1",
    ]  # fmt: skip
    code, _, err = portcheck("history", "list", "nigth")
    assert (code, err) == (4, f"{kept}/kept.db: there is no audit 'nigth'\n  hint: there is: night, other\n")


def test_show_a_run(portcheck: Portcheck, kept: Path) -> None:
    out = portcheck("history", "show", "night", "2")[1]
    assert out.startswith("2 deviations in 3 checks")
    assert portcheck("history", "show", "night")[1] == portcheck("history", "show", "night", "3")[1]
    code, out, _ = portcheck("history", "show", "night", "2", "--json", "-", "--output", "run.html", "-o", "run.csv")
    assert len((kept / "run.csv").read_text().splitlines()) == 4
    again = json.parse(out.encode())
    assert sorted((one.id, one.ports) for one in again.checks) == [("a", "1-2,5-8"), ("a", "3-4"), ("b", "22")]
    assert (kept / "run.html").stat().st_size > 1000
    code, _, err = portcheck("history", "show", "night", "4")
    assert code == 4
    assert "run 4 of 'night' has no rows: lost (its coordinator ended without a word)\n  hint: " in err
    code, _, err = portcheck("history", "show", "night", "second")
    assert (code, err) == (4, "'second' is no run\n  hint: name its number, latest or previous\n")


def test_show_a_check(portcheck: Portcheck, kept: Path) -> None:
    code, out, _ = portcheck("history", "show", "night", "--check", "a")
    assert code == 0
    assert [line.split() for line in out.splitlines()[2:-1]] == [
        [*f"{runs} {since} 02:00Z {until} 02:00Z {ports} {told}".split()]
        for runs, since, until, ports, told in (
            ("3", "2026-01-03", "2026-01-03", "3-4", "pass"),
            ("1-3", "2026-01-01", "2026-01-03", "1-2,5-8", "pass"),
            ("2", "2026-01-02", "2026-01-02", "3-4", "blocked network"),
            ("1", "2026-01-01", "2026-01-01", "3-4", "pass"),
        )
    ]
    assert out.splitlines()[-1] == "now: pass; open"
    history = open_history("kept.db")
    history.record("night", report([row("c", "p")], 6))
    history.close()
    assert portcheck("history", "show", "night", "--check", "a")[1].splitlines()[-1] == "in run 3: pass; open"
    data = standard.loads(portcheck("history", "show", "night", "--check", "a", "--json", "-")[1])
    assert [(one["first"], one["last"]) for one in data["intervals"]] == [(3, 3), (1, 3), (2, 2), (1, 1)]
    assert portcheck("history", "show", "night", "--check", "a", "--html", "a.html")[0] == 4
    code, _, err = portcheck("history", "show", "night", "--check", "z")
    assert code == 4
    assert "no run of 'night' has a check 'z'\n  hint: " in err


def test_what_is_exported_makes_up_every_run_again(portcheck: Portcheck, kept: Path) -> None:
    lines = [standard.loads(line) for line in portcheck("history", "export", "night")[1].splitlines()]
    assert lines[0] == {"schema": "portcheck.history/1", "audit": "night"}
    runs = [line for line in lines if line.get("type") == "run"]
    assert [(run["number"], run["state"]) for run in runs] == [
        (1, "finished"), (2, "finished"), (3, "finished"), (4, "lost"), (5, "failed"),
    ]  # fmt: skip
    assert runs[1]["report"].keys() == {"run"}
    assert runs[1]["report"]["run"]["id"] == "run-2"
    history = open_history("kept.db")
    for number in (1, 2, 3):
        rows = [
            line["check"] for line in lines if line.get("type") == "row" and line["first"] <= number <= line["last"]
        ]
        wanted = history.report("night", number).checks
        assert {msgspec.convert(one, CheckResult) for one in rows} == set(wanted)
        assert len(rows) == len(wanted)
    history.close()
    some = [
        standard.loads(line)
        for line in portcheck("history", "export", "night", "--from", "2", "--to", "2")[1].splitlines()
    ]
    assert {(line["first"], line["last"]) for line in some if line.get("type") == "row"} == {(2, 2)}


def test_prune(portcheck: Portcheck, kept: Path) -> None:
    assert (
        portcheck("history", "prune", "--dry-run")[1]
        == "would drop 0 runs, and of 0 more keep only what did not pass\n"
    )
    code, out, _ = portcheck("history", "prune", "--days", "0", "--failures-days", "0")
    assert (code, out.splitlines()[0]) == (0, "dropped 0 runs, and of 0 more kept only what did not pass")
    assert portcheck("history", "prune", "--days", "x")[0] == 4
    code, _, err = portcheck("history", "prune", "--days", "9", "--failures-days", "8")
    assert (code, "hint: " in err) == (4, True)


# --- diff -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def files(kept: Path) -> Path:
    for number, cells in enumerate((GOOD, BAD), 1):
        (kept / f"{number}.json").write_bytes(json.render(report(rows_of(cells), number)))
    lost = report([row("a", "i")], 3)
    (kept / "lost.json").write_bytes(json.render(lost))
    return kept


@pytest.mark.parametrize(
    ("old", "new", "code", "said"),
    [
        ("1.json", "2.json", 1, "1 new"),
        ("2.json", "1.json", 0, "1 fixed"),
        ("1.json", "1.json", 0, "nothing changed"),
        ("2.json", "2.json", 0, "nothing changed: 1 still there"),
        ("1.json", "lost.json", 6, "1 newly not measured"),
        ("night@1", "night@2", 1, "1 new, 1 still there"),
        ("night@previous", "night@latest", 0, "1 fixed, 1 still there"),
        ("night@2", "night@1", 0, "1 fixed, 1 still there"),
        ("night@1", "2.json", 1, "1 new, 1 no longer checked"),
    ],
)
def test_diff(portcheck: Portcheck, files: Path, old: str, new: str, code: int, said: str) -> None:
    got, out, err = portcheck("diff", old, new)
    assert (got, out.splitlines()[0], err) == (code, said, "")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "night@1",
            "night@latest",
            "from night, run 1 of 2026-01-01 02:00 UTC to night, run 3 of 2026-01-03 02:00 UTC",
        ),
        ("night@2", "night@1", "from night, run 2 of 2026-01-02 02:00 UTC to night, run 1 of 2026-01-01 02:00 UTC"),
        ("1.json", "other@1", "from 1.json of 2026-01-01 02:00 UTC to other, run 1 of 2026-"),
    ],
)
def test_runs_are_called_what_people_call_them(
    portcheck: Portcheck, files: Path, monkeypatch: pytest.MonkeyPatch, old: str, new: str, said: str
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert portcheck("diff", old, new)[1].splitlines()[1].startswith(said)
    assert portcheck("diff", old, new, "--markdown", "-")[1].splitlines()[2].startswith(said.replace("from", "From", 1))
    data = standard.loads(portcheck("diff", old, new, "--json", "-")[1])
    assert data.keys() == {"schema", "old", "new", "summary", "changes"}


def test_only_a_history_tells_since_when(portcheck: Portcheck, files: Path) -> None:
    assert "since     run 1, 2026-01-01 02:00 UTC" in portcheck("diff", "night@2", "night@3")[1]
    assert "since" not in portcheck("diff", "night@2", "2.json")[1]


@pytest.mark.parametrize(("old", "new"), [("night@1", "night@2"), ("1.json", "2.json")])
def test_diff_as_pages(portcheck: Portcheck, files: Path, old: str, new: str) -> None:
    code, out, err = portcheck("diff", old, new, "--html", "diff.html", "--markdown", "-")
    assert (code, err) == (1, "")
    assert out.startswith("# \u274c 1 new deviation ")
    page = (files / "diff.html").read_text()
    assert "<h2>What changed since" in page
    assert "1 new deviation since the run before." in page


def test_two_pages_of_a_diff_need_two_places(portcheck: Portcheck, files: Path) -> None:
    code, _, err = portcheck("diff", "1.json", "2.json", "--html", "-", "--json", "-")
    assert code == 4
    assert "hint: name different files" in err


def test_diff_as_json(portcheck: Portcheck, files: Path) -> None:
    code, out, _ = portcheck("diff", "night@1", "night@2", "--json", "-")
    data = standard.loads(out)
    assert (code, data["schema"], data["summary"]["new"]) == (1, "portcheck.diff/1", 1)
    assert portcheck("diff", "1.json", "2.json", "--json", "diff.json")[1].startswith("1 new")
    assert standard.loads((files / "diff.json").read_text())["changes"][0]["ports"] == "3-4"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("gone.json", "1.json"), "gone.json: cannot be read: No such file"),
        (("1.json", "hosts.txt"), "hosts.txt: no JSON report"),
        (("night@9", "1.json"), "audit 'night' has no run 9"),
        (("none@latest", "1.json"), "there is no audit 'none'\n  hint: there is: night, other\n"),
        (("none@1", "night@2"), "there is no audit 'none'\n  hint: there is: night, other\n"),
        (("other@previous", "1.json"), "audit 'other' has one finished run alone"),
        (("-", "-"), "only one of OLD and NEW"),
    ],
)
def test_what_cannot_be_compared_is_one_clear_error(
    portcheck: Portcheck, files: Path, words: tuple[str, str], said: str
) -> None:
    code, out, err = portcheck("diff", *words)
    assert (code, out) == (4, "")
    assert said in err
