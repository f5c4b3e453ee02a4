"""`portcheck audit`: runs now and on a schedule, kept, compared and told."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from probe.cli import audits, outputs, reader, settings, waivers
from probe.cli.exitcodes import Exit
from probe.cli.planning import add_arguments
from probe.cli.running import add_identity
from probe.errors import UserError

if TYPE_CHECKING:
    from probe.audit.config import Config
    from probe.audit.service import Made
    from probe.model.change import Changes

# Of several audits made at once, the first of these that one of them stands for.
_WORST = (Exit.INTERNAL, Exit.USAGE, Exit.INTERRUPTED, Exit.DEVIATIONS, Exit.INCONCLUSIVE, Exit.NOTHING_TO_CHECK)
_ANSWERS = {
    "conforms": Exit.CONFORMS,
    "deviations": Exit.DEVIATIONS,
    "interrupted": Exit.INTERRUPTED,
    "nothing to check": Exit.NOTHING_TO_CHECK,
    "inconclusive": Exit.INCONCLUSIVE,
}


def configure(parser: argparse.ArgumentParser) -> None:
    _add(parser)
    parser.set_defaults(parser=parser, origins=settings.apply(parser, "audit"))


def _add(parser: argparse.ArgumentParser) -> None:
    # A stand-in answers for a service that has stopped, and holds its port: no audit of what runs may open one unasked.
    add_arguments(parser, phase="live")
    waivers.add_argument(parser)
    outputs.add_arguments(parser)
    add_identity(parser)
    when = parser.add_argument_group("when")
    when.add_argument(
        "--every", metavar="TIME", type=settings.fits(_period), help="such as 6h, 90m or 1d, counted from the first run"
    )
    when.add_argument(
        "--cron",
        metavar="LINE",
        type=settings.fits(_line),
        help="minute, hour, day, month, weekday: '15 2 * * 1-5' is 2:15 on working days",
    )
    when.add_argument(
        "--timezone",
        metavar="ZONE",
        type=settings.fits(_zone),
        help="of --cron, such as Europe/Berlin (default: this machine's)",
    )
    when.add_argument(
        "--jitter",
        metavar="TIME",
        type=settings.fits(_span),
        help="come up to so much later, by a fixed amount each time",
    )
    when.add_argument(
        "--deadline",
        metavar="TIME",
        type=settings.fits(_period),
        default="12h",
        help="end a run that takes longer, with what it has (default: 12h)",
    )
    when.add_argument("--once", action="store_true", help="one run now, then end: for cron and for timers")
    when.add_argument(
        "--fail-on",
        choices=("deviation", "change", "never"),
        default="deviation",
        help="what --once calls a failure: every deviation (default), only what is new since the last run, or nothing "
        "that was found: then only a run that could not be made",
    )
    kept = parser.add_argument_group("what is kept, and who is told")
    kept.add_argument(
        "--name", metavar="NAME", help="of the audit (default: the inventory's); with portcheck.toml: which"
    )
    kept.add_argument("--history", metavar="PLACE", help="a file, or postgresql://… (docs/history.md)")
    kept.add_argument("--state", metavar="DIR", help="a folder for what waits, and for the last files that were good")
    kept.add_argument(
        "--listen", metavar="ADDR:PORT", type=settings.fits(_place), help="serve the dashboard and /metrics there"
    )
    kept.add_argument("--certificate", metavar="FILE", help="of the dashboard (PEM); needed where others can reach it")
    kept.add_argument("--key", metavar="FILE", help="of that certificate, if it is not in the same file")
    kept.add_argument("--token-file", metavar="FILE", help="its first line lets people in; needed where others can")
    kept.add_argument(
        "--url",
        metavar="URL",
        type=settings.fits(_url),
        help="of the dashboard as others call it, for links in alerts",
    )
    kept.add_argument("--textfile", metavar="FILE", help="write metrics there, for node_exporter's textfile collector")
    kept.add_argument(
        "--together", metavar="N", type=_few, default=1, help="runs of different audits at once (default: 1)"
    )
    for name, default, what in (
        ("days", 400, "days for which runs are kept whole (default: 400)"),
        ("runs", 0, "newest runs of each audit that are kept whole (default: all)"),
        ("failures-days", 800, "days for which failures are kept (default: 800)"),
    ):
        kept.add_argument(f"--keep-{name}", metavar="N", type=_count, default=default, help=what)


def run(arguments: argparse.Namespace) -> int:
    import asyncio
    import logging

    from probe.audit import log

    # Whatever a command of cron says is a mail to somebody.
    log.start(logging.WARNING if arguments.once else logging.INFO)
    if arguments.once:
        return asyncio.run(_once(audits.config(arguments), arguments.fail_on))
    from probe.audit.service import Service

    given = audits.given(arguments)
    service = Service(audits.config(arguments), lambda: audits.config(_again(given)))
    asyncio.run(service.run())
    return Exit.CONFORMS


# --- one run, for cron ------------------------------------------------------------------------------------------------


async def _once(config: Config, fail_on: str) -> int:
    from probe.audit.service import Service

    codes = []
    for made in await Service(config).once():
        with reader.may_go():
            _show(made)
        codes.append(_code(made, fail_on))
    return next((code for code in _WORST if code in codes), Exit.CONFORMS)


def _show(made: Made) -> None:
    from probe.report import changes
    from probe.report.answer import headline

    ended = made.ended
    if ended is None or ended.report is None or ended.changes is None:
        print(f"{made.audit}: {made.answer or 'no run could be made'}")
    else:
        print(f"{made.audit}, run {ended.run.number}: {headline(ended.report)}")
        color = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
        print(changes.render(ended.changes, width=shutil.get_terminal_size().columns, color=color), end="")
    if made.problem:
        print(f"{made.audit}: {made.problem}", file=sys.stderr)


def _code(made: Made, fail_on: str) -> Exit:
    """Never 0 where nothing was measured, nor for a run that was not made of the files as they are."""
    code = _ANSWERS.get(made.answer, Exit.USAGE)
    report = made.ended.report if made.ended is not None else None
    if made.ended is not None and report is not None and report.summary.coverage and fail_on != "deviation":
        code = _newly(made.ended.changes) if fail_on == "change" else Exit.CONFORMS
    elif code is Exit.DEVIATIONS and fail_on != "deviation":
        code = Exit.USAGE  # no history took it, so nobody knows what is new: what fails is the audit itself
    return Exit.USAGE if code is Exit.CONFORMS and made.problem else code


def _newly(changes: Changes | None) -> Exit:
    from probe.model.change import Turn

    new = changes.of(Turn.NEW, Turn.CHANGED, Turn.FLAPPING, Turn.UNMEASURED) if changes is not None else ()
    rows = [change.now for change in new if change.now is not None]
    if any(row.deviates for row in rows):
        return Exit.DEVIATIONS
    return Exit.INCONCLUSIVE if any(row.unsettled for row in rows) else Exit.CONFORMS


# --- what it is told --------------------------------------------------------------------------------------------------


def _again(given: dict[str, Any]) -> argparse.Namespace:
    """The arguments with the files as they are now. Raises UserError."""
    parser = argparse.ArgumentParser(add_help=False)
    configure(parser)
    arguments = parser.parse_args([])
    for name, value in given.items():
        setattr(arguments, name, value)
    return arguments


def _span(text: str) -> None:
    from probe.audit.schedule import duration

    duration(text)


def _period(text: str) -> None:
    from probe.audit.schedule import every

    every(text)


def _line(text: str) -> None:
    from probe.audit.schedule import cron

    cron(text, "UTC")


def _zone(text: str) -> None:
    from probe.audit.schedule import zone_of

    zone_of(text)


def _place(text: str) -> None:
    from probe.audit.wiring import split

    if text:  # an empty one in a variable undoes what a file says
        split(text)


def _url(text: str) -> None:
    try:
        parts = urlsplit(text)
        usable = not text or (parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0)
    except ValueError:
        usable = False
    if not usable:
        raise UserError(
            f"alerts could not link to {text!r}\n"
            "  hint: the dashboard as a browser is told, such as https://audit.example:8443"
        )


def _count(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or len(text) > 6:
        raise argparse.ArgumentTypeError("a number from 0 to 999999 is wanted")
    return int(text)


def _few(text: str) -> int:
    number = _count(text)
    if not 1 <= number <= 64:
        raise argparse.ArgumentTypeError("a number from 1 to 64 is wanted")
    return number
