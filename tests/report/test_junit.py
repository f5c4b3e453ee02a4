from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import msgspec
import pytest

from probe.report import junit

if TYPE_CHECKING:
    from probe.model.result import Report


def parsed(report: Report) -> ET.Element:
    return ET.fromstring(junit.render(report))


def test_well_formed_with_true_counts(one: Report) -> None:
    root = parsed(one)
    cases = root.findall("testsuite/testcase")
    assert int(root.get("tests", "")) == len(cases) >= 1
    assert int(root.get("failures", "")) == sum(case.find("failure") is not None for case in cases)
    assert int(root.get("errors", "")) == sum(case.find("error") is not None for case in cases)
    assert int(root.get("skipped", "")) == sum(case.find("skipped") is not None for case in cases)
    accepted = {check.id for check in one.checks if check.waived} - {check.id for check in one.checks if check.deviates}
    assert int(root.get("skipped", "")) == len(one.not_checkable) + len(accepted)


def test_each_case_is_named_once(one: Report) -> None:
    names = [(case.get("classname"), case.get("name")) for case in parsed(one).findall("testsuite/testcase")]
    assert len(names) == len(set(names))


def test_only_a_conforming_run_is_green(one: Report) -> None:
    from probe.cli.exitcodes import Exit, exit_for

    root = parsed(one)
    red = root.get("failures") != "0" or root.get("errors") != "0"
    assert red == (exit_for(one) is not Exit.CONFORMS)


def _case(report: Report, name: str) -> ET.Element:
    (case,) = [case for case in parsed(report).iter("testcase") if case.get("name") == name]
    return case


def test_a_deviation_is_a_failure_with_its_verdict(rich: Report) -> None:
    case = _case(rich, "svc-1 -> redis-1 redis tcp/6379")
    assert case.get("classname") == "portcheck.aiware.services.redis"
    (failure,) = case.findall("failure")
    assert failure.get("type") == "blocked"
    assert failure.get("message") == "network: no answer, and nothing arrived"
    for part in (
        "source: no answer to 3 SYN",
        "target: the stand-in was open",
        "where: after 10.20.0.254",
        "what to do: Ask",
    ):
        assert part in (failure.text or "")


def test_inconclusive_is_an_error(rich: Report) -> None:
    case = _case(rich, "engine-3 -> ctrl-1 controller-api tcp/9000")
    assert [child.tag for child in case] == ["error"]


@pytest.mark.parametrize("name", ["auto-1 -> redis-1 redis tcp/6379", "svc-1 -> ctrl-1 controller-metrics tcp/8001"])
def test_advice_passes_with_a_note(rich: Report, name: str) -> None:
    case = _case(rich, name)
    assert [child.tag for child in case] == ["system-out"]
    assert "advice" in (case[0].text or "")


def test_what_cannot_be_checked_is_skipped_with_the_reason(rich: Report) -> None:
    case = _case(rich, "flows[14]: lb -> lb keepalived vrrp")
    assert case.get("classname") == "portcheck.aiware.not-checkable"
    (skipped,) = case
    assert (skipped.tag, skipped.get("message")) == ("skipped", "IP protocol 112 has no ports")


def test_what_somebody_accepted_is_skipped_with_who_and_why(waived: Report) -> None:
    case = _case(waived, "svc-1 -> redis-1 redis tcp/6379")
    (skipped,) = [child for child in case if child.tag == "skipped"]
    assert (skipped.get("message") or "").startswith("waived until 2025-06-30 by jane@example.com: ticket 4711: ")


def test_what_is_accepted_in_part_fails_and_tells_both(waived: Report) -> None:
    text = _case(waived, "ctrl-1 -> auto-1 automate-studio tcp/5000-6000").findtext("failure") or ""
    assert "waived for good by the storage team" in text
    assert "tcp 5505-5509" in text


def test_waivers_to_look_at_pass_with_a_note(waived: Report) -> None:
    cases = [case for case in parsed(waived).iter("testcase") if case.get("classname") == "portcheck.waivers"]
    assert [case.get("name") for case in cases] == ["waivers.yaml:14", "waivers.yaml:20", "waivers.yaml:24"]
    assert "expired on 2025-03-13" in (cases[0].findtext("system-out") or "")


def test_reasons_of_several_hosts_are_one_case(rich: Report) -> None:
    row = rich.not_checkable[0]
    rows = tuple(msgspec.structs.replace(row, reason=f"db-{number} has no such address") for number in (1, 2))
    case = _case(msgspec.structs.replace(rich, not_checkable=rows), "flows[14]: lb -> lb keepalived vrrp")
    assert case[0].get("message") == "db-1 has no such address; db-2 has no such address"


def test_severity_is_a_property_and_in_the_text(rich: Report) -> None:
    case = _case(rich, "svc-1 -> redis-1 redis tcp/6379")
    (given,) = case.iter("property")
    assert (given.get("name"), given.get("value")) == ("severity", "critical")
    text = case.findtext("failure") or ""
    assert "severity: critical" in text
    assert "expected: reach redis, tcp 6379" in text


def test_a_way_that_another_stands_in_for_passes_with_a_note(rich: Report) -> None:
    case = _case(rich, "ctrl-1 -> registry.example.com registry tcp/443")
    assert [child.tag for child in case] == ["properties", "system-out"]
    assert "instead: one of these ways is enough, and this one is free: registry on" in (case[1].text or "")


def test_a_range_with_a_hole_keeps_the_name_of_the_whole_range(rich: Report) -> None:
    case = _case(rich, "ctrl-1 -> auto-1 automate-studio tcp/5000-6000")
    (failure,) = case.findall("failure")
    assert "tcp 5500-5509" in (failure.text or "")


def test_what_xml_cannot_hold_is_not_in_it(rich: Report) -> None:
    evil = "".join(map(chr, [*range(32), 0x7F, 0x85, 0xD800, 0xDFFF, 0xFFFE, 0xFFFF, 0x1FFFE])) + "]]><failure>&'\""
    checks = tuple(
        msgspec.structs.replace(
            check,
            source=evil,
            source_role=evil,
            detail=evil,
            service=evil,
            matrix=evil,
            advice=evil,
            application=evil,
            instead=evil if check.instead else "",
        )
        for check in rich.checks
    )
    words = ("rule", "matrix", "service", "protocol", "ports", "reason", "help", "cite")
    gaps = tuple(
        msgspec.structs.replace(row, **dict.fromkeys(words, evil), sources=(evil,), targets=(evil,))
        for row in rich.not_checkable
    )
    run = msgspec.structs.replace(rich.run, inventory=evil, finished=evil)
    root = parsed(msgspec.structs.replace(rich, checks=checks, not_checkable=gaps, run=run))
    assert int(root.get("failures", "")) == sum(1 for _ in root.iter("failure")) == 9


def test_many_rows_are_quick(example: Any) -> None:
    report = example.large()
    started = time.process_time()
    junit.render(report)
    assert time.process_time() - started < 20  # of CPU: an accident of the quadratic kind takes minutes
