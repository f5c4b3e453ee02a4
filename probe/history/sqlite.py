"""A history in one file, by SQLite."""

from __future__ import annotations

import fcntl
import os
import sqlite3
import time
from hashlib import blake2s
from pathlib import Path
from typing import TYPE_CHECKING, Self

from probe.errors import UserError
from probe.history.database import Lock, Row, Session, T, migrate
from probe.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_BUSY = 15.0  # seconds to wait for another writer
_CHECKING = 3.0  # seconds that the search for damage may take
_PIECE = 256  # pages
_HEAD = b"SQLite format 3\0"


class Sqlite:
    """`path` and its folder are made if they are not there, for this user alone. Raises UserError."""

    def __init__(self, path: str, *, busy: float = _BUSY) -> None:
        self._path = Path(path).expanduser().absolute()
        self.place = printable(str(self._path))
        self._busy = busy
        try:
            self._make()
            # One thread at a time, but not always the same.
            self._connection = sqlite3.connect(
                self._path, timeout=busy, isolation_level=None, check_same_thread=False, cached_statements=64
            )
        except OSError as error:
            raise self._no_file(error.strerror or str(error)) from None
        except sqlite3.Error as error:
            raise self._error(error) from None
        try:
            self._set_up()
            migrate(self, self._newer)
        except BaseException:
            self._connection.close()
            raise

    def read(self, work: Callable[[Session], T]) -> T:
        return self._transaction("BEGIN", work)

    def write(self, work: Callable[[Session], T]) -> T:
        return self._transaction("BEGIN IMMEDIATE", work)

    def has_table(self, session: Session, name: str) -> bool:
        return bool(session.rows("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", name))

    def lock(self, name: str) -> Lock | None:
        called = blake2s(name.encode("utf-8", "surrogateescape"), digest_size=8).hexdigest()
        file = self._path.with_name(f"{self._path.name}-{called}.lock")
        try:
            descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise self._no_file(f"{printable(file.name)}: {error.strerror or error}") from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            return None
        return _FileLock(descriptor)

    def shrink(self) -> None:
        """Piece by piece: each is written twice before it is free, and who prunes may have little room left."""
        checkpoint, left = "PRAGMA wal_checkpoint(TRUNCATE);", 0
        try:
            self._connection.executescript(checkpoint)
            while (free := self._connection.execute("PRAGMA freelist_count").fetchone()[0]) not in {0, left}:
                left = free
                # As a script, since it frees a page a step, and a statement without columns is stepped only once.
                self._connection.executescript(f"PRAGMA incremental_vacuum({_PIECE}); {checkpoint}")
        except sqlite3.Error as error:
            raise self._error(error) from None

    def size(self) -> int:
        return sum(file.stat().st_size for file in (self._path, Path(f"{self._path}-wal")) if file.exists())

    def damaged(self, said: object) -> UserError:
        aside = f"mv {self.place} {self.place}.damaged"
        return UserError(
            f"{self.place}: the history is damaged: {printable(' '.join(str(said).split()))[:200]}\n"
            f"  hint: stop what uses it and move it aside ({aside}); a new one begins with the next run\n"
            f"  hint: what can be saved of it: sqlite3 {self.place}.damaged .recover | sqlite3 {self.place}"
        )

    def close(self) -> None:
        self._connection.close()

    # --- how it is done -----------------------------------------------------------------------------------------------

    def _make(self) -> None:
        """An empty file of our own mode before SQLite makes one of the umask's; its companions get the same."""
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        with self._path.open("rb") as file:
            head = file.read(len(_HEAD))
        if head and head != _HEAD:
            raise self._foreign()

    def _set_up(self) -> None:
        try:
            tables = [one for (one,) in self._connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            if tables and "audits" not in tables:
                raise self._foreign()
            # Takes effect only before the first table is there; later it would wait for whoever is writing.
            if not tables:
                self._connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
            for setting in ("journal_mode = WAL", "foreign_keys = ON"):
                self._connection.execute(f"PRAGMA {setting}").fetchall()
            self._connection.execute("PRAGMA synchronous = FULL")  # a run that was recorded outlives a power failure
            self._connection.execute("PRAGMA cache_size = -8192")
            self._search_for_damage()
        except sqlite3.Error as error:
            raise self._error(error) from None

    def _search_for_damage(self) -> None:
        """As far as it comes in its time: a large file is not read whole at each start."""
        until = time.monotonic() + _CHECKING
        self._connection.set_progress_handler(lambda: time.monotonic() > until, 100_000)
        try:
            found = self._connection.execute("PRAGMA quick_check(1)").fetchone()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_INTERRUPT:
                raise
            found = None
        finally:
            self._connection.set_progress_handler(None, 0)
        if found is not None and found[0] != "ok":
            raise self.damaged(found[0])

    def _transaction(self, begin: str, work: Callable[[Session], T]) -> T:
        try:
            self._connection.execute(begin)
            try:
                found = work(_Session(self._connection))
                self._connection.execute("COMMIT")
            except BaseException:
                # After some errors SQLite has done so by itself.
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise
            return found
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.IntegrityError | sqlite3.ProgrammingError):
                raise  # a mistake of ours
            raise self._error(error) from None

    def _foreign(self) -> UserError:
        return UserError(
            f"{self.place}: is no history of portcheck, but some other file\n"
            "  hint: name another file, or move this one away"
        )

    def _newer(self, version: int) -> UserError:
        return UserError(
            f"{self.place}: a newer portcheck has made this history (version {version})\n"
            "  hint: use that portcheck, or name another history"
        )

    def _no_file(self, reason: str) -> UserError:
        return UserError(
            f"{self.place}: the history cannot be opened: {reason}\n"
            "  hint: name a file in a folder that you may write to (--history FILE)"
        )

    def _error(self, error: sqlite3.Error) -> UserError:
        said = printable(str(error))
        code = getattr(error, "sqlite_errorcode", 0)
        # So it calls a disk that has no room for its smallest file.
        match sqlite3.SQLITE_FULL if code == sqlite3.SQLITE_IOERR_SHMSIZE else code & 0xFF:
            case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
                return self.damaged(said)
            case sqlite3.SQLITE_FULL:
                why = "no room is left for it, and nothing of this was written"
                hint = "make room on that file system; `portcheck history prune` needs some itself"
            case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
                why = f"somebody else has been writing to it for {self._busy:.0f} s"
                hint = "find out who has it open (fuser, lsof), or try again later"
            case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_PERM | sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_AUTH:
                return self._no_file(said)
            case sqlite3.SQLITE_IOERR:
                why, hint = f"the disk fails: {said}", "look at the system's log, and name another place"
            case _:
                why, hint = said, "if it stays so, move the file aside and begin a new one"
        return UserError(f"{self.place}: the history cannot be used: {why}\n  hint: {hint}")


class _Session:
    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def rows(self, sql: str, *values: object) -> list[Row]:
        return self._connection.execute(sql, values).fetchall()

    def run(self, sql: str, *values: object) -> int:
        return self._connection.execute(sql, values).rowcount

    def many(self, sql: str, values: Iterable[Row]) -> None:
        self._connection.executemany(sql, values)


class _FileLock:
    """The kernel lets it go when the process ends, however that comes about."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def held(self) -> bool:
        return True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
