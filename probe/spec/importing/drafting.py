"""Tables to a draft: first what listens, then profiles, then who reaches what. Where the document leaves something
open, there is a guess and a question, or the row itself among the notes.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from probe.model.matrix import EVERY_HOST, OUTSIDE
from probe.model.ports import PortSet
from probe.spec.importing import reading
from probe.spec.importing.columns import Kind, layout, words_of
from probe.spec.importing.entries import Flow, Notes, Profile, at
from probe.spec.importing.reading import Name, Reading, Unsettled
from probe.spec.importing.roles import Roles, slug
from probe.spec.importing.services import Services
from probe.spec.importing.tables import words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from probe.spec.importing.columns import Layout
    from probe.spec.importing.roles import Role
    from probe.spec.importing.tables import Row, Table

# What headings have beside the name of the thing whose ports the table lists.
_FILLERS = words(
    "port network firewall required requirement open used by of for the a an on in to and rule setting default tcp udp "
    "reference table list node host server service connection inbound outbound ingress egress exposed external outside"
)


class Drafting:
    """What the tables of a document come to. `file` is what messages call it; `name` stands for a role that no column
    and no heading names.
    """

    def __init__(self, file: str, name: str) -> None:
        self.name = name
        self.roles = Roles(file)
        self.services = Services()
        self.flows: list[Flow | Notes] = []
        self.profiles: list[Profile | Notes] = []
        self.unread: list[Table] = []
        self._profile_names: set[str] = set()
        self._seen: dict[tuple[object, ...], Flow] = {}

    def take(self, tables: Sequence[Table]) -> None:
        """Draft all that the tables of a document say."""
        numbered = [(number, table, layout(table)) for number, table in enumerate(tables, 1)]
        self._list([each for each in numbered if each[2].kind is Kind.SERVICES])
        for number, table, where in numbered:
            if where.kind is Kind.PROFILES:
                self._profiles(number, table, where)
        for number, table, where in numbered:
            if where.kind is Kind.FLOWS:
                self._connect(number, table, where)
            elif where.kind is Kind.UNKNOWN:
                self.unread.append(table)
        for services in self.services.unsaid():
            lines = at(service.row.line for service in services)
            services[0].notes.questions.append(f"{lines}: no protocol is said: drafted as tcp")

    def _list(self, tables: Sequence[tuple[int, Table, Layout]]) -> None:
        """All names come first: what stands in brackets after one role may be the name of another."""
        rows: list[tuple[int, Row, Reading | Unsettled]] = []
        for number, table, where in tables:
            for row in table.rows:
                try:
                    found = self._reading(row, table, where)
                except Unsettled as error:
                    rows.append((number, row, error))
                    continue
                rows.append((number, row, found))
                for name in found.targets:
                    self.roles.listed(name)
        for number, row, read in rows:
            if isinstance(read, Unsettled):
                self.services.found.append(_unsettled(number, row, read))
                continue
            for name in read.targets:
                role = self.roles.listed(name)
                self.roles.explain(role, name, row.line)
                role.learn(read.help, read.groups)
                self.services.offer(number, row, role, read)

    def _profiles(self, number: int, table: Table, where: Layout) -> None:
        for row in table.rows:
            try:
                found = reading.read_profile(row, table.columns, where)
                name = self._profile(found.name)
            except Unsettled as error:
                self.profiles.append(_unsettled(number, row, error))
                continue
            requires: dict[str, None] = {}
            for each in found.roles:
                role = self.roles.listed(each)
                self.roles.explain(role, each, row.line)
                requires[role.name] = None
            self.profiles.append(Profile(name, tuple(requires), found.help, Notes(number, others=found.others)))

    def _profile(self, text: str) -> str:
        name = slug(text)
        if not name or name in self._profile_names:
            raise Unsettled(f'"{text}" cannot be the name of a profile, or is one already')
        self._profile_names.add(name)
        return name

    def _connect(self, number: int, table: Table, where: Layout) -> None:
        for row in table.rows:
            try:
                flow = self._flow(number, row, self._reading(row, table, where), where)
            except Unsettled as error:
                self.flows.append(_unsettled(number, row, error))
                continue
            key = (flow.sources, flow.services, flow.help, flow.notes.others)
            if key in self._seen:
                kept = self._seen[key]
                kept.notes.ask(row, f"this row repeats that of line {kept.row.line}, and is kept once")
            else:
                self._seen[key] = flow
                self.flows.append(flow)

    def _flow(self, number: int, row: Row, found: Reading, where: Layout) -> Flow:
        """Raises Unsettled before anything is added to the services."""
        questions = list(found.questions)
        sources = self._sources(row, found, where, questions)
        wanted = PortSet(piece for group in found.groups for piece in group.ports.ranges)
        roles = dict.fromkeys(self.roles.role(name, row.line, questions, wanted).name for name in found.targets)
        services = [
            name
            for role in roles
            for group in found.groups
            for name in self.services.reach(number, row, self.roles.called(role), group, questions)
        ]
        notes = Notes(number, others=found.others)
        notes.ask(row, *dict.fromkeys(questions))
        return Flow(sources, tuple(dict.fromkeys(services)), found.help, row, notes)

    def _sources(self, row: Row, found: Reading, where: Layout, questions: list[str]) -> tuple[str, ...]:
        if where.outside:
            if where.inbound:
                questions.append("the heading says inbound: drafted as from outside")
            return (OUTSIDE,)
        if where.source is not None:
            if not found.sources:
                raise Unsettled("there is no source")
            return tuple(dict.fromkeys(self.roles.source(name, row.line, questions) for name in found.sources))
        # No column names the source. The heading may, or the brackets of "LB (agent)".
        role: Role | None = None
        for called in (where.origin, *(name.aside for name in found.targets)):
            role = role or (self.roles.known(called) if called else None)
        source, shown = (role.name, role.name) if role else (EVERY_HOST, "all hosts inside")
        questions.append(f"no column names the source: drafted as from {shown}")
        return (source,)

    def _reading(self, row: Row, table: Table, where: Layout) -> Reading:
        """The values of a row, its role taken from the heading where no column has it."""
        found = reading.read(row, table.columns, where)
        if where.target is None:
            goal = where.goal or _subject(table.heading) or self.name
            question = f"no column names the role of the ports: drafted as those of {goal}"
            return found._replace(targets=(Name(goal),), questions=(*found.questions, question))
        if not found.targets:
            raise Unsettled("there is no role")
        return found


def _unsettled(table: int, row: Row, error: Unsettled) -> Notes:
    notes = Notes(table)
    notes.ask(row, f"not drafted: {error}")
    return notes


def _subject(heading: str) -> str:
    """`master` of "Ports of the master"; empty where a heading says more than a name."""
    left = [word for word in re.findall(r"[\w-]+", heading) if not _FILLERS.intersection(words_of(word))]
    return " ".join(left) if 1 <= len(left) <= 3 else ""
