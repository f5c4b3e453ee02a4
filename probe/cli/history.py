"""`portcheck history`: what audits have found, run by run."""

from __future__ import annotations

import argparse
import datetime as dt
import shutil
import sys
import textwrap
from typing import TYPE_CHECKING

from probe.cli import histories, outputs
from probe.cli.exitcodes import Exit
from probe.errors import UserError
from probe.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from probe.history.store import History
    from probe.history.values import RunRecord


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the actions and their arguments."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    list_ = actions.add_parser("list", help="the audits, or the runs of one")
    list_.add_argument("audit", metavar="AUDIT", nargs="?", help="the runs of this one, the newest first")
    list_.add_argument("--limit", type=_whole, default=30, metavar="N", help="how many runs (default: %(default)s)")
    list_.add_argument("--before", type=_whole, metavar="RUN", help="those before this one")
    show = actions.add_parser("show", help="a run as it was reported, or the life of one check")
    show.add_argument("audit", metavar="AUDIT")
    show.add_argument("run", metavar="RUN", nargs="?", default="latest", help="its number (default: the latest)")
    show.add_argument("--check", metavar="ID", help="how this check fared from run to run (ids stand in JSON reports)")
    outputs.add_arguments(show)
    export = actions.add_parser("export", help="runs and rows as JSON Lines")
    export.add_argument("audit", metavar="AUDIT")
    export.add_argument("--from", dest="first", type=_whole, default=1, metavar="RUN", help="from this run on")
    export.add_argument("--to", dest="last", type=_whole, metavar="RUN", help="up to this run")
    prune = actions.add_parser("prune", help="drop what is older than it has to be kept")
    prune.add_argument("--days", type=_whole, metavar="N", help="keep runs whole for so long (default: 400)")
    prune.add_argument("--runs", type=_whole, metavar="N", help="of each audit at most so many (default: no limit)")
    prune.add_argument("--failures-days", type=_whole, metavar="N", help="keep what failed so long (default: 800)")
    prune.add_argument("--dry-run", action="store_true", help="only say what would be dropped")
    for action in (list_, show, export, prune):
        histories.add_place(action)


def run(arguments: argparse.Namespace) -> int:
    history = histories.open_there(arguments)
    try:
        {"list": _list, "show": _show, "export": _export, "prune": _prune}[arguments.action](history, arguments)
    finally:
        history.close()
    return Exit.CONFORMS


