"""Error texts are part of the product: each bad file has its message beside it. PORTCHECK_UPDATE=1 rewrites it."""

from __future__ import annotations

import ast
import contextlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from probe.errors import UserError
from probe.spec import matrix
from probe.spec.matrix import syntax

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType
    from typing import Any

HERE = Path(__file__).parent
ALONE = sorted((HERE / "bad").glob("*.yaml"))
# Each is read together with base.yaml, which it contradicts.
TOGETHER = sorted(set((HERE / "clash").glob("*.yaml")) - {HERE / "clash" / "base.yaml"})
READER = Path(str(matrix.__file__)).parent


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


def test_what_clashes_is_clear_of_errors_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(HERE / "clash")
    assert matrix.load(["base.yaml"]).names == ("base",)


def test_each_text_belongs_to_a_file() -> None:
    texts = {path for folder in ("bad", "clash") for path in (HERE / folder).glob("*.txt")}
    assert texts == {path.with_suffix(".txt") for path in ALONE + TOGETHER}


def places_of_messages() -> dict[tuple[str, int], str]:
    """File and line of each statement of the reader that writes down a problem."""
    found = {}
    for file in READER.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Expr) and isinstance(call := node.value, ast.Call):
                text = ast.unparse(call.func)
                if text.endswith(("problems.add", "].add", "self.stop")):
                    found[file.name, node.lineno] = ast.unparse(node)
    return found


@contextlib.contextmanager
def lines_run(reader: Path) -> Iterator[set[tuple[str, int]]]:
    """File and line of what is run of this folder meanwhile."""
    run: set[tuple[str, int]] = set()
    names: dict[str, str] = {str(file): file.name for file in reader.glob("*.py")}

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        name = names.get(frame.f_code.co_filename)
        if name is not None and event == "line":
            run.add((name, frame.f_lineno))
        return trace if name is not None else None

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield run
    finally:
        sys.settrace(before)


def test_each_message_has_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is warned of is in test_lint.py, and what only big files reach in test_load.py."""
    elsewhere = ("Severity.WARNING", "MAX_NODES", "MAX_TEXT")
    places = {
        place: text for place, text in places_of_messages().items() if not any(word in text for word in elsewhere)
    }
    assert len(places) > 60
    with lines_run(READER) as run:
        for folder, alone in (("bad", True), ("clash", False)):
            monkeypatch.chdir(HERE / folder)
            for path in ALONE if alone else TOGETHER:
                with pytest.raises(UserError):
                    matrix.load([path.name] if alone else ["base.yaml", path.name])
    assert {place: text for place, text in places.items() if place not in run} == {}


@pytest.mark.parametrize("saying", [ours for _, ours, _ in syntax._SAYINGS])
def test_each_complaint_of_the_parser_has_a_file(saying: str) -> None:
    assert any(f": {saying}\n" in path.with_suffix(".txt").read_text(encoding="utf-8") for path in ALONE)
