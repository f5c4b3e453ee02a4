"""The audit on a disk that is full for a while: a real one, of a mount namespace of its own."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ..audit.conftest import shop, told  # noqa: TID252  (tests are no package)
from ..audit.process import Process  # noqa: TID252

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["shop", "told"]
CRASHING = Path(__file__).parents[1] / "audit" / "crashing.py"
BLOCK = 4096
# A history whose every step finds so many blocks free, and all it needs the next time. Says what could not be done.
STEPS = """
import contextlib, datetime, os, sqlite3, sys
from pathlib import Path
from probe.errors import UserError
from probe.history.retention import Retention
from probe.history.store import open_history
from tests.history.reports import report, row

def full(free):
    with Path("disk/ballast").open("wb", buffering=0) as file, contextlib.suppress(OSError):
        for _ in range(os.statvfs("disk").f_bavail - free):
            file.write(bytes(4096))

def tried(what, free):
    full(free)
    try:
        return what()
    except UserError as error:
        assert "no room is left" in str(error), error
        return None
    finally:
        Path("disk/ballast").unlink()

def rows(number):
    return report([row(f"c{check}", "nd"[(check + number) % 2]) for check in range(150)], number)

def prune():
    return history.prune(Retention(runs=1, failures_days=0), now=datetime.datetime(2027, 1, 1, tzinfo=datetime.UTC))

for free in map(int, sys.argv[1:]):
    done = [word for word, what in (("made", lambda: open_history("disk/h.db").close() or True),) if tried(what, free)]
    history = open_history("disk/h.db")
    for number in range(1, 15):
        history.record("x", rows(number))
    done += ["recorded"] if tried(lambda: history.record("x", rows(15)), free) else []
    assert history.record("x", rows(15))[0].number == 15
    kept = len(history.runs("x"))
    done += ["pruned"] if tried(prune, free) else []
    assert (len(history.runs("x")) < kept) == ("pruned" in done)
    prune()
    history.close()
    connection = sqlite3.connect("disk/h.db")
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()
    for file in Path("disk").iterdir():
        file.unlink()
    print(free, *done)
"""


def on_disk(size: str, *command: str) -> list[str]:
    """The command where `disk` is one of this size."""
    return ["unshare", "--mount", "sh", "-c", f'mount -t tmpfs -o size={size} tmpfs disk && exec "$@"', "sh", *command]


@pytest.fixture(params=["disk/state", "state"])
def process(request: pytest.FixtureRequest, shop: Path, told: list[dict[str, Any]]) -> Iterator[Process]:
    """An audit every second whose history is on a disk of 700 kB, with its state or without."""
    (shop / "disk").mkdir()
    audit = [sys.executable, str(CRASHING), "never", "fake", "audit", "-i", "hosts.txt", "--name", "shop"]
    place = ["--every", "1s", "--state", request.param, "--history", "disk/history.db"]
    process = Process(on_disk("700k", *audit, *place), shop)
    yield process
    process.end()


def test_runs_go_on_and_nothing_is_lost(process: Process, shop: Path, told: list[dict[str, Any]]) -> None:
    process.said("event=recorded")
    disk = Path(f"/proc/{process.process.pid}/root{shop}/disk")
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b"x" * BLOCK)
    process.said("event=history")
    made = count(process, "event=finished")
    process.said("event=finished", count=made + 2)
    assert count(process, "event=history") == 1, "".join(process.lines)
    ballast.unlink()
    process.said("event=recorded", count=made + 2)
    process.said("event=mended")  # with the first report that finds room in the state folder, too
    process.process.send_signal(signal.SIGTERM)
    assert process.wait() == 0
    assert count(process, "event=recorded") == count(process, "event=finished")
    assert count(process, "event=lost") == count(process, "event=dropped") == 0
    assert [(bool(one["problem"]), one["recovered"]) for one in told][:1] == [(True, False)], "".join(process.lines)
    assert told[-1]["recovered"]


def count(process: Process, words: str) -> int:
    return sum(words in line for line in process.lines)


def test_a_history_finds_no_room_in_the_midst_of_anything(tmp_path: Path) -> None:
    """Of a database that is made, a run that is recorded, and one that is pruned and gives its room back."""
    (tmp_path / "disk").mkdir()
    command = on_disk("6m", sys.executable, "-c", STEPS, "0", "5", "20", "40", "60", "120")
    paths = f"{Path(__file__).parents[2]}"
    done = subprocess.run(
        command, cwd=tmp_path, env={"PYTHONPATH": paths, "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = done.stdout.splitlines()
    assert told[0] == "0"
    assert told[-1] == "120 made recorded pruned"
