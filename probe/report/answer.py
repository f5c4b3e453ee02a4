"""The one question that every report answers first; headline and exit code come from here."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from probe.model.answer import Answer, answer, measured
from probe.model.words import Phase
from probe.report import unchecked
from probe.report.findings import Weight, weight
from probe.report.text import count

if TYPE_CHECKING:
    from probe.model.result import Report

__all__ = ["Answer", "answer", "headline", "verdict_sentence"]


def headline(report: Report) -> str:
    """One line, without the run's particulars: `9 deviations in 312 checks, 2 inconclusive`. Whatever it says, it does
    not hide what could not be checked at all.
    """
    beyond = f", {unchecked.total(report.not_checkable)}" if report.checks and report.not_checkable else ""
    return _outcome(report) + beyond


def _outcome(report: Report) -> str:
    numbers = report.summary
    checks = count(numbers.checks, "check")
    left = f", {numbers.inconclusive:,} inconclusive" if numbers.inconclusive else ""
    match answer(report):
        case Answer.INTERRUPTED:
            return f"interrupted: {checks} so far, {count(numbers.deviations, 'deviation')}{left}"
        case Answer.NOTHING:
            return f"nothing to check: {_nothing(report)}"
        case Answer.DEVIATIONS:
            return f"{count(numbers.deviations, 'deviation')} in {checks}{left}"
        case Answer.INCONCLUSIVE:
            return f"inconclusive: {_unmeasured(report)}"
        case Answer.CONFORMS:
            return f"conforms: {_conforming(report)}"


def verdict_sentence(report: Report) -> tuple[str, str]:
    """The answer for a person who waits for it, and its numbers: ("Yes, you may install.", "312 checks pass.")."""
    said, numbers = _verdict(report)
    beyond = f" {unchecked.total(report.not_checkable)}." if report.checks and report.not_checkable else ""
    return said, numbers + beyond


def _verdict(report: Report) -> tuple[str, str]:
    numbers = report.summary
    installing = report.run.phase is Phase.PRE_INSTALL
    match answer(report):
        case Answer.INTERRUPTED:
            measured = f"{count(numbers.checks, 'check')} made, {numbers.deviations:,} of them deviate"
            return "Not known: the run was interrupted.", f"This report is partial: {measured}."
        case Answer.NOTHING:
            return "Not known: there was nothing to check.", f"{_capitalised(_nothing(report))}."
        case Answer.DEVIATIONS:
            verb = "deviates" if numbers.deviations == 1 else "deviate"
            left = f" {numbers.inconclusive:,} could not be measured." if numbers.inconclusive else ""
            said = "No, do not install yet." if installing else "No, the network does not conform."
            return said, f"{numbers.deviations:,} of {count(numbers.checks, 'check')} {verb}.{left}"
        case Answer.INCONCLUSIVE:
            said = "Not known yet whether you may install." if installing else "Not known whether the network conforms."
            return said, f"{_capitalised(_unmeasured(report))}."
        case Answer.CONFORMS:
            said = "Yes, you may install" if installing else "Yes, the network conforms"
            limit = ", as far as it can be checked" if report.not_checkable else ""
            every = "All " if numbers.passed == numbers.checks > 1 else ""
            return f"{said}{limit}.", f"{every}{_conforming(report)}."


def _nothing(report: Report) -> str:
    if report.not_checkable:
        return unchecked.because(report.not_checkable)
    return "no rule of the matrix applies to these hosts"


def _unmeasured(report: Report) -> str:
    numbers = report.summary
    if not measured(report):
        return (
            f"none of {count(numbers.checks, 'check')} could be measured"
            if numbers.checks > 1
            else "the only check could not be measured"
        )
    return f"{numbers.inconclusive:,} of {count(numbers.checks, 'check')} could not be measured, none deviates"


def _conforming(report: Report) -> str:
    numbers = report.summary
    if numbers.passed == numbers.checks:
        return f"{count(numbers.checks, 'check')} pass" + ("es" if numbers.checks == 1 else "")
    weights = Counter(weight(check) for check in report.checks)
    parts = [f"{numbers.passed:,} of {count(numbers.checks, 'check')} pass"]
    parts += [f"{weights[Weight.ADVICE]:,} with advice"] if weights[Weight.ADVICE] else []
    parts += [f"{weights[Weight.WAIVED]:,} waived"] if weights[Weight.WAIVED] else []
    unknown = weights[Weight.INCONCLUSIVE]
    parts += [f"{unknown:,} not required and not measured"] if unknown else []
    return ", ".join(parts)


def _capitalised(text: str) -> str:
    """With a capital first, and the rest as it is: names and words of the trade are in it."""
    return text[:1].upper() + text[1:]
