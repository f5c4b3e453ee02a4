"""What the command says to the shell, whatever happens."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from probe import __version__
from probe.cli import main as module
from probe.cli.main import COMMANDS, main
from probe.errors import UserError

if TYPE_CHECKING:
    from pathlib import Path


def test_help_names_every_command(portcheck: Any) -> None:
    code, out, _ = portcheck("--help")
    assert code == 0
    assert all(f"    {name} " in out.replace("\n", " ") for name in COMMANDS)
    assert "Exit codes: 0 conforms" in out


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_has_help(portcheck: Any, command: str) -> None:
    code, out, _ = portcheck(command, "--help")
    assert code == 0
    assert out.startswith(f"usage: portcheck {command} ")


def test_version(portcheck: Any) -> None:
    assert portcheck("--version") == (0, f"portcheck {__version__}\n", "")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "COMMAND"),
        (("launch",), "invalid choice: 'launch'"),
        (("plan", "--bogus"), "--bogus"),
        (("plan", "--phase", "later"), "invalid choice: 'later'"),
        (("plan", "--seed", "many"), "--seed"),
        (("plan", "--seed", "-1"), "a number from 0 up is wanted"),
        (("plan", "--max-rate", "0"), "a number above 0 is wanted"),
        (("plan", "--max-rate", "nan"), "a number above 0 is wanted"),
        (("plan", "--exposure", "some"), "invalid choice"),
        (("plan",), "--inventory FILE is needed"),
        (("run",), "--inventory FILE is needed"),
        (("agent",), "one of the arguments --stdio --listen --health is required"),
        (("agent", "--listen", "127.0.0.1:1"), "--identity FILE is needed"),
        (("run", "-i", "hosts.txt", "--json", "-", "--html", "-"), "only one report"),
        (("run", "-i", "hosts.txt", "--identity", "nothing.pem"), "nothing.pem"),
        (("run", "-i", "hosts.txt", "--json", "hosts.txt/r.json"), "hosts.txt/r.json"),
        (("plan", "-i", "nothing.txt"), "nothing.txt"),
        (("plan", "-i", "."), "."),
        (("plan", "-i", "hosts.txt", "-m", "nothing"), "nothing"),
        (("plan", "-i", "hosts.txt", "--set", "sql_port"), "--set: 'sql_port' is not of the form VAR=VALUE"),
        (("plan", "-i", "hosts.txt", "--set", "oil_port=1"), "no such variable"),
        (("plan", "-i", "hosts.txt", "--set", "sql_port=0"), "port 0 does not exist"),
        (("plan", "-i", "hosts.txt", "--profile", "huge"), "no such profile"),
        (("plan", "-i", "hosts.txt", "--only", "colour=red"), "'colour' is no key"),
    ],
    ids=" ".join,
)
def test_a_wrong_call_is_4_with_one_message(portcheck: Any, words: tuple[str, ...], said: str) -> None:
    code, out, err = portcheck(*words)
    assert code == 4
    assert out == ""
    assert said in err


def raising(error: BaseException) -> Any:
    class Command:
        @staticmethod
        def configure(_: Any) -> None: ...

        @staticmethod
        def run(_: Any) -> int:
            raise error

    return Command


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (
            UserError("hosts.txt:3: what and where\n  hint: what to do"),
            4,
            "hosts.txt:3: what and where\n  hint: what to do\n",
        ),
        (KeyboardInterrupt(), 2, ""),
        (ZeroDivisionError("oops"), 3, "portcheck: internal error: ZeroDivisionError: oops\n"),
        (ExceptionGroup("two", [ValueError(), OSError()]), 3, "portcheck: internal error: ValueError"),
        (ExceptionGroup("one", [ExceptionGroup("in", [UserError("mend it")])]), 4, "mend it"),
    ],
    ids=lambda value: repr(value)[:40] if isinstance(value, BaseException) else "",
)
def test_whatever_a_command_raises(
    portcheck: Any, monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int, said: str
) -> None:
    monkeypatch.setattr(module.importlib, "import_module", lambda _: raising(error))
    found, out, err = portcheck("plan")
    assert (found, out) == (code, "")
    assert err.startswith(said)


def test_a_defect_shows_where_on_demand(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORTCHECK_DEBUG", "1")
    monkeypatch.setattr(module.importlib, "import_module", lambda _: raising(ZeroDivisionError()))
    with pytest.raises(ZeroDivisionError):
        main(["plan"])


def test_a_missing_library_of_the_coordinator_is_named(portcheck: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    error = ModuleNotFoundError("No module named 'ruamel.yaml'", name="ruamel.yaml")
    monkeypatch.setattr(module.importlib, "import_module", lambda _: raising(error))
    code, _, err = portcheck("plan")
    assert code == 4
    assert "pip install 'portcheck[all]'" in err


def shell(folder: Path, line: str) -> subprocess.CompletedProcess[str]:
    line = line.replace("portcheck ", f"{sys.executable} -m probe ")
    return subprocess.run(["sh", "-c", line], cwd=folder, capture_output=True, text=True, timeout=30, check=False)


def test_a_reader_that_goes_away_is_no_error(shop: Path) -> None:
    """`portcheck plan | true`, with more to say than a pipe holds."""
    (shop / "hosts.txt").write_text(
        "[web]\n"
        + "".join(f"w{n} portcheck_address=10.0.{n // 250}.{n % 250 + 1}\n" for n in range(500))
        + "[db]\nd1 portcheck_address=10.1.0.1\n[all:vars]\nportcheck_matrix=shop.yaml\n"
    )
    done = shell(shop, "{ portcheck plan -i hosts.txt --json; echo $? >code; } | true")
    assert done.stderr == ""
    assert (shop / "code").read_text() == "0\n"


def test_a_reader_that_goes_away_changes_no_outcome(shop: Path) -> None:
    (shop / "hosts.txt").write_text(
        "[web]\nw1 ansible_connection=local portcheck_address=127.0.0.1\n"
        "[db]\nd1 ansible_connection=local portcheck_address=127.0.0.2\n[all:vars]\nportcheck_matrix=shop.yaml\n"
    )
    line = "portcheck run -i hosts.txt --phase live"
    code = shell(shop, line).returncode
    assert code == 1
    for form in ("text", "json"):
        done = shell(shop, f"{{ {line} --format {form}; echo $? >code; }} | true")
        assert done.stderr == ""
        assert (shop / "code").read_text() == "1\n"


def test_a_full_disk_is_told(shop: Path) -> None:
    done = shell(shop, "portcheck plan -i hosts.txt >/dev/full")
    assert done.returncode not in {0, 1}
    assert "No space left" in done.stderr
    assert "Traceback" not in done.stderr


def test_what_the_terminal_cannot_show_is_spelt_out(shop: Path) -> None:
    (shop / "hosts.txt").write_text("[web]\nw✗1 portcheck_address=10.0.0.1\n", encoding="utf-8")
    done = shell(shop, "PYTHONIOENCODING=latin-1 portcheck inventory show hosts.txt")
    assert (done.returncode, done.stderr) == (0, "")
    assert "w\\u27171" in done.stdout
