"""`portcheck matrix`: list, show, lint, schema."""

from __future__ import annotations

import json
import shutil
import sys
from typing import TYPE_CHECKING

from probe.cli.exitcodes import Exit

if TYPE_CHECKING:
    import argparse

    from probe.spec.matrix.tables import Table

NAME_HELP = "a built-in matrix, a file, or - for standard input"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the actions and their arguments."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    actions.add_parser("list", help="the built-in matrices")
    show = actions.add_parser("show", help="the tables of a matrix, as its document has them")
    show.add_argument("names", nargs="+", metavar="NAME", help=f"{NAME_HELP}; several are merged")
    form = show.add_mutually_exclusive_group()
    form.add_argument("--markdown", action="store_true", help="as Markdown")
    form.add_argument("--json", action="store_true", help="as JSON")
    lint = actions.add_parser("lint", help="every error and every warning, each with its place")
    lint.add_argument("names", nargs="+", metavar="NAME", help=NAME_HELP)
    lint.add_argument(
        "--merged", action="store_true", help="take them together, as run does with several --matrix; else each alone"
    )
    actions.add_parser("schema", help="the JSON Schema of the language, for editors")


def run(arguments: argparse.Namespace) -> int:
    """Exit 4 where lint finds an error."""
    if arguments.action == "list":
        return _list()
    if arguments.action == "show":
        return _show(arguments.names, markdown=arguments.markdown, as_json=arguments.json)
    if arguments.action == "lint":
        return _lint(arguments.names, merged=arguments.merged)
    from probe.spec.matrix.schema import schema

    print(json.dumps(schema(), indent=2))
    return Exit.CONFORMS


def _list() -> int:
    from tabulate import tabulate

    from probe.spec.matrix import builtin, load
    from probe.spec.matrix.tables import one_line

    rows = []
    for name in builtin():
        matrix = load([name])
        rows.append((name, one_line(matrix.title), len(matrix.roles), len(matrix.services), len(matrix.flows)))
    print(tabulate(rows, headers=("NAME", "TITLE", "ROLES", "SERVICES", "FLOWS"), tablefmt="plain"))
    return Exit.CONFORMS


def _show(names: list[str], *, markdown: bool, as_json: bool) -> int:
    from probe.spec.matrix import load, tables

    matrix = load(names)
    if as_json:
        print(json.dumps(tables.as_json(matrix), indent=2, ensure_ascii=False))
        return Exit.CONFORMS
    heading = tables.one_line(
        f"{matrix.title} ({', '.join(matrix.names)})" if matrix.title else ", ".join(matrix.names)
    )
    policy = "Open, but allowed by no flow: " + ", ".join(
        f"{level.value} {zone.value}" for zone, level in matrix.policy.items()
    )
    print(f"# {_escaped(heading)}" if markdown else heading)
    for table in tables.tables(matrix):
        print(f"\n## {table.title}\n" if markdown else f"\n{table.title}\n")
        print(_markdown(table) if markdown else _terminal(table))
    print(f"\n{policy}")
    return Exit.CONFORMS


def _terminal(table: Table) -> str:
    """As wide as the terminal at most: the long last column gets what the others leave."""
    from tabulate import tabulate

    # As wide as it is read well, on whatever terminal.
    width = max(60, min(shutil.get_terminal_size((80, 24)).columns, 120))
    # tabulate makes a column at least two wider than its heading, and puts two spaces between columns.
    cells = [max(map(len, column)) for column in zip(*table.rows, strict=True)]
    limits = [max(len(head) + 2, min(size, 16)) for head, size in zip(table.columns, cells, strict=True)][:-1]
    limits.append(max(16, width - sum(limits) - 2 * len(limits)))
    return tabulate(table.rows, headers=table.columns, tablefmt="simple", maxcolwidths=limits, disable_numparse=True)


def _markdown(table: Table) -> str:
    lines = [table.columns, tuple("---" for _ in table.columns), *(tuple(map(_escaped, row)) for row in table.rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _escaped(text: str) -> str:
    for char in "\\|<*_`[]":
        text = text.replace(char, f"\\{char}")
    return text


def _lint(names: list[str], *, merged: bool) -> int:
    from probe.errors import UserError
    from probe.spec.diagnostics import Severity
    from probe.spec.matrix import lint
    from probe.text import printable

    failed = False
    for group in [names] if merged else [[name] for name in names]:
        try:
            found = lint(group)
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
