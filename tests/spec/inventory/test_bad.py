"""One bad file for each error, the exact text of its message beside it; PORTCHECK_UPDATE=1 writes the texts anew."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from probe.spec.diagnostics import SpecError
from probe.spec.inventory import load

FOLDER = Path(__file__).parent / "bad"
FILES = sorted(file.name for file in FOLDER.iterdir() if file.suffix != ".txt")


@pytest.mark.parametrize("name", FILES)
def test_message(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(FOLDER)
    with pytest.raises(SpecError) as caught:
        load(name)
    expected = FOLDER / f"{name}.txt"
    text = f"{caught.value}\n"
    if os.environ.get("PORTCHECK_UPDATE"):
        expected.write_text(text)
    assert text == expected.read_text()


def test_every_text_has_its_file() -> None:
    assert {file.name.removesuffix(".txt") for file in FOLDER.glob("*.txt")} == set(FILES)
