"""What a history asks of a database: the same SQL for each, and one writer at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

T = TypeVar("T")
Row = tuple[Any, ...]


class Session(Protocol):
    """One transaction. Values stand for the `?` of a statement, in order."""

    def rows(self, sql: str, *values: object) -> list[Row]: ...

    def run(self, sql: str, *values: object) -> int:
        """Returns how many rows it was about."""

    def many(self, sql: str, values: Iterable[Row]) -> None:
        """The statement once for each."""


class Lock(Protocol):
    """Held until the block ends, or the process does, or the database goes away: `held` tells, and takes it again where
    nobody else has meanwhile. It raises UserError while the database is away.
    """

    def held(self) -> bool: ...

    def __enter__(self) -> object: ...

    def __exit__(self, *_: object) -> None: ...


class Database(Protocol):
    """`place` is how it is called in messages, without a password. All that goes wrong is a UserError that says what
    to do.
    """

    place: str

    def read(self, work: Callable[[Session], T]) -> T:
        """What `work` returns, of one moment. It may be called twice, if the connection is lost in its midst."""

    def write(self, work: Callable[[Session], T]) -> T:
        """All that `work` does or nothing of it; no other writer is at work meanwhile. It may be called twice, and a
        second time after it was already done.
        """

    def has_table(self, session: Session, name: str) -> bool: ...

    def lock(self, name: str) -> Lock | None:
        """None where somebody holds it, this very connection included."""

    def shrink(self) -> None:
        """Give the room of what was deleted back to the system."""

    def size(self) -> int:
        """In bytes."""

    def damaged(self, said: object) -> Exception:
        """The error for content that makes no sense."""

    def close(self) -> None: ...


# A run whose interval goes on has this for its end, so that one comparison finds it.
OPEN = 2**31 - 1

# One tuple of statements for each version, in words that SQLite and PostgreSQL both understand, but for BLOB.
MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        # What of an audit is whole, and what is kept of failures, from which run on; and the last number given.
        """CREATE TABLE audits (
            number INTEGER PRIMARY KEY,
            name TEXT NOT NULL UNIQUE,
            latest INTEGER NOT NULL,
            whole_from INTEGER NOT NULL,
            failures_from INTEGER NOT NULL
        )""",
        """CREATE TABLE runs (
            audit INTEGER NOT NULL REFERENCES audits(number),
            number INTEGER NOT NULL,
            id TEXT NOT NULL,
            state TEXT NOT NULL,
            started TEXT NOT NULL,
            finished TEXT NOT NULL,
            outcome TEXT NOT NULL,
            problem TEXT NOT NULL,
            seconds DOUBLE PRECISION NOT NULL,
            summary BLOB,
            PRIMARY KEY (audit, number),
            UNIQUE (audit, id)
        )""",
        # The fields of a run's report.
        """CREATE TABLE parts (
            audit INTEGER NOT NULL,
            run INTEGER NOT NULL,
            name TEXT NOT NULL,
            document BLOB NOT NULL,
            PRIMARY KEY (audit, run, name),
            FOREIGN KEY (audit, run) REFERENCES runs(audit, number)
        )""",
        """CREATE TABLE documents (
            digest BLOB PRIMARY KEY,
            body BLOB NOT NULL
        )""",
        # What rows are compared by from run to run (probe.history.compare.line).
        """CREATE TABLE checks (
            number INTEGER PRIMARY KEY,
            audit INTEGER NOT NULL REFERENCES audits(number),
            id TEXT NOT NULL,
            line TEXT NOT NULL,
            UNIQUE (audit, id, line)
        )""",
        # Rows that were the same from one run to another; their `kind` is probe.history.documents.kind.
        """CREATE TABLE intervals (
            number INTEGER PRIMARY KEY,
            audit INTEGER NOT NULL REFERENCES audits(number),
            checked INTEGER NOT NULL REFERENCES checks(number),
            ports TEXT NOT NULL,
            first INTEGER NOT NULL,
            last INTEGER NOT NULL,
            kind INTEGER NOT NULL,
            steady BLOB NOT NULL,
            news BLOB NOT NULL
        )""",
        "CREATE INDEX intervals_by_run ON intervals (audit, last, first)",
        "CREATE INDEX intervals_by_check ON intervals (checked)",
        # What was seen of the interval of this number, from one run on.
        """CREATE TABLE sights (
            number INTEGER NOT NULL REFERENCES intervals(number),
            run INTEGER NOT NULL,
            document BLOB NOT NULL,
            elapsed_ms DOUBLE PRECISION,
            rtt_ms DOUBLE PRECISION,
            PRIMARY KEY (number, run)
        )""",
    ),
)


def migrate(database: Database, newer: Callable[[int], Exception]) -> None:
    """Bring a database up to date. `newer` is the error for one that a later portcheck has made."""

    def work(session: Session) -> None:
        session.run("CREATE TABLE IF NOT EXISTS schema (version INTEGER NOT NULL)")
        version = _version(session)
        for statements in MIGRATIONS[version:]:
            for statement in statements:
                session.run(statement)
        session.run("DELETE FROM schema")
        session.run("INSERT INTO schema (version) VALUES (?)", len(MIGRATIONS))

    version = database.read(lambda session: _version(session) if database.has_table(session, "schema") else 0)
    if version > len(MIGRATIONS):
        raise newer(version)
    if version < len(MIGRATIONS):
        database.write(work)


def _version(session: Session) -> int:
    found = session.rows("SELECT version FROM schema")
    return int(found[0][0]) if found else 0
