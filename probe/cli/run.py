"""`portcheck run`: the main job, from inventory to report."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
from typing import TYPE_CHECKING

from probe.cli import settings
from probe.cli.exitcodes import exit_for
from probe.cli.planning import add_arguments, make_plan, seed_of
from probe.errors import UserError

if TYPE_CHECKING:
    import argparse

    from probe.coordinator.run import Terms
    from probe.model.result import Report
    from probe.plan import Plan


def configure(parser: argparse.ArgumentParser) -> None:
    add_arguments(parser)
    parser.add_argument("--json", metavar="FILE", help="write the report as JSON; - is stdout, instead of the table")
    parser.add_argument("--html", metavar="FILE", help="write the report as one HTML file")
    parser.add_argument("--junit", metavar="FILE", help="write the report as JUnit XML, for CI")
    parser.add_argument(
        "--identity",
        metavar="FILE",
        help="DIR/coordinator.pem, to reach agents that run as daemons (portcheck pki init)",
    )
    settings.apply(parser)


def run(arguments: argparse.Namespace) -> int:
    from probe.coordinator.run import Terms
    from probe.model.words import Phase

    seed = seed_of(arguments)
    _check_outputs(arguments)
    plan = make_plan(arguments, seed)
    tls = None
    if arguments.identity:
        from probe.wire import identity

        tls = identity.client_context(identity.load(arguments.identity))
    if arguments.only and next(plan.all_checks(), None) is None:
        print(f"nothing to check: --only {arguments.only} leaves nothing of the plan", file=sys.stderr)
    terms = Terms(phase=Phase(arguments.phase), seed=seed, rate=arguments.max_rate, tls=tls)
    report = asyncio.run(_execute(plan, terms))
    _write(report, arguments)
    return exit_for(report)


def _check_outputs(arguments: argparse.Namespace) -> None:
    from probe.report.files import require_writable

    wanted = [path for path in (arguments.json, arguments.html, arguments.junit) if path]
    if wanted.count("-") > 1:
        raise UserError("only one of --json, --html and --junit can go to stdout")
    for path in wanted:
        require_writable(path)


async def _execute(plan: Plan, terms: Terms) -> Report:
    """One Ctrl-C ends the run in order, with a partial report; a second one ends the process."""
    from probe.coordinator.run import Run
    from probe.report.progress import Progress

    progress = Progress()
    run_ = Run(plan, terms, progress.update)
    loop = asyncio.get_running_loop()

    def stop() -> None:
        progress.close()
        print("interrupted: ending in order, with what is known so far (again to end at once)", file=sys.stderr)
        run_.stop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    try:
        return await run_.execute()
    finally:
        progress.close()


def _write(report: Report, arguments: argparse.Namespace) -> None:
    """Files first, so that a table that nobody reads to its end does not cost them; one that cannot be written does not
    cost the others.
    """
    from probe.report import html, json, junit
    from probe.report.files import write

    wanted = ((arguments.json, json), (arguments.html, html), (arguments.junit, junit))
    troubles = []
    for path, format_ in wanted:
        if path and path != "-":
            try:
                write(path, format_.render(report))
            except UserError as error:
                troubles.append(str(error))
    to_stdout = next((format_ for path, format_ in wanted if path == "-"), None)
    if to_stdout is not None:
        write("-", to_stdout.render(report))
    else:
        from probe.report import terminal

        color = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
        print(terminal.render(report, width=shutil.get_terminal_size().columns, color=color), end="")
    if troubles:
        raise UserError("\n".join(troubles))
