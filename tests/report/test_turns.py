from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from probe.history.compare import compare
from probe.model.change import Change, Changes, Turn
from probe.model.result import CheckResult
from probe.report import html, turns

from . import example
from .test_html import EVIL, Page

if TYPE_CHECKING:
    from probe.model.result import Report


def changes(report: Report, *made: Change) -> Changes:
    old = msgspec.structs.replace(report.run, id="0ld", started="2025-03-13T09:26:53Z")
    order = {turn: place for place, turn in enumerate(Turn)}
    return Changes(
        old=old, new=report.run, changes=tuple(sorted(made, key=lambda one: order[one.turn])), appeared=2, vanished=1
    )


def change(turn: Turn, now: CheckResult | None, before: CheckResult | None, **given: object) -> Change:
    row = now or before
    assert row is not None
    return Change(**{"turn": turn, "ports": row.ports, "now": now, "before": before, **given})


@pytest.fixture
def some(rich: Report) -> Changes:
    """Each turn once, and what is new twice."""
    failing = [check for check in rich.checks if check.deviates]
    passing = [check for check in rich.checks if check.verdict == "pass"]
    lost = next(check for check in rich.checks if check.verdict == "inconclusive")
    return changes(
        rich,
        change(Turn.NEW, failing[0], passing[0]),
        change(Turn.NEW, failing[1], None),
        change(Turn.STILL, failing[2], failing[2], since="2025-03-01T00:00:00Z", failing=9, runs=9),
        change(Turn.FLAPPING, failing[3], passing[1], failing=3, runs=10),
        change(Turn.FIXED, passing[2], failing[3]),
        change(Turn.UNMEASURED, lost, passing[3]),
        change(Turn.GONE, None, failing[4]),
    )


def test_the_first_sentence_has_the_numbers_of_what_counts(rich: Report, some: Changes) -> None:
    assert turns.sentence(some) == "2 new deviations, 1 to and fro, 1 newly not measured, 1 fixed since the run before."
    assert turns.tone(some) == "deviation"
    assert turns.sentence(changes(rich)) == "Nothing changed."
    advice = next(check for check in rich.checks if check.verdict == "exposed" and not check.deviates)
    aside = changes(rich, change(Turn.NEW, advice, None))
    assert turns.sentence(aside) == "1 new finding since the run before, none of which fails a run."
    assert turns.tone(aside) == ""


def test_the_page_answers_what_changed_and_leads_to_the_findings(rich: Report, some: Changes) -> None:
    page = Page(html.render(rich, some))
    for part in (
        "2 new deviations, 1 to and fro, 1 newly not measured, 1 fixed since the run before. No, do not install yet.",
        "What changed since 2025-03-13 09:26 UTC run 0ld",
        "2 checks that the older run did not have, 1 check that this one does not have.",
        "since 2025-03-01 00:00 UTC , 9 of the last 9 runs failed",
        "3 of the last 10 runs failed",
        "pass → blocked · network",
        "blocked · network, and was not checked before",
        "was blocked · network",
    ):
        assert part in page.text
    section = html.render(rich, some).decode().partition('<section id="changes">')[2].partition("</section>")[0]
    places = {attributes["id"] for _, attributes in page.elements if "id" in attributes}
    links = {href[1:] for href in Page(section.encode()).links}
    assert len(links) == 2
    assert links <= places


def test_what_fails_no_run_is_said_so_and_is_not_red(rich: Report) -> None:
    """Verdict and cause are the same: without the word nobody would see what changed."""
    row = next(check for check in rich.checks if check.deviates)
    accepted = msgspec.structs.replace(row, waived=example.WAIVERS[0])
    both = change(Turn.CHANGED, accepted, row), change(Turn.FLAPPING, row, row)
    told = {one.turn: one.groups[0].outcome for one in turns.turned(changes(rich, *both), lambda _: ("", ""))}
    outcome = f"{row.verdict} · {row.cause}"
    assert told == {Turn.CHANGED: f"{outcome} → {outcome} · waived", Turn.FLAPPING: outcome}
    advice = next(check for check in rich.checks if check.verdict == "exposed" and not check.deviates)
    (new,) = turns.turned(changes(rich, change(Turn.NEW, advice, None)), lambda _: ("", ""))
    assert (new.tone, new.groups[0].outcome) == ("advice", "exposed · stand-in · advice, and was not checked before")


def test_rows_made_anew_by_the_history_are_found_too(rich: Report) -> None:
    row = next(check for check in rich.checks if check.deviates)
    copy = msgspec.json.decode(msgspec.json.encode(row), type=CheckResult)
    section = (
        html.render(rich, changes(rich, change(Turn.NEW, copy, None))).decode().partition('<section id="changes">')[2]
    )
    assert '<a href="#finding-' in section.partition("</section>")[0]


def test_many_changes_are_bounded_and_hostile_ones_text(rich: Report) -> None:
    row = next(check for check in rich.checks if check.deviates)
    given = {field: getattr(row, field) for field in CheckResult.__struct_fields__}
    rows = [CheckResult(**given | {"service": f"{n} {EVIL}", "source": EVIL, "id": EVIL}) for n in range(500)]
    page = Page(html.render(rich, changes(rich, *(change(Turn.FIXED, None, one) for one in rows))))
    assert page.open == []
    assert sum(1 for _ in page.all("img")) == 0
    assert "440 more of this kind" in page.text


def test_a_first_run_is_its_own_answer(rich: Report) -> None:
    """All of it is new, and nobody wants to hear that."""
    first = compare(None, rich)
    assert turns.sentence(first) == "The first run: there is nothing to compare it with yet."
    assert html.render(rich, first) == html.render(rich)
