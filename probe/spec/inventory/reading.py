"""Files to text: read within bounds, decoded, their syntax recognised as Ansible recognises it."""

from __future__ import annotations

import codecs
import json
import os
import re
import stat
import sys
from pathlib import Path

from probe.spec.inventory.source import STDIN, Source, Syntax, advice, refuse

MAX_BYTES = 16 * 1024 * 1024
# All files of one inventory together.
MAX_FILES = 50_000
MAX_TOTAL = 4 * MAX_BYTES
YAML_SUFFIXES = ("", ".yml", ".yaml", ".json")

_VAULT = "$ANSIBLE_VAULT;"
# A first line that can only be YAML's.
_YAML_START = re.compile(r"---(\s|$)|%YAML\s|[^\s\[\]=#'\"]+:(\s+[#&!].*)?$")
# A first line that can only be INI's: a section, a host in brackets, or words without the colon that ends a key, where
# no sign starts the line that YAML gives a meaning.
_INI_START = re.compile(r"\[[^\]\s,\"']*\](?:\S|\s*(?:#.*)?$)|(?![-?:&*!|>%@`\"'{}\[\]])(?:(?!:(?:\s|$)).)*$")


class Intake:
    """Reads the files of one inventory; what they are together has a bound too."""

    def __init__(self, inventory: str) -> None:
        self.inventory = inventory
        self._files = 0
        self._bytes = 0

    def inventory_file(self, path: str) -> Source:
        """A file, or standard input for `-`. Raises SpecError with what is wrong with the file as such."""
        name = "<stdin>" if path == STDIN else path
        data = self._data(path, name)
        text = self._text(name, data)
        suffix = extension(path) if path != STDIN else ""
        if suffix == ".toml":
            raise refuse(name, "inventories in TOML are not read", advice(self.inventory))
        source = Source(name, text, Syntax.INI)
        first, line = _first_line(source.lines)
        source.syntax = _syntax(text, suffix, line)
        if suffix not in YAML_SUFFIXES and (source.syntax is Syntax.JSON or _YAML_START.match(line)):
            source.foreign = first
        if source.syntax is Syntax.INI and data.startswith(codecs.BOM_UTF8):
            message = "this file starts with a byte order mark, which Ansible takes for a part of the first line"
            raise refuse(name, message, "save it as UTF-8 without byte order mark", (1, 1), source.line(1))
        return source

    def variables_file(self, path: Path) -> Source:
        """A file of `group_vars/` or `host_vars/`: JSON or YAML, whatever it is named. Raises SpecError."""
        name = str(path)
        try:
            regular = stat.S_ISREG(path.stat().st_mode)
        except OSError as error:
            raise refuse(name, f"cannot be read: {error.strerror}") from None
        if not regular:
            raise refuse(name, "is neither a file nor a directory")
        text = self._text(name, self._data(name, name))
        start = text.lstrip()
        return Source(name, text, Syntax.JSON if start.startswith("{") and is_json(start) else Syntax.YAML)

    def admit(self, data: bytes) -> None:
        """Count a file, or what a script printed. Raises SpecError where it is too much."""
        self._files += 1
        self._bytes += len(data)
        if self._files > MAX_FILES:
            raise refuse(self.inventory, f"this inventory has more than {MAX_FILES:,} files")
        if self._bytes > MAX_TOTAL:
            raise refuse(self.inventory, f"the files of this inventory are larger than {MAX_TOTAL >> 20} MiB together")

    def _data(self, path: str, name: str) -> bytes:
        data = _bytes(path, name)
        self.admit(data)
        return data

    def _text(self, name: str, data: bytes) -> str:
        text = decode(name, data.removeprefix(codecs.BOM_UTF8))
        if text.lstrip().startswith(_VAULT):
            message = "the whole file is encrypted with ansible-vault"
            raise refuse(name, message, advice(self.inventory, " --ask-vault-pass"))
        return text


def extension(path: str) -> str:
    """The extension with its dot, as Ansible splits it: that of `web.` is `.`."""
    return os.path.splitext(path)[1]  # noqa: PTH122  (Path.suffix says otherwise of `web.`)


def decode(name: str, data: bytes) -> str:
    """UTF-8 without NUL; raises SpecError with the place of what is not."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise refuse(name, "this file is UTF-16", "save it as UTF-8")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        before = data[: error.start]
        begin = before.rfind(b"\n") + 1
        line = data[begin:].split(b"\n", 1)[0].decode(errors="replace").rstrip("\r")
        place = (before.count(b"\n") + 1, len(before[begin:].decode()) + 1)
        raise refuse(
            name, f"byte 0x{data[error.start]:02x} is not UTF-8", "save the file as UTF-8", place, line
        ) from None
    if "\0" in text:
        at = text.index("\0")
        begin = text.rfind("\n", 0, at) + 1
        place = (text.count("\n", 0, at) + 1, at - begin + 1)
        raise refuse(
            name, "a NUL byte: this is no text file", "is it the right file?", place, text[begin:].split("\n", 1)[0]
        )
    return text


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
    except PermissionError:
        raise refuse(name, "this file may not be read", "ask its owner, or run portcheck as a user who may") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise refuse(name, f"cannot be read: {reason}") from None
    if len(data) > MAX_BYTES:
        raise refuse(name, f"is larger than {MAX_BYTES >> 20} MiB, which no inventory is", "is it the right file?")
    return data


def _syntax(text: str, suffix: str, line: str) -> Syntax:
    """`line` is the first that says something. Where the name allows both, Ansible tries JSON, then YAML, then INI."""
    if suffix not in YAML_SUFFIXES:
        return Syntax.JSON if line.startswith("{") else Syntax.INI
    if line.startswith("{"):
        return Syntax.YAML if suffix in {".yml", ".yaml"} and not is_json(text) else Syntax.JSON
    if _INI_START.match(line):
        return Syntax.INI
    if _YAML_START.match(line) or suffix in {".yml", ".yaml"}:
        return Syntax.YAML
    if suffix == ".json":
        return Syntax.JSON
    return Syntax.YAML if _is_mapping(text) else Syntax.INI


def is_json(text: str) -> bool:
    """Whether what a YAML file holds is JSON; it may be a flow mapping, which looks much the same."""
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _is_mapping(text: str) -> bool:
    """Whether the text is YAML, with a mapping at the top."""
    # As slow to import as it is rare here.
    from ruamel.yaml import YAML  # noqa: PLC0415
    from ruamel.yaml.error import YAMLError  # noqa: PLC0415
    from ruamel.yaml.events import MappingStartEvent  # noqa: PLC0415

    try:
        events = list(YAML(typ="safe", pure=True).parse(text))
    except (YAMLError, ValueError, RecursionError):
        return False
    return len(events) > 2 and isinstance(events[2], MappingStartEvent)


def _first_line(lines: list[str]) -> tuple[int, str]:
    """The first line that says something, and its number; ``(0, "")`` if there is none."""
    for number, line in enumerate(lines, 1):
        if line.strip() and not line.lstrip().startswith(("#", ";")):
            return number, line.rstrip()
    return 0, ""
