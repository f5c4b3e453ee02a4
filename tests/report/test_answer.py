from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from probe.cli.exitcodes import Exit, exit_for
from probe.model.words import Phase
from probe.report.answer import headline, verdict_sentence

if TYPE_CHECKING:
    from probe.model.result import Report

ENDS = {
    "conforms": (Exit.CONFORMS, "conforms: 21 checks pass"),
    "advised": (Exit.CONFORMS, "conforms: 21 of 27 checks pass, 6 with advice"),
    "deviations": (Exit.DEVIATIONS, "7 deviations in 42 checks, 5 inconclusive"),
    "interrupted": (Exit.INTERRUPTED, "interrupted: 5 checks so far, 1 deviation"),
    "nothing": (Exit.NOTHING_TO_CHECK, "nothing to check"),
    "inconclusive": (Exit.INCONCLUSIVE, "inconclusive: 5 of 26 checks could not be measured, none deviates"),
    "unmeasured": (Exit.INCONCLUSIVE, "inconclusive: the only check could not be measured"),
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
    rows = [*examples["conforms"].checks, *examples["unmeasured"].checks]
    report = example.report(rows)
    assert exit_for(report) is Exit.CONFORMS
    assert "1 not required and not measured" in headline(report)


def test_the_page_answers_whether_to_install(rich: Report, examples: dict[str, Report]) -> None:
    assert verdict_sentence(rich) == ("No, do not install yet.", "7 of 42 checks deviate. 5 could not be measured.")
    live = msgspec.structs.replace(rich, run=msgspec.structs.replace(rich.run, phase=Phase.LIVE))
    assert verdict_sentence(live)[0] == "No, the network does not conform."
    assert verdict_sentence(examples["advised"])[0] == "Yes, you may install."
    assert verdict_sentence(examples["conforms"]) == ("Yes, the network conforms.", "All 21 checks pass.")


def test_only_a_conforming_run_says_yes(one: Report) -> None:
    assert verdict_sentence(one)[0].startswith("Yes") == (exit_for(one) is Exit.CONFORMS)
