"""Processes that are killed in the midst of it, with either kind of history."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from probe.model.change import Turn
from probe.report import json

from .reports import report, row
from .test_store import essence

if TYPE_CHECKING:
    from collections.abc import Callable

    from probe.history.store import History

# Ends itself at one of its statements, or when all is done but for the answer.
RECORDING = """
import os, signal, sys
from probe.history import store
from probe.report import json

history = store.open_history(sys.argv[1])
report = json.parse(sys.stdin.buffer.read())
left = int(sys.argv[2])

def counted(what):
    def one(*given):
        global left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return what(*given)
    return one

module = sys.modules[type(history._database).__module__]
for name in ("rows", "run", "many"):
    setattr(module._Session, name, counted(getattr(module._Session, name)))
history.record("x", report)
print(left, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
HOLDING = """
import sys
from probe.history.store import open_history
history = open_history(sys.argv[1])
with history.lock("x"):
    print("held", flush=True)
    sys.stdin.read()
"""
STATEMENTS, PLENTY = 30, 10_000  # that it takes at least, and more than it takes


def record_and_die(place: str, data: bytes, at: int) -> str:
    done = subprocess.run(
        (sys.executable, "-c", RECORDING, place, str(at)), input=data, capture_output=True, timeout=60, check=False
    )
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    return done.stdout.decode()


@pytest.mark.parametrize("share", [0.0, 0.5, 0.9, 1.0, None])
def test_a_run_is_there_whole_or_not_at_all(place: str, opened: Callable[[], History], share: float | None) -> None:
    first, second = report([row("a", "p"), row("b", "n")], 1), report([row("a", "n"), row("c", "d")], 2)
    opened().record("x", first)
    data = json.render(second)
    if share is not None:
        assert record_and_die(place, data, 1 + round(share * (STATEMENTS - 1))) == ""
        assert [run.number for run in opened().runs("x")] == [1]
    else:
        assert STATEMENTS <= PLENTY - int(record_and_die(place, data, PLENTY)) < 2 * STATEMENTS
    history = opened()
    record, changes = history.record("x", second)
    assert essence(history.report("x", record.number).checks) == essence(second.checks)
    assert {change.row.id: change.turn for change in changes.changes} == {"a": Turn.NEW, "b": Turn.GONE, "c": Turn.NEW}
    assert essence(history.report("x", 1).checks) == essence(first.checks)


def test_an_audit_is_free_when_whoever_had_it_is_dead(place: str, history: History) -> None:
    with subprocess.Popen(
        (sys.executable, "-c", HOLDING, place), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        assert history.lock("x") is None
        other = history.lock("y")
        assert other is not None
        with other:
            pass
        holder.kill()
        holder.wait(timeout=30)
        with eventually(history):
            pass


def eventually(history: History) -> object:
    """The server needs a moment to see that its client is gone."""
    until = time.monotonic() + 10
    while (lock := history.lock("x")) is None:
        assert time.monotonic() < until
        time.sleep(0.01)
    return lock
