"""What each turn is called, in every page and message: the one place for it, in the order in which turns are told."""

from __future__ import annotations

import msgspec

from probe.model.change import Turn


class Words(msgspec.Struct, frozen=True):
    """`title` stands over all of one turn, `brief` behind a number; `tone` is the class of its colour."""

    title: str
    brief: str
    tone: str


# What is worst first, then what is good, then what is no news.
TURNS = {
    Turn.NEW: Words("New", "new", "deviation"),
    Turn.CHANGED: Words("Failed before, and fails otherwise now", "failing otherwise", "deviation"),
    Turn.FLAPPING: Words("Goes to and fro", "to and fro", "inconclusive"),
    Turn.UNMEASURED: Words("Newly not measured", "newly not measured", "inconclusive"),
    Turn.FIXED: Words("Fixed", "fixed", "pass"),
    Turn.MEASURED: Words("Measured again, and passes", "measured again", "pass"),
    Turn.GONE: Words("Not checked any more", "no longer checked", "nothing"),
    Turn.STILL: Words("Still there", "still there", "nothing"),
}


def counted(turn: Turn, number: int, *, deviations: bool) -> str:
    """`2 new deviations`, `1 fixed`; what fails no run is a finding."""
    noun = f" {'deviation' if deviations else 'finding'}{'' if number == 1 else 's'}" if turn is Turn.NEW else ""
    return f"{number:,} {TURNS[turn].brief}{noun}"
