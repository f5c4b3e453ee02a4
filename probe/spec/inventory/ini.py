"""The INI syntax: `hosts.txt`.

Two rules differ between the kinds of section, and who knows only one of them reads wrong values. On a host line all is
split as a shell would split it (quotes are taken off, # starts a comment), then each value is read as a Python literal.
In `[group:vars]` all that follows the first `=` is one literal, and # in it belongs to the value.
"""

from __future__ import annotations

import io
import re
import shlex
from typing import TYPE_CHECKING

from probe.spec.diagnostics import nearest
from probe.spec.inventory import literal
from probe.spec.inventory.draft import UNGROUPED, quoted
from probe.spec.inventory.hostpattern import PatternError, expand

if TYPE_CHECKING:
    from collections.abc import Iterator

    from probe.spec.inventory.draft import Draft
    from probe.spec.inventory.source import Origin, Source

_SECTION = re.compile(r"\[([^:\]\s]+)(?::(\w+))?\]\s*(?:#.*)?\Z")
_CHILD = re.compile(r"([^:\]\s]+)\s*(?:#.*)?\Z")
_KINDS = ("hosts", "children", "vars")
# What stands under a header that could not be read is not judged: it would only repeat the one problem.
_SKIP = ""
# Lines without quotes, escapes and comments need no shell rules, and are nearly all.
_SIMPLE = re.compile(r"[^\\'\"#]*\Z")
_WORD = re.compile(r"[^ \t\r\n]+")


def read(draft: Draft, source: Source) -> None:
    """Raises SpecError only where the bounds are exceeded; other problems are noted in the draft."""
    if source.foreign:
        hint = "give an inventory in YAML a name that ends in .yml"
        raise draft.stop(source.at(source.foreign, 1), "this is YAML, and the name of the file says INI", hint)
    reader = _Reader(draft, source)
    for number, line in enumerate(source.lines, 1):
        reader.line(number, line)
    reader.end()


