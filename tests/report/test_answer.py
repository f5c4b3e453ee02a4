from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from probe.cli.exitcodes import Exit, exit_for
from probe.model.words import Phase, Verdict
from probe.report.answer import headline, verdict_sentence

if TYPE_CHECKING:
    from probe.model.result import Report

ENDS = {
    "conforms": (Exit.CONFORMS, "conforms: 22 checks pass"),
    "advised": (
        Exit.CONFORMS,
        "conforms: 22 of 28 checks pass, 6 with advice, 4 rows of the matrix cannot be checked",
    ),
    "deviations": (
        Exit.DEVIATIONS,
        "9 deviations in 47 checks, 5 inconclusive, 4 rows of the matrix cannot be checked",
    ),
    "interrupted": (Exit.INTERRUPTED, "interrupted: 5 checks so far, 1 deviation"),
    "nothing": (Exit.NOTHING_TO_CHECK, "nothing to check: no rule of the matrix applies to these hosts"),
    "unchecked": (
        Exit.NOTHING_TO_CHECK,
        "nothing to check: 4 rows of the matrix cannot be checked: the port is chosen by the system at each start,",
    ),
    "inconclusive": (Exit.INCONCLUSIVE, "inconclusive: 5 of 27 checks could not be measured, none deviates"),
    "unmeasured": (Exit.INCONCLUSIVE, "inconclusive: the only check could not be measured"),
    "waived": (
        Exit.DEVIATIONS,
        "6 deviations in 48 checks, 5 inconclusive, 4 rows of the matrix cannot be checked",
    ),
    "exposed": (Exit.DEVIATIONS, "4 deviations in 12 checks, 1 inconclusive"),
}


@pytest.mark.parametrize("spec", ENDS)
def test_exit_code_and_headline_agree(spec: str, examples: dict[str, Report]) -> None:
    code, said = ENDS[spec]
    assert exit_for(examples[spec]) is code
    assert headline(examples[spec]).startswith(said)


def test_every_way_to_end_is_tried(examples: dict[str, Report]) -> None:
    assert examples.keys() == ENDS.keys()


def test_advisory_rows_that_were_not_measured_do_not_hide_behind_a_pass(
    examples: dict[str, Report], example: Any
) -> None:
    advice = example.exposed("engine-1", "redis-1", "redis")
    rows = [*examples["conforms"].checks, *examples["unmeasured"].checks, advice]
    report = example.report(rows)
    assert exit_for(report) is Exit.CONFORMS
    assert headline(report) == "conforms: 22 of 24 checks pass, 1 with advice, 1 not required and not measured"


def test_the_page_answers_whether_to_install(rich: Report, examples: dict[str, Report]) -> None:
    assert verdict_sentence(rich) == (
        "No, do not install yet.",
        "9 of 47 checks deviate. 5 could not be measured. 4 rows of the matrix cannot be checked.",
    )
    live = msgspec.structs.replace(rich, run=msgspec.structs.replace(rich.run, phase=Phase.LIVE))
    assert verdict_sentence(live)[0] == "No, the network does not conform."
    assert verdict_sentence(examples["advised"])[0] == "Yes, you may install, as far as it can be checked."
    assert verdict_sentence(examples["conforms"]) == ("Yes, the network conforms.", "All 22 checks pass.")


def test_only_a_conforming_run_says_yes(one: Report) -> None:
    assert verdict_sentence(one)[0].startswith("Yes") == (exit_for(one) is Exit.CONFORMS)


def test_the_page_says_why_there_was_nothing_to_check(examples: dict[str, Report]) -> None:
    said, why = verdict_sentence(examples["unchecked"])
    assert said == "Not known: there was nothing to check."
    reason = "the port is chosen by the system at each start, and for 2 other reasons."
    assert why == f"4 rows of the matrix cannot be checked: {reason}"


@pytest.mark.parametrize("verdict", [Verdict.BLOCKED, Verdict.INCONCLUSIVE])
def test_a_way_that_another_stands_in_for_is_advice(verdict: Verdict, example: Any) -> None:
    passing = example.check("svc-1", "db-1", "postgresql", "flows[5]")
    failing = msgspec.structs.replace(passing, id="other", target="db-2", verdict=verdict)
    assert exit_for(example.report([passing, failing])) is not Exit.CONFORMS
    spared = msgspec.structs.replace(failing, instead="the active member is another: db-1")
    report = example.report([passing, spared])
    assert exit_for(report) is Exit.CONFORMS
    assert headline(report) == "conforms: 1 of 2 checks pass, 1 with advice"
