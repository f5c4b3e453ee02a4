"""When an audit is due, told by a clock that tests set."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.audit import schedule
from probe.audit.schedule import Marks, Schedule
from probe.errors import UserError

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
START = datetime(2026, 3, 2, 14, 37, tzinfo=UTC)


def every(text: str = "6h", jitter: timedelta = timedelta()) -> Schedule:
    return Schedule(audit="nightly", when=schedule.every(text), jitter=jitter)


def cron(expression: str, zone: str = "UTC", jitter: timedelta = timedelta()) -> Schedule:
    return Schedule(audit="nightly", when=schedule.cron(expression, zone), jitter=jitter)


def made(plan: Schedule, marks: Marks, now: datetime) -> tuple[Marks, list[datetime]]:
    """The runs that a service makes that looks now."""
    marks = schedule.begin(plan, marks, now)
    _, at = schedule.due(plan, marks, now)
    return (schedule.settle(plan, marks, now), [now]) if at <= now else (marks, [])


def live(plan: Schedule, start: datetime, end: datetime, step: timedelta = timedelta(minutes=1)) -> list[datetime]:
    """The runs of a service that was there all the time, and looked at each step; the first is that of its start."""
    marks, runs, now = schedule.settle(plan, schedule.begin(plan, None, start), start), [], start
    while now < end:
        now += step
        marks, new = made(plan, marks, now)
        runs += new
    return runs


class TestEvery:
    def test_the_first_is_now_and_the_others_keep_its_time(self) -> None:
        plan = every()
        marks = schedule.begin(plan, None, START)
        assert schedule.due(plan, marks, START)[1] <= START
        marks = schedule.settle(plan, marks, START + timedelta(minutes=20))
        assert schedule.due(plan, marks, START)[1] == START + 6 * HOUR
        assert live(plan, START, START + DAY) == [START + number * 6 * HOUR for number in range(1, 5)]

    def test_a_restart_does_not_shift_it(self) -> None:
        plan = every()
        marks = schedule.settle(plan, schedule.begin(plan, None, START), START)
        assert schedule.begin(plan, marks, START + HOUR) == marks

    def test_what_was_missed_is_made_up_once(self) -> None:
        plan = every()
        marks = schedule.settle(plan, schedule.begin(plan, None, START), START)
        back = START + 20 * HOUR
        marks, runs = made(plan, marks, back)
        assert runs == [back]
        assert made(plan, marks, back + timedelta(minutes=1))[1] == []
        assert schedule.due(plan, marks, back)[1] == START + 24 * HOUR

    def test_what_came_due_during_a_long_run_is_not_made_again(self) -> None:
        plan = every("1h")
        marks = schedule.begin(plan, None, START)
        end = START + timedelta(hours=2, minutes=30)
        marks = schedule.settle(plan, marks, end)
        assert schedule.due(plan, marks, end)[1] == START + 3 * HOUR


class TestCron:
    @pytest.mark.parametrize(
        ("zone", "day", "expression", "times"),
        [
            # Berlin leaps from 2:00 to 3:00 on 29 March 2026: a line in the hour that is not there comes right after.
            ("Europe/Berlin", (2026, 3, 29), "15 2 * * *", ["03:00+0200"]),
            ("Europe/Berlin", (2026, 3, 29), "15,45 2 * * *", ["03:00+0200"]),
            ("Europe/Berlin", (2026, 3, 29), "0 3 * * *", ["03:00+0200"]),
            ("Europe/Berlin", (2026, 3, 29), "30 1 * * *", ["01:30+0100"]),
            # It has 2:00 to 3:00 twice on 25 October 2026: a line there comes the first time.
            ("Europe/Berlin", (2026, 10, 25), "15 2 * * *", ["02:15+0200"]),
            ("Europe/Berlin", (2026, 10, 25), "0 2,3 * * *", ["02:00+0200", "03:00+0100"]),
            # Lord Howe Island leaps by half an hour only, from 2:00 to 2:30 on 4 October 2026, and back on 5 April.
            ("Australia/Lord_Howe", (2026, 10, 4), "15 2 * * *", ["02:30+1100"]),
            ("Australia/Lord_Howe", (2026, 4, 5), "45 1 * * *", ["01:45+1100"]),
        ],
    )
    def test_a_fixed_time_comes_once_on_a_day_of_other_length(
        self, zone: str, day: tuple[int, int, int], expression: str, times: list[str]
    ) -> None:
        start = datetime(*day, tzinfo=ZoneInfo(zone)).astimezone(UTC)
        end = (datetime(*day, tzinfo=ZoneInfo(zone)) + DAY).astimezone(UTC)
        runs = live(cron(expression, zone), start, end - timedelta(minutes=1))
        assert [run.astimezone(ZoneInfo(zone)).strftime("%H:%M%z") for run in runs] == times

    @pytest.mark.parametrize(("day", "hours"), [((2026, 3, 29), 23), ((2026, 10, 25), 25)])
    def test_every_hour_goes_by_the_time_that_passes(self, day: tuple[int, int, int], hours: int) -> None:
        zone = ZoneInfo("Europe/Berlin")
        start, end = (datetime(*day, tzinfo=zone) + days * DAY for days in (0, 1))
        runs = live(cron("0 * * * *", "Europe/Berlin"), start.astimezone(UTC), end.astimezone(UTC))
        assert len(runs) == hours
        assert {later - former for former, later in pairwise(runs)} == {HOUR}

    def test_a_stop_within_the_hour_that_comes_twice(self) -> None:
        """The service looks again in the second of the two hours: the run of the first is not made anew."""
        plan = cron("15 2 * * *", "Europe/Berlin")
        first = datetime(2026, 10, 25, 0, 15, tzinfo=UTC)
        marks = schedule.begin(plan, None, first - DAY)
        marks = schedule.settle(plan, schedule.settle(plan, marks, first - DAY), first)
        for minute in range(0, 120, 5):
            now = first + timedelta(minutes=minute)
            assert schedule.due(plan, marks, now)[0] == datetime(2026, 10, 26, 1, 15, tzinfo=UTC)

    def test_a_new_line_within_the_second_of_the_two_hours(self) -> None:
        """Its time has been, an hour ago: it does not come again."""
        now = datetime(2026, 10, 25, 1, 5, tzinfo=UTC)
        marks = schedule.settle(every(), schedule.begin(every(), None, START), START)
        plan = cron("15 2 * * *", "Europe/Berlin")
        marks = schedule.begin(plan, marks, now)
        assert schedule.due(plan, marks, now)[0] == datetime(2026, 10, 26, 1, 15, tzinfo=UTC)

    def test_weekdays(self) -> None:
        runs = live(cron("15 2 * * 1-5"), datetime(2026, 3, 6, tzinfo=UTC), datetime(2026, 3, 10, tzinfo=UTC), HOUR / 4)
        assert [run.strftime("%a %H:%M") for run in runs] == ["Fri 02:15", "Mon 02:15"]

    def test_a_month_of_missed_runs_is_one_run(self) -> None:
        plan = cron("*/5 * * * *")
        marks = schedule.settle(plan, schedule.begin(plan, None, START), START)
        marks, runs = made(plan, marks, START + 30 * DAY)
        assert len(runs) == 1
        assert schedule.due(plan, marks, START + 30 * DAY)[0] > START + 30 * DAY - timedelta(minutes=5)


class TestTheClock:
    def test_set_back_a_little_nothing_is_made_again(self) -> None:
        plan = cron("15 2 * * *")
        now = datetime(2026, 3, 2, 2, 15, tzinfo=UTC)
        marks = schedule.settle(plan, schedule.begin(plan, None, now - DAY), now)
        assert schedule.due(plan, marks, now - timedelta(minutes=10))[1] == now + DAY

    def test_set_back_a_year_it_goes_on_at_once(self) -> None:
        plan = cron("15 2 * * *")
        marks = schedule.settle(plan, schedule.begin(plan, None, START - DAY), START)
        past = START - 365 * DAY
        marks = schedule.begin(plan, marks, past)
        found = schedule.due(plan, marks, past)[1]
        assert found - past < DAY
        marks, runs = made(plan, marks, found)
        assert runs == [found]
        assert schedule.due(plan, marks, found)[1] == found + DAY

    def test_set_forward_and_back_again(self) -> None:
        plan = every()
        marks = schedule.settle(plan, schedule.begin(plan, None, START), START)
        marks, runs = made(plan, marks, START + 400 * DAY)
        assert len(runs) == 1
        now = START + HOUR
        marks = schedule.begin(plan, marks, now)
        assert now < schedule.due(plan, marks, now)[1] <= now + 6 * HOUR

    @given(st.lists(st.integers(-400 * 24 * 60, 400 * 24 * 60), max_size=30))
    def test_however_it_leaps_each_look_makes_one_run_at_most_and_the_next_is_near(self, leaps: list[int]) -> None:
        plan, now = every("6h", timedelta(hours=1)), START
        marks = schedule.begin(plan, None, now)
        for leap in leaps:
            now += timedelta(minutes=leap)
            marks, _ = made(plan, marks, now)
            assert made(plan, marks, now)[1] == []
            assert schedule.due(plan, marks, now)[1] <= now + timedelta(hours=8)


class TestJitter:
    def test_it_is_the_same_for_one_due_time_and_differs_between_audits(self) -> None:
        plan = every("1d", HOUR)
        delays = [schedule.delay(plan, START + number * DAY) for number in range(50)]
        assert delays == [schedule.delay(plan, START + number * DAY) for number in range(50)]
        assert all(timedelta() <= delay < HOUR for delay in delays)
        assert max(delays) - min(delays) > HOUR / 2
        other = Schedule(audit="other", when=plan.when, jitter=HOUR)
        assert delays != [schedule.delay(other, START + number * DAY) for number in range(50)]

    def test_it_shifts_the_run_and_not_the_due_time(self) -> None:
        plan = cron("15 2 * * *", jitter=HOUR)
        start = datetime(2026, 3, 2, tzinfo=UTC)
        runs = live(plan, start, start + 10 * DAY)
        assert len(runs) == 10
        dues = [start.replace(hour=2, minute=15) + number * DAY for number in range(10)]
        for run, found in zip(runs, dues, strict=True):
            assert timedelta() <= run - (found + schedule.delay(plan, found)) <= timedelta(minutes=1)

    @given(st.integers(0, 100 * 60))
    def test_a_run_leaves_what_is_still_to_come_of_due_times_that_have_been(self, minutes: int) -> None:
        plan, now = every("1h", timedelta(minutes=59)), START + timedelta(minutes=minutes)
        marks = schedule.settle(plan, schedule.begin(plan, None, START), START)
        found, at = schedule.due(plan, schedule.settle(plan, marks, now), now)
        former = found - HOUR
        assert former + schedule.delay(plan, former) <= now < at or former == START


def test_another_schedule_makes_no_run_by_itself() -> None:
    plan = every()
    marks = schedule.settle(plan, schedule.begin(plan, None, START), START)
    now = START + HOUR
    other = cron("0 15 * * *")
    marks = schedule.begin(other, marks, now)
    assert schedule.due(other, marks, now)[1] > now


def test_tries_are_counted_for_one_due_time() -> None:
    marks = schedule.begin(every(), None, START)
    assert schedule.attempt(schedule.attempt(marks, START), START).tries == 2
    assert schedule.attempt(schedule.attempt(marks, START), START + HOUR).tries == 1


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("10m", 600), ("6h", 21600), ("1h30m", 5400), ("1d", 86400), ("0s", 0)]
)
def test_durations(text: str, seconds: int) -> None:
    assert schedule.duration(text).total_seconds() == seconds
    assert schedule.duration(schedule.duration_words(timedelta(seconds=seconds))).total_seconds() == seconds


@pytest.mark.parametrize("text", ["", "6", "6 hours", "h", "-1h", "6h!", "1y", "999999w" * 200])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(UserError, match="hint: such as"):
        schedule.duration(text)


@pytest.mark.parametrize(
    ("expression", "zone", "said"),
    [
        ("15 2 * *", "UTC", "five fields"),
        ("61 2 * * *", "UTC", "is no cron line: bad minute"),
        ("0 0 32 * *", "UTC", "is no cron line: bad day-of-month"),
        ("0 0 30 2 *", "UTC", "'0 0 30 2 \\*' never comes"),
        ("0 0 31 4,6 *", "UTC", "never comes"),
        ("0 0 * * *", "Europe/Berln", "did you mean 'Europe/Berlin'"),
        ("0 0 * * *", "../etc/passwd", "not known"),
    ],
)
def test_what_is_no_cron_line(expression: str, zone: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        schedule.cron(expression, zone)


@pytest.mark.parametrize("text", ["30s", "400d"])
def test_too_often_or_never(text: str) -> None:
    with pytest.raises(UserError, match="from 1m to 366d"):
        schedule.every(text)
