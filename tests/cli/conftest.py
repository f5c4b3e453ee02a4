"""The command line in an empty folder, with nobody's settings."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from probe.cli.main import main

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MATRIX = """\
portcheck: 1
name: shop
title: A shop
variables:
  sql_port: {default: 47811, help: port of the database}
roles:
  web: {help: front}
  db: {help: data}
services:
  sql: {role: db, port: "{sql_port}", protocol: tcp}
flows:
  - {from: web, to: sql}
policy: {inside: ignore, outside: ignore}
profiles:
  small: {requires: [web, db]}
"""
HOSTS = """\
[web]
w1 portcheck_address=127.81.0.1
[db]
d1 portcheck_address=127.81.0.2
[all:vars]
ansible_connection=local
portcheck_matrix=shop.yaml
"""


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with `hosts.txt` and `shop.yaml` in it."""
    for name in list(os.environ):
        if name.startswith("PORTCHECK_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shop.yaml").write_text(MATRIX)
    (tmp_path / "hosts.txt").write_text(HOSTS)
    return tmp_path


@pytest.fixture
def portcheck(shop: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., Any]:
    """`code, out, err = portcheck("plan", …)` in that folder."""

    def run(*words: str) -> tuple[int, str, str]:
        code = int(main(words))
        said = capsys.readouterr()
        assert "Traceback" not in said.out + said.err
        return code, said.out, said.err

    return run
