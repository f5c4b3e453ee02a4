"""TOML with its places. tomllib tells what a file says and nothing of where, so keys are looked for a second time; only
where both come to the same keys is a place told: a wrong one is worse than none.
"""

from __future__ import annotations

import codecs
import re
import tomllib
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from probe.errors import UserError
from probe.spec.diagnostics import Diagnostic, SpecError
from probe.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Keys = tuple[str | int, ...]
"""From the top of a file to a value: keys of tables, and numbers in arrays."""

_LARGEST = 1024 * 1024
_BETWEEN = re.compile(r"(?:[ \t\n]|#[^\n]*+)*+")
_KEY = re.compile(r"""\s*("(?:[^"\\]|\\.)*+"|'[^']*+'|[A-Za-z0-9_-]++)\s*""")
# Nothing possessive around what backtracks: Python 3.11.2 takes that wrongly (gh-106052). Each turn of these is sure by
# its first character.
_SCALAR = re.compile(
    r'"""(?:[^"\\]|\\.|"{1,2}(?!"))*"{3,5}'
    r"|'''(?:[^']|'{1,2}(?!'))*'{3,5}"
    r'|"(?:[^"\\]|\\.)*+"'
    r"|'[^']*+'"
    r"|[^,\]}#\n]++",
    re.DOTALL,
)
_DECODE_ERROR = re.compile(r"(.*) \(at (?:line (\d+), column (\d+)|end of document)\)", re.DOTALL)


class Stand(NamedTuple):
    """Where in the text a key stands, and its value. A table under a header, and what stands in an array, is both."""

    key: int
    value: int


class Document:
    """A file: what it says, and where. No line of it is shown, for it may hold a secret."""

    def __init__(self, file: str, text: str) -> None:
        """Raises SpecError for what is no TOML."""
        self.file = file
        self._text = text.replace("\r\n", "\n")
        try:
            self.content = tomllib.loads(self._text)
        except tomllib.TOMLDecodeError as error:
            raise SpecError([self._undecoded(str(error))]) from None
        except RecursionError:
            raise UserError(f"{file}: it is nested too deeply\n  hint: settings have three levels") from None

    def table(self, *keys: str) -> Table:
        return Table(self, keys)

    def problem(self, keys: Keys, message: str, hint: str, *, value: bool) -> Diagnostic:
        """At the key itself, or at its value."""
        stand = self._stands.get(keys)
        if stand is None:
            return Diagnostic(file=self.file, message=message, hint=hint)
        return self._at(stand.value if value else stand.key, message, hint)

    def _at(self, offset: int, message: str, hint: str) -> Diagnostic:
        line = self._text.count("\n", 0, offset) + 1
        column = offset - self._text.rfind("\n", 0, offset)
        return Diagnostic(file=self.file, line=line, column=column, message=message, hint=hint)

    def _undecoded(self, said: str) -> Diagnostic:
        hint = 'settings are key = "value", texts in quotes, under tables such as [audits.night]'
        found = _DECODE_ERROR.fullmatch(said)
        if found is None:
            return Diagnostic(file=self.file, message=said, hint=hint)
        if found[2] is None:
            return self._at(len(self._text), f"{found[1]} at the end", hint)
        return Diagnostic(file=self.file, line=int(found[2]), column=int(found[3]), message=found[1], hint=hint)

    @cached_property
    def _stands(self) -> dict[Keys, Stand]:
        finder = _Finder(self._text)
        try:
            finder.document()
        except (_Lost, RecursionError):
            return {}
        return finder.stands if finder.stands.keys() == set(_all_keys(self.content, ())) else {}


@dataclass(frozen=True)
class Table:
    """One table of a file; without keys, the file itself."""

    document: Document
    keys: tuple[str, ...]

    @property
    def content(self) -> dict[str, Any]:
        found = self.document.content
        for key in self.keys:
            found = found[key]
        return found

    def inner(self, key: str) -> Table:
        return Table(self.document, (*self.keys, key))

    def wrong(self, message: str, hint: str, *keys: str | int, value: bool = True) -> Diagnostic:
        """Something with the value of one of its keys, or with the key itself; without keys, with the table."""
        title = f"[{'.'.join(map(printable, self.keys))}]: " if self.keys else ""
        return self.document.problem((*self.keys, *keys), title + message, hint, value=value)


