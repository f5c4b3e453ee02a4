"""Directories: what is in them, and which files make an inventory of one."""

from __future__ import annotations

import errno
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from probe.spec.inventory.source import refuse

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_DEPTH = 20
MAX_FILES = 10_000

# What Ansible passes over. A `hosts.txt` is an inventory by itself, and in a directory it is not.
_NAMES = {"group_vars", "host_vars", "vars_plugins"}
_ENDS = (".pyc", ".pyo", ".swp", ".bak", "~", ".rpm", ".md", ".txt", ".rst", ".orig", ".cfg", ".retry")


def files(path: str) -> list[str]:
    """The files of an inventory directory, in the order in which they count. Raises SpecError."""
    found: list[str] = []
    for file in _walk(Path(path), 0):
        found.append(str(file))
        if len(found) > MAX_FILES:
            raise refuse(path, f"this directory has more than {MAX_FILES:,} files", "is it the right directory?")
    if not found:
        hint = f"passed over are hidden files, group_vars, host_vars, and names that end in {', '.join(_ENDS)}"
        raise refuse(path, "no file in this directory is an inventory", hint)
    return found


def _walk(folder: Path, depth: int) -> Iterator[Path]:
    for path in entries(folder, depth):
        if path.name in _NAMES or path.name.endswith(_ENDS):
            continue
        kind = mode(path)
        if kind is not None and stat.S_ISDIR(kind):
            yield from _walk(path, depth + 1)
        elif kind is None or stat.S_ISREG(kind):
            yield path
        else:
            raise refuse(str(path), "is neither a file nor a directory")


def entries(folder: Path, depth: int) -> list[Path]:
    """What is in a directory and not hidden, by name. `depth` counts the directories above it that are walked.

    Raises SpecError.
    """
    if depth > MAX_DEPTH:
        raise refuse(str(folder), f"directories nested deeper than {MAX_DEPTH} levels", "does a link lead in a circle?")
    try:
        return sorted((path for path in folder.iterdir() if not path.name.startswith(".")), key=lambda path: path.name)
    except OSError as error:
        raise refuse(str(folder), f"cannot be read: {error.strerror}") from None


def mode(path: Path) -> int | None:
    """The mode of what is there; None where nothing is. Raises SpecError where that cannot be known."""
    try:
        return path.stat().st_mode
    except ValueError:
        # A name with a NUL.
        return None
    except OSError as error:
        if error.errno in {errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG}:
            return None
        raise refuse(str(path), f"cannot be read: {error.strerror}") from None


def is_directory(path: Path) -> bool:
    """Raises SpecError where that cannot be known."""
    kind = mode(path)
    return kind is not None and stat.S_ISDIR(kind)
