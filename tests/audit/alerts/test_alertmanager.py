"""What Alertmanager is told, run after run; at the end to a real one."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import time
from typing import TYPE_CHECKING, Any

import aiohttp
import msgspec
import pytest

from probe.audit.alerts.alertmanager import MORE, MOST, PROBLEM, WAIVER, Firing, body, update
from probe.audit.alerts.config import Type
from probe.audit.alerts.news import Least, Memory, news
from probe.history.values import RunState
from probe.model.waiver import Waived, WaiverState, WaiverUse
from probe.model.words import Cause

from .events import BLOCKED, UNKNOWN, Course, advised, postgresql, redis
from .test_service import Service

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from probe.audit.values import Ended

NOW = 1_750_000_000.0
BASE = "https://audit.example"


class Told:
    """What fires, run by run."""

    def __init__(self, least: Least = Least.DEVIATION) -> None:
        self.least = least
        self.memory = Memory()
        self.known: dict[str, Firing] = {}

    def of(self, ended: Ended) -> list[Firing]:
        _, self.memory = news(ended, self.memory)
        self.known = update(self.known, ended, self.memory, self.least, BASE, NOW)
        return list(self.known.values())


def going_on(fires: list[Firing]) -> list[str | None]:
    return sorted(one.labels.get("cause") or one.labels["alertname"] for one in fires if not one.ends)


def test_an_alert_has_what_it_is_grouped_by_and_what_to_do():
    (one,) = Told().of(Course().run(redis(1, **BLOCKED), redis(2, **BLOCKED), redis(3)))
    print_ = one.labels["fingerprint"]
    assert one.labels == {
        "alertname": "PortcheckFinding",
        "audit": "nightly",
        "verdict": "blocked",
        "cause": "network",
        "matrix": "aiware",
        "source_role": "engine",
        "target_role": "redis",
        "service": "redis",
        "severity": "",
        "fingerprint": print_,
    }
    assert one.annotations == {
        "summary": "a device on the way drops tcp 6379 from engine (2 hosts) to redis-1",
        "description": "A device on the way drops it, rejects it, or refuses it in the target's name.",
        "advice": "Ask the network team.",
        "checks": "2",
    }
    assert one.link.startswith(f"{BASE}/audits/nightly/runs/1#finding-")
    assert one.starts == "2025-03-14T09:26:53Z"
    (sent,) = json.loads(body([(one, NOW)]))
    assert sent["endsAt"] == "2025-06-15T15:06:40+00:00"
    assert "severity" not in sent["labels"]


def test_the_labels_stay_whichever_hosts_it_is_about():
    course, told = Course(), Told()
    (first,) = told.of(course.run(redis(1, **BLOCKED), redis(2)))
    (second,) = told.of(course.run(redis(1), redis(2, **BLOCKED)))
    assert (first.labels, first.starts) == (second.labels, second.starts)
    assert "engine-2" in second.annotations["summary"]


def test_what_is_fixed_ends_once():
    course, told = Course(), Told()
    told.of(course.run(redis(1, **BLOCKED)))
    (over,) = told.of(course.run(redis(1)))
    assert over.ends == "2025-06-15T15:06:40+00:00"
    assert told.of(course.run(redis(1))) == []


def test_another_cause_is_another_alert():
    course, told = Course(), Told()
    told.of(course.run(redis(1, **BLOCKED)))
    fires = told.of(course.run(redis(1, **BLOCKED | {"cause": Cause.TARGET_FIREWALL})))
    assert {one.labels["cause"]: bool(one.ends) for one in fires} == {"network": True, "target-firewall": False}


@pytest.mark.parametrize("state", [RunState.FAILED, RunState.INTERRUPTED])
def test_nothing_ends_by_a_run_that_was_not_made(state: RunState):
    course, told = Course(), Told()
    told.of(course.run(redis(1, **BLOCKED)))
    ended = course.run(redis(1))
    told.of(msgspec.structs.replace(ended, changes=None, run=msgspec.structs.replace(ended.run, state=state)))
    assert going_on(list(told.known.values())) == ["network"]


def test_nothing_ends_that_was_not_measured():
    course, told = Course(), Told()
    told.of(course.run(redis(1, **BLOCKED), postgresql(**BLOCKED)))
    for _ in range(2):
        assert going_on(told.of(course.run(redis(1, **UNKNOWN), postgresql()))) == ["agent-lost", "network"]
    assert going_on(told.of(course.run(redis(1), postgresql()))) == []


def test_what_flaps_goes_on_until_it_is_steady():
    course, told, check = Course(), Told(), redis().id
    told.of(course.run(redis(1, **BLOCKED)))
    assert going_on(told.of(course.run(redis(1), flapping=(check,)))) == ["network"]
    assert going_on(told.of(course.run(redis(1, **BLOCKED), flapping=(check,)))) == ["network"]
    assert going_on(told.of(course.run(redis(1)))) == []


def test_advice_and_what_is_accepted():
    waived = Waived(reason="r", owner="o")
    assert Told().of(Course().run(advised())) == []
    assert len(Told(Least.ADVICE).of(Course().run(advised()))) == 1
    assert Told(Least.ADVICE).of(Course().run(redis(1, **BLOCKED, waived=waived))) == []


def test_a_problem_goes_on_until_it_is_over():
    course, told = Course(), Told()
    assert going_on(told.of(course.failed("hosts.txt: broken"))) == [PROBLEM]
    assert going_on(told.of(course.run(redis()))) == [PROBLEM]
    assert going_on(told.of(course.run(redis(), recovered=True))) == []


@pytest.mark.parametrize("state", [WaiverState.EXPIRED, WaiverState.UNUSED])
def test_a_stale_waiver_goes_on_until_it_is_removed(state: WaiverState):
    use = WaiverUse(place="w.yaml:3", matches="port 6379", reason="r", owner="o", until="2025-01-01", state=state)
    course, told = Course(), Told()
    for _ in range(2):
        assert going_on(told.of(course.run(redis(), waivers=(use,)))) == [WAIVER]
    assert going_on(told.of(course.run(redis()))) == []


def test_there_are_never_too_many():
    rows = [
        msgspec.structs.replace(redis(1, **BLOCKED), id=f"{number:016x}", service=f"s-{number}")
        for number in range(MOST + 50)
    ]
    fires = Told().of(Course().run(*rows))
    assert len(fires) == MOST + 1
    (more,) = [one for one in fires if one.labels["alertname"] == MORE]
    assert more.annotations["summary"].startswith("50 more")


@pytest.fixture
async def alertmanager(tmp_path: Path, free_ports: Callable[..., list[int]]) -> AsyncIterator[str]:
    """The URL of Debian's, without a cluster."""
    program = shutil.which("prometheus-alertmanager")
    if program is None:
        (pytest.fail if os.environ.get("PORTCHECK_REQUIRE_NETNS") == "1" else pytest.skip)("not installed")
    config = tmp_path / "alertmanager.yml"
    config.write_text("route: {receiver: nobody}\nreceivers: [{name: nobody}]\n")
    (port,) = free_ports()
    with (tmp_path / "log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            program, f"--config.file={config}", f"--storage.path={tmp_path}", "--cluster.listen-address=",
            f"--web.listen-address=127.0.0.1:{port}", stdout=log, stderr=log,
        )  # fmt: skip
    try:
        url = f"http://127.0.0.1:{port}"
        async with asyncio.timeout(30), aiohttp.ClientSession() as session:
            while True:
                try:
                    async with session.get(f"{url}/-/ready") as response:
                        if response.status == 200:
                            break
                except aiohttp.ClientError:
                    pass
                await asyncio.sleep(0.05)
        yield url
    finally:
        process.kill()
        await process.wait()


async def test_a_real_one_knows_what_fires_and_what_is_over(alertmanager: str, tmp_path: Path):
    course = Course()
    hostile = redis(1, **BLOCKED | {"advice": "\x1b[31m"})

    async def active_after(ended: Ended) -> list[str]:
        service = Service(alertmanager, tmp_path, Type.ALERTMANAGER, base=BASE)
        service.spent.now = time.time()
        assert await service.tell(ended) == {("ops", "delivered"): 1}
        async with aiohttp.ClientSession() as session, session.get(f"{alertmanager}/api/v2/alerts") as response:
            found: list[dict[str, Any]] = await response.json()
        assert all(alert["generatorURL"].startswith(BASE) for alert in found)
        return sorted(alert["labels"]["service"] for alert in found)

    assert await active_after(course.run(hostile, postgresql(**BLOCKED))) == ["postgresql", "redis"]
    assert await active_after(course.run(hostile, postgresql())) == ["redis"]
    assert await active_after(course.run(redis(1), postgresql())) == []
