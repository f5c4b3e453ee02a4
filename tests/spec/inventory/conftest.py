"""Inventories from text, without a file of its own in each test."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from probe.model.inventory import Inventory
from probe.spec.diagnostics import SpecError
from probe.spec.inventory import load

if TYPE_CHECKING:
    from pathlib import Path

Load = Callable[..., Inventory]
# Files by name; what starts as a script is executable.
Tree = Callable[[dict[str, str]], "Path"]
Refused = Callable[[object], str]


@pytest.fixture
def read(tmp_path: Path) -> Load:
    def reader(text: str | bytes, name: str = "hosts.txt") -> Inventory:
        file = tmp_path / name
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        return load(str(file))

    return reader


@pytest.fixture
def variables(read: Load) -> Callable[[str], dict[str, Any]]:
    """The variables of the only host of an INI text."""

    def reader(text: str) -> dict[str, Any]:
        (host,) = read(text).hosts.values()
        return host.vars

    return reader


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tree:
    """Writes files and makes their directory the working directory."""

    def writer(files: dict[str, str]) -> Path:
        for name, text in files.items():
            file = tmp_path / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
            file.chmod(0o755 if text.startswith("#!") else 0o644)
        monkeypatch.chdir(tmp_path)
        return tmp_path

    return writer


@pytest.fixture
def refused() -> Refused:
    def message(path: object) -> str:
        with pytest.raises(SpecError) as caught:
            load(str(path))
        return str(caught.value)

    return message
