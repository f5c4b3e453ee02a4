"""`portcheck waivers`: lint, schema. And what `run` and `report` need to lay waivers over what was found."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from probe.cli.exitcodes import Exit

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from probe.model.result import Report
    from probe.model.waiver import Waiver


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the actions and their arguments."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    lint = actions.add_parser("lint", help="every error and every warning of a file, each with its place")
    lint.add_argument("file", metavar="FILE", help="a file of waivers (docs/waivers.md), or - for standard input")
    actions.add_parser("schema", help="the JSON Schema of the format, for editors")


def run(arguments: argparse.Namespace) -> int:
    """Exit 4 where lint finds an error."""
    from probe.spec import waivers

    if arguments.action == "schema":
        print(json.dumps(waivers.schema(), indent=2))
        return Exit.CONFORMS
    from probe.report.text import count
    from probe.spec.matrix.files import label

    read = waivers.load(arguments.file)
    for warning in read.warnings:
        print(warning.render())
    print(f"{label(arguments.file)}: {count(len(read.waivers), 'waiver')}, {count(len(read.warnings), 'warning')}")
    return Exit.CONFORMS


def add_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--waivers", metavar="FILE", help="deviations that are accepted, by whom and until when (docs/waivers.md)"
    )


def accepted(arguments: argparse.Namespace) -> Sequence[Waiver] | None:
    """None where no file is named; its warnings go to stderr. Raises UserError."""
    if not arguments.waivers:
        return None
    from probe.spec import waivers

    read = waivers.load(arguments.waivers)
    for warning in read.warnings:
        print(warning.render(), file=sys.stderr)
    return read.waivers


def laid_over(report: Report, waivers: Sequence[Waiver] | None) -> Report:
    """As of today, as this machine's calendar has it; without a file the report as it is."""
    if waivers is None:
        return report
    import datetime as dt

    from probe.model.waiving import apply

    return apply(report, waivers, dt.datetime.now().astimezone().date())