def read(path: Path) -> Document | None:
    """None where there is no such file. Raises UserError."""
    file = printable(str(path))
    try:
        with path.open("rb") as stream:
            data = stream.read(_LARGEST + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UserError(f"{file}: cannot be read: {error.strerror or error}\n  hint: look at its permissions") from None
    if len(data) > _LARGEST:
        raise UserError(f"{file}: it has more than {_LARGEST:,} bytes\n  hint: settings are short")
    data = data.removeprefix(codecs.BOM_UTF8)
    try:
        return Document(file, data.decode())
    except UnicodeDecodeError as error:
        before = data[: error.start].decode().split("\n")
        message = f"cannot be read: byte 0x{data[error.start]:02x} is no UTF-8"
        problem = Diagnostic(
            file=file, line=len(before), column=len(before[-1]) + 1, message=message, hint="save it as UTF-8"
        )
        raise SpecError([problem]) from None


def _all_keys(value: object, keys: Keys) -> Iterator[Keys]:
    if keys:
        yield keys
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inside:
        yield from _all_keys(item, (*keys, key))


class _Lost(Exception):
    """The text is not as it was expected to be."""


class _Finder:
    """Goes through a text that tomllib has read."""

    def __init__(self, text: str) -> None:
        self._text, self._at = text, 0
        self._numbers: dict[Keys, int] = {}
        self.stands: dict[Keys, Stand] = {}

    def document(self) -> None:
        table: Keys = ()
        self._skip()
        while self._at < len(self._text):
            if self._taken("["):
                table = self._header(several=self._taken("["))
            else:
                self._pair(table)
            self._skip()

    def _header(self, *, several: bool) -> Keys:
        *outer, (last, start) = self._names()
        keys: Keys = ()
        for name, where in outer:
            keys = (*keys, name)
            self.stands.setdefault(keys, Stand(where, where))
            if keys in self._numbers:
                keys = (*keys, self._numbers[keys])
        keys = (*keys, last)
        if several:
            self.stands.setdefault(keys, Stand(start, start))
            self._numbers[keys] = self._numbers.get(keys, -1) + 1
            keys = (*keys, self._numbers[keys])
        self.stands[keys] = Stand(start, start)
        self._expect("]]" if several else "]")
        return keys

    def _pair(self, table: Keys) -> None:
        *outer, (last, start) = self._names()
        self._expect("=")
        self._skip()
        keys = table
        for name, where in outer:
            keys = (*keys, name)
            self.stands.setdefault(keys, Stand(where, where))
        keys = (*keys, last)
        self.stands[keys] = Stand(start, self._at)
        self._value(keys)

    def _value(self, keys: Keys) -> None:
        if self._taken("["):
            number = 0
            while not self._closed("]"):
                self.stands[*keys, number] = Stand(self._at, self._at)
                self._value((*keys, number))
                number += 1
        elif self._taken("{"):
            while not self._closed("}"):
                self._pair(keys)
        else:
            self._at = self._matched(_SCALAR).end()

    def _names(self) -> list[tuple[str, int]]:
        """Of a key with dots, each part and where it stands."""
        names = []
        while True:
            found = self._matched(_KEY)
            word = found[1]
            name = next(iter(tomllib.loads(f"{word} = 0"))) if word[0] in "\"'" else word
            names.append((name, found.start(1)))
            self._at = found.end()
            if not self._taken("."):
                return names

    def _closed(self, bracket: str) -> bool:
        self._skip()
        if self._taken(","):
            self._skip()
        return self._taken(bracket)

    def _matched(self, pattern: re.Pattern[str]) -> re.Match[str]:
        found = pattern.match(self._text, self._at)
        if found is None:
            raise _Lost
        return found

    def _skip(self) -> None:
        """Blanks, line ends and comments."""
        self._at = self._matched(_BETWEEN).end()

    def _taken(self, word: str) -> bool:
        found = self._text.startswith(word, self._at)
        self._at += len(word) * found
        return found

    def _expect(self, word: str) -> None:
        if not self._taken(word):
            raise _Lost
