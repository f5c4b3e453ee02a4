"""The audit on a disk that is full for a while: a real one, of a mount namespace of its own."""

from __future__ import annotations

import contextlib
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ..audit.process import HOSTS, MATRIX, Process  # noqa: TID252  (tests are no package)

if TYPE_CHECKING:
    from collections.abc import Iterator

CRASHING = Path(__file__).parents[1] / "audit" / "crashing.py"
BLOCK = 4096


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Process]:
    """An audit every second whose state and history are on a disk of 1 MB."""
    (tmp_path / "shop.yaml").write_text(MATRIX)
    (tmp_path / "hosts.txt").write_text(HOSTS)
    (tmp_path / "disk").mkdir()
    audit = [
        sys.executable,
        str(CRASHING),
        "never",
        "fake",
        "audit",
        "-i",
        "hosts.txt",
        "--every",
        "1s",
        "--name",
        "shop",
    ]
    place = ["--state", "disk/state", "--history", "disk/history.db"]
    mount = 'mount -t tmpfs -o size=1m tmpfs disk && exec "$@"'
    process = Process(["unshare", "--mount", "sh", "-c", mount, "sh", *audit, *place], tmp_path)
    yield process
    process.end()


def test_runs_go_on_and_nothing_is_lost(process: Process, tmp_path: Path) -> None:
    process.said("event=recorded")
    disk = Path(f"/proc/{process.process.pid}/root{tmp_path}/disk")
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b"x" * BLOCK)
    process.said("event=history")
    made = sum("event=finished" in line for line in process.lines)
    process.said("event=finished", count=made + 2)
    ballast.unlink()
    process.said("event=recorded", count=made + 2)
    process.process.send_signal(signal.SIGTERM)
    assert process.wait() == 0
    told = "".join(process.lines)
    assert told.count("event=recorded") == told.count("event=finished")
    assert "event=lost" not in told
    assert "event=dropped" not in told
