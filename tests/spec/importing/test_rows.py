"""Every row of every table of the two documents is in its draft, or quoted by a question.

The tables are read here by a few lines of their own, so that a row that the import overlooks is missed here.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from probe.model.ports import PortSet
from probe.spec.importing import import_text

DOCUMENTS = Path(__file__).parents[2] / "data" / "documents"
# What the documents call roles, beside their names in lower case.
CALLED = {
    "aiware-ports": {
        "all agents": "agent",
        "elastic search": "es",
        "storage server": "storage",
        "agent proxy": "engine",
    },
    "aiware-anywhere": {"all": "each-host"},
}
SPOKEN = re.compile(r"\b(?:TCP|UDP|HTTPS|HTTP)\b")
# The last table of the first document, whose columns are those of the first.
EXPOSED = 62


def rows(name: str) -> list[tuple[int, list[str], list[str]]]:
    """Line, heads and cells of each row."""
    found, heads = [], None
    for number, line in enumerate((DOCUMENTS / f"{name}.md").read_text(encoding="utf-8").split("\n"), 1):
        if not line.startswith("|"):
            heads = None
            continue
        cells = [cell.strip().replace("`", "").replace("*all*", "all") for cell in line.strip().strip("|").split("|")]
        if heads is None:
            heads = cells
        elif set("".join(cells)) - set("- "):
            found.append((number, heads, cells))
    return found


ROWS = {name: rows(name) for name in CALLED}


def comments(text: str) -> str:
    """All comments as one text, without the breaks between their lines."""
    lines = [line.strip().lstrip("#").strip() for line in text.splitlines() if line.strip().startswith("#")]
    return " ".join(" ".join(lines).split())


@pytest.fixture(scope="module")
def drafts() -> dict[str, tuple[Any, str]]:
    """Of each draft what it says, and what it asks."""
    texts = {
        name: import_text((DOCUMENTS / f"{name}.md").read_text(encoding="utf-8"), f"{name}.md").text for name in CALLED
    }
    return {name: (YAML(typ="safe", pure=True).load(text), comments(text)) for name, text in texts.items()}


def role(cell: str, name: str) -> str:
    plain = cell.split("(", maxsplit=1)[0].strip().lower()
    return CALLED[name].get(plain, plain)


def same_ports(service: dict[str, Any], cell: str) -> bool:
    return PortSet.parse(str(service["port"]).strip("[]").replace("'", "")) == PortSet.parse(cell)


def head_of(use: str) -> str:
    """The protocols with which a description begins."""
    return use[: len(use) - len(re.sub(r"^(?:(?:https?|tcp|udp)\b|[ ,/&])*", "", use, flags=re.IGNORECASE))]


def right_protocol(service: dict[str, Any], said: str, asked: str) -> bool:
    """The one that is said; of several their transport or one of them, with a question that names them."""
    words = list(dict.fromkeys(SPOKEN.findall(said.upper())))
    if len(words) == 1:
        return bool(service["protocol"].upper() == words[0])
    listed = ", ".join(words)
    return service["protocol"].upper() in {"TCP", *words} and (f": {listed}: " in asked or f": {listed} here" in asked)


def services_of(matrix: Any, target: str, ports: str, text: str) -> list[dict[str, Any]]:
    """Those that a row of a table of ports comes to."""
    found = [each for each in matrix["services"].values() if each["role"] == target and same_ports(each, ports)]
    return [each for each in found if each.get("help", "") == text]


def reached(matrix: Any, source: str, target: str, ports: str, text: str) -> list[dict[str, Any]]:
    """The services of the flows that a row of a table of connections comes to."""
    flows = [flow for flow in matrix["flows"] if flow["from"] == source and flow.get("help", "") == text]
    services = [matrix["services"][flow["to"]] for flow in flows]
    return [each for each in services if each["role"] == target and same_ports(each, ports)]


@pytest.mark.parametrize(
    ("name", "line", "heads", "cells"),
    [(name, *row) for name, found in ROWS.items() for row in found],
    ids=[f"{name}:{row[0]}" for name, found in ROWS.items() for row in found],
)
def test_row(name: str, line: int, heads: list[str], cells: list[str], drafts: dict[str, tuple[Any, str]]) -> None:
    matrix, asked = drafts[name]
    by = dict(zip((head.lower() for head in heads), cells, strict=True))
    if "cluster type" in by:
        profile = matrix["profiles"][by["cluster type"]]
        assert profile == {"requires": by["run modes"].split(", "), "help": by["description"]}
        return
    use = by.get("description", by.get("protocol and use", ""))
    said = by.get("protocol") or head_of(use)
    text = use if "protocol" in by else use[len(head_of(use)) :].strip(" :-,")
    source = by.get("source run mode", by.get("component", "agent" if "target run mode" in by else "outside"))
    target = by.get("run mode", by.get("target run mode", ""))
    if "run mode" in by and line < EXPOSED:
        found = services_of(matrix, role(target, name), by["port"], text)
    else:
        found = reached(matrix, role(source, name), role(target, name), by["port"], text)
        # The brackets, and what is called otherwise, are asked about.
        for cell in (source, target):
            if cell.lower() != role(cell, name) and cell not in {"all agents", "all"}:
                assert f'"{cell}"' in asked
    assert len(found) == 1
    assert right_protocol(found[0], said, asked)


def test_nothing_is_there_that_no_row_says(drafts: dict[str, tuple[Any, str]]) -> None:
    """21 services and 30 flows; two profiles, and 19 rows of which three are there twice."""
    assert {name: len(found) for name, found in ROWS.items()} == {"aiware-ports": 51, "aiware-anywhere": 21}
    ports, anywhere = drafts["aiware-ports"][0], drafts["aiware-anywhere"][0]
    assert len(ports["services"]) + len(ports["flows"]) == 51
    assert len(anywhere["flows"]) + len(anywhere["profiles"]) == 21 - 3


def test_rows_that_are_there_twice(drafts: dict[str, tuple[Any, str]]) -> None:
    asked = drafts["aiware-anywhere"][1]
    for first, second in ((41, 57), (42, 58), (43, 59)):
        assert f"line {second}: this row repeats that of line {first}, and is kept once" in asked


def test_who_is_who(drafts: dict[str, tuple[Any, str]]) -> None:
    roles = drafts["aiware-ports"][0]["roles"]
    assert {name: row for name, row in roles.items() if row} == {
        "agent": {"on": "every-host"},
        "services": {"aliases": ["app", "api"]},
        "automate": {"aliases": ["automatestudio"]},
    }
