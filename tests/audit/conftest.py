"""An audit with a worker that only seems to check something, and a service of its own process."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from probe.audit import runner
from probe.audit.archive import Archive
from probe.audit.config import Audit
from probe.audit.making import Making
from probe.audit.order import Order
from probe.audit.schedule import Schedule, every

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from probe.audit.values import Ended
    from probe.history.values import RunRecord

FAKE = Path(__file__).with_name("fake_worker.py")
MATRIX = """\
portcheck: 1
name: shop
roles: {web: {}, db: {}}
services:
  sql: {role: db, port: 47813, protocol: tcp}
flows:
  - {from: web, to: sql}
policy: {inside: ignore, outside: ignore}
"""
HOSTS = """\
[web]
w1 portcheck_address=127.84.0.1
[db]
d1 portcheck_address=127.84.0.2
[all:vars]
ansible_connection=local
portcheck_matrix=shop.yaml
"""


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    (tmp_path / "shop.yaml").write_text(MATRIX)
    (tmp_path / "hosts.txt").write_text(HOSTS)
    return tmp_path


class Clock:
    """Stands still until it is told to go on."""

    def __init__(self) -> None:
        # Not before what the workers call now: a due time of the past would be one that others have seen to.
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.now

    def pass_by(self, **span: float) -> None:
        self.now += timedelta(**span)


class Scene:
    """One audit, every 6 hours, as one process after another makes it. `ended` is what was told."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.history = folder / "there" / "history.db"
        self.clock = Clock()
        self.ended: list[Ended] = []
        self.archives: list[Archive] = []
        self._change = asyncio.Event()

    async def start(self, **more: Any) -> Making:
        """Another process, as far as the audit can tell."""
        await self.close()
        self.archives.append(Archive(str(self.history)))
        schedule = Schedule(audit="shop", when=every("6h"))
        audit = Audit(order=Order(audit="shop", inventory="hosts.txt"), schedule=schedule, **more)
        making = Making(audit, self.folder / "state", self.archives[-1], self._tell, self._changed, self.clock)
        making.open()
        await making.recover()
        return making

    async def _tell(self, ended: Ended) -> None:
        self.ended.append(ended)

    def _changed(self, _: str) -> None:
        self._change.set()

    async def until(self, is_so: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not is_so():
                self._change.clear()
                await self._change.wait()

    async def runs(self) -> list[RunRecord]:
        """The oldest first."""
        return list(reversed(await self.archives[-1].ask(lambda history: history.runs("shop"))))

    @property
    def spooled(self) -> list[str]:
        return sorted(file.name for file in (self.folder / "state/audits/shop/spool").iterdir())

    async def close(self) -> None:
        for archive in self.archives:
            await archive.close()
        self.archives.clear()


@pytest.fixture
async def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Scene]:
    monkeypatch.setattr(runner, "COMMAND", (sys.executable, str(FAKE)))
    (tmp_path / "there").mkdir()
    scene = Scene(tmp_path)
    yield scene
    await scene.close()


class Process:
    """A program under test and what it says on stderr."""

    def __init__(self, command: list[str], folder: Path, **environment: str) -> None:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("PORTCHECK_")}
        state = {"XDG_STATE_HOME": str(folder / "state"), "XDG_CONFIG_HOME": str(folder / "config")}
        self.process = subprocess.Popen(
            command, cwd=folder, env=clean | state | environment, stderr=subprocess.PIPE, text=True
        )
        self.lines: list[str] = []
        self._more = threading.Condition()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            with self._more:
                self.lines.append(line)
                self._more.notify_all()

    def said(self, words: str, seconds: float = 20.0) -> str:
        """The first line with these words in it, when it is there."""
        end = time.monotonic() + seconds
        with self._more:
            while not (found := [line for line in self.lines if words in line]):
                assert self._more.wait(max(end - time.monotonic(), 0)), "".join(self.lines)
        return found[0]

    def wait(self, seconds: float = 20.0) -> int:
        code = self.process.wait(seconds)
        self._reader.join(seconds)
        return code

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        self._reader.join()
        assert self.process.stderr is not None
        self.process.stderr.close()


@pytest.fixture
def start(shop: Path) -> Iterator[Callable[..., Process]]:
    """`start([…])`: a program in that folder, ended with the test."""
    with contextlib.ExitStack() as stack:

        def begin(command: list[str], **environment: str) -> Process:
            process = Process(command, shop, **environment)
            stack.callback(process.end)
            return process

        yield begin
