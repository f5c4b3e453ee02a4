"""A history in PostgreSQL, by psycopg 3: for several coordinators, or where databases are backed up already."""

from __future__ import annotations

import re
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from probe.errors import UserError
from probe.history.database import Lock, Row, Session, T, migrate
from probe.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

try:
    import psycopg
except ModuleNotFoundError:
    raise UserError(
        "PostgreSQL needs a library that is not installed\n  hint: pip install 'portcheck[postgresql]'"
    ) from None

_CONNECTING = 10  # seconds
_SILENT = 60_000  # milliseconds until a server that is gone without a word is given up, instead of a quarter of an hour
# Milliseconds that one statement, or the wait for another writer, may take. A coordinator whose machine is gone loses
# its locks when the server finds that out: after two minutes, instead of the system's two hours.
_SESSION = {
    "statement_timeout": 120_000,
    "lock_timeout": 60_000,
    "idle_in_transaction_session_timeout": 120_000,
    "tcp_keepalives_idle": 60,
    "tcp_keepalives_interval": 10,
    "tcp_keepalives_count": 6,
}
_WRITER = "portcheck history: the one that writes"


class Postgresql:
    """`url` is libpq's. Raises UserError."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.place = _without_password(url)
        self._connection = self.connect()
        try:
            migrate(self, self._newer)
        except BaseException:
            self._connection.close()
            raise

    def read(self, work: Callable[[Session], T]) -> T:
        return self._transaction("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", work)

    def write(self, work: Callable[[Session], T]) -> T:
        def alone(session: Session) -> T:
            # As in SQLite, whoever writes is alone: numbers are given and documents dropped without a race.
            session.rows("SELECT pg_advisory_xact_lock(?)", _key(_WRITER))
            return work(session)

        return self._transaction("BEGIN", alone)

    def has_table(self, session: Session, name: str) -> bool:
        return bool(session.rows("SELECT 1 WHERE to_regclass(?) IS NOT NULL", name))

    def lock(self, name: str) -> Lock | None:
        lock = _ServerLock(self, name)
        return lock if lock.held() else None

    def shrink(self) -> None:
        """The server's autovacuum does it."""

    def size(self) -> int:
        tables = ("audits", "runs", "parts", "documents", "checks", "intervals", "sights")
        return self.read(
            lambda session: sum(
                int(session.rows("SELECT pg_total_relation_size(to_regclass(?))", table)[0][0]) for table in tables
            )
        )

    def damaged(self, said: object) -> UserError:
        return UserError(
            f"{self.place}: the history makes no sense: {printable(str(said))[:200]}\n"
            "  hint: restore its tables from a backup, or name another database"
        )

    def close(self) -> None:
        self._connection.close()

    # --- how it is done -----------------------------------------------------------------------------------------------

    def connect(self) -> psycopg.Connection[Row]:
        options = " ".join(f"-c {name}={value}" for name, value in _SESSION.items())
        given: dict[str, Any] = {
            "connect_timeout": _CONNECTING,
            "tcp_user_timeout": _SILENT,
            "application_name": "portcheck",
        }
        try:
            told = psycopg.conninfo.conninfo_to_dict(self._url)
            given = {**given, **told, "options": f"{options} {told.get('options', '')}".strip()}
            return psycopg.connect(**given, autocommit=True)
        except psycopg.Error as error:
            raise UserError(
                f"{self.place}: the history cannot be reached: {self._said(error)}\n"
                "  hint: try the same URL with psql; a password may stand in ~/.pgpass"
            ) from None

    def _transaction(self, begin: str, work: Callable[[Session], T]) -> T:
        """A server that was started again in between is no failure: it is tried once more, from the beginning."""
        try:
            return self._attempt(begin, work)
        except psycopg.OperationalError as error:
            if not self._connection.closed:
                raise self.failed(error) from None
        except psycopg.Error as error:
            raise self.failed(error) from None
        self._connection = self.connect()
        try:
            return self._attempt(begin, work)
        except psycopg.Error as error:
            raise self.failed(error) from None

    def _attempt(self, begin: str, work: Callable[[Session], T]) -> T:
        if self._connection.closed:
            raise psycopg.OperationalError("the connection is closed")
        self._connection.execute(begin)
        try:
            found = work(_Session(self._connection))
            self._connection.execute("COMMIT")
        except BaseException:
            if not self._connection.closed:
                self._connection.rollback()
            raise
        return found

    def failed(self, error: psycopg.Error) -> UserError:
        hints = {
            "53100": "make room on the server's disk, or run `portcheck history prune`",  # disk_full
            "42501": "grant this user the right to make and change tables in the schema",  # insufficient_privilege
            "55P03": "somebody else has been writing for a minute: see pg_stat_activity",  # lock_not_available
            "57014": "it took longer than two minutes: see pg_stat_activity",  # query_canceled
        }
        hint = hints.get(error.sqlstate or "", "try the same URL with psql, and see the server's log")
        return UserError(f"{self.place}: the history cannot be used: {self._said(error)}\n  hint: {hint}")

    def _newer(self, version: int) -> UserError:
        return UserError(
            f"{self.place}: a newer portcheck has made this history (version {version})\n"
            "  hint: use that portcheck, or name another history"
        )

    def _said(self, error: psycopg.Error) -> str:
        return printable(" ".join(str(error).split()))[:300] or type(error).__name__


