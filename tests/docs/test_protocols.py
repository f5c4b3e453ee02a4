"""The page of the protocols with a name says of each what it says of itself. PORTCHECK_UPDATE=1 rewrites the tables."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from probe.cli.protocols import over
from probe.model.matrix import Service
from probe.protocols import NAMED
from probe.protocols.plain import PLAIN
from probe.spec import matrix
from probe.spec.matrix.named import asked, web
from probe.spec.matrix.piece import piece

PAGE = Path(__file__).parents[2] / "docs" / "protocols.md"
MARKS = re.compile(r"(<!-- table -->\n)(.*?)(<!-- end -->)", re.DOTALL)


def table() -> str:
    lines = ["| name | over | it sends | healthy is | that proves | the server logs | verified with |"]
    lines += ["| --- " * 7 + "|"]
    for name, known in {**PLAIN, **NAMED}.items():
        cells = (
            f"`{name}`",
            over(name),
            known.sends,
            known.healthy,
            known.proves,
            known.logs,
            known.verified or "*not yet*",
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def test_the_page_says_what_they_say() -> None:
    text = PAGE.read_text(encoding="utf-8")
    if os.environ.get("PORTCHECK_UPDATE"):
        PAGE.write_text(MARKS.sub(lambda found: found[1] + table() + found[3], text), encoding="utf-8")
        text = PAGE.read_text(encoding="utf-8")
    found = MARKS.search(text)
    assert found is not None
    assert found[2] == table()


@pytest.mark.parametrize("name", NAMED)
def test_a_piece_says_the_same_without_the_name(name: str) -> None:
    """What `portcheck protocols show` prints is a matrix once it has a role."""
    text = piece(name, NAMED[name]).replace("ROLE", "db")
    services = re.findall(r"^  ([a-z-]+):$", text, re.MULTILINE)
    made = matrix.load_text(
        f"portcheck: 1\nname: x\nroles: {{db: }}\n{text}flows: [{{from: any, to: [{', '.join(services)}]}}]\n"
    )
    short = Service(name=name, protocols=(name,))
    for service, way in zip((made.services[one] for one in services), short.spoken, strict=True):
        assert service.dialogue == asked(short, way)
        assert [one.protocol for one in service.spoken] == [way.protocol]
        if NAMED[name].web:
            assert (service.path, service.status, service.http) == web(short, way)
