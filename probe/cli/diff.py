"""`portcheck diff`: what changed between two runs."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from probe.cli import histories
from probe.cli.exitcodes import Exit
from probe.errors import UserError
from probe.text import printable

if TYPE_CHECKING:
    import argparse

    from probe.history.store import History
    from probe.model.change import Change, Changes
    from probe.model.result import Report

_LARGEST = 1024 * 1024 * 1024
_RUN_HELP = "a JSON report, - for standard input, or a run of the history: AUDIT@7, AUDIT@latest, AUDIT@previous"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("old", metavar="OLD", help=_RUN_HELP)
    parser.add_argument("new", metavar="NEW", help="the same")
    parser.add_argument("--json", metavar="FILE", help="write it as JSON; - is stdout, instead of the text")
    parser.add_argument("--html", metavar="FILE", help="write the report of NEW, as HTML, with what changed in front")
    parser.add_argument("--markdown", metavar="FILE", help="write a summary for a CI job's page")
    histories.add_place(parser)
    parser.epilog = (
        "Exit codes: 0 nothing deviates that did not before, 1 something does, 6 nothing does, but something required "
        "that was known is not measured any more, 4 usage."
    )


def run(arguments: argparse.Namespace) -> int:
    from probe.report import changes as text
    from probe.report.files import require_writable, write

    files = {form: path for form in _FORMS if (path := getattr(arguments, form))}
    if len({*files.values()}) < len(files):
        raise UserError("each of --json, --html and --markdown needs a place of its own\n  hint: name different files")
    for path in files.values():
        require_writable(path)
    found, report = _compared(arguments)
    for form, path in files.items():
        write(path, _FORMS[form](found, report))
    if "-" not in files.values():
        color = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
        print(text.render(found, width=shutil.get_terminal_size().columns, color=color), end="")
    return worth(found)


def _json(changes: Changes, _: Report) -> bytes:
    from probe.report.changes import render_json

    return render_json(changes)


def _html(changes: Changes, report: Report) -> bytes:
    from probe.report.html import render

    return render(report, changes)


def _markdown(changes: Changes, _: Report) -> bytes:
    from probe.report.changesmarkdown import render

    return render(changes)


_FORMS = {"json": _json, "html": _html, "markdown": _markdown}


def worth(changes: Changes) -> Exit:
    """What became of it, less what was so before."""
    if any(_newly(change, "deviates") for change in changes.changes):
        return Exit.DEVIATIONS
    if any(_newly(change, "unsettled") for change in changes.changes):
        return Exit.INCONCLUSIVE
    return Exit.CONFORMS


def _newly(change: Change, what: str) -> bool:
    was = change.before is not None and getattr(change.before, what)
    return change.now is not None and getattr(change.now, what) and not was


def _compared(arguments: argparse.Namespace) -> tuple[Changes, Report]:
    """What changed, and the newer report."""
    import msgspec

    from probe.history.compare import compare

    old, new = histories.run_named(arguments.old), histories.run_named(arguments.new)
    if arguments.old == arguments.new == "-":
        raise UserError("only one of OLD and NEW can come from standard input")
    with contextlib.ExitStack() as stack:
        history = None
        if old or new:
            history = histories.open_there(arguments)
            stack.callback(history.close)
        # Of one audit the history knows more than the two reports do.
        if history is not None and old and new and old[0] == new[0]:
            audit = new[0]
            first, last = (histories.number_of(history, audit, one) for one in (old[1], new[1]))
            if first < last:
                report, found = history.told(audit, last, first)
                return found, report
        report, called = _report(arguments.new, new, history)
        before, was_called = _report(arguments.old, old, history)
        return msgspec.structs.replace(compare(before, report), names=(was_called, called)), report


def _report(text: str, named: tuple[str, str] | None, history: History | None) -> tuple[Report, str]:
    """And what it is called."""
    if named is not None and history is not None:
        from probe.history.values import run_name

        number = histories.number_of(history, *named)
        return history.report(named[0], number), run_name(named[0], number)
    from probe.report import json

    shown = "standard input" if text == "-" else printable(text)
    try:
        if text == "-":
            data = sys.stdin.buffer.read(_LARGEST)
        else:
            with Path(text).open("rb") as file:
                data = file.read(_LARGEST)
    except OSError as error:
        raise UserError(
            f"{shown}: cannot be read: {error.strerror or error}\n"
            "  hint: name a JSON report (`portcheck run --json FILE`), or a run of the history (AUDIT@7)"
        ) from None
    return json.parse(data, shown), shown
