"""The service killed at each moment of a run: nothing that was finished is lost, and the next start goes on."""

from __future__ import annotations

import os
import re
import signal
import sys
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from probe.history.store import open_history
from probe.history.values import RunState

if TYPE_CHECKING:
    from collections.abc import Callable

    from probe.history.values import RunRecord

    from .process import Process

CRASHING = Path(__file__).with_name("crashing.py")
AUDIT = ["audit", "--inventory", "hosts.txt", "--name", "shop", "--every", "6h", "--phase", "live"]
AUDIT += ["--textfile", "metrics.prom"]
FINISHED, LOST = RunState.FINISHED, RunState.LOST
TOKEN = "a token for the pages"


def command(moment: str, *words: str) -> list[str]:
    return [sys.executable, str(CRASHING), moment, *words, *AUDIT]


def runs(shop: Path) -> list[RunRecord]:
    history = open_history(str(shop / "state/portcheck/history.db"))
    try:
        return list(reversed(history.runs("shop")))
    finally:
        history.close()


def spooled(shop: Path) -> list[str]:
    return [file.name for file in (shop / "state/portcheck/audits/shop/spool").iterdir()]


def counted(shop: Path) -> dict[str, int]:
    """Runs by how they ended, as Prometheus is told."""
    text = (shop / "metrics.prom").read_text()
    found = re.findall(r'portcheck_runs_total{audit="shop",outcome="(\w+)"} (\d+)', text)
    return {outcome: int(number) for outcome, number in found}


def until(is_so: Callable[[], bool], process: Process) -> None:
    end = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < end, "".join(process.lines)
        time.sleep(0.05)


def end(process: Process) -> None:
    process.process.send_signal(signal.SIGTERM)
    assert process.wait() == 0


@pytest.mark.parametrize(
    ("moment", "states", "made"),
    [
        ("ordered", [FINISHED], "second"),
        ("begun", [LOST, FINISHED], "second"),
        ("spooled", [FINISHED], "first"),
        ("recording", [FINISHED], "first"),
        ("recorded", [FINISHED], "first"),
        ("told", [FINISHED], "first"),
        ("noted", [FINISHED], "first"),
        ("shown", [FINISHED], "first"),
    ],
)
def test_killed(
    start: Callable[..., Process],
    shop: Path,
    told: list[dict[str, Any]],
    moment: str,
    states: list[RunState],
    made: str,
) -> None:
    first = start(command(moment, "fake"), FAKE="ill")
    assert first.wait() == -signal.SIGKILL, first.lines
    second = start(command("never", "fake"), FAKE="ill")
    # What the first one made is not made again; what it had not made, or not finished, is.
    second.said("event=recorded")
    second.said("event=started" if made == "first" else "event=finished")
    if moment == "spooled":  # the one moment at which the due time is not dealt with yet
        second.said("event=skipped")
    end(second)
    found = [run.state for run in runs(shop)]
    assert found in (states, states[-1:] if moment == "begun" else states)
    assert spooled(shop) == []
    assert any("event=finished" in line for line in second.lines) == (made == "second")
    # Told, if twice then by one name, and counted once.
    assert len({one["id"] for one in told}) == 1
    assert counted(shop) == {"deviations": 1} | ({"lost": 1} if LOST in found else {})


@pytest.mark.parametrize(("moment", "state"), [("failing", LOST), ("recorded", RunState.FAILED)])
def test_killed_while_a_run_fails_its_problem_is_told(
    start: Callable[..., Process], shop: Path, told: list[dict[str, Any]], moment: str, state: RunState
) -> None:
    assert start(command(moment, "fake"), FAKE="crash").wait() == -signal.SIGKILL
    second = start(command("never", "fake"))
    second.said("event=delivered")
    end(second)
    assert [run.state for run in runs(shop)] == [state]
    assert ["ended by signal 9" in one["problem"] for one in told] == [True]


def test_killed_while_it_tells_of_a_lost_run(
    start: Callable[..., Process], shop: Path, told: list[dict[str, Any]]
) -> None:
    hanging = start(command("never", "fake"), FAKE="hang")
    until(lambda: [run.state for run in runs(shop)] == [RunState.RUNNING], hanging)
    hanging.process.kill()
    assert start(command("lost", "fake")).wait() == -signal.SIGKILL
    third = start(command("never", "fake"))
    third.said("event=recorded")
    end(third)
    assert [run.state for run in runs(shop)] == [LOST, FINISHED]
    assert counted(shop) == {"lost": 1, "conforms": 1}


