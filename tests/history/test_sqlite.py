"""What can become of a file."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import pytest

from probe.errors import UserError
from probe.history.database import MIGRATIONS
from probe.history.sqlite import Sqlite
from probe.history.store import History, open_history

from .reports import report, row

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A history with a run of 400 checks, closed."""
    place = tmp_path / "made" / "history.db"
    history = open_history(str(place))
    history.record("x", report([row(f"c{number}", "n") for number in range(400)], 1))
    history.close()
    return place


def refused(place: Path) -> str:
    with pytest.raises(UserError) as caught:
        open_history(str(place))
    assert str(place) in str(caught.value)
    assert "\n  hint: " in str(caught.value)
    return str(caught.value)


def test_nobody_else_can_read_it(file: Path) -> None:
    history = open_history(str(file))
    history.begin("x", "run-2", "2026-01-02T02:00:00Z")
    for one in file.parent.iterdir():
        assert one.stat().st_mode & 0o777 == 0o600, one
    assert file.parent.stat().st_mode & 0o777 == 0o700
    history.close()


def test_it_outlives_a_power_failure(file: Path) -> None:
    history = Sqlite(str(file))
    settings = {name: history._connection.execute(f"PRAGMA {name}").fetchone()[0]
                for name in ("journal_mode", "synchronous", "foreign_keys", "auto_vacuum")}  # fmt: skip
    assert settings == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "auto_vacuum": 2}
    history.close()


def test_damage_is_found_when_it_is_opened(file: Path) -> None:
    content = bytearray(file.read_bytes())
    for page in range(4096 * 3, len(content) - 4096, 4096):
        content[page : page + 200] = bytes(200)
    file.write_bytes(content)
    said = refused(file)
    assert "damaged" in said
    assert f"mv {file} {file}.damaged" in said
    assert ".recover" in said


def test_a_file_that_is_cut_off_is_found_too(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: 4096 * 5 + 100])
    assert "damaged" in refused(file)


def test_the_database_of_another_program_is_left_as_it_is(tmp_path: Path) -> None:
    place = tmp_path / "places.sqlite"
    connection = sqlite3.connect(place)
    connection.execute("CREATE TABLE bookmarks (url TEXT)")
    connection.commit()
    connection.close()
    before = place.read_bytes()
    assert "some other file" in refused(place)
    assert place.read_bytes() == before


def test_a_document_that_is_no_document_any_more(file: Path) -> None:
    with sqlite3.connect(file) as connection:
        connection.execute("UPDATE documents SET body = x'7822'")
    connection.close()
    history = open_history(str(file))
    for ask in (lambda: history.report("x", 1), lambda: history.intervals("x", "c1")):
        with pytest.raises(UserError, match="is damaged"):
            ask()
    with pytest.raises(UserError, match="is damaged"):
        list(history.export("x"))
    history.close()


def test_some_other_file_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "hosts.txt"
    file.write_text("[web]\nw1\n")
    assert "is no history" in refused(file)
    assert file.read_text() == "[web]\nw1\n"
    assert "cannot be opened" in refused(tmp_path)
    assert "cannot be opened" in refused(file / "history.db")


def test_a_history_of_a_newer_portcheck_is_left_alone(file: Path) -> None:
    with sqlite3.connect(file) as connection:
        connection.execute("UPDATE schema SET version = ?", (len(MIGRATIONS) + 1,))
    connection.close()
    assert "newer portcheck" in refused(file)


def test_when_the_disk_is_full_nothing_is_half_written(file: Path) -> None:
    history = open_history(str(file))
    database = history._database
    assert isinstance(database, Sqlite)
    pages = database._connection.execute("PRAGMA page_count").fetchone()[0]
    database._connection.execute(f"PRAGMA max_page_count = {pages + 2}")
    large = report([row(f"d{number}", "d", service=f"s{number}" * 20) for number in range(400)], 2)
    with pytest.raises(UserError, match=r"(?s)no room is left.*nothing of this was written.*hint: "):
        history.record("x", large)
    assert [run.number for run in history.runs("x")] == [1]
    database._connection.execute("PRAGMA max_page_count = 100000")
    assert history.record("x", large)[0].number == 2
    assert len(history.report("x", 2).checks) == 400
    history.close()


def test_a_writer_that_does_not_end_is_not_waited_for_without_end(file: Path) -> None:
    other = sqlite3.connect(file, isolation_level=None)
    history = History(Sqlite(str(file), busy=0.05))
    other.execute("BEGIN IMMEDIATE")
    reading = History(Sqlite(str(file), busy=0.05))
    assert [run.number for run in reading.runs("x")] == [1]
    reading.close()
    with pytest.raises(UserError, match=r"(?s)somebody else has been writing.*hint: "):
        history.begin("x", "run-2", "2026-01-02T02:00:00Z")
    assert len(history.report("x", 1).checks) == 400
    other.execute("ROLLBACK")
    other.close()
    assert history.begin("x", "run-2", "2026-01-02T02:00:00Z").number == 2
    history.close()


def test_the_search_for_damage_has_an_end(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from probe.history import sqlite

    monkeypatch.setattr(sqlite, "_CHECKING", -1.0)
    history = open_history(str(file))
    assert len(history.report("x", 1).checks) == 400
    history.close()


def test_pruning_gives_room_back(file: Path) -> None:
    from probe.history.retention import Retention

    history = open_history(str(file))
    for number in range(2, 16):
        rows = [row(f"c{one}", "n", detail=f"{number} {one}" * 40) for one in range(400)]
        history.record("x", report(rows, number))
    done = history.prune(Retention(days=0, failures_days=0))
    assert (done.runs, done.thinned) == (3, 0)
    assert done.freed > 200_000
    assert history._database.read(lambda session: session.rows("PRAGMA freelist_count")) == [(0,)]
    history.close()
