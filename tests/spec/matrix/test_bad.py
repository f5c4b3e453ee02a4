"""Error texts are part of the product: each bad file has its message beside it. PORTCHECK_UPDATE=1 rewrites it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from probe.errors import UserError
from probe.spec import matrix

HERE = Path(__file__).parent
ALONE = sorted((HERE / "bad").glob("*.yaml"))
# Each is read together with base.yaml, which it contradicts.
TOGETHER = sorted(set((HERE / "clash").glob("*.yaml")) - {HERE / "clash" / "base.yaml"})


def the_message(names: list[str]) -> str:
    with pytest.raises(UserError) as caught:
        matrix.load(names)
    return f"{caught.value}\n"


def compare(found: str, beside: Path) -> None:
    if os.environ.get("PORTCHECK_UPDATE"):
        beside.write_text(found, encoding="utf-8")
    assert found == beside.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", ALONE, ids=lambda path: path.stem)
def test_alone(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(path.parent)
    compare(the_message([path.name]), path.with_suffix(".txt"))


@pytest.mark.parametrize("path", TOGETHER, ids=lambda path: path.stem)
def test_together(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(path.parent)
    compare(the_message(["base.yaml", path.name]), path.with_suffix(".txt"))


def test_each_text_belongs_to_a_file() -> None:
    texts = {path for folder in ("bad", "clash") for path in (HERE / folder).glob("*.txt")}
    assert texts == {path.with_suffix(".txt") for path in ALONE + TOGETHER}
