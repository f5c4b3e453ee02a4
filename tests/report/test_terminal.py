from __future__ import annotations

import re
import time
from typing import Any

import msgspec
import pytest

from probe.model.result import HostResult, Report
from probe.report import terminal
from probe.report.findings import Weight
from probe.report.overview import tables
from probe.report.wording import SYMBOLS

_STYLE = re.compile(r"\x1b\[[0-9;]+m")


@pytest.mark.parametrize("width", [40, 80, 200])
def test_no_line_is_wider_than_the_terminal(one: Report, width: int) -> None:
    assert max(map(len, terminal.render(one, width=width, color=False).splitlines())) <= width


def test_colour_changes_nothing_but_the_colour(one: Report) -> None:
    plain = terminal.render(one, width=80, color=False)
    coloured = terminal.render(one, width=80, color=True)
    assert _STYLE.sub("", coloured) == plain
    assert coloured != plain
    assert "\x1b" not in plain


def test_outcomes_differ_without_colour() -> None:
    assert len(set(SYMBOLS.values())) == len(Weight)


def test_the_parts_come_in_order(rich: Report) -> None:
    text = terminal.render(rich, width=100, color=False)
    first = text.splitlines()[0]
    assert first == "7 deviations in 42 checks, 5 inconclusive (pre-install, aiware, 11 hosts)"
    places = [
        text.index(part)
        for part in ("\nOverview", "\nFindings", "\nAdvice: 6 ways", "\nHosts whose agent failed", "\nNotes")
    ]
    assert places == sorted(places)
    assert "engine-3: the agent was lost 1.4 s into the run" in text


def test_a_finding_says_what_was_expected_seen_and_what_to_do(rich: Report) -> None:
    text = terminal.render(rich, width=200, color=False)
    story = text[text.index("1. controller, services → redis") : text.index("2. controller")]
    for part in (
        "verdict   blocked · network: by a device on the way",
        "expected  tcp 6379 must be reachable (aiware flows[4], cites connections)",
        "who       ctrl-1, svc-1, svc-2 → redis-1 (10.20.0.40)  tcp 6379",
        "seen      filtered: no answer, and nothing arrived",
        "source: no answer to 3 SYN in 0.9 s, from fresh ports",
        "where     after 10.20.0.254, hop 1",
        "do        Ask who runs what is behind 10.20.0.254",
    ):
        assert part in story


def test_advice_inside_is_summarised(rich: Report) -> None:
    text = terminal.render(rich, width=200, color=False)
    assert "! redis tcp 6379, from automate, engine, lb: 4 checks (stand-in)" in text
    assert "auto-1 → redis-1" not in text


def test_hostile_strings_are_shown_and_bounded(rich: Report) -> None:
    evil = "\x1b[2J\x1b]0;x\x07\u202e\u2066\x9b31m\r\nPASS"
    hosts = (HostResult(name=evil, addresses=(), problem=evil * 1000),)
    checks = tuple(
        msgspec.structs.replace(
            check, source=evil, source_role=evil, service=evil * 50, detail=evil, advice=evil, matrix=evil
        )
        for check in rich.checks
    )
    report = msgspec.structs.replace(rich, hosts=hosts, checks=checks, notes=(evil,))
    lines = terminal.render(report, width=80, color=False).splitlines()
    assert all(line.isprintable() for line in lines)
    assert max(map(len, lines)) <= 80
    assert len(lines) < 250


def _overview(roles: int, width: int) -> list[str]:
    names = [f"role-number-{number}" for number in range(roles)]
    worst = {(source, target): Weight.PASS for source in names for target in names}
    return list(tables(worst, width, SYMBOLS))


@pytest.mark.parametrize("roles", [1, 6, 20, 120])
@pytest.mark.parametrize("width", [80, 200])
def test_the_overview_fits_and_is_whole(roles: int, width: int) -> None:
    lines = _overview(roles, width)
    assert max(map(len, lines)) <= width
    assert sum(line.count("✓") for line in lines) == roles * roles


def test_the_columns_of_the_overview_are_named_or_numbered() -> None:
    assert "role-number-1" in _overview(4, 80)[0]
    assert re.search(r"\b1 +2 +3\b", _overview(20, 80)[0])


def test_many_rows_stay_readable_and_quick(example: Any) -> None:
    report = example.large()
    started = time.perf_counter()
    text = terminal.render(report, width=80, color=False)
    assert time.perf_counter() - started < 3
    assert len(text.splitlines()) < 60
    assert "200 deviations in 20,000 checks" in text


def test_many_findings_are_cut_with_word(example: Any) -> None:
    rows = [
        msgspec.structs.replace(example.exposed("laptop", "redis-1", "redis", "outside"), service=f"s{number:03}")
        for number in range(60)
    ]
    text = terminal.render(example.report(rows), width=80, color=False)
    assert "… and 20 more findings: --json F or --html F tells each" in text
