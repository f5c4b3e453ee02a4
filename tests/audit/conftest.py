"""An audit with a worker that only seems to check something, and a service of its own process."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from probe.audit import runner
from probe.audit.archive import Archive
from probe.audit.config import Audit
from probe.audit.making import Making
from probe.audit.order import Order
from probe.audit.schedule import Schedule, every

from .process import HOSTS, MATRIX, Process

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from probe.audit.values import Ended
    from probe.history.values import RunRecord

FAKE = Path(__file__).with_name("fake_worker.py")


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
    """One audit, every 6 hours, as one process after another makes it. `told` is what was told, and `done` what was
    noted as told.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.history = folder / "there" / "history.db"
        self.clock = Clock()
        self.told: list[Ended] = []
        self.done: list[Ended] = []
        self.archives: list[Archive] = []
        self._change = asyncio.Event()

    async def start(self, **more: Any) -> Making:
        """Another process, as far as the audit can tell."""
        await self.close()
        self.archives.append(Archive(str(self.history)))
        schedule = Schedule(audit="shop", when=every("6h"))
        audit = Audit(order=Order(audit="shop", inventory="hosts.txt"), schedule=schedule, **more)
        making = Making(audit, self.folder / "state", self.archives[-1], self, self._changed, self.clock)
        making.open()
        await making.recover()
        return making

    async def ended(self, ended: Ended) -> None:
        self.told.append(ended)

    async def noted(self, ended: Ended) -> None:
        self.done.append(ended)

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


@pytest.fixture
def start(shop: Path) -> Iterator[Callable[..., Process]]:
    """`start([…])`: a program in that folder, ended with the test."""
    with contextlib.ExitStack() as stack:

        def begin(command: list[str], **environment: str) -> Process:
            process = Process(command, shop, **environment)
            stack.callback(process.end)
            return process

        yield begin
