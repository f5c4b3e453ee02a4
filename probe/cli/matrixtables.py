"""`portcheck matrix show` and `matrix diff`: tables for the terminal, as Markdown, or JSON."""

from __future__ import annotations

import json
import re
import shutil
from typing import TYPE_CHECKING

from probe.cli.exitcodes import Exit

if TYPE_CHECKING:
    import argparse

    from probe.spec.matrix.tables import Table

# How wide a short column may become.
_MOST = (28, 24, 20, 18, 16, 14, 12)


def show(arguments: argparse.Namespace) -> int:
    from probe.spec.matrix import load
    from probe.spec.matrix.asjson import as_json
    from probe.spec.matrix.tables import tables
    from probe.spec.matrix.tellings import one_line

    matrix = load(arguments.names)
    if arguments.json:
        _json(as_json(matrix))
        return Exit.CONFORMS
    names = ", ".join(matrix.names)
    policy = ", ".join(f"{level.value} {zone.value}" for zone, level in matrix.policy.items())
    _print(
        one_line(f"{matrix.title} ({names})" if matrix.title else names), tables(matrix), markdown=arguments.markdown
    )
    print(f"\nOpen, but allowed by no flow: {policy}")
    return Exit.CONFORMS


def diff(arguments: argparse.Namespace) -> int:
    """Exit 0 where the two say the same, 1 where they differ."""
    from probe.spec.matrix import load
    from probe.spec.matrix.diff import as_json, as_tables, compare
    from probe.text import printable

    first, second = load([arguments.first]), load([arguments.second])
    names = (first.names[0], second.names[0])
    if names[0] == names[1]:
        # Two states of one file.
        names = (printable(arguments.first), printable(arguments.second))
    found = compare(first, second, texts=arguments.texts)
    if arguments.json:
        _json(as_json(found, names))
    elif found:
        _print(f"{names[0]} and {names[1]} differ", as_tables(found, names), markdown=arguments.markdown)
    else:
        print(f"{names[0]} and {names[1]} say the same")
    return Exit.DEVIATIONS if found else Exit.CONFORMS


def _json(value: object) -> None:
    print(json.dumps(value, indent=2, ensure_ascii=False))


def _print(heading: str, tables: list[Table], *, markdown: bool) -> None:
    print(f"# {_escaped(heading)}" if markdown else heading)
    for table in tables:
        print(f"\n## {table.title}\n" if markdown else f"\n{table.title}\n")
        print(_markdown(table) if markdown else _terminal(table))


def _terminal(table: Table) -> str:
    """As wide as the terminal at most: the long columns get what the others leave."""
    from tabulate import tabulate

    # As wide as it is read well, on whatever terminal.
    width = max(60, min(shutil.get_terminal_size((80, 24)).columns, 120))
    limits = min((_limits(table, width, most) for most in _MOST), key=lambda limits: _height(table, limits))
    return tabulate(table.rows, headers=table.columns, tablefmt="simple", maxcolwidths=limits, disable_numparse=True)


def _limits(table: Table, width: int, most: int) -> list[int]:
    """A width for each column, none of the short ones wider than `most` for the sake of its cells."""
    # tabulate makes a column at least two wider than its heading, and puts two spaces between columns.
    heads = [len(head) + 2 for head in table.columns]
    cells = [max(map(len, column)) for column in zip(*table.rows, strict=True)]
    short = max(0, len(heads) - table.long)
    limits = [max(head, min(size, most)) for head, size in zip(heads[:short], cells[:short], strict=True)]
    left = width - 2 * (len(heads) - 1) - sum(limits)
    return limits + _shared(left, [max(pair) for pair in zip(heads[short:], cells[short:], strict=True)])


def _height(table: Table, limits: list[int]) -> int:
    """About how many lines it takes; a word that has to be broken is as bad as five more."""
    lines = sum(max(-(-len(cell) // limit) for cell, limit in zip(row, limits, strict=True)) for row in table.rows)
    cells = [(cell, limit) for row in table.rows for cell, limit in zip(row, limits, strict=True)]
    return lines + 5 * sum(len(word) > limit for cell, limit in cells for word in re.split(r"[\s-]", cell))


def _shared(width: int, wanted: list[int]) -> list[int]:
    """What each of the long columns gets: no more than it wants, and of the rest an equal part."""
    limits = dict.fromkeys(range(len(wanted)), 0)
    for done, number in enumerate(sorted(limits, key=lambda number: wanted[number])):
        limits[number] = max(8, min(wanted[number], width // (len(wanted) - done)))
        width -= limits[number]
    return list(limits.values())


def _markdown(table: Table) -> str:
    lines = [table.columns, tuple("---" for _ in table.columns), *(tuple(map(_escaped, row)) for row in table.rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _escaped(text: str) -> str:
    for char in "\\|<*_`[]":
        text = text.replace(char, f"\\{char}")
    return text.replace("\n", " ")
