"""Months of an audit as the service makes it, by a clock that goes as clocks of time zones do."""

from __future__ import annotations

import os
import random
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from probe.audit import schedule
from probe.audit.config import Audit
from probe.audit.order import Order
from probe.audit.schedule import Schedule

from .test_lasting import Swift

if TYPE_CHECKING:
    from probe.audit.making import Making

    from .conftest import Scene

AROUND = int(os.environ.get("PORTCHECK_TEST_DAYS", "2"))
"""Days before and after each change of the clocks; 366 take three minutes."""
CHANGES = [
    ("Europe/Berlin", date(2026, 3, 29)),
    ("Europe/Berlin", date(2026, 10, 25)),
    ("America/New_York", date(2026, 3, 8)),
    ("America/New_York", date(2026, 11, 1)),
    ("Australia/Lord_Howe", date(2026, 4, 5)),  # by half an hour
    ("Australia/Lord_Howe", date(2026, 10, 4)),
    ("America/Sao_Paulo", date(2018, 2, 18)),  # at midnight
    ("America/Sao_Paulo", date(2018, 11, 4)),
    ("Pacific/Kiritimati", date(2026, 6, 21)),  # never, and the first to see a day
    ("Pacific/Pago_Pago", date(2026, 6, 21)),
    ("Africa/Casablanca", date(2026, 2, 15)),
]
DAY = timedelta(days=1)


@pytest.fixture
def lasting(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> random.Random:
    """Runs take some minutes each, by chance that it gives back."""
    chance = random.Random(7)

    class Lasting(Swift):
        clock = scene.clock

        async def make(self):  # type: ignore[no-untyped-def]
            outcome = await super().make()
            scene.clock.pass_by(minutes=chance.randint(0, 30))
            return outcome

    monkeypatch.setattr("probe.audit.making.Runner", Lasting)
    return chance


async def audited(scene: Scene, line: str, zone: str, **more: timedelta) -> Making:
    """With a first run behind it."""
    making = await scene.start()
    when = schedule.cron(line, zone)
    plan = Schedule(audit="shop", when=when, **more)
    making.plan(Audit(order=Order(audit="shop", inventory="hosts.txt"), schedule=plan))
    making.skip()
    return making


async def live(scene: Scene, making: Making, end: datetime) -> None:
    """The service looks each quarter of a minute; in between nothing happens that it could see."""
    while scene.clock.now < end:
        if making.wants():
            assert await making.make()
        scene.clock.now += timedelta(seconds=max(1.0, min(making.wait() or 0.0, 6 * 3600.0)))


async def started(scene: Scene, zone: str) -> list[datetime]:
    runs = await scene.archives[-1].ask(lambda history: history.runs("shop", limit=1000))
    return [datetime.fromisoformat(run.started).astimezone(ZoneInfo(zone)) for run in reversed(runs)]


@pytest.mark.parametrize(("zone", "change"), CHANGES)
@pytest.mark.usefixtures("lasting")
async def test_each_local_day_has_its_run(scene: Scene, zone: str, change: date) -> None:
    first = datetime(change.year, change.month, change.day, tzinfo=ZoneInfo(zone)) - AROUND * DAY
    scene.clock.now = first.astimezone(UTC)
    making = await audited(scene, "15 2 * * *", zone)
    end = (first + (2 * AROUND + 1) * DAY).astimezone(UTC)
    await live(scene, making, end)
    days = [first.date() + number * DAY for number in range(2 * AROUND + 1)]
    assert Counter(run.date() for run in await started(scene, zone)) == Counter(days)


async def test_a_clock_that_is_set_and_a_machine_that_sleeps(scene: Scene, lasting: random.Random) -> None:
    """One run for all that was missed, at most one more for a day that comes twice; and no silence afterwards."""
    zone = "Europe/Berlin"
    scene.clock.now = datetime(2026, 3, 2, 12, tzinfo=UTC)
    making = await audited(scene, "15 2 * * *", zone, jitter=timedelta(minutes=20))
    leaps = [timedelta(minutes=-20), timedelta(hours=3), 5 * DAY, -3 * DAY, 400 * DAY, -400 * DAY, timedelta(hours=-2)]
    lasting.shuffle(leaps)
    for leap in leaps:
        before = len(await started(scene, zone))
        scene.clock.now += leap
        await live(scene, making, scene.clock.now + timedelta(seconds=1))
        assert len(await started(scene, zone)) - before <= (leap > timedelta()), leap
        await live(scene, making, scene.clock.now + 2 * DAY)
        assert len(await started(scene, zone)) - before in (2, 3), leap
    states = await scene.runs()
    assert [run.number for run in states] == list(range(1, len(states) + 1))
