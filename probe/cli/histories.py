"""Where the history is, for the commands that read or write it."""

from __future__ import annotations

import argparse
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from probe.cli import settings
from probe.errors import UserError
from probe.text import printable

if TYPE_CHECKING:
    from probe.history.store import History

_RUN = re.compile(r"(?P<audit>.+)@(?P<run>[0-9]{1,9}|latest|previous)\Z", re.DOTALL)


def default_place() -> str:
    """Of the unit that systemd has started, else of the user (XDG Base Directory Specification)."""
    if unit := os.environ.get("STATE_DIRECTORY", "").partition(":")[0]:
        return str(Path(unit) / "history.db")
    base = os.environ.get("XDG_STATE_HOME") or Path("~/.local/state").expanduser()
    return str(Path(base) / "portcheck" / "history.db")


def add_place(parser: argparse.ArgumentParser) -> None:
    """The option for it. Of the settings only this one is meant here: `json` or `html` are those of runs."""
    alone = argparse.ArgumentParser(add_help=False)
    for one in (alone, parser):
        one.add_argument(
            "--history",
            metavar="PLACE",
            help="a file, or postgresql://USER@HOST/DATABASE (default: $XDG_STATE_HOME/portcheck/history.db)",
        )
    settings.apply(alone)
    parser.set_defaults(history=alone.get_default("history"))


def open_there(arguments: argparse.Namespace) -> History:
    """One that must be there already: to read of nothing is a slip."""
    from probe.history.store import open_history

    place = arguments.history or default_place()
    if "://" not in place and not Path(place).expanduser().exists():
        raise UserError(
            f"{printable(place)}: there is no history\n"
            "  hint: `portcheck audit` makes one; --history PLACE or PORTCHECK_HISTORY names another"
        )
    return open_history(place)


def run_named(text: str) -> tuple[str, str] | None:
    """`AUDIT@N`, `AUDIT@latest`, `AUDIT@previous` as audit and run; None for what is no such name, or is a file."""
    found = _RUN.match(text)
    return None if found is None or Path(text).exists() else (found["audit"], found["run"])


def number_of(history: History, audit: str, run: str) -> int:
    """Of a finished run; raises UserError where there is none."""
    if run.isdigit():
        return int(run)
    finished = history.finished(audit, 2)
    place = 0 if run == "latest" else 1
    if len(finished) <= place:
        known = ", ".join(printable(one.name) for one in history.audits()) or "none"
        number = "no finished run" if not finished else "one finished run alone"
        raise UserError(f"{history.place}: audit {printable(audit)!r} has {number}\n  hint: audits there are: {known}")
    return finished[place].number