class _Reader:
    def __init__(self, draft: Draft, source: Source) -> None:
        self.draft = draft
        self.at = source.at
        self.group = UNGROUPED
        self.kind = "hosts"
        # Groups that are used and not declared yet: who wants them as a child, and where; where their variables are.
        self.wanted: dict[str, dict[str, Origin]] = {}
        self.given: dict[str, Origin] = {}
        self.declared = set(self.draft.groups)
        self.set_before: dict[tuple[str, str], int] = {}

    def line(self, number: int, raw: str) -> None:
        text = raw.strip()
        if not text or text[0] in ";#":
            return
        column = raw.index(text) + 1
        if _SECTION.match(text):
            self.section(number, column, text)
        elif text.startswith("[") and (text.endswith("]") or not _hosts_in_brackets(text)):
            self.bad_section(number, column, text)
        elif self.kind == "hosts":
            self.hosts(number, column, text)
        elif self.kind == "vars":
            self.variable(number, column, text)
        elif self.kind == "children":
            self.child(number, column, text)

    def section(self, number: int, column: int, text: str) -> None:
        found = _SECTION.match(text)
        assert found is not None  # noqa: S101  (the caller has matched it)
        name, kind = found[1], found[2] or "hosts"
        origin = self.at(number, column + 1)
        if kind not in _KINDS:
            self.draft.error(
                self.at(number, column + found.start(2)),
                f"a section of the unknown kind {quoted(kind)}",
                nearest(kind, _KINDS),
            )
            kind = _SKIP
        self.group, self.kind = name, kind
        self.draft.add_group(name, origin)
        if kind == "vars":
            if name not in self.declared:
                self.given.setdefault(name, origin)
            return
        self.declared.add(name)
        self.given.pop(name, None)
        # A child that is declared after it was named takes its place among the children now, as in Ansible.
        for parent, place in self.wanted.pop(name, {}).items():
            self.draft.add_child(parent, name, place)

    def bad_section(self, number: int, column: int, text: str) -> None:
        inner, closed, rest = text[1:].partition("]")
        name = inner.partition(":")[0].strip() or "group"
        self.kind = _SKIP
        self.declared.add(name)
        self.draft.add_group(name, self.at(number, column + 1))
        if not closed:
            hint = f"write [{quoted(inner.split()[0])[1:-1]}]" if inner.strip() else "write [group]"
            self.draft.error(self.at(number, column + len(text)), "a section header that is not closed", hint)
        elif " " in inner or "\t" in inner:
            blank = next(at for at, char in enumerate(inner) if char in " \t")
            self.draft.error(
                self.at(number, column + 1 + blank), "a space in a section header", "write [group] or [group:vars]"
            )
        elif rest.strip():
            at = column + len(text) - len(rest.lstrip())
            self.draft.error(self.at(number, at), "text behind a section header", "a comment there starts with #")
        else:
            self.draft.error(
                self.at(number, column),
                f"{quoted(text)} is no section header",
                "write [group], [group:vars] or [group:children]",
            )

    def hosts(self, number: int, column: int, text: str) -> None:
        words: list[tuple[str, int]] = []
        try:
            words.extend((word, column + at) for word, at in _split(text))
        except ValueError:
            at = _open_quote(text)
            what = "a quote that is not closed" if at < len(text) else "a backslash at the end of the line"
            self.draft.error(
                self.at(number, column + min(at, len(text) - 1)),
                what,
                'a value with spaces stands in quotes: key="a b"',
            )
            return
        if not words:
            return
        names, port = self._names(number, *words[0])
        variables: list[tuple[str, object, Origin]] = []
        for word, at in words[1:]:
            name, equals, value = word.partition("=")
            if not equals or not name:
                # One problem a line: with spaces around =, each part of it would be another.
                hint = "write key=value, without spaces around =" if word == "=" or " =" in text else "write key=value"
                self.draft.error(self.at(number, at), f"{quoted(word)} is no variable: key=value is expected", hint)
                break
            if any(name == before for before, _, _ in variables):
                self.draft.warn(
                    self.at(number, at), f"{quoted(name)} is set twice on this line", "the last value counts"
                )
            variables.append((name, self._value(number, at + len(name) + 1, value), self.at(number, at)))
        place = self.at(number, column)
        for host in names:
            self.draft.add_host(host, self.group, port, place)
            for name, parsed, origin in variables:
                self.draft.set_host_variable(host, name, parsed, origin)

    def variable(self, number: int, column: int, text: str) -> None:
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            self.draft.error(
                self.at(number, column),
                f"{quoted(text)} is no variable: key=value is expected",
                f"this section is [{quoted(self.group)[1:-1]}:vars]; hosts stand under [{quoted(self.group)[1:-1]}]",
            )
            return
        key = (self.group, name.strip())
        if key in self.set_before:
            message = f"{quoted(key[1])} is set twice for the group {quoted(self.group)}"
            self.draft.warn(
                self.at(number, column), message, f"line {self.set_before[key]} says it too; the last value counts"
            )
        self.set_before[key] = number
        at = column + len(name) + 1 + len(value) - len(value.lstrip())
        parsed = self._value(number, at, value.strip())
        self.draft.set_group_variable(self.group, name.strip(), parsed, self.at(number, column))

    def child(self, number: int, column: int, text: str) -> None:
        found = _CHILD.match(text)
        if found is None:
            self.draft.error(
                self.at(number, column),
                f"{quoted(text)} is no name of a group",
                "one group a line; hosts and variables have sections of their own",
            )
        elif found[1] in self.declared or found[1] in self.given:
            self.draft.add_child(self.group, found[1], self.at(number, column))
        else:
            self.wanted.setdefault(found[1], {}).setdefault(self.group, self.at(number, column))

    def end(self) -> None:
        """What was used must have been declared by now."""
        known = self.declared - {"all", UNGROUPED}
        for name, parents in self.wanted.items():
            for parent, origin in parents.items():
                hint = nearest(name, known - {parent}) or f"declare it with [{quoted(name)[1:-1]}]"
                if name in self.draft.hosts:
                    hint = f"{quoted(name)} is a host: hosts stand under [{quoted(parent)[1:-1]}], without :children"
                self.draft.error(origin, f"there is no group {quoted(name)}", hint)
        for name, origin in self.given.items():
            self.draft.error(
                origin, f"variables for the group {quoted(name)}, which does not exist", nearest(name, known)
            )

    def _names(self, number: int, word: str, column: int) -> tuple[list[str], int | None]:
        try:
            names, port = expand(word)
        except PatternError as error:
            self.draft.error(self.at(number, column + error.offset), str(error), error.hint)
            return [], None
        if word.strip() == "---" or (word.strip().endswith(":") and port is None):
            message = f"{quoted(word)} is no host: a port is missing behind the colon, or this is YAML"
            self.draft.error(self.at(number, column), message, "give an inventory in YAML a name that ends in .yml")
            return [], None
        if not names[0]:
            self.draft.error(self.at(number, column), "a host without a name")
            return [], None
        return names, port

    def _value(self, number: int, column: int, text: str) -> object:
        try:
            return literal.parse(text)
        except literal.LiteralError as error:
            self.draft.error(self.at(number, column), str(error))
            return None


def _hosts_in_brackets(text: str) -> bool:
    """Whether a line that starts with a bracket may name hosts: `[a:c]-web`, `[10.0.0.1]:22`."""
    inner, closed, rest = text[1:].partition("]")
    if not closed or not rest or rest[0].isspace() or rest[0] == "#":
        return False
    return ":" in inner or re.match(r":[0-9]", rest) is not None


def _split(text: str) -> Iterator[tuple[str, int]]:
    """The words of a host line as a shell would split it, each with its offset. Raises ValueError on an open quote."""
    if _SIMPLE.match(text):
        for found in _WORD.finditer(text):
            yield found[0], found.start()
        return
    stream = io.StringIO(text)
    lexer = shlex.shlex(stream, posix=True)
    lexer.whitespace_split = True
    while True:
        begin = stream.tell()
        word = lexer.get_token()
        if word is None:
            return
        start = _WORD.search(text, begin)
        yield word, start.start() if start else begin


def _open_quote(text: str) -> int:
    """Where the quote stands that is never closed; the length of the text if all are."""
    quote, begin, escaped = "", 0, False
    for at, char in enumerate(text):
        if escaped:
            escaped = False
        elif char == "\\" and quote != "'":
            escaped = True
        elif not quote and char in "'\"":
            quote, begin = char, at
        elif char == quote:
            quote = ""
    return begin if quote else len(text)
