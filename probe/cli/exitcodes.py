"""What the process says to the shell."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from probe.model.result import Report


class Exit(IntEnum):
    CONFORMS = 0
    DEVIATIONS = 1
    INTERRUPTED = 2
    INTERNAL = 3
    USAGE = 4
    NOTHING_TO_CHECK = 5
    INCONCLUSIVE = 6


def exit_for(report: Report) -> Exit:
    """The exit code that a report stands for; never 0 where nothing was measured."""
    from probe.report.answer import Answer, answer

    return {
        Answer.CONFORMS: Exit.CONFORMS,
        Answer.DEVIATIONS: Exit.DEVIATIONS,
        Answer.INTERRUPTED: Exit.INTERRUPTED,
        Answer.NOTHING: Exit.NOTHING_TO_CHECK,
        Answer.INCONCLUSIVE: Exit.INCONCLUSIVE,
    }[answer(report)]
