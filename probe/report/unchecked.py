"""What the matrix asks for and nobody can probe: its sentences, the same in every format."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from probe.model.words import Need
from probe.report.text import count, listed, name, sentence

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from probe.model.check import Unchecked


def heading(rows: Sequence[Unchecked]) -> str:
    return f"Not checkable: {count(len(rows), 'row')} of the matrix"


def total(rows: Sequence[Unchecked]) -> str:
    """`4 rows of the matrix cannot be checked`."""
    return f"{count(len(rows), 'row')} of the matrix cannot be checked"


def because(rows: Sequence[Unchecked]) -> str:
    """The same with the reason that most of them have; `rows` are not empty."""
    first, *others = by_reason(rows)
    more = f", and for {count(len(others), 'other reason')}" if others else ""
    return f"{total(rows)}: {sentence(first, 160)}{more}"


def by_reason(rows: Iterable[Unchecked]) -> dict[str, list[Unchecked]]:
    """Rows that have a reason in common, the most frequent reason first."""
    groups: defaultdict[str, list[Unchecked]] = defaultdict(list)
    for row in rows:
        groups[row.reason].append(row)
    return dict(sorted(groups.items(), key=lambda item: -len(item[1])))


def parties(words: Iterable[str]) -> str:
    """Roles or endpoints of one end, as the row has them."""
    return listed((name(word) for word in words), 4) or "-"


def asked(row: Unchecked) -> str:
    """Protocol and ports in the matrix's own words: `icmp/8`, `tcp random`."""
    return " ".join(name(part, 40) for part in (row.protocol, row.ports) if part) or "-"


def what(row: Unchecked) -> str:
    """The service, how it is spoken to, and what it is worth: `mountd, sunrpc random (optional)`."""
    need = "" if row.need is Need.REQUIRED else f" ({row.need})"
    return f"{name(row.service)}, {asked(row)}{need}"


def source(row: Unchecked) -> str:
    """Where the matrix says so: `aiware flows[3], cites ports`."""
    return f"{name(row.matrix)} {name(row.rule)}" + (f", cites {name(row.cite)}" if row.cite else "")
