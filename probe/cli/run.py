"""`portcheck run`: the main job, from inventory to report."""

from __future__ import annotations

import os
import shutil
import sys
from typing import TYPE_CHECKING

from probe.cli import settings
from probe.cli.exitcodes import exit_for
from probe.cli.planning import add_arguments, make_plan, seed_of
from probe.cli.running import add_identity, carry_out, identity_of
from probe.errors import UserError

if TYPE_CHECKING:
    import argparse

    from probe.model.result import Report
    from probe.plan import Plan


def configure(parser: argparse.ArgumentParser) -> None:
    add_arguments(parser)
    parser.add_argument("--json", metavar="FILE", help="write the report as JSON; - is stdout, instead of the table")
    parser.add_argument("--html", metavar="FILE", help="write the report as one HTML file")
    parser.add_argument("--junit", metavar="FILE", help="write the report as JUnit XML, for CI")
    add_identity(parser)
    settings.apply(parser)


def run(arguments: argparse.Namespace) -> int:
    from probe.coordinator.run import Terms
    from probe.model.words import Phase

    seed = seed_of(arguments)
    _check_outputs(arguments)
    plan = make_plan(arguments, seed)
    tls = identity_of(arguments)
    if arguments.only and next(plan.all_checks(), None) is None and not _looks_beyond(plan):
        print(f"nothing to check: --only {arguments.only} leaves nothing of the plan", file=sys.stderr)
    terms = Terms(phase=Phase(arguments.phase), seed=seed, rate=arguments.max_rate, tls=tls)
    report, _ = carry_out(plan, terms)
    _write(report, arguments)
    return exit_for(report)


def _looks_beyond(plan: Plan) -> bool:
    """Whether there is something to look for that is no check of the plan."""
    from probe.model.words import Exposure
    from probe.plan.beyond import Beyond

    return plan.wishes.exposure is not Exposure.KNOWN and bool(Beyond(plan).targets)


def _check_outputs(arguments: argparse.Namespace) -> None:
    from probe.report.files import require_writable

    wanted = [path for path in (arguments.json, arguments.html, arguments.junit) if path]
    if wanted.count("-") > 1:
        raise UserError("only one of --json, --html and --junit can go to stdout")
    for path in wanted:
        require_writable(path)


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
