"""What can become of a server."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from probe.errors import UserError
from probe.history.database import MIGRATIONS
from probe.history.store import open_history

from .reports import report, row

if TYPE_CHECKING:
    from collections.abc import Iterator

    from probe.history.store import History

    from .server import Server


def test_without_its_library_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    monkeypatch.delitem(sys.modules, "probe.history.postgresql", raising=False)
    with pytest.raises(UserError, match=r"(?s)not installed.*pip install 'portcheck\[postgresql\]'"):
        open_history("postgresql:///portcheck")


def test_a_server_that_is_not_there(tmp_path_factory: pytest.TempPathFactory) -> None:
    pytest.importorskip("psycopg")
    with pytest.raises(UserError) as caught:
        open_history(f"postgresql://jane:secret@/portcheck?host={tmp_path_factory.mktemp('none')}&password=hidden")
    said = str(caught.value)
    assert said.startswith("postgresql://jane@/portcheck?host=")
    assert "cannot be reached" in said
    assert "hint: " in said
    assert "secret" not in said
    assert "hidden" not in said


@pytest.mark.parametrize("url", ["postgresql://[", "postgresql://h/d?nonsense=1"])
def test_a_url_that_makes_no_sense(url: str) -> None:
    pytest.importorskip("psycopg")
    with pytest.raises(UserError, match="hint: "):
        open_history(url)


@pytest.fixture
def url(postgresql: Server) -> Iterator[str]:
    """A new database; afterwards the server runs, whatever the test did."""
    yield postgresql.database()
    postgresql.start_again()


@pytest.fixture
def history(url: str) -> Iterator[History]:
    found = open_history(url)
    yield found
    found.close()


@pytest.mark.netns
def test_a_server_that_was_started_again_is_no_failure(history: History, postgresql: Server) -> None:
    history.record("x", report([row("a", "p")], 1))
    postgresql.stop()
    postgresql.start()
    assert history.runs("x")[0].number == 1
    postgresql.stop()
    postgresql.start()
    assert history.record("x", report([row("a", "n")], 2))[0].number == 2


@pytest.mark.netns
def test_a_server_that_is_gone_is_told_and_may_come_back(history: History, postgresql: Server) -> None:
    history.record("x", report([row("a", "p")], 1))
    postgresql.stop()
    for _ in range(2):
        with pytest.raises(UserError, match=r"(?s)cannot be reached.*hint: "):
            history.record("x", report([row("a", "n")], 2))
    postgresql.start()
    assert history.record("x", report([row("a", "n")], 2))[0].number == 2


@pytest.mark.netns
def test_an_audit_is_held_again_after_a_lost_connection_unless_another_has_it(
    history: History, url: str, postgresql: Server
) -> None:
    lock = history.lock("x")
    assert lock is not None
    assert lock.held()
    postgresql.stop()
    with pytest.raises(UserError, match="cannot be reached"):
        lock.held()
    postgresql.start()
    assert lock.held()
    other = open_history(url)
    assert other.lock("x") is None
    postgresql.stop()
    postgresql.start()
    taken = other.lock("x")
    assert taken is not None
    assert not lock.held()
    with lock, taken:
        pass
    again = history.lock("x")  # at once
    assert again is not None
    with again:
        pass
    other.close()


@pytest.mark.netns
def test_a_database_of_a_newer_portcheck_is_left_alone(history: History, url: str) -> None:
    history._database.write(lambda session: session.run("UPDATE schema SET version = ?", len(MIGRATIONS) + 1))
    with pytest.raises(UserError, match=r"(?s)newer portcheck.*hint: "):
        open_history(url)


@pytest.mark.netns
def test_documents_that_make_no_sense(history: History) -> None:
    history.record("x", report([row("a", "n")], 1))
    history._database.write(lambda session: session.run("UPDATE documents SET body = ?", b"x\x00"))
    with pytest.raises(UserError, match=r"(?s)makes no sense.*hint: "):
        history.report("x", 1)


@pytest.mark.netns
def test_a_statement_that_takes_too_long_is_ended(history: History) -> None:
    history._database.read(lambda session: session.rows("SELECT 1"))
    history._database._connection.execute("SET statement_timeout = 20")  # type: ignore[attr-defined]
    with pytest.raises(UserError, match="pg_stat_activity"):
        history._database.read(lambda session: session.rows("SELECT pg_sleep(10)"))
    assert history.audits() == ()
