"""`portcheck report`: a kept report once more, in any format."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from probe.cli import outputs, waivers
from probe.cli.exitcodes import Exit
from probe.errors import UserError
from probe.text import printable

if TYPE_CHECKING:
    import argparse

_LARGEST = 1024**3


def configure(parser: argparse.ArgumentParser) -> None:
    """No settings: what files say of outputs is about runs."""
    parser.add_argument("file", metavar="FILE.json", help="a JSON report of portcheck run, or - for standard input")
    waivers.add_argument(parser)
    outputs.add_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Exit 0 whatever the report says: it has been shown."""
    from probe.report import json

    wanted = outputs.wanted(arguments)
    accepted = waivers.accepted(arguments)
    report = json.parse(_read(arguments.file), printable(arguments.file))
    outputs.write(waivers.laid_over(report, accepted), wanted)
    return Exit.CONFORMS


def _read(path: str) -> bytes:
    try:
        with sys.stdin.buffer if path == "-" else Path(path).open("rb") as file:
            data = file.read(_LARGEST + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UserError(
            f"{printable(path)}: cannot be read: {reason}\n  hint: `portcheck run --json FILE` writes one"
        ) from error
    if len(data) > _LARGEST:
        raise UserError(f"{printable(path)}: larger than 1 GiB: this is no report")
    return data
