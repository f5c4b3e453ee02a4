"""How long each page of the dashboard takes over a history of 1,000 runs of 5,000 checks, 1 % changing per run.

PYTHONPATH=. python benchmarks/dashboard.py [PLACE]     PLACE: a history to make, or one that an earlier call has made
"""

from __future__ import annotations

import asyncio
import random
import statistics
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import aiohttp
import msgspec

from probe.audit.service import tune
from probe.audit.values import AuditState
from probe.audit.web import Listen, serve
from probe.history.store import History, open_history
from tests.report import example
from tests.report.rows import blocked, passes

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from probe.model.result import CheckResult

T = TypeVar("T")
RUNS, CHECKS, CHANGING = 1000, 5000, 50
ASKED = 60  # of each page


class Metrics:
    def render(self, accept: str = "") -> tuple[bytes, str]:
        return b"", "text/plain"


class Desk:
    def __init__(self, history: History) -> None:
        self._history, self._thread = history, ThreadPoolExecutor(1)
        self._state = AuditState(name="bench", schedule="every 6 h", last=history.runs("bench", limit=1)[0])

    def states(self) -> tuple[AuditState, ...]:
        return (self._state,)

    def state(self, audit: str) -> AuditState | None:
        return self._state if audit == "bench" else None

    def start(self, audit: str) -> bool:
        return False

    async def watch(self, audit: str) -> AsyncIterator[AuditState]:
        yield self._state

    async def ask(self, question: Callable[[History], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, question, self._history)


def fill(history: History) -> None:
    random.seed(7)
    good, bad = passes()[0], blocked()[0]
    failing = set(range(0, CHECKS, 50))
    for number in range(RUNS):
        failing -= set(random.sample(sorted(failing), CHANGING // 2))
        failing |= set(random.sample(sorted(set(range(CHECKS)) - failing), CHANGING // 2))
        rows = [named(bad if place in failing else good, place) for place in range(CHECKS)]
        day = time.strftime("%Y-%m-%dT02:00:00Z", time.gmtime(1_700_000_000 + number * 86_400))
        made = example.report(rows)
        run = msgspec.structs.replace(made.run, id=f"{number:012x}", started=day, finished=day)
        history.record("bench", msgspec.structs.replace(made, run=run))


def named(row: CheckResult, place: int) -> CheckResult:
    source, target = place % 71, place % 67
    return msgspec.structs.replace(
        row,
        id=f"{place:016x}",
        source=f"engine-{source}.prod.example.com",
        target=f"services-{target}.prod.example.com",
        address=f"10.20.{target}.1",
        ports=str(1024 + place % 9000),
        service=f"service-{place % 40}",
    )


async def measure(history: History) -> None:
    random.seed(11)
    runs = [random.randint(2, RUNS) for _ in range(ASKED)]
    ids = [f"{random.randrange(CHECKS):016x}" for _ in range(ASKED)]
    pages = {
        "audits": [""] * ASKED,
        "an audit, any page of its runs": [f"audits/bench?before={run}" for run in runs],
        "an audit, its first page": ["audits/bench"] * ASKED,
        "a run, each another one": [f"audits/bench/runs/{run}" for run in runs],
        "a run, the newest": [f"audits/bench/runs/{RUNS}"] * ASKED,
        "a run, seen before": [f"audits/bench/runs/{runs[-1]}"] * ASKED,
        "JSON of a run": [f"audits/bench/runs/{run}.json" for run in runs],
        "history of a check": [f"audits/bench/checks/{one}" for one in ids],
        "what changed in a run": [f"audits/bench/diff?new={run}" for run in runs],
        "any two runs": [f"audits/bench/diff?old={random.randint(1, RUNS)}&new={run}" for run in runs],
        "checks of a run": [f"audits/bench/checks?run={run}" for run in runs],
        "checks of a run, by a word": [f"audits/bench/checks?run={run}&q=engine-{run % 71}." for run in runs],
        "live": ["audits/bench/live"] * ASKED,
    }
    tune()
    async with serve(Desk(history), Metrics(), Listen(port=0)) as listen, aiohttp.ClientSession() as client:
        for name, paths in pages.items():
            seconds, cpu, size = [], [], 0
            for path in paths:
                begin, busy = time.perf_counter(), time.process_time()
                async with client.get(listen.url + path) as answer:
                    size = max(size, len(await answer.read()))
                    answer.raise_for_status()
                seconds.append(time.perf_counter() - begin)
                cpu.append(time.process_time() - busy)
            print(f"{name:<32} {told(seconds)}   CPU {told(cpu)}   largest {size / 1000:6.0f} kB", flush=True)


def told(seconds: list[float]) -> str:
    ordered = sorted(seconds)
    return f"median {statistics.median(ordered) * 1000:6.1f} ms p95 {ordered[int(len(ordered) * 0.95)] * 1000:6.1f} ms"


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        place = Path(sys.argv[1] if len(sys.argv) > 1 else Path(folder, "history.db"))
        made = place.exists()
        history = open_history(str(place))
        if not made:
            fill(history)
        asyncio.run(measure(history))


if __name__ == "__main__":
    main()
