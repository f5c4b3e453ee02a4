"""`portcheck matrix import`: a draft of a matrix from the port tables of a document."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from probe.cli.exitcodes import Exit
from probe.errors import UserError
from probe.text import printable

if TYPE_CHECKING:
    import argparse

    from probe.spec.importing import Draft


def configure(parser: argparse.ArgumentParser) -> None:
    """Fill in the arguments of `portcheck matrix import`."""
    parser.add_argument("file", metavar="FILE", help="Markdown, HTML or CSV; - is standard input")
    parser.add_argument("--name", metavar="NAME", default="", help="the name of the matrix; that of the file otherwise")
    parser.add_argument("-o", "--output", metavar="OUT", default="-", help="where to write the draft (default: stdout)")
    parser.add_argument("--force", action="store_true", help="replace OUT if it is there")


def run(arguments: argparse.Namespace) -> int:
    """Write the draft to OUT, and to stderr what it has; exit 4 where there is nothing to draft."""
    from probe.report import files as output
    from probe.spec.importing import import_text
    from probe.spec.matrix import files
    from probe.spec.matrix.kinds import NAME, NAME_FORM

    if arguments.name and not re.fullmatch(NAME, arguments.name):
        raise UserError(f"--name: {arguments.name!r} cannot be a name\n  hint: {NAME_FORM}")
    out = arguments.output
    if out != "-" and not arguments.force and Path(out).exists():
        raise UserError(f"{printable(out)}: is there already\n  hint: name another file, or say --force")
    draft = import_text(files.text_of(arguments.file), files.label(arguments.file), arguments.name)
    output.write(out, draft.text)
    print(_summary(draft), file=sys.stderr)
    return Exit.CONFORMS


def _summary(draft: Draft) -> str:
    made = [_count(draft.roles, "role"), _count(draft.services, "service"), _count(draft.flows, "flow")]
    made += [_count(draft.profiles, "profile")] if draft.profiles else []
    asked = f"{_count(len(draft.questions), 'question')}: search for '# ?'" if draft.questions else "no questions"
    return f"drafted {', '.join(made)} from {_count(draft.tables, 'table')}; {asked}"


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"
