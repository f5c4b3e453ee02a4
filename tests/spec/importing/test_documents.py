"""Whole documents. The drafts are in `golden/`; PORTCHECK_UPDATE=1 rewrites them: read the difference."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from probe.spec.diagnostics import SpecError
from probe.spec.importing import Draft, import_text
from probe.spec.matrix import load_text

HERE = Path(__file__).parent
DOCUMENTS = HERE.parents[1] / "data" / "documents"
DRAFTED = [
    DOCUMENTS / "aiware-ports.md",
    DOCUMENTS / "aiware-anywhere.md",
    HERE / "documents" / "farm.html",
    HERE / "documents" / "rules.csv",
]


def drafted(path: Path) -> Draft:
    return import_text(path.read_bytes().decode(), path.name)


@pytest.mark.parametrize("path", DRAFTED, ids=lambda path: path.name)
def test_golden(path: Path) -> None:
    golden = HERE / "golden" / f"{path.stem}.yaml"
    text = drafted(path).text
    if os.environ.get("PORTCHECK_UPDATE"):
        golden.write_text(text, encoding="utf-8")
    assert text == golden.read_text(encoding="utf-8")


def test_each_golden_has_its_document() -> None:
    assert {path.stem for path in (HERE / "golden").iterdir()} == {path.stem for path in DRAFTED}


@pytest.mark.parametrize("path", DRAFTED, ids=lambda path: path.name)
def test_what_the_draft_counts(path: Path) -> None:
    draft = drafted(path)
    matrix = load_text(draft.text)
    assert (draft.roles, draft.services, draft.flows, draft.profiles) == (
        len(matrix.roles),
        len(matrix.services),
        len(matrix.flows),
        len(matrix.profiles),
    )
    assert len(re.findall(r"^ *# \?", draft.text, re.MULTILINE)) == len(draft.questions) > 0
    assert max(map(len, draft.text.splitlines())) <= 120


def test_the_counts_of_the_first_document() -> None:
    draft = drafted(DOCUMENTS / "aiware-ports.md")
    assert (draft.roles, draft.services, draft.flows, draft.tables) == (15, 21, 30, 5)


def test_a_document_without_tables() -> None:
    with pytest.raises(SpecError, match=r"\.md: there is no table in this document\n  hint: import reads pipe tables"):
        drafted(DOCUMENTS / "prose.md")


def test_sentences_with_ports_are_pointed_at() -> None:
    with pytest.raises(SpecError, match=r"its sentences speak of ports \(line 5, 6\)"):
        drafted(DOCUMENTS / "prose.md")


def test_the_example_of_the_guide() -> None:
    guide = (HERE.parents[2] / "docs" / "import.md").read_text(encoding="utf-8")
    table = guide.split("From\n\n```\n")[1].split("```")[0]
    expected = guide.split("```yaml\n")[1].split("```")[0]
    draft = import_text(table, "shop.md")
    assert draft.text.endswith(expected)
    assert "drafted 3 roles, 2 services, 3 flows from 1 table; 3 questions" in guide
    assert (draft.roles, draft.services, draft.flows, len(draft.questions)) == (3, 2, 3, 3)
