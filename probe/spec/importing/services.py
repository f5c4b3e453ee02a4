"""The services of a draft: those of the tables of ports, and those that only a connection speaks of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from probe.spec.importing.entries import Notes, Service
from probe.spec.importing.reading import Group, by_transport
from probe.spec.importing.roles import unique

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from probe.model.ports import PortSet
    from probe.model.words import Transport
    from probe.spec.importing.reading import Reading
    from probe.spec.importing.roles import Role
    from probe.spec.importing.tables import Row


class Services:
    """`found` has services, and notes of rows that could not be expressed, in the order of the document."""

    def __init__(self) -> None:
        self.found: list[Service | Notes] = []
        self._of_role: dict[str, list[Service]] = {}
        self._taken: set[str] = set()

    def offer(self, table: int, row: Row, role: Role, found: Reading) -> None:
        """The services of a row in a table of ports. One that is there already is asked about, and kept once."""
        for group in found.groups:
            for transport, said in by_transport(group.protocols).items():
                twin = self._twin(role, group.ports, transport)
                if twin is None:
                    made = self._add(table, row, role, Group(group.parts, said), transport, found.help)
                    made.notes.others = found.others
                    made.notes.ask(row, *found.questions)
                elif (twin.said, twin.help) == (said, found.help):
                    twin.notes.ask(row, f"this row repeats that of line {twin.row.line}, and is kept once")
                else:
                    twin.notes.ask(row, f"the ports of line {twin.row.line} once more, in other words: not drafted")

    def reach(self, table: int, row: Row, role: Role, group: Group, questions: list[str]) -> Iterator[str]:
        """The names of the services of a role that are these ports; those that are not there yet are added."""
        carried = by_transport(group.protocols)
        known = [
            service
            for service in self._of_role.get(role.name, ())
            if (service.transport in carried or not group.protocols) and not service.ports - group.ports
        ]
        for service in known:
            self._agree(service, carried.get(service.transport, ()), questions)
            yield service.name
        for transport, said in carried.items():
            left = group.ports
            for service in known:
                if service.transport is transport or not group.protocols:
                    left -= service.ports
            if left:
                parts = group.parts if left == group.ports else tuple(str(left).split(","))
                made = self._add(table, row, role, Group(parts, said), transport, "")
                if role.ports:
                    made.notes.ask(row, f"no table of ports has {left} for {role.name}")
                yield made.name

    def unsaid(self) -> Iterator[Sequence[Service]]:
        """The services whose protocol no row says, those of each table together."""
        tables: dict[int, list[Service]] = {}
        for service in self.found:
            if isinstance(service, Service) and not service.said:
                tables.setdefault(service.notes.table, []).append(service)
        yield from tables.values()

    def _twin(self, role: Role, ports: PortSet, transport: Transport) -> Service | None:
        known = self._of_role.get(role.name, ())
        return next((each for each in known if each.ports == ports and each.transport is transport), None)

    def _add(self, table: int, row: Row, role: Role, group: Group, transport: Transport, text: str) -> Service:
        base = f"{role.name}-{group.parts[0]}"
        name = unique(f"{base}-{transport}" if base in self._taken else base, self._taken)
        made = Service(name, role.name, group.parts, transport, group.protocols, text, row, Notes(table))
        if len(made.said) > 1:
            many = "which port speaks which" if len(made.ports) > 1 else "which is it"
            made.notes.ask(row, f"{_spoken(made.said)}: {many}? Drafted as {transport}, which holds for all of them")
        self._taken.add(name)
        self._of_role.setdefault(role.name, []).append(made)
        self.found.append(made)
        return made

    @staticmethod
    def _agree(service: Service, said: tuple[str, ...], questions: list[str]) -> None:
        if not service.said:
            service.said = said
        elif said not in {(), (service.transport.value,)} and set(said) != set(service.said):
            questions.append(
                f"{_spoken(said)} here, {_spoken(service.said)} in line {service.row.line}: "
                f"{service.name} is drafted as {service.protocol}"
            )


def _spoken(said: Sequence[str]) -> str:
    return ", ".join(said).upper()
