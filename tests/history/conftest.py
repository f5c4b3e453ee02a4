"""Histories of both kinds, empty. The one that needs a server is tested with the namespaces (tests/run)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from probe.history.sqlite import Sqlite
from probe.history.store import History, open_history

from .server import Server, server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Server]:
    with server() as running:
        yield running


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.netns)])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a new history is."""
    if request.param == "sqlite":
        return str(tmp_path / "history.db")
    running: Server = request.getfixturevalue("postgresql")
    return running.database()


@pytest.fixture
def opened(place: str) -> Iterator[Callable[[], History]]:
    """Opens the same history again and again, each time with a connection of its own."""
    made: list[History] = []

    def one() -> History:
        made.append(open_history(place))
        if isinstance(made[-1]._database, Sqlite):
            made[-1]._database._connection.execute("PRAGMA synchronous = OFF")  # nobody pulls the plug here
        return made[-1]

    yield one
    for history in made:
        history.close()


@pytest.fixture
def history(opened: Callable[[], History]) -> History:
    return opened()
