"""`portcheck matrix import`: where the draft goes, and what is said about it."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from probe.cli.exitcodes import Exit

if TYPE_CHECKING:
    from collections.abc import Callable

DOCUMENTS = Path(__file__).parents[1] / "data" / "documents"
SMALL = "| Source | Target | Port | Protocol |\n|---|---|---|---|\n| web | db | 5432 | TCP |\n"


def test_the_draft_goes_to_stdout_and_the_summary_to_stderr(portcheck: Callable[..., Any]) -> None:
    code, out, err = portcheck("matrix", "import", str(DOCUMENTS / "aiware-ports.md"))
    assert code == Exit.CONFORMS
    assert "\nportcheck: 1\nname: aiware-ports\n" in out
    count = out.count("# ? ")
    assert err == f"drafted 15 roles, 21 services, 30 flows from 5 tables; {count} questions: search for '# ?'\n"


def test_a_draft_without_questions(portcheck: Callable[..., Any], shop: Path) -> None:
    (shop / "ports.md").write_text(SMALL)
    assert (
        portcheck("matrix", "import", "ports.md")[2]
        == "drafted 2 roles, 1 service, 1 flow from 1 table; no questions\n"
    )


@pytest.mark.parametrize("name", ["aiware-ports", "aiware-anywhere"])
def test_what_is_written_passes_lint(name: str, portcheck: Callable[..., Any], shop: Path) -> None:
    code, out, _ = portcheck("matrix", "import", str(DOCUMENTS / f"{name}.md"), "-o", "new.yaml", "--name", "mine")
    assert (code, out) == (Exit.CONFORMS, "")
    code, out, _ = portcheck("matrix", "lint", "new.yaml")
    assert (code, out.splitlines()[-1]) == (Exit.CONFORMS, "new.yaml: no errors, no warnings")
    assert "\nname: mine\n" in (shop / "new.yaml").read_text()


def test_nothing_is_overwritten_without_force(portcheck: Callable[..., Any], shop: Path) -> None:
    (shop / "ports.md").write_text(SMALL)
    code, out, err = portcheck("matrix", "import", "ports.md", "-o", "shop.yaml")
    assert (code, out) == (Exit.USAGE, "")
    assert err == "shop.yaml: is there already\n  hint: name another file, or say --force\n"
    assert "47811" in (shop / "shop.yaml").read_text()
    assert portcheck("matrix", "import", "ports.md", "-o", "shop.yaml", "--force")[0] == Exit.CONFORMS
    assert "5432" in (shop / "shop.yaml").read_text()


def test_standard_input(portcheck: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(SMALL.encode())))
    code, out, _ = portcheck("matrix", "import", "-")
    assert code == Exit.CONFORMS
    assert out.startswith("# Drafted from stdin: ")
    assert "\nname: stdin\n" in out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["none.md"], "none.md: there is no such file\n"),
        (["hosts.txt"], "hosts.txt: there is no table in this document\n  hint: import reads "),
        (["hosts.txt", "--name", "a b"], "--name: 'a b' cannot be a name\n  hint: use letters, "),
        (["."], ".: this is a directory; "),
    ],
)
def test_errors(words: list[str], message: str, portcheck: Callable[..., Any]) -> None:
    code, out, err = portcheck("matrix", "import", *words)
    assert (code, out) == (Exit.USAGE, "")
    assert err.startswith(message)


def test_a_document_without_tables(portcheck: Callable[..., Any]) -> None:
    code, out, err = portcheck("matrix", "import", str(DOCUMENTS / "prose.md"), "-o", "new.yaml")
    assert (code, out) == (Exit.USAGE, "")
    assert "there is no table in this document\n  hint: " in err
    assert not Path("new.yaml").exists()