def test_a_run_that_somebody_asked_for_is_made_up(start: Callable[..., Process], shop: Path) -> None:
    words = [*command("never", "fake"), "--listen", "127.0.0.1:0"]
    first = start(words, FAKE="once", PORTCHECK_DASHBOARD_TOKEN=TOKEN)
    place = first.said("event=started").partition("dashboard=")[2].split()[0]
    first.said("event=recorded")
    request = urllib.request.Request(
        f"{place}audits/shop/run", method="POST", headers={"Authorization": f"Bearer {TOKEN}"}
    )

    def asked() -> bool:
        """It is refused until the first run has been told of."""
        urllib.request.urlopen(request, timeout=20).close()
        return any("event=asked" in line for line in first.lines)

    until(asked, first)
    first.said("due=asked-for")
    first.process.kill()
    second = start(words)
    second.said("due=asked-for")
    second.said("event=recorded")
    end(second)
    third = start(words)
    third.said("event=started")
    end(third)
    assert not any("event=began" in line for line in third.lines)
    assert [run.state for run in runs(shop)] in ([FINISHED, LOST, FINISHED], [FINISHED, FINISHED])


def children(pid: int) -> set[int]:
    """It and all that came of it."""
    found = {pid}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except (OSError, IndexError):
                continue
            if parent == pid:
                found |= children(int(entry.name))
    return found


def alive(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False


def test_killed_while_it_reaches_its_agents(start: Callable[..., Process], shop: Path) -> None:
    """With a real run."""
    assert start(command("reaching")).wait() == -signal.SIGKILL
    second = start(command("never"))
    second.said("event=recorded")
    second.process.send_signal(signal.SIGTERM)
    assert second.wait() == 0
    assert [run.state for run in runs(shop)] in ([LOST, FINISHED], [FINISHED])  # it may die before it wrote that down


def gone(pids: set[int]) -> None:
    end = time.monotonic() + 20
    while any(map(alive, pids)):
        assert time.monotonic() < end
        time.sleep(0.02)


def killed_with_its_family(process: Process, pids: Path, number: int) -> None:
    """Once so many of its descendants have written down that they are there."""
    end = time.monotonic() + 20
    while not pids.exists() or len(pids.read_text().split()) < number:
        assert time.monotonic() < end, process.lines
        time.sleep(0.02)
    family = children(process.process.pid)
    assert {int(pid) for pid in pids.read_text().split()} < family
    process.process.kill()
    gone(family - {process.process.pid})


def test_killed_while_it_plans_the_run_ends_too(start: Callable[..., Process], shop: Path) -> None:
    """With a real run, whose inventory is a script that does not come to an end."""
    hosts, pids = (shop / "hosts.txt").read_text(), shop / "pids"
    (shop / "hosts.txt").write_text("#!/bin/sh\necho $$ >> pids\nexec sleep 60\n")
    (shop / "hosts.txt").chmod(0o755)
    process = start(command("never"))
    killed_with_its_family(process, pids, 1)
    assert runs(shop) == []  # it had not begun
    (shop / "hosts.txt").chmod(0o644)
    (shop / "hosts.txt").write_text(hosts)
    second = start(command("never"))
    second.said("event=recorded")
    second.process.send_signal(signal.SIGTERM)
    assert second.wait() == 0
    assert [run.state for run in runs(shop)] == [FINISHED]


def test_killed_while_it_checks_the_run_and_its_agents_end_too(start: Callable[..., Process], shop: Path) -> None:
    """With a real run. Its agents would not answer for a long time, and hold what they were given to answer on."""
    hosts = (shop / "hosts.txt").read_text()
    (shop / "hosts.txt").write_text(
        f"{hosts}portcheck_exec=\"sh -c 'echo $$ >> pids; exec 3>&1 cat > /dev/null' --\"\n"
    )
    process = start(command("never"))
    killed_with_its_family(process, shop / "pids", 2)
    assert [run.state for run in runs(shop)] == [RunState.RUNNING]
    (shop / "hosts.txt").write_text(hosts)
    second = start(command("never"))
    assert "run=1" in second.said("event=lost")
    second.said("event=recorded")
    os.kill(second.process.pid, signal.SIGTERM)
    assert second.wait() == 0
    assert [run.state for run in runs(shop)] == [LOST, FINISHED]
