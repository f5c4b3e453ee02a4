"""Where a report goes, and in which formats: the options that `run` and `report` share, and what they stand for."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, NamedTuple

from probe.cli import reader, settings
from probe.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from probe.model.result import Report

# Listed here too, so that --help needs none of them; a test holds the two together.
NAMES = ("text", "json", "jsonl", "html", "junit", "markdown", "csv", "nmap", "prometheus")
_SHORT = {"json": "the report as JSON", "html": "the report as one HTML file", "junit": "JUnit XML, for CI"}


class Output(NamedTuple):
    """One place, `-` being stdout, and the name of the format."""

    path: str
    format: str


class _Format(argparse.Action):
    """Holds for the next --output. Which that is only the order of the words tells, so it is kept aside until then."""

    def __call__(self, _: object, namespace: argparse.Namespace, values: Any, __: str | None = None) -> None:
        if getattr(namespace, "pending", None):
            raise argparse.ArgumentError(self, f"--format {namespace.pending} is followed by another, and no --output")
        namespace.pending = values


class _Output(settings.Repeated):
    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        given = Output(values, getattr(namespace, "pending", None) or "")
        namespace.pending = None
        super().__call__(parser, namespace, given, option_string)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        action=_Output,
        help="write the report, in the format that the name ends in (.txt .json .jsonl .html .xml for JUnit .md .csv "
        ".nmap.xml .prom) or --format before it says; several may be given; - is stdout, instead of the table",
    )
    parser.add_argument(
        "--format",
        choices=NAMES,
        metavar="NAME",
        action=_Format,
        help=f"the format of the --output behind it, or of stdout where none follows: {', '.join(NAMES)}",
    )
    for name, what in _SHORT.items():
        parser.add_argument(f"--{name}", metavar="FILE", help=f"{what}: short for --format {name} --output FILE")


def wanted(arguments: argparse.Namespace) -> tuple[Output, ...]:
    """All of them, stdout's too, the table where nothing else goes there. Raises UserError for what cannot be meant,
    and for files that cannot be written: after a long run is a bad moment to find out.
    """
    from probe.report.files import require_writable
    from probe.report.formats import by_extension

    given = [one if isinstance(one, Output) else Output(one, "") for one in arguments.output or ()]
    outputs = [Output(path, form or by_extension(path)) for path, form in given]
    outputs += [Output(path, name) for name in _SHORT if (path := getattr(arguments, name))]
    if pending := getattr(arguments, "pending", None):
        outputs.append(Output("-", pending))
    elif arguments.format and not any(path == "-" for path, _ in outputs):  # what settings say
        outputs.append(Output("-", arguments.format))
    paths = [path for path, _ in outputs]
    if paths.count("-") > 1:
        names = " and ".join(form for path, form in outputs if path == "-")
        raise UserError(f"only one report can go to stdout, not {names}\n  hint: name a file for the others")
    if twice := next((path for path in paths if paths.count(path) > 1), None):
        raise UserError(f"{twice}: two reports cannot go into one file\n  hint: name another file for one of them")
    for path in paths:
        require_writable(path)
    return tuple(outputs) if "-" in paths else (*outputs, Output("-", "text"))


def write(report: Report, outputs: Iterable[Output]) -> None:
    """Files first, so that a table that nobody reads to its end does not cost them; one that cannot be written does not
    cost the others.
    """
    from probe.report import files, formats

    troubles = []
    for path, form in sorted(outputs, key=lambda output: output.path == "-"):
        try:
            with reader.may_go() if path == "-" else nullcontext():
                if (path, form) == ("-", "text"):
                    _print(report)
                else:
                    files.write(path, formats.render(form, report))
        except UserError as error:
            troubles.append(str(error))
    if troubles:
        raise UserError("\n".join(troubles))


def _print(report: Report) -> None:
    """The table, as wide as the terminal."""
    from probe.report import terminal

    color = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    print(terminal.render(report, width=shutil.get_terminal_size().columns, color=color), end="")
