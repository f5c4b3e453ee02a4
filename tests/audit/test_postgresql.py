"""The service over a real PostgreSQL server: two coordinators with one history, and a server that goes and comes."""

from __future__ import annotations

import json
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from probe.history.store import open_history
from probe.history.values import RunState
from tests.history.conftest import postgresql

from .test_crash import CRASHING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from probe.history.values import RunRecord
    from tests.history.server import Server

    from .process import Process

__all__ = ["postgresql"]
pytestmark = pytest.mark.netns
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


@pytest.fixture
def told(shop: Path) -> Iterator[list[dict[str, Any]]]:
    """What the webhook of the audit got."""
    came: list[dict[str, Any]] = []

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            came.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Hook) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}/"
        (shop / "portcheck.toml").write_text(f'[alerts.hook]\ntype = "webhook"\nurl = "{url}"\n')
        yield came
        server.shutdown()
        thread.join()


def runs(url: str) -> list[RunRecord]:
    """The oldest first."""
    history = open_history(url)
    try:
        return list(reversed(history.runs("shop")))
    finally:
        history.close()


def until(is_so: Callable[[], bool], process: Process) -> None:
    end = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < end, "".join(process.lines)
        time.sleep(0.05)


def count(process: Process, words: str) -> int:
    return sum(words in line for line in process.lines)


def end(process: Process) -> None:
    process.process.send_signal(signal.SIGTERM)
    assert process.wait() == 0


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
