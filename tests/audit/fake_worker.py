"""In place of the process of a run: takes the order and does at once what $FAKE says.

Started as a file, with tests/ not on the path.
"""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import threading
import time
import zlib
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from probe.audit.order import Began, Broken, Failed, Going, Made, Order, Word, encoder
from probe.model.result import CheckResult, Evidence, Report, RunInfo, summarise
from probe.model.words import Cause, Expect, Need, Phase, Policy, Protocol, State, Transport, Verdict


def report(run: str, verdict: Verdict, *, started: datetime | None = None, interrupted: bool = False) -> Report:
    now = (started or datetime.now(UTC)).isoformat(timespec="milliseconds")
    failing = verdict is not Verdict.PASS
    row = CheckResult(
        id="c0ffee",
        source="w1",
        target="d1",
        source_role="web",
        target_role="db",
        address="127.84.0.2",
        transport=Transport.TCP,
        ports="5432",
        protocol=Protocol.TCP,
        service="sql",
        matrix="shop",
        rule="flows[0]",
        also=(),
        cite="",
        expect=Expect.REACH,
        policy=Policy.ENFORCE,
        need=Need.REQUIRED,
        state=State.FILTERED if failing else State.OPEN,
        verdict=verdict,
        cause=Cause.NETWORK if failing else None,
    )
    info = RunInfo(
        id=run,
        started=now,
        finished=now,
        phase=Phase.LIVE,
        matrix=("shop",),
        inventory="hosts.txt",
        seed=1,
        version="0",
        interrupted=interrupted,
    )
    return Report(run=info, summary=summarise((row,)), checks=(row,))


def large(run: str, rows: int = 5000) -> Report:
    """Of so many rows, each tenth of which fails now and then."""
    found = report(run, Verdict.BLOCKED)
    evidence = (Evidence(at="source", what=f"no answer to 3 SYN in 0.9 s, in run {run}"),)
    checks = []
    for place in range(rows):
        fails = place % 10 == 0 and (int(run[:2], 16) + place // 10) % 4 == 0
        checks.append(
            msgspec.structs.replace(
                found.checks[0] if fails else report(run, Verdict.PASS).checks[0],
                id=f"{place:016x}",
                source=f"engine-{place % 71}",
                target=f"services-{place % 67}",
                ports=str(1024 + place),
                evidence=evidence if fails else (),
            )
        )
    return msgspec.structs.replace(found, checks=tuple(checks), summary=summarise(checks))


def deflated(found: Report) -> bytes:
    return zlib.compress(msgspec.json.encode(found))


def say(word: Word, behind: bytes = b"") -> None:
    sys.stdout.buffer.write(encoder.encode(word) + b"\n" + behind)
    sys.stdout.buffer.flush()


def send(found: Report, answer: str) -> None:
    data = deflated(found)
    say(Made(len(data), answer), data)


def hang(ended: threading.Event) -> None:
    """When the service is killed, nobody else would end this."""
    parent = os.getppid()
    while not ended.is_set():
        if os.getppid() != parent:
            sys.exit(1)
        time.sleep(0.01)


def wanted() -> str:
    mode = os.environ.get("FAKE", "well")
    if mode == "once":  # well, and those that come after it hang
        mode = "hang" if Path("made").exists() else "well"
        Path("made").touch()
    return mode


def main() -> None:
    msgspec.json.decode(sys.stdin.buffer.readline(), type=Order)
    mode, run = wanted(), os.urandom(8).hex()
    if mode == "fail":
        say(Failed("hosts.txt:1:1: no hosts"))
        sys.exit(1)
    ended = threading.Event()
    if mode == "hang":
        signal.signal(signal.SIGTERM, lambda *_: ended.set())
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    if mode == "kept":
        say(Broken("hosts.txt:1:1: no hosts"))
    say(Began(run, datetime.now(UTC).isoformat(timespec="milliseconds")))
    say(Going(0, 1, 0, "checking"))
    match mode:
        case "crash":
            os.kill(os.getpid(), signal.SIGKILL)
        case "nonsense":
            sys.stdout.buffer.write(b"nonsense\n")
            return
        case "endless":
            # More than asyncio takes unasked, and all of it in the pipe when this has ended.
            fcntl.fcntl(sys.stdout, fcntl.F_SETPIPE_SZ, 1 << 20)
            sys.stdout.buffer.write(b"x" * 1_000_000)
            return
        case "survived":
            # With our stdout, and out of our session.
            subprocess.Popen(["sleep", "5"], start_new_session=True)
            return
        case "hang":
            hang(ended)
            send(report(run, Verdict.PASS, interrupted=True), "interrupted")
        case "deaf":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            time.sleep(60)
        case "large":
            send(large(run), "deviations")
        case "brief":
            time.sleep(0.4)
            send(report(run, Verdict.PASS), "conforms")
        case "blind":
            send(report(run, Verdict.INCONCLUSIVE), "inconclusive")
        case "ill":
            send(report(run, Verdict.BLOCKED), "deviations")
        case _:
            send(report(run, Verdict.PASS), "conforms")


if __name__ == "__main__":
    main()
