"""The text of an inventory file: read within bounds, decoded, its syntax recognised. Nothing is parsed here."""

from __future__ import annotations

import codecs
import json
import os
import re
import shlex
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from probe.spec.diagnostics import Diagnostic, SpecError

if TYPE_CHECKING:
    from collections.abc import Callable

# (line, column), from 1; (0, 0) is the file as a whole.
Place = tuple[int, int]
# What a syntax remembers a place by until somebody asks for it: INI the place itself, the others (container, key).
Origin = tuple[Any, Any]

NOWHERE: Origin = (0, 0)
MAX_BYTES = 16 * 1024 * 1024
STDIN = "-"

_VAULT = "$ANSIBLE_VAULT;"
_YAML_START = re.compile(r"---(\s|$)|%YAML\s|[^\s\[\]=#'\"]+:(\s+[#&!].*)?$")


class Syntax(StrEnum):
    INI = "ini"
    YAML = "yaml"
    JSON = "json"


def advice(name: str, options: str = "") -> str:
    """What to do about something that only Ansible can read."""
    file = shlex.quote(name) if name != "<stdin>" else "FILE"
    command = f"ansible-inventory -i {file} --list{options} > inventory.json"
    return f"let Ansible read it, and give portcheck the result: {command}"


class Source:
    """One file: the name that messages show, its text, and how an origin in it becomes a place."""

    def __init__(self, name: str, text: str, syntax: Syntax, folder: Path | None = None) -> None:
        self.name = name
        self.text = text
        self.syntax = syntax
        self.folder = folder
        # The line (0: none) that makes an INI file look like YAML.
        self.foreign = 0
        self.lines = text.splitlines()
        self.locate: Callable[[Any, Any], Place] = lambda line, column: (line, column)

    def line(self, number: int) -> str:
        """The text of a line, counted from 1; empty past the end."""
        return self.lines[number - 1] if 0 < number <= len(self.lines) else ""


def refuse(name: str, message: str, hint: str = "", place: Place = (0, 0), text: str = "") -> SpecError:
    """The error for a file that cannot be read at all."""
    line, column = place
    return SpecError([Diagnostic(file=name, line=line, column=column, message=message, hint=hint, text=text)])


def read(path: str) -> Source:
    """Read a file, or standard input for `-`; raises SpecError with what is wrong with the file as such."""
    name = "<stdin>" if path == STDIN else path
    data = _bytes(path, name)
    text = _decode(name, data)
    start = text.lstrip()
    if start.startswith(_VAULT):
        raise refuse(name, "the whole file is encrypted with ansible-vault", advice(name, " --ask-vault-pass"))
    if start.startswith("#!") and path != STDIN and os.access(path, os.X_OK):
        raise refuse(name, "this is an inventory script; portcheck does not run it", advice(name))
    suffix = Path(path).suffix if path != STDIN else ""
    if suffix == ".toml":
        raise refuse(name, "inventories in TOML are not read", advice(name))
    source = Source(name, text, _syntax(start, suffix), None if path == STDIN else Path(path).parent)
    source.foreign = _yaml_line(source.lines)
    if source.syntax is Syntax.INI and source.foreign and not suffix:
        # Where a file has no extension, Ansible tries YAML first.
        source.syntax = Syntax.YAML
    return source


def _bytes(path: str, name: str) -> bytes:
    try:
        if path == STDIN:
            data = sys.stdin.buffer.read(MAX_BYTES + 1)
        else:
            with Path(path).open("rb") as file:
                data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise refuse(
            name, "there is no such file", "give the path of an Ansible inventory, or - for standard input"
        ) from None
    except IsADirectoryError:
        raise refuse(name, "this is a directory; portcheck reads one file", advice(name)) from None
    except PermissionError:
        raise refuse(name, "this file may not be read", "ask its owner, or run portcheck as a user who may") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise refuse(name, f"cannot be read: {reason}") from None
    if len(data) > MAX_BYTES:
        raise refuse(
            name, f"is larger than {MAX_BYTES // 1024 // 1024} MiB, which no inventory is", "is it the right file?"
        )
    return data


def _decode(name: str, data: bytes) -> str:
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise refuse(name, "this file is UTF-16", "save it as UTF-8")
    try:
        text = data.removeprefix(codecs.BOM_UTF8).decode()
    except UnicodeDecodeError as error:
        body: bytes = error.object
        before = body[: error.start]
        begin = before.rfind(b"\n") + 1
        line = body[begin:].split(b"\n", 1)[0].decode(errors="replace").rstrip("\r")
        place = (before.count(b"\n") + 1, len(before[begin:].decode()) + 1)
        raise refuse(
            name, f"byte 0x{body[error.start]:02x} is not UTF-8", "save the file as UTF-8", place, line
        ) from None
    if "\0" in text:
        at = text.index("\0")
        begin = text.rfind("\n", 0, at) + 1
        place = (text.count("\n", 0, at) + 1, at - begin + 1)
        raise refuse(
            name, "a NUL byte: this is no text file", "is it the right file?", place, text[begin:].split("\n", 1)[0]
        )
    return text


def _syntax(start: str, suffix: str) -> Syntax:
    """`start` is the text without leading blank space."""
    if suffix in {".yml", ".yaml"}:
        return Syntax.JSON if start.startswith("{") and _is_json(start) else Syntax.YAML
    if start.startswith("{") or suffix == ".json":
        return Syntax.JSON
    return Syntax.INI


def _is_json(text: str) -> bool:
    """Whether what a YAML file holds is JSON; it may be a flow mapping, which looks much the same."""
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _yaml_line(lines: list[str]) -> int:
    """The number of the first line that says something, if it is YAML's and can be no INI."""
    for number, line in enumerate(lines, 1):
        if line.strip() and not line.lstrip().startswith(("#", ";")):
            return number if _YAML_START.match(line.rstrip()) else 0
    return 0
