"""The same with a real history, whose changes tell more: since when, and what flaps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from probe.audit.alerts.alertmanager import Firing, update
from probe.audit.alerts.message import Message, message
from probe.audit.alerts.news import Least, Memory, Word, news
from probe.audit.values import Ended
from probe.history.store import open_history
from probe.report import html
from tests.report.example import report

from .events import BLOCKED, UNKNOWN, redis

if TYPE_CHECKING:
    from pathlib import Path

    from probe.model.result import CheckResult

DAY = "2025-03-{:02}T02:00:00Z"


class Nights:
    """One run a night."""

    def __init__(self, place: Path) -> None:
        self.history = open_history(str(place))
        self.memory = Memory()
        self.known: dict[str, Firing] = {}
        self.night = 0

    def run(self, *rows: CheckResult, base: str = "") -> Message | None:
        self.night += 1
        found = report(list(rows))
        day = DAY.format(self.night)
        run = msgspec.structs.replace(found.run, id=f"run-{self.night}", started=day, finished=day)
        found = msgspec.structs.replace(found, run=run)
        record, changes = self.history.record("nightly", found)
        ended = Ended(audit="nightly", run=record, report=found, changes=changes)
        told, self.memory = news(ended, self.memory)
        self.known = update(self.known, ended, self.memory, Least.DEVIATION, "", 0.0)
        return message(ended, told, frozenset(Word), Least.DEVIATION, base)

    @property
    def firing(self) -> list[str]:
        return [one.starts for one in self.known.values() if not one.ends]


def test_what_flaps_is_told_twice_and_what_goes_on_has_its_beginning(tmp_path: Path):
    nights = Nights(tmp_path / "history.db")
    bad, good = redis(1, **BLOCKED), redis(1)
    steady = redis(2, **BLOCKED)
    course = [good, bad, good, bad, good, bad, *[good] * 12]
    told = []
    for row in course:
        made = nights.run(row, steady)
        told.append("" if made is None else " ".join(made.counts))
    assert told[:5] == ["new", "new", "fixed", "flapping", ""]
    assert [word for word in told[5:] if word] == ["steady"]
    # The other check, of the same alert, fails all the time, since the first night.
    assert nights.firing == ["2025-03-01T02:00:00Z"]
    nights.history.close()


def test_a_host_that_is_off_by_turns_is_told_twice_and_not_each_time(tmp_path: Path):
    nights = Nights(tmp_path / "history.db")
    bad, off = redis(1, **BLOCKED), redis(1, **UNKNOWN)
    told = []
    for row in [bad, off, bad, off, bad, *[off] * 13]:
        made = nights.run(row)
        told.append("" if made is None else " ".join(made.counts))
    assert told[:5] == ["new", "unmeasured", "new", "flapping", ""]
    # That it stays off was no news when it began, so it is when it has lasted.
    assert told[5:] == [""] * 10 + ["steady", "", ""]
    # Nothing of it is called over: nobody knows.
    assert len(nights.firing) == 2
    nights.history.close()


def test_the_second_night_of_a_failure_is_no_news_whatever_the_rows_look_like(tmp_path: Path):
    nights = Nights(tmp_path / "history.db")
    whole = redis(1, **BLOCKED | {"ports": "5000-5009"})
    assert nights.run(whole) is not None
    halves = [msgspec.structs.replace(whole, ports=ports) for ports in ("5000-5004", "5005-5009")]
    assert nights.run(*halves) is None
    fixed = nights.run(halves[0], redis(1, ports="5005-5009"))
    assert fixed is not None
    (finding,) = fixed.findings
    assert (finding.turn, finding.since) == ("fixed", None)
    assert "tcp 5005-5009" in finding.title
    nights.history.close()


def test_a_link_leads_into_the_page_that_the_history_makes_of_the_run(tmp_path: Path):
    nights = Nights(tmp_path / "history.db")
    nights.run(redis(1, **BLOCKED), redis(2))
    made = nights.run(redis(1, **BLOCKED), redis(2, **BLOCKED), base="https://audit.example")
    assert made is not None
    run, _, place = made.findings[0].link.partition("#")
    assert run == "https://audit.example/audits/nightly/runs/2"
    assert f'id="{place}"' in html.render(*nights.history.told("nightly", 2)).decode()
    nights.history.close()
