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
    first = " ".join(text.splitlines()[:2])
    assert first == (
        "9 deviations in 47 checks, 5 inconclusive, 4 rows of the matrix cannot be checked "
        "(pre-install, aiware, 11 hosts, 2 external)"
    )
    places = [
        text.index(part)
        for part in (
            "\nOverview",
            "\nFindings",
            "\nAdvice: 6 ways",
            "\nNot checkable: 4 rows",
            "\nHosts whose agent failed: 1 of 11",
            "\nNotes",
        )
    ]
    assert places == sorted(places)
    assert "engine-3: the agent was lost 1.4 s into the run" in text


def test_a_finding_says_what_was_expected_seen_and_what_to_do(rich: Report) -> None:
    text = terminal.render(rich, width=200, color=False)
    story = text[text.index("1. 10.20.0.254, or") : text.index("2. outside")]
    for part in (
        "drops tcp 6379, 26379 from engine (2 hosts), services (2 hosts), ctrl-1 to redis-1: 5 checks",
        "verdict   blocked · network: by a device on the way",
        "meaning   A device on the way drops it, rejects it, or refuses it in the target's name.",
        "docs/verdicts.md#network",
        "severity  critical",
        "expected  redis, tcp 6379 must be reachable (aiware flows[4], cites connections), severity critical",
        "sentinel on redis: tcp 26379 must be reachable (aiware flows[16], cites connections), severity low",
        "who       ctrl-1, svc-1, svc-2 → redis-1 (10.20.0.40)  tcp 6379",
        "seen      filtered: no answer, and nothing arrived",
        "source: no answer to 3 SYN in 0.9 s, from fresh ports",
        "where     after 10.20.0.254 (the last",
        "do        Ask who runs what is behind 10.20.0.254",
    ):
        assert part in story


def test_advice_inside_is_summarised(rich: Report) -> None:
    text = terminal.render(rich, width=200, color=False)
    assert "! redis tcp 6379, from automate, engine, lb: 4 checks (stand-in)" in text
    assert "auto-1 → redis-1" not in text


def test_a_way_that_another_stands_in_for_says_so(rich: Report) -> None:
    text = terminal.render(rich, width=200, color=False)
    story = text[text.index("! 7. blocked: tcp 443 from ctrl-1 to registry.example.com") :]
    assert "instead   one of these ways is enough, and this one is free: registry on mirror" in story
    assert "who       ctrl-1 → registry.example.com  tcp 443" in story


def test_what_cannot_be_checked_is_told_by_reason(rich: Report) -> None:
    text = terminal.render(rich, width=200, color=False)
    assert (
        "- the port is chosen by the system at each start\n"
        "    engine, services → db: mountd, sunrpc {mountd_port} (optional) (aiware flows[15])\n"
        "    engine, services → db: statd, sunrpc {statd_port} (optional) (aiware flows[15])\n"
        "- IP protocol 112 has no ports\n"
        "    lb → lb: keepalived, vrrp (aiware flows[14], cites balancers)\n"
    ) in text


@pytest.mark.parametrize("reason", ["the same", "reason {}"])
def test_what_cannot_be_checked_is_bounded(reason: str, rich: Report) -> None:
    row = rich.not_checkable[0]
    rows = tuple(
        msgspec.structs.replace(row, service=f"s{number}", reason=reason.format(number)) for number in range(300)
    )
    lines = terminal.render(msgspec.structs.replace(rich, not_checkable=rows), width=80, color=False).splitlines()
    start = lines.index("Not checkable: 300 rows of the matrix")
    told = lines[start : lines.index("", start)]
    assert len(told) < 50
    assert "more" in told[-1]


def test_hostile_strings_are_shown_and_bounded(rich: Report) -> None:
    evil = "\x1b[2J\x1b]0;x\x07\u202e\u2066\x9b31m\r\nPASS"
    hosts = (HostResult(name=evil, addresses=(), problem=evil * 1000),)
    checks = tuple(
        msgspec.structs.replace(
            check,
            source=evil,
            source_role=evil,
            service=evil * 50,
            detail=evil,
            advice=evil,
            matrix=evil,
            application=evil,
            instead=evil if check.instead else "",
        )
        for check in rich.checks
    )
    words = ("rule", "matrix", "service", "protocol", "ports", "reason", "help", "cite")
    gaps = tuple(
        msgspec.structs.replace(row, **dict.fromkeys(words, evil * 50), sources=(evil,), targets=(evil,) * 100)
        for row in rich.not_checkable
    )
    report = msgspec.structs.replace(rich, hosts=hosts, checks=checks, not_checkable=gaps, notes=(evil,))
    lines = terminal.render(report, width=80, color=False).splitlines()
    assert all(line.isprintable() for line in lines)
    assert max(map(len, lines)) <= 80
    assert len(lines) < 300


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
    started = time.process_time()
    text = terminal.render(report, width=80, color=False)
    assert time.process_time() - started < 20  # of CPU: an accident of the quadratic kind takes minutes
    assert len(text.splitlines()) < 60
    assert "200 deviations in 20,000 checks" in text


def test_many_findings_are_cut_with_word(example: Any) -> None:
    rows = [
        msgspec.structs.replace(example.exposed("laptop", "redis-1", "redis", "outside"), service=f"s{number:03}")
        for number in range(60)
    ]
    text = terminal.render(example.report(rows), width=80, color=False)
    assert "… and 20 more findings: --json F or --html F tells each" in text
