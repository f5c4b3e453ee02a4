"""Which file a name means, and its text."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from probe import resources
from probe.errors import UserError
from probe.spec.diagnostics import nearest
from probe.spec.matrix.problems import quoted
from probe.text import printable

if TYPE_CHECKING:
    from typing import BinaryIO

MAX_BYTES = 4 * 1024 * 1024


def builtin() -> tuple[str, ...]:
    """The names of the matrices that come with the program."""
    return tuple(sorted(path.stem for path in resources.folder("matrices").glob("*.yaml")))


def locate(name: str) -> str:
    """The path of a built-in matrix, or of a file: what has a slash, ends in .yaml, or is there. `-` is stdin."""
    if name in builtin():
        return str(resources.folder("matrices") / f"{name}.yaml")
    if name == "-" or "/" in name or name.endswith((".yaml", ".yml")):
        return name
    # A name that the system refuses (too long, a NUL in it) is no file either.
    try:
        if Path(name).exists():
            return name
    except (OSError, ValueError):
        pass
    known = f"the built-in ones are: {', '.join(builtin())}"
    close = nearest(name, builtin())
    hints = "; ".join(filter(None, (close if close.startswith("did") else "", known, "a file is named with its path")))
    raise UserError(f"no matrix is called {quoted(name)}\n  hint: {hints}")


def label(path: str) -> str:
    """What messages call the file."""
    return "stdin" if path == "-" else printable(path)


def text_of(path: str, what: str = "matrix") -> str:
    """The file as text; raises UserError if it cannot be read, is too big for `what` it should be, or is not UTF-8."""
    shown = label(path)
    try:
        if path == "-":
            data = _bounded(sys.stdin.buffer)
        else:
            with Path(path).open("rb") as file:
                data = _bounded(file)
    except FileNotFoundError:
        raise UserError(f"{shown}: there is no such file") from None
    except IsADirectoryError:
        raise UserError(f"{shown}: this is a directory; name the file in it") from None
    except OSError as error:
        raise UserError(f"{shown}: cannot be read: {error.strerror or error}") from None
    except ValueError as error:
        raise UserError(f"{shown}: cannot be read: {error}") from None
    if len(data) > MAX_BYTES:
        raise UserError(f"{shown}: bigger than {MAX_BYTES // 1024 // 1024} MiB: this is no {what}")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = error.start - (data.rfind(b"\n", 0, error.start) + 1) + 1
        raise UserError(
            f"{shown}:{line}:{column}: not UTF-8: the byte 0x{data[error.start]:02X}\n  hint: save the file as UTF-8"
        ) from None


def _bounded(file: BinaryIO) -> bytes:
    return file.read(MAX_BYTES + 1)
