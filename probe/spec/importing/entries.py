"""The entries of a draft. They grow while tables are read: a later row may raise a question about an earlier one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from probe.model.ports import PortSet

if TYPE_CHECKING:
    from collections.abc import Iterable

    from probe.model.words import Transport
    from probe.spec.importing.tables import Row

# A range this wide is one from which ports are taken as needed.
WIDE = 10


@dataclass
class Notes:
    """What stands above an entry: questions, the rows that they are about, and cells that mean nothing here.

    Alone they are a row that could not be expressed. `table` is the number of the table, from 1.
    """

    table: int
    questions: list[str] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    others: tuple[str, ...] = ()

    def ask(self, row: Row, *questions: str) -> None:
        """Questions about a row, which is shown below them."""
        self.questions += [f"line {row.line}: {question}" for question in questions]
        if questions and row.cells not in [each.cells for each in self.rows]:
            self.rows.append(row)


def at(lines: Iterable[int]) -> str:
    """`line 5`, `lines 5, 6`."""
    listed = [str(line) for line in dict.fromkeys(lines)]
    return f"{'lines' if len(listed) > 1 else 'line'} {', '.join(listed)}"


@dataclass
class Service:
    """`parts` are its ports in the document's order; `said` the protocols that the document names, of one transport."""

    name: str
    role: str
    parts: tuple[str, ...]
    transport: Transport
    said: tuple[str, ...]
    help: str
    row: Row
    notes: Notes
    ports: PortSet = field(init=False)

    def __post_init__(self) -> None:
        self.ports = PortSet.parse(",".join(self.parts))

    @property
    def protocol(self) -> str:
        """Where several are said, what carries them all: that much is true of each port."""
        return self.said[0] if len(self.said) == 1 else str(self.transport)

    @property
    def wide(self) -> bool:
        return any("-" in part and len(PortSet.parse(part)) > WIDE for part in self.parts)


@dataclass
class Flow:
    """`sources` and `services` are names."""

    sources: tuple[str, ...]
    services: tuple[str, ...]
    help: str
    row: Row
    notes: Notes


@dataclass
class Profile:
    """`requires` are names of roles."""

    name: str
    requires: tuple[str, ...]
    help: str
    notes: Notes
