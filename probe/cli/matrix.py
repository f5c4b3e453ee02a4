"""`portcheck matrix`: list, show, diff, lint, import, schema."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from probe.cli import importing, matrixtables
from probe.cli.exitcodes import Exit

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from probe.model.matrix import Matrix, Remark

NAME_HELP = "a built-in matrix, a file, or - for standard input"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the actions and their arguments."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    actions.add_parser("list", help="the built-in matrices")
    show = actions.add_parser("show", help="the tables of a matrix, as its document has them")
    show.add_argument("names", nargs="+", metavar="NAME", help=f"{NAME_HELP}; several are merged")
    diff = actions.add_parser("diff", help="where two matrices disagree; exit code 1 if they do")
    diff.add_argument("first", metavar="A", help=NAME_HELP)
    diff.add_argument("second", metavar="B", help=NAME_HELP)
    diff.add_argument("--texts", action="store_true", help="compare descriptions and remedies too")
    for tables in (show, diff):
        form = tables.add_mutually_exclusive_group()
        form.add_argument("--markdown", action="store_true", help="as Markdown")
        form.add_argument("--json", action="store_true", help="as JSON")
    lint = actions.add_parser("lint", help="every error and every warning, each with its place")
    lint.add_argument("names", nargs="+", metavar="NAME", help=NAME_HELP)
    lint.add_argument(
        "-i",
        "--inventory",
        metavar="FILE",
        help="lay it over this inventory: services that get in each other's way, rows that lead nowhere",
    )
    lint.add_argument(
        "--merged", action="store_true", help="take them together, as run does with several --matrix; else each alone"
    )
    importing.configure(actions.add_parser("import", help="draft a matrix from the port tables of a document"))
    actions.add_parser("schema", help="the JSON Schema of the language, for editors")


def run(arguments: argparse.Namespace) -> int:
    """Exit 4 where lint finds an error."""
    if arguments.action == "list":
        return _list()
    if arguments.action == "show":
        return matrixtables.show(arguments)
    if arguments.action == "diff":
        return matrixtables.diff(arguments)
    if arguments.action == "lint":
        return _lint(arguments.names, merged=arguments.merged, inventory=arguments.inventory)
    if arguments.action == "import":
        return importing.run(arguments)
    from probe.spec.matrix.schema import schema

    print(json.dumps(schema(), indent=2))
    return Exit.CONFORMS


def _list() -> int:
    from tabulate import tabulate

    from probe.spec.matrix import builtin, load
    from probe.spec.matrix.tellings import one_line

    rows = []
    for name in builtin():
        matrix = load([name])
        rows.append((name, one_line(matrix.title), len(matrix.roles), len(matrix.services), len(matrix.flows)))
    print(tabulate(rows, headers=("NAME", "TITLE", "ROLES", "SERVICES", "FLOWS"), tablefmt="plain"))
    return Exit.CONFORMS


def _lint(names: list[str], *, merged: bool, inventory: str | None) -> int:
    """With an inventory, also what is worth a look when the two are laid over each other."""
    from probe.errors import UserError
    from probe.spec.diagnostics import Severity
    from probe.spec.matrix import lint
    from probe.text import printable

    remarks = None
    if inventory is not None:
        from probe.plan import Plan, Wishes
        from probe.plan.lint import remarks_on
        from probe.spec import inventory as inventories

        hosts = inventories.load(inventory)

        def remarks(matrix: Matrix) -> Iterable[Remark]:
            return remarks_on(Plan(matrix, hosts, Wishes()))

    failed = False
    for group in [names] if merged else [[name] for name in names]:
        try:
            found = lint(group, remarks)
        except UserError as error:
            print(error, file=sys.stderr)
            failed = True
            continue
        for diagnostic in found:
            print(diagnostic.render())
        errors = sum(diagnostic.severity is Severity.ERROR for diagnostic in found)
        failed = failed or errors > 0
        print(f"{printable(' + '.join(group))}: {_count(errors, 'error')}, {_count(len(found) - errors, 'warning')}")
    return Exit.USAGE if failed else Exit.CONFORMS


def _count(number: int, word: str) -> str:
    return f"{number or 'no'} {word}{'' if number == 1 else 's'}"
