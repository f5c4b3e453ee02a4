"""What the service keeps of one audit beside the history, in a folder of its own, from start to start."""

from __future__ import annotations

import contextlib
import fcntl
import os
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from probe.audit import log
from probe.audit.counts import Counts
from probe.audit.problems import Problems, Standing
from probe.audit.records import first_line
from probe.audit.schedule import Marks
from probe.audit.spool import Spool
from probe.errors import UserError
from probe.report.files import write

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Asked(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Somebody wants a run since `at`. `tries` runs were begun for it that did not come to an end."""

    at: datetime
    tries: int = 0


class Kept(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`told` is the id of the last run that was told, and `counts` are of those that were."""

    marks: Marks | None = None
    asked: Asked | None = None
    problems: Standing = Standing()
    told: str = ""
    counts: Counts = Counts()


class Folder:
    """Of one audit; made when something is written. What cannot be kept is logged: a run matters more."""

    def __init__(self, state: Path, audit: str) -> None:
        self._audit = audit
        self._unkept = ""
        self._path = state / audit
        self.spool = Spool(self._path / "spool", lambda name: log.warning("dropped", audit, report=name))

    @property
    def inputs(self) -> str:
        """Where a run keeps what it was made of."""
        return str(self._path / "inputs.msgpack")

    def make(self) -> None:
        """Raises UserError where nothing can be kept at all."""
        try:
            # One by one: parents that are made on the way have the mode of the umask.
            for folder in (self._path.parents[1], self._path.parent, self._path, self._path / "spool"):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not os.access(self._path, os.W_OK):
                raise PermissionError(13, "Permission denied")
        except OSError as error:
            raise UserError(
                f"{self._path}: the state of the audit cannot be kept: {error.strerror}\n"
                "  hint: name a folder that this user may write to: --state DIR"
            ) from None

    def load(self) -> Kept:
        """Nothing where it is not there or damaged: then the audit begins anew."""
        try:
            return msgspec.json.decode((self._path / "state.json").read_bytes(), type=Kept)
        except FileNotFoundError:
            return Kept()
        except (OSError, msgspec.DecodeError) as error:
            log.warning("state-lost", self._audit, why=str(error))
            return Kept()

    def save(self, kept: Kept) -> None:
        try:
            write(self._path / "state.json", msgspec.json.encode(kept) + b"\n")
        except UserError as error:
            why = first_line(error)
            if why != self._unkept:  # it is saved several times a run
                log.warning("state-not-kept", self._audit, why=why)
            self._unkept = why
        else:
            self._unkept = ""

    @contextlib.contextmanager
    def lock(self) -> Iterator[bool]:
        """Whether this process may run the audit, as far as this folder tells. It ends with the process."""
        try:
            descriptor = os.open(self._path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            log.warning("no-lock", self._audit, why=error.strerror)
            yield True
            return
        try:
            yield _locked(descriptor)
        finally:
            os.close(descriptor)


class Book:
    """What is kept of an audit as it stands; `save` after a change."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        self._take(Kept())

    def load(self) -> None:
        self._take(self._folder.load())

    def _take(self, kept: Kept) -> None:
        self.marks, self.asked, self.told = kept.marks, kept.asked, kept.told
        self.problems, self.counts = Problems(kept.problems), kept.counts.of_these_bounds()

    def save(self) -> None:
        self._folder.save(
            Kept(
                marks=self.marks,
                asked=self.asked,
                problems=self.problems.standing,
                told=self.told,
                counts=self.counts,
            )
        )


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