def _whole(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number, or less than 0")
    return int(text)


# --- list -------------------------------------------------------------------------------------------------------------


def _list(history: History, arguments: argparse.Namespace) -> None:
    from tabulate import tabulate

    if arguments.audit is None:
        audits = history.audits()
        known = [(printable(one.name), one.runs, *_brief(one.latest), *_counts(one.finished)) for one in audits]
        print(
            tabulate(known, headers=("AUDIT", "RUNS", *_BRIEF, *_COUNTS), tablefmt="plain")
            if known
            else "no audit has run yet"
        )
        return
    histories.require(history, arguments.audit)
    runs = history.runs(arguments.audit, limit=arguments.limit + 1, before=arguments.before)
    shown = runs[: arguments.limit]
    rows = [(*_brief(one), _length(one), *_counts(one)) for one in shown]
    print(tabulate(rows, headers=(*_BRIEF, "TOOK", *_COUNTS), tablefmt="plain") if rows else "no such run")
    for one in shown:
        if one.problem:
            print(f"run {one.number}:", one.problem.replace("\n", "\n  "))
    if len(runs) > len(shown) > 0:
        print(f"… older ones: portcheck history list {printable(arguments.audit)} --before {shown[-1].number}")


_BRIEF, _COUNTS = ("RUN", "STARTED", "ENDED"), ("CHECKS", "DEVIATE", "UNKNOWN")


def _brief(run: RunRecord | None) -> tuple[object, ...]:
    return (run.number, _when(run.started), run.outcome or run.state.value) if run is not None else ("", "", "")


def _counts(run: RunRecord | None) -> tuple[object, ...]:
    numbers = run.summary if run is not None else None
    return (numbers.checks, numbers.deviations, numbers.inconclusive) if numbers is not None else ("", "", "")


def _when(time: str) -> str:
    """To the minute, in UTC."""
    try:
        return dt.datetime.fromisoformat(time).astimezone(dt.UTC).strftime("%Y-%m-%d %H:%MZ")
    except ValueError:
        return printable(time)[:17]


def _length(run: RunRecord) -> str:
    if not run.finished:
        return ""
    minutes, seconds = divmod(round(run.seconds), 60)
    if minutes >= 60:
        return f"{minutes // 60}h{minutes % 60:02}m"
    return f"{minutes}m{seconds:02}s" if minutes else f"{run.seconds:.1f}s"


# --- show -------------------------------------------------------------------------------------------------------------


def _show(history: History, arguments: argparse.Namespace) -> None:
    if arguments.check is not None:
        _show_check(history, arguments)
        return
    if arguments.run not in ("latest", "previous") and not arguments.run.isdecimal():
        raise UserError(f"{printable(arguments.run)!r} is no run\n  hint: name its number, latest or previous")
    wanted = outputs.wanted(arguments)
    number = histories.number_of(history, arguments.audit, arguments.run)
    outputs.write(history.report(arguments.audit, number), wanted)


def _show_check(history: History, arguments: argparse.Namespace) -> None:
    from tabulate import tabulate

    from probe.encoding import encode
    from probe.report.files import write
    from probe.report.text import name
    from probe.report.wording import seen, target, verdict

    histories.require(history, arguments.audit)
    wanted = outputs.wanted(arguments)
    if {form for _, form in wanted} - {"json", "text"} or any(form == "text" for path, form in wanted if path != "-"):
        raise UserError("of one check there is --json alone\n  hint: without --check it is the whole run")
    found = history.intervals(arguments.audit, arguments.check)
    if not found:
        raise UserError(
            f"{history.place}: no run of {printable(arguments.audit)!r} has a check {printable(arguments.check)!r}\n"
            "  hint: ids stand in the JSON report (`portcheck history show AUDIT --json -`) and in the HTML report"
        )
    told = b'{"check": ' + encode(arguments.check) + b', "intervals": ['
    told += b",".join(b"\n" + encode(one) for one in found) + b"\n]}\n"
    for path, form in wanted:
        if form == "json":
            write(path, told)
    if ("-", "json") in wanted:
        return
    one = found[0].row
    way = f"{name(one.source)} → {name(one.target)} ({name(one.address)})"
    print(f"{way}, {target(one)}, {one.transport} {name(one.ports)}")
    rows = [
        (
            f"{life.first}-{life.last}" if life.first != life.last else life.first,
            _when(life.since),
            _when(life.until),
            name(life.row.ports, 24),
            life.row.verdict,
            life.row.cause or "",
        )
        for life in found
    ]
    print(
        tabulate(
            rows, headers=("RUNS", "FROM", "TO", "PORTS", "VERDICT", "CAUSE"), tablefmt="plain", disable_numparse=True
        )
    )
    (latest,) = history.finished(arguments.audit, 1)
    when = "now" if found[0].last == latest.number else f"in run {found[0].last}"
    print(textwrap.fill(f"{when}: {verdict(one)}; {seen(one, 300)}", max(shutil.get_terminal_size().columns, 40)))


# --- export, prune ----------------------------------------------------------------------------------------------------


def _export(history: History, arguments: argparse.Namespace) -> None:
    from probe.history.database import OPEN

    histories.require(history, arguments.audit)
    _to_stdout(history.export(arguments.audit, arguments.first, arguments.last or OPEN))


def _to_stdout(lines: Iterable[bytes]) -> None:
    for line in lines:
        sys.stdout.buffer.write(line)
    sys.stdout.buffer.flush()


def _prune(history: History, arguments: argparse.Namespace) -> None:
    from probe.history.retention import Retention
    from probe.report.text import count

    given = {"days": arguments.days, "runs": arguments.runs, "failures_days": arguments.failures_days}
    keep = Retention(**{key: value for key, value in given.items() if value is not None})
    if keep.failures_days < keep.days and arguments.failures_days is not None:
        raise UserError("--failures-days is less than --days\n  hint: what failed is kept at least as long as the rest")
    done = history.prune(keep, dry_run=arguments.dry_run)
    if arguments.dry_run:
        print(f"would drop {count(done.runs, 'run')}, and of {done.thinned:,} more keep only what did not pass")
    else:
        print(f"dropped {count(done.runs, 'run')}, and of {done.thinned:,} more kept only what did not pass")
        print(f"{done.freed / 1e6:.1f} MB given back to the system")
