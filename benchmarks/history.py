"""A history of 1,000 runs of 5,000 checks, of which 1 % change per run: its size, and how long it takes to record a
run, to rebuild one, to list all and to compare any two.

    python benchmarks/history.py [PLACE]     PLACE: a file that is not there yet, or the URL of an empty database
"""

from __future__ import annotations

import random
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from probe.history.retention import Retention
from probe.history.store import History, open_history
from probe.model.result import CheckResult, Evidence, Report, RunInfo, Where, summarise
from probe.model.words import Cause, Expect, Need, Phase, Policy, Protocol, State, Transport, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable

RUNS, CHECKS, CHANGING, FAILING = 1000, 5000, 50, 100


def passing(number: int) -> CheckResult:
    source, target = number % 71, number % 67
    return CheckResult(
        id=f"{number:016x}",
        source=f"engine-{source}.prod.example.com",
        target=f"services-{target}.prod.example.com",
        source_role="engine",
        target_role="services",
        address=f"10.20.{target}.1",
        transport=Transport.TCP,
        ports=str(1024 + number % 9000),
        protocol=Protocol.HTTP,
        service=f"service-{number % 40}",
        matrix="aiware",
        rule=f"flows[{number % 40}]",
        also=(),
        cite="connections",
        expect=Expect.REACH,
        policy=Policy.ENFORCE,
        need=Need.REQUIRED,
        state=State.OPEN,
        verdict=Verdict.PASS,
        elapsed_ms=random.uniform(1, 9),
        rtt_ms=random.uniform(0.2, 0.9),
    )


def failing(row: CheckResult) -> CheckResult:
    """With evidence that is new each time, as times and counts in it are."""
    sent, seconds = random.randint(3, 9), random.uniform(0.9, 4)
    return msgspec.structs.replace(
        row,
        state=State.FILTERED,
        verdict=Verdict.BLOCKED,
        cause=random.choice((Cause.NETWORK, Cause.TARGET_FIREWALL)),
        where=Where(address="10.20.0.254", hop=random.randint(1, 3), side="after"),
        evidence=(
            Evidence(at="source", what=f"no answer to {sent} SYN in {seconds:.2f} s, from fresh ports"),
            Evidence(at="target", what=f"it listens on {row.address}:{row.ports}, and nothing came in from the source"),
            Evidence(at="source", what=f"the path: 10.20.0.1 in {seconds / 9:.2f} ms, then nobody"),
        ),
        elapsed_ms=seconds * 1000,
        rtt_ms=None,
        detail="no answer, and nothing arrived",
        advice=f"Ask who runs what is behind 10.20.0.254 to let {row.source} reach {row.address} on tcp {row.ports}.",
    )


def report(rows: list[CheckResult], number: int) -> Report:
    day = time.strftime("%Y-%m-%dT02:00:00Z", time.gmtime(1_700_000_000 + number * 86400))
    run = RunInfo(
        id=f"{number:012x}", started=day, finished=day, phase=Phase.LIVE, matrix=("aiware",),
        inventory="hosts.txt", seed=number, version="0.1.0",
    )  # fmt: skip
    checks = tuple(rows)
    return Report(run=run, summary=summarise(checks), checks=checks)


class Took(NamedTuple):
    seconds: float
    cpu: float


def timed(what: Callable[[], object]) -> Took:
    begin, cpu = time.perf_counter(), time.process_time()
    what()
    return Took(time.perf_counter() - begin, time.process_time() - cpu)


def told(what: str, times: list[Took]) -> None:
    ordered = sorted(took.seconds * 1000 for took in times)
    p95, cpu = ordered[int(len(ordered) * 0.95)], statistics.median(took.cpu * 1000 for took in times)
    print(f"{what:<32} median {statistics.median(ordered):8.1f} ms   p95 {p95:8.1f} ms   CPU {cpu:8.1f} ms", flush=True)


def measure(history: History, runs: int) -> None:
    random.seed(7)
    rows = [passing(number) for number in range(CHECKS)]
    bad = set(random.sample(range(CHECKS), FAILING))
    times = []
    for number in range(runs):
        fixed = random.sample(sorted(bad), CHANGING // 2)
        broken = random.sample(sorted(set(range(CHECKS)) - bad), CHANGING // 2)
        bad = (bad - set(fixed)) | set(broken)
        one = report([failing(row) if place in bad else row for place, row in enumerate(rows)], number)
        times.append(timed(lambda one=one: history.record("bench", one)))
    told("record the first run", times[:1])
    told("record another run", times[1:])
    print(f"{'size':<32} {history.size() / 1e6:14.1f} MB   {len(bad)} fail in the last run")
    some = [random.randint(1, runs) for _ in range(30)]
    told("rebuild any run", [timed(lambda n=n: history.report("bench", n)) for n in some])
    told("list 1,000 runs", [timed(lambda: history.runs("bench", limit=1000)) for _ in range(10)])
    told("list audits", [timed(history.audits) for _ in range(10)])
    pairs = [sorted(random.sample(range(1, runs + 1), 2)) for _ in range(30)]
    told("compare any two", [timed(lambda a=a, b=b: history.changes("bench", a, b)) for a, b in pairs])
    told("what changed in a run", [timed(lambda n=n: history.changes("bench", None, n)) for n in some])
    ids = [f"{random.randrange(CHECKS):016x}" for _ in range(30)]
    told("life of a check", [timed(lambda i=i: history.intervals("bench", i)) for i in ids])
    keep = Retention(days=0, failures_days=0)
    told("prune to the last runs", [timed(lambda: history.prune(keep))])
    print(f"{'size after':<32} {history.size() / 1e6:14.1f} MB")


def main() -> None:
    runs = RUNS
    if len(sys.argv) > 1:
        measure(open_history(sys.argv[1]), runs)
        return
    with tempfile.TemporaryDirectory() as folder:
        place = str(Path(folder, "history.db"))
        history = open_history(place)
        measure(history, runs)
        history.close()
        told("open, with the search for damage", [timed(lambda: open_history(place).close()) for _ in range(5)])


main()
