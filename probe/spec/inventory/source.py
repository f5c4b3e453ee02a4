"""The text of one file, and where in it something stands. Nothing is read or parsed here."""

from __future__ import annotations

import re
import shlex
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

from probe.spec.diagnostics import Diagnostic, SpecError

if TYPE_CHECKING:
    from collections.abc import Callable

# (line, column), from 1; (0, 0) is the file as a whole.
Place = tuple[int, int]

STDIN = "-"
_SAYS_SOMETHING = re.compile(r"^\s*[^\s#;]", re.MULTILINE)


class Syntax(StrEnum):
    INI = "ini"
    YAML = "yaml"
    JSON = "json"


class Source:
    """One file, or what a script printed: the name that messages show, its text, and how an origin becomes a place."""

    def __init__(self, name: str, text: str, syntax: Syntax) -> None:
        self.name = name
        self.text = text
        self.syntax = syntax
        # The line (0: none) that says YAML or JSON, where the name of the file says INI.
        self.foreign = 0
        self.lines = text.splitlines()
        self.locate: Callable[[Any, Any], Place] = lambda line, column: (line, column)

    @property
    def is_blank(self) -> bool:
        """Whether there is nothing but comments."""
        return _SAYS_SOMETHING.search(self.text) is None

    def line(self, number: int) -> str:
        """The text of a line, counted from 1; empty past the end."""
        return self.lines[number - 1] if 0 < number <= len(self.lines) else ""

    def at(self, container: Any, key: Any) -> Origin:
        return Origin(self, container, key)


class Origin(NamedTuple):
    """Where something stands: in INI line and column, elsewhere container and key until somebody asks for the place."""

    source: Source | None
    container: Any
    key: Any

    def beside(self, container: Any, key: Any) -> Origin:
        """Another place of the same file."""
        return Origin(self.source, container, key)


# The inventory as a whole.
NOWHERE = Origin(None, 0, 0)


def advice(inventory: str, options: str = "") -> str:
    """What to do about something that only Ansible can read."""
    file = shlex.quote(inventory) if inventory != "<stdin>" else "FILE"
    command = f"ansible-inventory -i {file} --list{options} > inventory.json"
    return f"let Ansible read it, and give portcheck the result: {command}"


def refuse(name: str, message: str, hint: str = "", place: Place = (0, 0), text: str = "") -> SpecError:
    """The error for a file that cannot be read at all."""
    line, column = place
    return SpecError([Diagnostic(file=name, line=line, column=column, message=message, hint=hint, text=text)])
