"""Where a report goes: a file that is either whole or not there, or stdout."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from probe.errors import UserError
from probe.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterable


def write(path: str | Path, data: bytes | str | Iterable[bytes]) -> None:
    """Write `data` (text as UTF-8, or pieces as they come) to a file, through a temporary file beside it, or to stdout
    where `path` is `-`.

    Raises UserError where it cannot be written; the file is then as it was before.
    """
    content = _pieces(data)
    if str(path) == "-":
        _to_stdout(content)
        return
    file = Path(path)
    shown = printable(str(path))
    try:
        if file.is_dir():
            raise UserError(
                f"{shown}: is a directory\n  hint: name a file in it, such as {shown.rstrip('/')}/report.html"
            )
        # A device or a pipe (/dev/stdout, a process substitution) cannot be replaced; it is written to.
        if file.exists() and not file.is_file():
            with file.open("wb") as stream:
                stream.writelines(content)
            return
        _replace(file.resolve(), content)
    except (OSError, ValueError) as error:
        raise _unwritable(path, error) from error


def require_writable(path: str | Path) -> None:
    """Raises UserError now for what `write` could not write later: after a long run is a bad moment to find out."""
    file = Path(path)
    try:
        existed = file.exists()
        if str(path) == "-" or (existed and not file.is_file() and not file.is_dir()):
            return
        write(file, file.read_bytes() if file.is_file() else b"")
        if not existed:
            file.unlink()
    except (OSError, ValueError) as error:
        raise _unwritable(path, error) from error


def _unwritable(path: str | Path, error: OSError | ValueError) -> UserError:
    reason = getattr(error, "strerror", None) or str(error)
    return UserError(
        f"{printable(str(path))}: cannot be written: {reason}\n  hint: choose a file in a folder that you may write to"
    )


def _pieces(data: bytes | str | Iterable[bytes]) -> Iterable[bytes]:
    if isinstance(data, str):
        return (data.encode("utf-8", "backslashreplace"),)
    return (data,) if isinstance(data, bytes) else data


def _to_stdout(content: Iterable[bytes]) -> None:
    sys.stdout.flush()
    sys.stdout.buffer.writelines(content)
    sys.stdout.buffer.flush()


def _replace(file: Path, content: Iterable[bytes]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    # An existing file keeps its mode; a new one gets what the umask says, not the private mode of a temporary file.
    mode = file.stat().st_mode & 0o777 if file.exists() else 0o666 & ~_umask()
    descriptor, temporary = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name[:40]}.", suffix=".tmp")
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.writelines(content)
        Path(temporary).chmod(mode)
        Path(temporary).replace(file)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _umask() -> int:
    # The system tells the mask only to who sets it.
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
