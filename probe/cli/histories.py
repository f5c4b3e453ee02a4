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


def checked(place: str) -> str:
    """The place, if it is a file or of a server that we know: a slip in the scheme must not become a folder of that
    name, with the password in it. Raises UserError.
    """
    scheme, server, _ = place.partition("://")
    if server and scheme not in ("postgresql", "postgres"):
        raise UserError(
            f"--history {printable(scheme)}://…: no history can be kept there\n"
            "  hint: name a file, or postgresql://USER@HOST/DATABASE"
        )
    return place


def require(history: History, audit: str) -> None:
    """Raises UserError for an audit that has no runs there."""
    known = [one.name for one in history.audits()]
    if audit not in known:
        names = ", ".join(map(printable, known)) or "none yet"
        raise UserError(f"{history.place}: there is no audit {printable(audit)!r}\n  hint: there is: {names}")


def open_there(arguments: argparse.Namespace) -> History:
    """One that must be there already: to read of nothing is a slip."""
    from probe.history.store import open_history

    place = checked(arguments.history or default_place())
    if "://" not in place and _missing(Path(place).expanduser()):
        raise UserError(
            f"{printable(place)}: there is no history\n"
            "  hint: `portcheck audit` makes one; --history PLACE or PORTCHECK_HISTORY names another"
        )
    return open_history(place)


def _missing(file: Path) -> bool:
    """Where one may not even look, opening it says more."""
    try:
        return not file.exists()
    except OSError:
        return False


def run_named(text: str) -> tuple[str, str] | None:
    """`AUDIT@N`, `AUDIT@latest`, `AUDIT@previous` as audit and run; None for what is no such name, or is a file."""
    found = _RUN.match(text)
    return None if found is None or not _missing(Path(text)) else (found["audit"], found["run"])


def number_of(history: History, audit: str, run: str) -> int:
    """Of a finished run; raises UserError where there is none."""
    require(history, audit)
    if run.isdigit():
        return int(run)
    finished = history.finished(audit, 2)
    place = 0 if run == "latest" else 1
    if len(finished) <= place:
        number = "no finished run" if not finished else "one finished run alone"
        raise UserError(
            f"{history.place}: audit {printable(audit)!r} has {number}\n"
            "  hint: `portcheck history list AUDIT` tells what became of its runs"
        )
    return finished[place].number
