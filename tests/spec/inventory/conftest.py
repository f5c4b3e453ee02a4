"""An inventory from text, without a file of its own in each test."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from probe.model.inventory import Inventory
from probe.spec.inventory import load

if TYPE_CHECKING:
    from pathlib import Path

Load = Callable[..., Inventory]


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
