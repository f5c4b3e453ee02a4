from __future__ import annotations

import pathlib
from typing import TYPE_CHECKING

import pytest

from probe.spec.diagnostics import SpecError
from probe.spec.inventory import load, reading
from probe.spec.inventory.source import Syntax

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Load, Refused


def test_not_there(tmp_path: Path, refused: Refused) -> None:
    assert "there is no such file" in refused(tmp_path / "hosts.txt")


def test_a_name_with_a_nul(refused: Refused) -> None:
    assert "cannot be read" in refused("ho\0sts")


def test_not_permitted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: Refused) -> None:
    # Root may read everything, so the refusal is played.
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(pathlib.Path, "open", refuse)
    assert "may not be read" in refused(tmp_path / "hosts.txt")


def test_too_large(refused: Refused) -> None:
    # A file without an end: what is read is bounded.
    assert "larger than 16 MiB" in refused("/dev/zero")


def test_not_utf8(tmp_path: Path, refused: Refused) -> None:
    file = tmp_path / "hosts.txt"
    file.write_bytes("[web]\nü1\nw2 x=é".encode() + b"\xff\n")
    assert ":3:7: byte 0xff is not UTF-8" in refused(file)


def test_a_first_line_like_a_scripts_is_a_comment_in_a_plain_file(tmp_path: Path) -> None:
    file = tmp_path / "hosts"
    file.write_text("#!/usr/bin/env ansible-inventory -i\na1\n")
    assert list(load(str(file)).hosts) == ["a1"]


def test_toml(tmp_path: Path, refused: Refused) -> None:
    file = tmp_path / "hosts.toml"
    file.write_text("[all]\n")
    assert "TOML" in refused(file)


@pytest.mark.parametrize(
    ("name", "text", "syntax"),
    [
        ("hosts.txt", "[web]\n", Syntax.INI),
        ("hosts", "all:\n", Syntax.YAML),
        ("hosts", "a1:22\n", Syntax.INI),
        ("hosts", "a1\n", Syntax.INI),
        ("hosts", " \n{", Syntax.JSON),
        ("hosts", "{all: 1}", Syntax.JSON),
        ("hosts", "'all': {}\n", Syntax.YAML),
        ("hosts", "all: {hosts: {}}\n", Syntax.YAML),
        ("hosts", 'a1 x="1: 2"\n[web]\n', Syntax.INI),
        ("hosts.yml", "# c\n\n[web]", Syntax.INI),
        ("hosts.yml", "[web:vars] # c", Syntax.INI),
        ("hosts.yml", "[10.0.0.1]:22", Syntax.INI),
        ("hosts.yml", "a1 x=1", Syntax.INI),
        ("hosts.yml", "a1:22", Syntax.INI),
        ("hosts.yml", "[web, db]", Syntax.YAML),
        ("hosts.yml", "- a1", Syntax.YAML),
        ("hosts.yml", "all :\n", Syntax.YAML),
        ("hosts.yaml", '{"all": 1}', Syntax.JSON),
        ("hosts.yaml", "{all: 1}", Syntax.YAML),
        ("hosts.json", '["a1"]', Syntax.JSON),
        ("hosts.json", "[web]\n", Syntax.INI),
        ("hosts.json", "all:\n", Syntax.YAML),
        ("hosts.", "all:\n", Syntax.INI),
    ],
)
def test_syntax(name: str, text: str, syntax: Syntax, tmp_path: Path) -> None:
    file = tmp_path / name
    file.write_text(text)
    assert reading.Intake(str(file)).inventory_file(str(file)).syntax is syntax


@pytest.mark.parametrize("text", ["[web]\nw1\n", "w1\n", "# comment\nw1\n", "\nw1\n"])
def test_ini_with_a_byte_order_mark(text: str, read: Load) -> None:
    with pytest.raises(SpecError, match=r"hosts\.txt:1:1: this file starts with a byte order mark"):
        read("\ufeff" + text)


@pytest.mark.parametrize(
    ("name", "text"), [("hosts.yml", "all:\n  hosts:\n    a1:\n"), ("hosts.json", '{"all": {"hosts": {"a1": {}}}}')]
)
def test_yaml_and_json_with_a_byte_order_mark(name: str, text: str, read: Load) -> None:
    assert list(read("\ufeff" + text, name).hosts) == ["a1"]


def test_all_files_together_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "hosts"
    file.write_text("a1\n" * 10)
    monkeypatch.setattr(reading, "MAX_TOTAL", 50)
    intake = reading.Intake("inventory/")
    intake.inventory_file(str(file))
    with pytest.raises(SpecError, match="inventory/: the files of this inventory are larger"):
        intake.inventory_file(str(file))


def test_files_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "hosts"
    file.write_text("a1\n")
    monkeypatch.setattr(reading, "MAX_FILES", 1)
    intake = reading.Intake("inventory/")
    intake.inventory_file(str(file))
    with pytest.raises(SpecError, match="more than 1 files"):
        intake.variables_file(file)
