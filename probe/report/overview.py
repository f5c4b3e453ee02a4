"""Role by role tables that fit the width: names over the columns where there is room, numbers where not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tabulate import DataRow, TableFormat, tabulate

from probe.report.findings import Weight
from probe.report.text import name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_GAP = "  "
_ROW = DataRow("  ", _GAP, "")
_FORMAT = TableFormat(None, None, None, None, _ROW, _ROW, padding=0, with_header_hide=None)
_NAME = 24


def tables(worst: Mapping[tuple[str, str], Weight], width: int, symbols: Mapping[Weight, str]) -> Iterator[str]:
    """Lines of one table, or of several below each other where the columns do not fit the width."""
    sources = sorted({source for source, _ in worst})
    targets = sorted({target for _, target in worst})
    # Numbers are given to all roles, so that a row's number is its column's too.
    number = {role: str(place) for place, role in enumerate(sorted({*sources, *targets}), 1)}
    room = width - 2 - max(len(name(source, _NAME)) for source in sources)
    if sum(len(_GAP) + len(name(target, _NAME)) for target in targets) <= room:
        yield from _table(worst, sources, {target: name(target, _NAME) for target in targets}, symbols)
        return
    leading = len(_GAP) + max(len(number[source]) for source in sources)
    for chunk in _chunks(targets, number, room - leading):
        yield from _table(worst, sources, {target: number[target] for target in chunk}, symbols, number)
    only_columns = [f"{number[target]} {name(target, _NAME)}" for target in targets if target not in sources]
    if only_columns:
        line = "  columns"
        for piece in only_columns:
            if len(line) + 2 + len(piece) > width:
                yield line
                line = "         "
            line += f"  {piece}"
        yield line


def _chunks(targets: Sequence[str], number: Mapping[str, str], room: int) -> Iterator[list[str]]:
    """The columns in order, as many in a table as fit; one at least."""
    chunk: list[str] = []
    left = room
    for target in targets:
        needed = len(_GAP) + len(number[target])
        if chunk and needed > left:
            yield chunk
            chunk, left = [], room
        chunk.append(target)
        left -= needed
    yield chunk


def _table(
    worst: Mapping[tuple[str, str], Weight],
    sources: Sequence[str],
    columns: Mapping[str, str],
    symbols: Mapping[Weight, str],
    number: Mapping[str, str] | None = None,
) -> list[str]:
    leading = 1 if number is None else 2
    # The header is a row like the others: tabulate would pad a real one by two columns that are not there at 80.
    rows = [[""] * leading + list(columns.values())]
    for source in sources:
        head = [name(source, _NAME)] if number is None else [name(source, _NAME), number[source]]
        rows.append(head + [symbols[worst.get((source, target), Weight.NOTHING)] for target in columns])
    align = ["left"] + ["right"] * (leading - 1) + ["center" if number is None else "right"] * len(columns)
    return tabulate(rows, tablefmt=_FORMAT, colalign=align, disable_numparse=True).splitlines()
