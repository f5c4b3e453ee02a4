"""The page of the matrix language: each piece of YAML on it loads, and each key and word of the language is on it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator
from ruamel.yaml import YAML

from probe.spec import matrix
from probe.spec.diagnostics import Severity
from probe.spec.matrix.schema import schema

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "matrix.md"
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
FENCED = re.compile(r"^```yaml\n(.*?)^```", re.MULTILINE | re.DOTALL)
# A piece is a second file of the run: what it adds to the matrix at the top of the page.
HEAD = "portcheck: 1\nname: piece\n"


def blocks(page: Path) -> list[str]:
    return FENCED.findall(page.read_text(encoding="utf-8"))


SHOP, *PIECES = blocks(PAGE)
WHOLE = [text for page in PAGES for text in blocks(page) if text.startswith("portcheck:")]


def as_file(piece: str) -> str:
    return piece if piece.startswith("portcheck:") else HEAD + piece


def keys_and_words(node: Any) -> Iterator[str]:
    """Each key, and each word of a closed list, of a JSON Schema."""
    if isinstance(node, dict):
        yield from node.get("properties", ())
        yield from (str(word) for word in node.get("enum", ()))
        for child in node.values():
            yield from keys_and_words(child)
    elif isinstance(node, list):
        for child in node:
            yield from keys_and_words(child)


def test_the_page_has_pieces() -> None:
    """So that the tests below cannot pass by finding nothing."""
    assert len(PIECES) > 15
    assert len(WHOLE) >= 2


def test_the_whole_matrix_is_clean(tmp_path: Path) -> None:
    (tmp_path / "shop.yaml").write_text(SHOP, encoding="utf-8")
    assert matrix.lint([str(tmp_path / "shop.yaml")]) == ()


@pytest.mark.parametrize("piece", PIECES, ids=[piece.split("\n")[1].strip()[:30] for piece in PIECES])
def test_each_piece_adds_to_it(piece: str, tmp_path: Path) -> None:
    (tmp_path / "shop.yaml").write_text(SHOP, encoding="utf-8")
    (tmp_path / "piece.yaml").write_text(as_file(piece), encoding="utf-8")
    found = matrix.lint([str(tmp_path / "shop.yaml"), str(tmp_path / "piece.yaml")])
    assert [one.render() for one in found if one.severity is Severity.ERROR] == []
    # A piece may leave something unused, or uncited, but what it says must make sense.
    doubts = [one.message for one in found if re.search(r"share|never|matches no|repeats|cannot be", one.message)]
    assert doubts == []


@pytest.mark.parametrize("text", [*WHOLE, *map(as_file, PIECES)])
def test_the_schema_allows_them(text: str) -> None:
    Draft202012Validator(schema()).validate(YAML(typ="safe", pure=True).load(text))


def test_the_page_has_every_key_and_every_word() -> None:
    text = PAGE.read_text(encoding="utf-8")
    spans = set(re.findall(r"`([^`\n]+)`", text))
    spelt = {word for span in spans for word in re.findall(r"[A-Za-z0-9_./-]+", span)}
    words = set(keys_and_words(schema())) - {"inside", "all", "every-host", "outside", "any"}
    assert len(words) > 120
    assert words - spelt == set()
