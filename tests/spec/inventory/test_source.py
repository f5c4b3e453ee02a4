from __future__ import annotations

import pathlib
from typing import TYPE_CHECKING

import pytest

from probe.spec.diagnostics import SpecError
from probe.spec.inventory import load, source

if TYPE_CHECKING:
    from pathlib import Path


def refused(path: object) -> str:
    with pytest.raises(SpecError) as caught:
        load(str(path))
    return str(caught.value)


def test_not_there(tmp_path: Path) -> None:
    assert "there is no such file" in refused(tmp_path / "hosts.txt")


def test_a_directory(tmp_path: Path) -> None:
    text = refused(tmp_path)
    assert "this is a directory" in text
    assert "ansible-inventory" in text


def test_a_name_with_a_nul() -> None:
    assert "cannot be read" in refused("ho\0sts")


def test_not_permitted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Root may read everything, so the refusal is played.
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(pathlib.Path, "open", refuse)
    assert "may not be read" in refused(tmp_path / "hosts.txt")


def test_too_large() -> None:
    # A file without an end: what is read is bounded.
    assert "larger than 16 MiB" in refused("/dev/zero")


def test_not_utf8(tmp_path: Path) -> None:
    file = tmp_path / "hosts.txt"
    file.write_bytes("[web]\nü1\nw2 x=é".encode() + b"\xff\n")
    assert ":3:7: byte 0xff is not UTF-8" in refused(file)


def test_a_script_is_not_run(tmp_path: Path) -> None:
    file = tmp_path / "inventory"
    file.write_text("#!/bin/sh\ntouch ran\n")
    file.chmod(0o755)
    assert "inventory script" in refused(file)


def test_a_first_line_like_a_scripts_is_a_comment_in_a_plain_file(tmp_path: Path) -> None:
    file = tmp_path / "hosts"
    file.write_text("#!/usr/bin/env ansible-inventory -i\na1\n")
    assert list(load(str(file)).hosts) == ["a1"]


def test_toml(tmp_path: Path) -> None:
    file = tmp_path / "hosts.toml"
    file.write_text("[all]\n")
    assert "TOML" in refused(file)


@pytest.mark.parametrize(
    ("name", "text", "syntax"),
    [
        ("hosts.txt", "[web]\n", source.Syntax.INI),
        ("hosts", "all:\n", source.Syntax.YAML),
        ("hosts", "a1:22\n", source.Syntax.INI),
        ("hosts", "a1\n", source.Syntax.INI),
        ("hosts", " \n{", source.Syntax.JSON),
        ("hosts.yml", "[web]", source.Syntax.YAML),
        ("hosts.yaml", '{"all": 1}', source.Syntax.JSON),
        ("hosts.yaml", "{all: 1}", source.Syntax.YAML),
        ("hosts.json", "", source.Syntax.JSON),
    ],
)
def test_syntax(name: str, text: str, syntax: source.Syntax, tmp_path: Path) -> None:
    file = tmp_path / name
    file.write_text(text)
    assert source.read(str(file)).syntax is syntax


@pytest.mark.parametrize("name", ["group_vars/web.yml", "group_vars/all/x.yml", "host_vars/w1", "host_vars/w1.json"])
def test_variables_beside_the_file_are_not_passed_over(name: str, tmp_path: Path) -> None:
    file, beside = tmp_path / "hosts.txt", tmp_path / name
    file.write_text("[web]\nw1\n")
    beside.parent.mkdir(parents=True)
    beside.write_text("x: 1\n")
    text = refused(file)
    assert "Ansible also reads variables from" in text
    assert "ansible-inventory" in text


def test_variables_of_others_beside_the_file_do_not_matter(tmp_path: Path) -> None:
    (tmp_path / "group_vars").mkdir()
    (tmp_path / "group_vars" / "other.yml").write_text("x: 1\n")
    (tmp_path / "group_vars" / "web.md").write_text("notes\n")
    file = tmp_path / "hosts.txt"
    file.write_text("[web]\nw1\n")
    assert list(load(str(file)).hosts) == ["w1"]