class _Session:
    def __init__(self, connection: psycopg.Connection[Row]) -> None:
        self._connection = connection

    def rows(self, sql: str, *values: object) -> list[Row]:
        return self._connection.execute(_translated(sql), values or None).fetchall()

    def run(self, sql: str, *values: object) -> int:
        return self._connection.execute(_translated(sql), values or None).rowcount

    def many(self, sql: str, values: Iterable[Row]) -> None:
        with self._connection.cursor() as cursor:
            cursor.executemany(_translated(sql), list(values))


class _ServerLock:
    """It lasts as long as the connection that asked for it, so it has one of its own."""

    def __init__(self, database: Postgresql, name: str) -> None:
        self._database, self._key = database, _key(f"audit {name}")
        self._connection: psycopg.Connection[Row] | None = None

    def held(self) -> bool:
        if self._connection is not None:
            try:
                self._connection.execute("SELECT 1")
                return True
            except psycopg.Error:
                self._connection.close()
        connection = self._database.connect()
        try:
            taken = connection.execute("SELECT pg_try_advisory_lock(%s)", (self._key,)).fetchone()
        except psycopg.Error as error:
            connection.close()
            raise self._database.failed(error) from None
        if taken is None or not taken[0]:
            connection.close()
            return False
        self._connection = connection
        return True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """At once: a connection that is closed is let go of a moment later. One that is gone was let go of already."""
        if self._connection is not None:
            try:
                self._connection.execute("SELECT pg_advisory_unlock(%s)", (self._key,))
            except psycopg.Error:
                pass
            self._connection.close()


def _translated(sql: str) -> Any:
    return re.sub(r"\bBLOB\b", "BYTEA", sql).replace("?", "%s")


def _key(name: str) -> int:
    """The server's locks have numbers of 64 bits."""
    return int.from_bytes(
        blake2b(f"portcheck {name}".encode("utf-8", "surrogateescape"), digest_size=8).digest(), signed=True
    )


def _without_password(url: str) -> str:
    try:
        parts = urlsplit(url)
        user = f"{parts.username}@" if parts.username else ""
        place = parts.netloc.rpartition("@")[2]
    except ValueError:
        return "the history's URL"
    query = "&".join(word for word in parts.query.split("&") if not word.lower().startswith("password"))
    return printable(f"{parts.scheme}://{user}{place}{parts.path}{'?' if query else ''}{query}")
