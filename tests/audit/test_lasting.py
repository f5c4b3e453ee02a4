"""What the service is like after many runs, and after everybody who looked at it."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import secrets
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from probe.audit import service
from probe.audit.config import Audit, Config
from probe.audit.order import Began, Going, Order
from probe.audit.runner import Outcome
from probe.audit.service import Service
from probe.model.words import Verdict
from probe.spec.toml import Document

from .fake_worker import deflated, report

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

RUNS = int(os.environ.get("PORTCHECK_TEST_RUNS", "16"))  # 1,000 take a minute


class Swift:
    """In place of a run's process: done at once, or in a time of which `clock` knows."""

    clock: Callable[[], datetime] = staticmethod(lambda: datetime.now(UTC))

    def __init__(self, order: Order, deadline: float, hear: Callable[..., None]) -> None:
        self._hear = hear

    async def make(self) -> Outcome:
        run = secrets.token_hex(8)
        started = self.clock()
        self._hear(Began(run, started.isoformat()))
        self._hear(Going(0, 1, 0, "checking"))
        verdict = Verdict.BLOCKED if int(run[0], 16) < 4 else Verdict.PASS
        return Outcome(
            data=deflated(report(run, verdict, started=started)),
            answer="deviations" if verdict is Verdict.BLOCKED else "conforms",
        )

    stopped = ""

    def stop(self, why: str) -> None:
        self.stopped = why


def held() -> dict[str, int]:
    """What this process has and could lose count of."""
    gc.collect()
    return {
        "descriptors": sum(1 for _ in Path("/proc/self/fd").iterdir()),
        "tasks": len(asyncio.all_tasks()),
        "threads": sum(1 for _ in Path("/proc/self/task").iterdir()),
    }


def resident() -> int:
    """kB of this process."""
    service._give_back()
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4


async def reaches(made: Service, number: int) -> None:
    """Until so many runs are recorded, and another can be asked for."""
    async with contextlib.aclosing(made.watch("shop")) as states:
        async for state in states:
            recorded = state.last.number if state.last is not None else 0
            if recorded >= number and made._makings["shop"].ready and not made._makings["shop"].running:
                return


async def test_runs_leave_nothing(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("probe.audit.making.Runner", Swift)
    audit = Audit(order=Order(audit="shop", inventory="hosts.txt"))  # when asked
    # Nobody listens there: what waits must be bounded, too.
    settings = Document("p.toml", '[alerts.hook]\ntype = "webhook"\nurl = "http://127.0.0.1:9/"')
    config = Config(
        audits=(audit,),
        history=str(shop / "history.db"),
        state=shop / "state",
        textfile=str(shop / "metrics.prom"),
        alerts={"hook": settings.table("alerts", "hook")},
    )
    made = Service(config)
    task = asyncio.create_task(made.run())
    sizes: dict[int, dict[str, int]] = {}
    memory: dict[int, int] = {}
    async with asyncio.timeout(120):
        await asyncio.sleep(0)  # the task lays out its audits first
        for number in range(RUNS):
            await reaches(made, number)
            if number in (RUNS // 2, RUNS - 1):
                sizes[number], memory[number] = held(), resident()
            made.start("shop")
        await reaches(made, RUNS)
        assert not any(made._watchers.values())
        made._end()
        await task
    early, late = sizes[RUNS // 2], sizes[RUNS - 1]
    assert {what: late[what] - early[what] for what in late if late[what] > early[what] + 1} == {}
    assert memory[RUNS - 1] - memory[RUNS // 2] < 8 * 1024
    files = [file for file in (shop / "state").rglob("*") if file.is_file()]
    assert len(files) <= 5, files
    assert sum(file.stat().st_size for file in files) < 1_000_000
