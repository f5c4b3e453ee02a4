"""Waivers that somebody should look at are findings themselves: every format that has a place for them shows them."""

from __future__ import annotations

import re

import msgspec
import pytest

from probe.model.waiver import WaiverState, WaiverUse
from probe.report import formats

from . import example

GIVEN = {"place": "w.yaml:3", "reason": "ticket 4711", "owner": "o"}
EXPIRED = WaiverUse(**GIVEN, matches="service since", until="2020-01-01", state=WaiverState.EXPIRED, rows=2)
UNUSED = WaiverUse(**GIVEN, matches="service syslgo", until="", state=WaiverState.UNUSED)


def shown(form: str, *uses: WaiverUse, interrupted: bool = False) -> str:
    report = example.rich()
    run = msgspec.structs.replace(report.run, interrupted=interrupted)
    made = b"".join(formats.render(form, msgspec.structs.replace(report, run=run, waivers=uses)))
    return re.sub(r"\s+|\\(?=\W)", " ", made.decode()).replace("  ", " ")


@pytest.mark.parametrize("form", ["text", "html", "junit", "markdown"])
def test_those_for_people_say_what_is_wrong_with_each(form: str) -> None:
    text = shown(form, EXPIRED, UNUSED)
    assert "(service since) expired on 2020" in text
    assert "(service syslgo) is about no check of this run" in text
    assert "ticket 4711" in text
    # Of a run that was interrupted nobody knows what they would have fitted.
    part = shown(form, EXPIRED, UNUSED, interrupted=True)
    assert "(service since) expired on" in part
    assert "syslgo" not in part


@pytest.mark.parametrize("form", ["json", "jsonl"])
def test_those_for_programs_have_all_of_them(form: str) -> None:
    text = shown(form, EXPIRED, UNUSED)
    assert re.search(r'"matches": ?"service since".{,200}"state": ?"expired"', text)
    assert re.search(r'"matches": ?"service syslgo".{,200}"state": ?"unused"', text)


def test_numbers_count_them() -> None:
    text = shown("prometheus", EXPIRED, UNUSED, UNUSED)
    assert re.search(r'portcheck_waivers\{[^}]*state="expired"[^}]*\} 1\b', text)
    assert re.search(r'portcheck_waivers\{[^}]*state="unused"[^}]*\} 2\b', text)


@pytest.mark.parametrize("form", ["csv", "nmap"])
def test_lists_of_checks_and_of_ports_have_no_line_that_is_neither(form: str) -> None:
    assert shown(form, EXPIRED, UNUSED) == shown(form)
