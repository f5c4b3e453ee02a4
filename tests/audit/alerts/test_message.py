"""The one message of a run: what is in it, how long it may be, and its schema."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import jsonschema
import msgspec
import pytest

from probe import resources
from probe.audit.alerts import slack, webhook
from probe.audit.alerts.message import MOST_FINDINGS, Message, message
from probe.audit.alerts.news import Least, Memory, Word, news
from probe.model.waiver import WaiverState, WaiverUse
from probe.model.words import Cause, Verdict
from probe.report import html
from tests.report.example import large, rich
from tests.report.rows import HOSTILE_BANNER
from tests.report.samples import agreed

from .events import BLOCKED, UNKNOWN, Course, postgresql, redis

if TYPE_CHECKING:
    from probe.audit.values import Ended

BASE = "https://audit.example/base/"
SCHEMA = jsonschema.Draft202012Validator(json.loads((resources.folder("reports") / "alert.schema.json").read_bytes()))
EVERYTHING = frozenset(Word)


def told(ended: Ended, on: frozenset[Word] = EVERYTHING, least: Least = Least.DEVIATION) -> Message | None:
    found, _ = news(ended, Memory())
    return message(ended, found, on, least, BASE)


def body(ended: Ended, **given: Any) -> dict[str, Any]:
    made = told(ended, **given)
    assert made is not None
    said: dict[str, Any] = json.loads(webhook.body(made))
    SCHEMA.validate(said)
    return said


def slack_body(ended: Ended) -> str:
    made = told(ended)
    assert made is not None
    return slack.body(made).decode()


def test_one_cause_is_one_finding_and_its_rows_are_counted():
    said = body(Course().run(redis(1, **BLOCKED), redis(2, **BLOCKED), redis(3), postgresql(**UNKNOWN)))
    assert said["title"] == "nightly: 2 new deviations, 1 newly not measured"
    assert said["counts"] == {"new": 2, "unmeasured": 1}
    one, two = said["findings"]
    assert (one["turn"], one["checks"], one["cause"], one["sources"]) == ("new", 2, "network", ["engine-1", "engine-2"])
    assert one["title"] == "a device on the way drops tcp 6379 from engine (2 hosts) to redis-1"
    assert one["advice"].startswith("Ask the network team.")
    assert (two["turn"], two["verdict"]) == ("unmeasured", "inconclusive")
    assert said["run"]["summary"] == "2 deviations in 4 checks, 1 inconclusive"


def test_the_links_lead_to_the_run_and_to_the_finding_in_its_page():
    """Which may have more rows than the message tells of."""
    course = Course("a/b c")
    course.run(redis(1, **BLOCKED), redis(2))
    ended = course.run(redis(1, **BLOCKED), redis(2, **BLOCKED | {"ports": "6379-6380"}))
    said = body(ended)
    assert said["run"]["link"] == "https://audit.example/base/audits/a%2Fb%20c/runs/2"
    run, _, place = said["findings"][0]["link"].partition("#")
    assert run == said["run"]["link"]
    assert f'id="{place}"' in html.render(ended.report, ended.changes).decode()


def test_what_fails_no_more_leads_to_the_life_of_its_check():
    course = Course("a/b c")
    course.run(redis(1, **BLOCKED))
    (fixed,) = body(course.run(redis(1)))["findings"]
    assert fixed["link"] == f"https://audit.example/base/audits/a%2Fb%20c/checks/{redis().id}"


def test_the_sample_is_as_agreed():
    course = Course()
    course.run(redis(1), redis(2), postgresql())
    ended = course.run(redis(1, **BLOCKED), redis(2, **BLOCKED), postgresql(**UNKNOWN))
    made = told(ended)
    assert made is not None
    SCHEMA.validate(json.loads(webhook.body(made)))
    assert agreed("alert.json", msgspec.json.format(webhook.body(made)) + b"\n")


def test_good_news_say_what_it_was_and_advise_nothing():
    course = Course()
    course.run(redis(1, **BLOCKED))
    (fixed,) = body(course.run(redis(1)))["findings"]
    assert (fixed["turn"], fixed["verdict"], fixed["cause"], fixed["advice"]) == ("fixed", "blocked", "network", "")


def test_nothing_is_told_of_a_run_that_changes_nothing():
    course = Course()
    assert told(course.run(redis(1))) is None
    course.run(redis(1, **BLOCKED))
    assert told(course.run(redis(1, **BLOCKED))) is None


def test_only_what_is_asked_for_is_told():
    course = Course()
    course.run(redis(1, **BLOCKED))
    ended = course.run(redis(1), redis(2, **BLOCKED), problem="the inventory is broken")
    assert body(ended, on=frozenset({Word.FIXED}))["counts"] == {"fixed": 1}
    assert body(ended, on=frozenset({Word.PROBLEM}))["findings"] == []
    assert told(ended, on=frozenset({Word.GONE})) is None


def test_problems_come_without_a_run_and_go():
    course = Course()
    said = body(course.failed("hosts.txt:3:1: \x1b[31mbroken\n  hint: mend it"))
    assert said["title"] == "nightly: hosts.txt:3:1: \\x1b[31mbroken"
    assert said["problem"] == "hosts.txt:3:1: \\x1b[31mbroken\n  hint: mend it"
    ended = course.run(redis(), recovered=True, was="hosts.txt:3:1: \x1b[31mbroken\nthe disk is full")
    said = body(ended)
    assert said["title"] == "nightly: over: hosts.txt:3:1: \\x1b[31mbroken; the disk is full"
    assert said["was"] == "hosts.txt:3:1: \\x1b[31mbroken\nthe disk is full"
    assert "*over*\\nhosts.txt:3:1: " in slack_body(ended)


def test_waivers_that_have_expired_or_fit_nothing_are_told():
    given = {"place": "w.yaml:3", "matches": "ports 6379", "reason": "r", "owner": "o", "until": "2025-01-01"}
    uses = tuple(WaiverUse(**given, state=state, rows=2) for state in WaiverState)
    ended = Course().run(redis(), waivers=uses)
    said = body(ended)
    assert said["title"] == "nightly: 1 waiver expired, 1 waiver without use"
    assert [{key: one[key] for key in given} for one in said["waivers"]] == [given, given]
    expired, unused = said["waivers"]
    assert (expired["state"], unused["state"]) == ("expired", "unused")
    assert expired["summary"].endswith("expired on 2025-01-01: 2 checks that it fits count again")
    assert unused["summary"] == "w.yaml:3 (ports 6379) is about no check of this run"
    assert "spelt" in unused["advice"]
    assert "*waiver unused* w.yaml:3 (ports 6379) is about no check" in slack_body(ended)
    assert told(ended, on=frozenset(Word) - {Word.WAIVER}) is None


def test_the_same_news_have_the_same_id_and_others_another():
    one, same = (body(Course().run(redis(1, **BLOCKED)))["id"] for _ in range(2))
    assert one == same
    assert body(Course().run(redis(2, **BLOCKED)))["id"] != one


def test_it_is_bounded_however_much_there_is_to_tell():
    course = Course()
    down = redis(1, **BLOCKED | {"cause": Cause.NOT_LISTENING, "verdict": Verdict.DOWN})
    rows = [msgspec.structs.replace(down, id=f"{n:016x}", service=f"s{n}" * 99) for n in range(60)]
    ended = course.run(*rows, problem="x\n" * 9999)
    said = body(ended)
    assert (len(said["findings"]), said["more"]) == (MOST_FINDINGS, 40)
    made = told(ended)
    assert made is not None
    assert len(webhook.body(made)) < 100_000
    blocks = json.loads(slack.body(made))["blocks"]
    assert len(blocks) <= slack.MOST_BLOCKS


@pytest.mark.parametrize("rows", [rich().checks, large(2000).checks])
def test_every_report_of_the_examples_can_be_told(rows: Any):
    made = told(Course().run(*rows), least=Least.ADVICE)
    assert made is not None
    SCHEMA.validate(json.loads(webhook.body(made)))
    assert_fits_slack(slack.body(made))


def test_slack_gets_what_strangers_say_as_text():
    hostile = "<!channel> & <https://evil.example|click>" + HOSTILE_BANNER
    row = redis(1, **BLOCKED | {"advice": hostile})
    row = msgspec.structs.replace(row, target="<@U1>", service="a|b>*", cause=Cause.NO_ROUTE)
    made = told(Course().run(row, problem=hostile))
    assert made is not None
    said = slack.body(made)
    assert_fits_slack(said)
    text = said.decode()
    assert "<!channel>" not in text
    assert "<@U1>" not in text
    assert "&lt;!channel&gt; &amp; &lt;https" in text
    assert "\\u202e" not in text.replace("\\\\u202e", "")
    links = [part for part in text.split("<")[1:] if not part.startswith(BASE)]
    assert links == []


@pytest.mark.parametrize("length", range(20, 32))
def test_slack_gets_no_half_entity(length: int):
    cut = slack.escaped("ab&<>" * 10, length)
    assert len(cut) <= length
    assert re.sub("&(amp|lt|gt);", "", cut.removesuffix("…")).count("&") == 0


def test_a_finding_of_many_ampersands_fits_slack():
    made = told(Course().run(redis(1, **BLOCKED | {"advice": "&" * 400})))
    assert made is not None
    long = msgspec.structs.replace(made.findings[0], title="&" * 300, meaning="&" * 300)
    assert_fits_slack(slack.body(msgspec.structs.replace(made, findings=(long,), problem="&" * 2000)))


def test_slack_is_told_what_was_not_delivered():
    made = told(Course().run(redis(1, **BLOCKED)))
    assert made is not None
    text = slack.body(msgspec.structs.replace(made, undelivered=2)).decode()
    assert "2 earlier messages could not be delivered" in text


def assert_fits_slack(said: bytes) -> None:
    decoded = json.loads(said)
    assert 0 < len(decoded["blocks"]) <= 50
    assert len(decoded["text"]) <= 3000
    for block in decoded["blocks"]:
        text = block["elements"][0] if block["type"] == "context" else block["text"]
        assert 0 < len(text["text"]) <= (150 if block["type"] == "header" else 3000)
        assert text["type"] == "plain_text" or text["verbatim"]
