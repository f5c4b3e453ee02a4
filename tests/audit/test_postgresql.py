"""The service over a real PostgreSQL server: two coordinators with one history, and a server that goes and comes."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from typing import TYPE_CHECKING, Any

import pytest

from probe.history.store import open_history
from probe.history.values import RunState
from tests.history.conftest import postgresql

from .test_crash import CRASHING, end, until
from .test_lasting import Swift

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from probe.history.values import RunRecord
    from tests.history.server import Server

    from .conftest import Scene
    from .process import Process

__all__ = ["postgresql"]
pytestmark = pytest.mark.netns
STRIDE = int(os.environ.get("PORTCHECK_TEST_STRIDE", "7"))  # of the statements which are cut
FINISHED, LOST = RunState.FINISHED, RunState.LOST


@pytest.fixture
def url(postgresql: Server) -> Iterator[str]:
    yield postgresql.database()
    postgresql.start_again()


@pytest.fixture
def service(start: Callable[..., Process], url: str, postgresql: Server) -> Callable[..., Process]:
    """`service(MOMENT, STATE, FAKE)`: a coordinator with this history and a state folder of its own."""

    def begin(moment: str, state: str, fake: str = "well", every: str = "6h") -> Process:
        words = ["fake", "audit", "--inventory", "hosts.txt", "--name", "shop", "--every", every, "--phase", "live"]
        command = [sys.executable, str(CRASHING), moment, *words, "--history", url, "--state", state]
        return start(command, FAKE=fake, SERVER=str(postgresql.folder))

    return begin


def runs(url: str) -> list[RunRecord]:
    """The oldest first."""
    history = open_history(url)
    try:
        return list(reversed(history.runs("shop")))
    finally:
        history.close()


def free(url: str) -> bool:
    """Whether nobody makes a run."""
    history = open_history(url)
    try:
        with history.lock("shop") or contextlib.nullcontext() as lock:
            return lock is not None
    finally:
        history.close()


def count(process: Process, words: str) -> int:
    return sum(words in line for line in process.lines)


def test_one_of_two_makes_the_run_and_the_other_takes_over(service: Callable[..., Process], url: str) -> None:
    first = service("never", "one", "hang", every="2s")
    first.said("event=began")
    until(lambda: [run.state for run in runs(url)] == [RunState.RUNNING], first)
    second = service("never", "two", every="2s")
    second.said("another coordinator makes a run of it", count=2)
    assert count(second, "event=began") == 0
    first.process.kill()
    assert "run=1" in second.said("event=lost")
    second.said("event=recorded")
    assert [run.state for run in runs(url)][:2] == [LOST, FINISHED]
    end(second)


def test_the_server_goes_and_comes_while_a_run_holds_its_lock(
    service: Callable[..., Process], url: str, postgresql: Server
) -> None:
    """The lock goes with the server. It is taken again before another coordinator sees the due time come."""
    first = service("never", "one", "hang")
    until(lambda: [run.state for run in runs(url)] == [RunState.RUNNING], first)
    postgresql.stop()
    postgresql.start()
    until(lambda: not free(url), first)
    second = service("never", "two")
    second.said("another coordinator makes a run of it")
    end(first)
    end(second)
    assert [run.state for run in runs(url)] == [RunState.INTERRUPTED]


def test_another_coordinator_takes_the_lock_that_the_server_lost(
    service: Callable[..., Process], url: str, postgresql: Server
) -> None:
    """Then the first one leaves the audit to it."""
    first = service("never", "one", "hang")
    until(lambda: [run.state for run in runs(url)] == [RunState.RUNNING], first)
    postgresql.stop()
    first.process.send_signal(signal.SIGSTOP)  # it is slower
    postgresql.start()
    second = service("never", "two", "hang")
    assert "run=1" in second.said("event=lost")
    second.said("event=began")
    first.process.send_signal(signal.SIGCONT)
    first.said("event=not-ours")
    first.said("event=recorded")
    end(second)
    end(first)
    assert [run.state for run in runs(url)] == [RunState.INTERRUPTED, RunState.INTERRUPTED]


class Cut:
    """The server ends our session before one of our statements, or behind one of our commits, so that nobody hears of
    it. `left` are those until then, `count` those that there were.
    """

    def __init__(self, url: str, behind: bool, monkeypatch: pytest.MonkeyPatch) -> None:
        import psycopg

        self.left = self.count = 0
        self._admin = psycopg.connect(url, autocommit=True)
        execute = psycopg.Connection.execute

        def counted(connection: psycopg.Connection[Any], *given: Any) -> Any:
            if behind and given[0] != "COMMIT":
                return execute(connection, *given)
            self.count += 1
            self.left -= 1
            if self.left != 0:
                return execute(connection, *given)
            if behind:
                execute(connection, *given)
            execute(self._admin, "SELECT pg_terminate_backend(%s, 10000)", (connection.info.backend_pid,))
            return execute(connection, *given)

        monkeypatch.setattr(psycopg.Connection, "execute", counted)

    def close(self) -> None:
        self._admin.close()


@pytest.mark.parametrize("behind", [False, True])
async def test_the_server_ends_our_session_at_any_statement(
    scene: Scene, url: str, behind: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lock, recovery, beginning, recording, release: each run is recorded once and told once."""
    monkeypatch.setattr("probe.audit.making.Runner", Swift)
    scene.history = url  # type: ignore[assignment]
    making = await scene.start()
    await making.make()
    cut = Cut(url, behind, monkeypatch)
    await making.make()
    assert cut.count >= (5 if behind else 30)
    for number, place in enumerate(range(1, cut.count + 1, 1 if behind else STRIDE)):
        cut.left = place
        assert await making.make()
        cut.left = 0
        await making.catch_up()
        found = await scene.runs()
        assert [run.state for run in found] == [FINISHED] * (3 + number), place
        assert [one.run.id for one in scene.told if one.report is not None] == [run.id for run in found], place
        assert (scene.spooled, making.state.problem) == ([], ""), place
    assert free(url)
    cut.close()


def test_the_server_goes_in_the_midst_of_a_run(
    service: Callable[..., Process],
    url: str,
    postgresql: Server,
    shop: Path,
    told: list[dict[str, Any]],
) -> None:
    process = service("never", "one", "brief", every="1s")
    process.said("event=recorded")
    process.said("event=began", count=2)
    postgresql.stop()
    process.said("event=finished", count=3)
    spool = shop / "one/audits/shop/spool"
    assert len(list(spool.iterdir())) >= 2
    postgresql.start()
    until(lambda: not list(spool.iterdir()) and len(told) >= 2, process)
    end(process)
    known = runs(url)
    assert [run.number for run in known] == list(range(1, len(known) + 1))
    # Each once, in the order in which they ended; the last may have been ended with the service.
    finished = [line.partition(" id=")[2].split()[0] for line in process.lines if "event=finished" in line]
    assert [run.id for run in known][: len(finished)] == finished
    assert all(run.state is FINISHED for run in known[: len(finished)])
    assert [(bool(one["problem"]), one["recovered"]) for one in told] == [(True, False), (False, True)]


def test_the_server_is_killed_while_it_records(service: Callable[..., Process], url: str, postgresql: Server) -> None:
    process = service("serverless", "one")
    process.said("event=history")
    postgresql.stop()
    postgresql.start()
    process.said("event=recorded")
    assert [run.state for run in runs(url)] == [FINISHED]
    end(process)
