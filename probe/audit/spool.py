"""Reports that are finished and not yet told: one file each, written before anything else is done with it.

It goes when the report is in the history and everybody was told, so a service that ends at any moment goes on where it
was.
"""

from __future__ import annotations

import os
import re
import zlib
from typing import TYPE_CHECKING

import msgspec

from probe.audit.order import LARGEST, LARGEST_JSON
from probe.errors import UserError
from probe.model.result import Report
from probe.report.files import write

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MOST, MOST_BYTES = 500, 256 * 1024 * 1024
"""Reports of one audit that wait, and their bytes."""
_HELD, _HELD_BYTES = 20, 32 * 1024 * 1024  # of those that no disk takes
_NAME = re.compile(r"[0-9]{8}-[0-9a-f]{1,32}\.(?:well|ill)\.z")


class Spooled(msgspec.Struct, frozen=True, kw_only=True):
    """A report that waits. `name` sorts by when it came, whatever the clock said; `well`: it conforms."""

    name: str
    size: int

    @property
    def well(self) -> bool:
        return self.name.endswith(".well.z")


class Spool:
    """The reports of one audit, in a folder; where the disk is full, a few in memory. Blocks: for a thread."""

    def __init__(self, folder: Path, dropped: Callable[[str], None]) -> None:
        """`dropped` is told the name of each report that went because there were too many."""
        self._folder = folder
        self._dropped = dropped
        self._held: dict[str, bytes] = {}

    def put(self, run: str, data: bytes, *, well: bool) -> str:
        """Keep the deflated report of the run of this id. Returns why it is in memory only, or nothing."""
        number = max((int(one.name[:8]) for one in self.waiting()), default=0) + 1
        name = f"{number:08}-{run}.{'well' if well else 'ill'}.z"
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r}: no name for a report")
        trouble = self._write(name, data)
        if trouble:
            self._held[name] = data
        self._bound()
        return trouble

    def _write(self, name: str, data: bytes) -> str:
        try:
            write(self._folder / name, data)
            (self._folder / name).chmod(0o600)
            _to_disk(self._folder / name)
        except (UserError, OSError) as error:
            return str(error).partition("\n")[0]
        return ""

    def waiting(self) -> list[Spooled]:
        """The oldest first. What memory holds goes to the disk, if that has room again."""
        for name, data in list(self._held.items()):
            if not self._write(name, data):
                del self._held[name]
        found = {name: len(data) for name, data in self._held.items()}
        try:
            for file in self._folder.iterdir():
                if _NAME.fullmatch(file.name):
                    found[file.name] = file.stat().st_size
        except OSError:
            pass  # not made yet, or unreadable: then writing has said so
        return [Spooled(name=name, size=size) for name, size in sorted(found.items())]

    def read(self, name: str) -> Report | None:
        """None where the file is damaged; it is put aside then."""
        try:
            data = self._held.get(name) or (self._folder / name).read_bytes()
            return inflate(data)
        except ValueError:
            self._put_aside(name)
            return None
        except OSError:
            return None

    def _put_aside(self, name: str) -> None:
        """For whoever wants to look at what is wrong with it."""
        self._held.pop(name, None)
        try:
            (self._folder / name).replace(self._folder / f"{name}.damaged")
        except OSError:
            pass

    def remove(self, name: str) -> None:
        self._held.pop(name, None)
        (self._folder / name).unlink(missing_ok=True)

    def _bound(self) -> None:
        """The oldest that conform go first: a failure that nobody was told of is worth more."""
        everything = self.waiting()
        self._drop(everything, MOST, MOST_BYTES)
        self._drop([one for one in everything if one.name in self._held], _HELD, _HELD_BYTES)

    def _drop(self, kept: list[Spooled], most: int, most_bytes: int) -> None:
        size = sum(one.size for one in kept)
        for gone, one in enumerate(sorted(kept, key=lambda one: (not one.well, one.name))):
            if len(kept) - gone <= most and size <= most_bytes:
                break
            self.remove(one.name)
            self._dropped(one.name)
            size -= one.size


def _to_disk(file: Path) -> None:
    """It is there after a power failure, too."""
    for place in (file, file.parent):
        descriptor = os.open(place, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def inflate(data: bytes) -> Report:
    """Raises ValueError for what is none."""
    if len(data) > LARGEST:
        raise ValueError("too large")
    try:
        stream = zlib.decompressobj()
        text = stream.decompress(data, LARGEST_JSON)
        if not stream.eof:
            raise ValueError("cut short")
        return msgspec.json.decode(text, type=Report)
    except (zlib.error, msgspec.DecodeError) as error:
        raise ValueError(str(error)) from None
