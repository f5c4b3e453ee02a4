"""What is news and what is not, over several runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from probe.audit.alerts.news import Item, Least, Memory, News, Word, news, wanted
from probe.history.trends import WINDOW
from probe.model.waiver import Waived, WaiverState, WaiverUse
from probe.model.words import Cause

from .events import BLOCKED, UNKNOWN, Course, advised, redis

if TYPE_CHECKING:
    from probe.audit.values import Ended

EVERYTHING = frozenset(Word)


class Told:
    """Turns and hosts that an alert that wants everything is told of, run by run."""

    def __init__(self, least: Least = Least.DEVIATION) -> None:
        self.memory = Memory()
        self.least = least

    def of(self, ended: Ended) -> list[tuple[str, str]]:
        found, self.memory = news(ended, self.memory)
        return [(item.turn, item.row.source) for item in self.kept(found)]

    def kept(self, found: News) -> tuple[Item, ...]:
        return wanted(found, EVERYTHING, self.least).items


def test_everything_that_fails_is_new_in_the_first_run_and_no_news_in_the_second():
    course, told = Course(), Told()
    assert told.of(course.run(redis(1, **BLOCKED), redis(2))) == [("new", "engine-1")]
    assert told.of(course.run(redis(1, **BLOCKED), redis(2))) == []
    assert told.of(course.run(redis(1, **BLOCKED | {"cause": Cause.TARGET_FIREWALL}), redis(2))) == [
        ("changed", "engine-1")
    ]
    assert told.of(course.run(redis(1), redis(2))) == [("fixed", "engine-1")]
    assert told.of(course.run(redis(1), redis(2))) == []


def test_what_is_not_measured_and_what_is_gone():
    course, told = Course(), Told()
    told.of(course.run(redis(1, **BLOCKED), redis(2, **BLOCKED)))
    assert told.of(course.run(redis(1, **UNKNOWN))) == [("unmeasured", "engine-1"), ("gone", "engine-2")]
    assert told.of(course.run(redis(1, **UNKNOWN))) == []
    assert told.of(course.run(redis(1))) == [("measured", "engine-1")]


def test_only_the_ports_that_changed_are_told():
    course = Course()
    course.run(redis(1, ports="5000-5001"))
    found, _ = news(course.run(redis(1, ports="5000"), redis(1, ports="5001", **BLOCKED)), Memory())
    assert [item.row.ports for item in found.items] == ["5001"]
    found, _ = news(course.run(redis(1, ports="5000-5001", **BLOCKED)), Memory())
    assert [item.row.ports for item in found.items] == ["5000"]


def test_what_flaps_is_told_when_it_begins_and_when_it_is_steady():
    course, told = Course(), Told()
    bad, good = redis(1, **BLOCKED), redis(1)
    told.of(course.run(good))
    told.of(course.run(bad))
    assert told.of(course.run(good, flapping=(good.id,))) == [("flapping", "engine-1")]
    assert told.of(course.run(bad, flapping=(good.id,))) == []
    assert told.of(course.run(good, flapping=(good.id,))) == []
    assert told.of(course.run(good)) == [("steady", "engine-1")]
    assert told.of(course.run(good)) == []


def test_what_flapped_may_come_to_rest_failing():
    course, told = Course(), Told()
    bad = redis(1, **BLOCKED)
    told.of(course.run(bad, flapping=(bad.id,)))
    assert told.of(course.run(bad, flapping=(bad.id,))) == []
    assert told.of(course.run(bad)) == [("steady", "engine-1")]


def test_what_turns_for_good_is_told_by_that_turn_alone():
    course, told = Course(), Told()
    told.of(course.run(redis(1, **BLOCKED), flapping=(redis().id,)))
    assert told.of(course.run(redis(1))) == [("fixed", "engine-1")]
    assert told.memory.flapping == {}


def test_what_was_not_measured_is_not_called_steady():
    course, told = Course(), Told()
    told.of(course.run(redis(1, **BLOCKED), flapping=(redis().id,)))
    told.of(course.run(redis(1, **UNKNOWN)))
    assert told.of(course.run(redis(1, **UNKNOWN))) == []
    assert told.of(course.run(redis(1, **BLOCKED), flapping=(redis().id,))) == []
    told.of(course.run(redis(1, **UNKNOWN)))
    assert told.of(course.run(redis(1))) == [("measured", "engine-1")]


def test_a_port_without_a_service_that_flaps_is_steady_when_it_was_closed_for_the_window():
    course, told = Course(), Told()
    open_ = advised(undeclared=True, verdict="exposed", cause=Cause.LISTENING)
    told.least = Least.ADVICE
    assert told.of(course.run(redis(2), open_, flapping=(open_.id,))) == [("flapping", "engine-1")]
    quiet = [told.of(course.run(redis(2))) for _ in range(WINDOW)]
    assert quiet == [[]] * (WINDOW - 1) + [[("steady", "engine-1")]]


def test_advice_is_told_to_those_who_ask_for_it():
    assert Told().of(Course().run(advised())) == []
    assert Told(Least.ADVICE).of(Course().run(advised())) == [("new", "engine-1")]


@pytest.mark.parametrize("least", Least)
def test_what_is_accepted_is_not_told_until_it_no_longer_is(least: Least):
    course, told = Course(), Told(least)
    waived = redis(1, **BLOCKED, waived=Waived(reason="until the move", owner="ops"))
    assert told.of(course.run(waived)) == []
    assert told.of(course.run(redis(1, **BLOCKED))) == [("changed", "engine-1")]
    assert told.of(course.run(waived)) == []


def test_an_expired_waiver_is_told_once_wherever_it_stands():
    course, memory = Course(), Memory()
    use = WaiverUse(
        place="waivers.yaml:3", matches="port 6379", reason="", owner="o", until="2025-01-01", state=WaiverState.EXPIRED
    )
    found, memory = news(course.run(redis(), waivers=(use,)), memory)
    assert found.waivers == (use,)
    moved = WaiverUse(
        place="waivers.yaml:9", matches="port 6379", reason="", owner="o", until="2025-01-01", state=WaiverState.EXPIRED
    )
    found, memory = news(course.run(redis(), waivers=(moved,)), memory)
    assert found.waivers == ()
    _, memory = news(course.run(redis()), memory)
    found, memory = news(course.run(redis(), waivers=(moved,)), memory)
    assert found.waivers == (moved,)


def test_a_waiver_that_fits_nothing_is_told_once_however_often_it_comes_and_goes():
    course, memory = Course(), Memory()
    use = WaiverUse(place="w:3", matches="ports 1", reason="", owner="o", until="", state=WaiverState.UNUSED, passing=2)
    waiting = msgspec.structs.replace(use, unmeasured=1)
    used = msgspec.structs.replace(use, state=WaiverState.USED, rows=2)
    expired = msgspec.structs.replace(used, state=WaiverState.EXPIRED)
    told = []
    for one in (waiting, use, use, used, use, expired, used, expired):
        found, memory = news(course.run(redis(), waivers=(one,)), memory)
        told.append(found.waivers)
    assert told == [(), (use,), (), (), (), (expired,), (), ()]


def test_a_run_without_rows_changes_nothing():
    memory = Memory(waivers=("x",))
    assert news(Course().failed("no inventory"), memory) == (News(), memory)
