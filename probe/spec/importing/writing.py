"""A draft as the text of a matrix: the entries in the document's order, with their questions above them."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING

from probe.errors import UserError
from probe.model.matrix import EVERY_HOST
from probe.spec.importing.entries import Flow, Notes, Profile, Service, at
from probe.spec.importing.tables import TOO_MUCH
from probe.spec.importing.yaml import Value, comment, entry, joined, value
from probe.spec.matrix.files import MAX_BYTES
from probe.spec.matrix.tree import MAX_NODES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from probe.spec.importing.drafting import Drafting
    from probe.spec.importing.roles import Role
    from probe.spec.importing.tables import Document, Table

MARK = "? "


class Writing:
    """The text grows line by line; `questions` are those that it has, `values` counts what a reader will count."""

    def __init__(self, file: str, document: Document, drafting: Drafting) -> None:
        self.file = file
        self.document = document
        self.drafting = drafting
        self.questions: list[str] = []
        self.lines: list[str] = []
        self.values = 0

    def text(self, name: str) -> str:
        """Raises UserError for more than a matrix may hold."""
        drafting = self.drafting
        self._head(name)
        self._sources()
        self._section("roles")
        for role in drafting.roles.found:
            self._role(role)
        self._entries("services", drafting.services.found)
        self._entries("flows", drafting.flows)
        if not any(isinstance(each, Flow) for each in drafting.flows):
            self._flow_to_all()
        if drafting.profiles:
            self._entries("profiles", drafting.profiles)
        for table in drafting.unread:
            self._unread(table)
        text = joined(self.lines)
        if self.values > MAX_NODES or len(text.encode()) > MAX_BYTES:
            raise UserError(f"{self.file}: the draft would be larger than a matrix may be\n  hint: {TOO_MUCH}")
        return text

    def _head(self, name: str) -> None:
        origin = f"Drafted from {PurePath(self.file).name}: lay it beside the document."
        left = "What the document leaves open is a comment with a question mark: answer it, and delete the comment."
        self.lines += comment(f"{origin} {left}", "")
        self.lines += ["", "portcheck: 1", f"name: {value(name)}"]
        if self.document.title:
            self.lines.append(f"title: {value(self.document.title, inside=False)}")
        self.values += 6

    def _sources(self) -> None:
        self._section("sources")
        found = [*self.drafting.services.found, *self.drafting.flows]
        for number in sorted({_notes(each).table for each in found if not isinstance(each, Notes)}):
            self._entry(f"  {_cite(number)}:", {"title": _title(self.document.tables[number - 1])})

    def _section(self, name: str) -> None:
        self.lines += ["", f"{name}:"]
        self.values += 2

    def _role(self, role: Role) -> None:
        for question, lines in role.notes.items():
            self._ask(f"{at(lines)}: {question}" if lines else question)
        values: dict[str, Value] = {"on": EVERY_HOST} if role.every_host else {}
        self._entry(f"  {value(role.name)}:", values | ({"aliases": tuple(role.aliases)} if role.aliases else {}))

    def _entries(self, section: str, entries: Sequence[Service | Flow | Profile | Notes]) -> None:
        """The key of the section only where an entry follows: without one it would be no YAML for what is expected."""
        if any(not isinstance(each, Notes) for each in entries):
            self._section(section)
        table = 0
        for each in entries:
            notes = _notes(each)
            if notes.table != table:
                table = notes.table
                found = self.document.tables[table - 1]
                if not self.lines[-1].endswith(":"):
                    self.lines.append("")
                self.lines += comment(f"Line {found.line}: {_title(found)}", "  ")
            self._notes(notes)
            match each:
                case Service():
                    self._entry(f"  {value(each.name)}:", _service(each))
                case Flow():
                    self._entry("  -", _flow(each))
                case Profile():
                    self._entry(f"  {value(each.name)}:", {"requires": each.requires} | _help(each.help))
                case Notes():
                    pass

    def _flow_to_all(self) -> None:
        """A matrix without flows says nothing. What nobody asks for must not fail a run."""
        services = tuple(each.name for each in self.drafting.services.found if isinstance(each, Service))
        self._section("flows")
        self._ask("no table says who connects to these services: drafted as optional, from all hosts inside")
        self._entry("  -", {"from": EVERY_HOST, "to": services, "need": "optional"})

    def _unread(self, table: Table) -> None:
        self.lines.append("")
        self._ask(f"line {table.line}: this table has no column of ports, and is not drafted", "")
        for text in (f"| {' | '.join(table.columns)} |", *map(str, table.rows)):
            self.lines += comment(f"  {text}", "")

    def _notes(self, notes: Notes) -> None:
        for question in notes.questions:
            self._ask(question)
        for row in notes.rows:
            self.lines += comment(str(row), "  ", "  ")
        for other in notes.others:
            self.lines += comment(f"also: {other}", "  ")

    def _ask(self, question: str, indent: str = "  ") -> None:
        self.questions.append(question)
        self.lines += comment(question, indent, MARK)

    def _entry(self, start: str, values: dict[str, Value]) -> None:
        self.values += 2 + sum(2 + (len(of) if isinstance(of, tuple) else 0) for of in values.values())
        self.lines += entry(start, values)


def _notes(each: Service | Flow | Profile | Notes) -> Notes:
    return each if isinstance(each, Notes) else each.notes


def _title(table: Table) -> str:
    return table.heading or f"table in line {table.line}"


def _cite(table: int) -> str:
    return f"table-{table}"


def _help(text: str) -> dict[str, Value]:
    return {"help": text} if text else {}


def _service(service: Service) -> dict[str, Value]:
    parts = tuple(part if "-" in part else int(part) for part in service.parts)
    values: dict[str, Value] = {"role": service.role, "port": parts if len(parts) > 1 else parts[0]}
    values["protocol"] = service.protocol
    if service.wide:
        values["listen"] = "some"
    return values | _help(service.help) | {"cite": _cite(service.notes.table)}


def _flow(flow: Flow) -> dict[str, Value]:
    values: dict[str, Value] = {"from": _one_or_many(flow.sources), "to": _one_or_many(flow.services)}
    return values | _help(flow.help) | {"cite": _cite(flow.notes.table)}


def _one_or_many(names: tuple[str, ...]) -> Value:
    return names if len(names) > 1 else names[0]
