"""Flag > PORTCHECK_* > ./portcheck.toml > the user's file > default."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from probe.cli.main import main

if TYPE_CHECKING:
    import argparse
    from pathlib import Path


@pytest.fixture
def parsed(shop: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """`parsed("run", "--seed", "1")`: what the command is given, in that folder."""
    given: list[argparse.Namespace] = []

    def note(arguments: argparse.Namespace) -> int:
        given.append(arguments)
        return 0

    for command in ("run", "plan"):
        monkeypatch.setattr(f"probe.cli.{command}.run", note)

    def parse(*words: str) -> argparse.Namespace:
        assert main(words) == 0
        return given[-1]

    return parse


@pytest.fixture
def write(shop: Path) -> Any:
    def write(text: str, *, user: bool = False) -> None:
        file = shop / "config" / "portcheck" / "config.toml" if user else shop / "portcheck.toml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    return write


def test_who_wins(parsed: Any, write: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert parsed("plan").seed is None
    write("seed = 1\n", user=True)
    assert parsed("plan").seed == 1
    write("seed = 2\n")
    assert parsed("plan").seed == 2
    monkeypatch.setenv("PORTCHECK_SEED", "3")
    assert parsed("plan").seed == 3
    assert parsed("plan", "--seed", "4").seed == 4


@pytest.mark.parametrize("name", ["matrix", "set"])
def test_a_repeated_flag_replaces_what_settings_say(
    parsed: Any, write: Any, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    write(f'{name} = ["a=1", "b=2"]\n')
    assert getattr(parsed("plan"), name) == ["a=1", "b=2"]
    monkeypatch.setenv(f"PORTCHECK_{name.upper()}", "c=3")
    assert getattr(parsed("plan"), name) == ["c=3"]
    assert getattr(parsed("plan", f"--{name}", "d=4", f"--{name}", "e=5"), name) == ["d=4", "e=5"]
    assert getattr(parsed("plan"), name) == ["c=3"]  # a default is not used up


@pytest.mark.parametrize("name", ["json", "html", "junit", "identity", "inventory"])
@pytest.mark.parametrize("way", ["file", "variable"])
def test_every_option_of_a_command_can_be_set(
    parsed: Any, write: Any, monkeypatch: pytest.MonkeyPatch, name: str, way: str
) -> None:
    if way == "file":
        write(f'{name} = "there"\n')
    else:
        monkeypatch.setenv(f"PORTCHECK_{name.upper()}", "there")
    assert getattr(parsed("run"), name) == "there"


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ("strict = true", "strict", True),
        ('strict = "yes"', "strict", True),
        ("strict = false", "strict", False),
        ("max-rate = 100", "max_rate", 100.0),
        ("max_rate = 1.5", "max_rate", 1.5),
        ('phase = "live"', "phase", "live"),
        ("set = {sql_port = 1, other = 2}", "set", ["sql_port=1", "other=2"]),
        ('matrix = "aiware"', "matrix", ["aiware"]),
    ],
)
def test_values_of_a_file(parsed: Any, write: Any, text: str, name: str, value: Any) -> None:
    write(text + "\n")
    assert getattr(parsed("plan"), name) == value


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("colour = 1", "portcheck.toml:1:1: unknown key 'colour'\n  hint: there is: "),
        ("seed = 'many'", "portcheck.toml:1:8: seed: 'many' does not fit\n  hint: a number from 0"),
        ("strict = 'maybe'", "portcheck.toml:1:10: strict: 'maybe' is neither true nor false"),
        ("phase = 'later'", "portcheck.toml:1:9: phase: 'later' is not one of auto, pre-install, live"),
        ("inventory = ['a', 'b']", "portcheck.toml:1:13: inventory: one value is wanted, not a list"),
        ("inventory = {a = 'b'}", "portcheck.toml:1:13: inventory: a text is wanted, not a table\n  hint: texts "),
        ("matrix = ['a',\n true]", "portcheck.toml:2:2: matrix: a text is wanted, not true or false\n  hint: "),
        ("profile = 2026-01-01", "portcheck.toml:1:11: profile: a text is wanted, not a time"),
        ("seed 1", "portcheck.toml:1:6: "),
    ],
)
def test_a_file_that_is_wrong(portcheck: Any, write: Any, text: str, said: str) -> None:
    write(text + "\n")
    code, out, err = portcheck("plan", "-i", "hosts.txt")
    assert (code, out) == (4, "")
    assert err.startswith(said)


def test_everything_that_is_wrong_in_one_table_is_said(portcheck: Any, write: Any) -> None:
    write("seed = 'many'\ncolour = 1\nphase = 'later'\n")
    _, _, err = portcheck("plan", "-i", "hosts.txt")
    assert [line[:17] for line in err.splitlines() if line.startswith("portcheck")] == [
        "portcheck.toml:1:",
        "portcheck.toml:2:",
        "portcheck.toml:3:",
    ]


def test_an_editor_may_have_put_a_byte_order_mark_in_front(parsed: Any, shop: Path) -> None:
    (shop / "portcheck.toml").write_bytes(b'\xef\xbb\xbfinventory = "hosts.txt"\nphase = "live"\n')
    assert parsed("run").phase == "live"


def test_a_file_that_is_no_text(portcheck: Any, shop: Path) -> None:
    (shop / "portcheck.toml").write_bytes(b"seed = '\xff'\n")
    code, _, err = portcheck("plan")
    assert code == 4
    assert err.startswith("portcheck.toml:1:9: cannot be read: ")


@pytest.mark.parametrize("value", ["many", "-3", ""])
def test_a_variable_that_is_wrong(portcheck: Any, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("PORTCHECK_SEED", value)
    code, _, err = portcheck("plan", "-i", "hosts.txt")
    assert code == 4
    assert err.startswith(f"PORTCHECK_SEED: {value!r} does not fit")


def test_options_of_another_command_may_stand_in_the_file(parsed: Any, write: Any) -> None:
    write('html = "report.html"\n')
    assert not hasattr(parsed("plan"), "html")
