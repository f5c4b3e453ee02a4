"""What changed, as text and as JSON."""

from __future__ import annotations

import json as standard
from typing import TYPE_CHECKING

import jsonschema
import msgspec
import pytest
from referencing import Registry, Resource

from probe.history.compare import compare
from probe.model.change import Change, Changes, Turn
from probe.model.words import Verdict
from probe.report import changes as told
from probe.report import changesmarkdown
from probe.report.markdown import LARGEST
from probe.report.turnwords import TURNS, counted
from probe.resources import folder

from . import example
from .judges import JUDGES
from .rows import HOSTILE_BANNER, blocked, elsewhere, passes
from .samples import agreed

if TYPE_CHECKING:
    from collections.abc import Callable

    from probe.model.result import CheckResult

REPORTS = folder("reports")
SCHEMA = standard.loads((REPORTS / "diff.schema.json").read_text())
KNOWN = Resource.from_contents(standard.loads((REPORTS / "report.schema.json").read_text()))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA, registry=Registry().with_resource("urn:portcheck:report:1", KNOWN))


def mended(rows: list[CheckResult]) -> list[CheckResult]:
    given = {"verdict": Verdict.PASS, "cause": None, "evidence": (), "detail": "", "where": None}
    return [msgspec.structs.replace(row, **given) for row in rows]


@pytest.fixture
def found() -> Changes:
    """Something of every turn."""
    bad, other = blocked(), elsewhere()
    lost = [row for row in other if row.verdict is Verdict.INCONCLUSIVE]
    otherwise = msgspec.structs.replace(bad[2], verdict=Verdict.DOWN, cause=None)
    old = example.report(passes() + mended(bad[:2]) + bad[2:] + lost[:2])
    new = example.report(passes() + bad[:2] + [otherwise] + bad[3:5] + mended(bad[5:6]) + lost[1:] + mended(lost[:1]))
    made = compare(old, new)
    row = other[2]
    to_and_fro = Change(turn=Turn.FLAPPING, ports=row.ports, now=row, before=row, since="2025-03-14T09:26:53Z",
                        since_run=41, failing=4, runs=10)  # fmt: skip
    quiet = msgspec.structs.replace(to_and_fro, now=passes()[0], before=passes()[0], since=None, since_run=None)
    return msgspec.structs.replace(made, changes=(*made.changes, to_and_fro, quiet))


def test_every_turn_is_told(found: Changes) -> None:
    assert {change.turn for change in found.changes} == set(Turn)
    text = told.render(found, width=100, color=False)
    for words in TURNS.values():
        assert f"\n{words.title}: " in text
    assert text.splitlines()[0].startswith("2 new, 1 failing otherwise, ")
    assert "in 4 of the last 10 runs" in text
    assert "run 41, 2025-03-14 09:26 UTC" in text
    assert "    now       fails\n" in text
    assert "not measured in" not in text
    # What is news comes first.
    assert text.index("\nNew: ") < text.index("\nFixed: ") < text.index("\nStill there: ")


def test_what_is_measured_by_turns_is_not_called_failing(found: Changes) -> None:
    (row, *_) = [one for one in elsewhere() if one.verdict is Verdict.INCONCLUSIVE]
    flickers = Change(turn=Turn.FLAPPING, ports=row.ports, now=row, before=mended([row])[0], unmeasured=5, runs=10)
    text = told.render(msgspec.structs.replace(found, changes=(flickers,)), width=100, color=False)
    assert "in 0 of the last 10 runs, not measured in 5" in text
    assert "    now       is not measured\n" in text


def test_every_page_and_message_calls_a_turn_the_same(found: Changes) -> None:
    from probe.audit.alerts import message
    from probe.audit.web import differences
    from probe.history.values import Tally
    from probe.report import turns

    assert set(TURNS) == set(Turn)
    numbers = {turn: len(found.of(turn)) for turn in Turn}
    chips = dict(differences.words(Tally(turns=numbers, counting=numbers)))
    headings = {one.turn: one.heading for one in differences.sections(found)}
    for turn, words in TURNS.items():
        number = len(found.of(turn))
        assert f"{number} {words.brief}" in told.headline(found)
        assert headings[turn] == words.title
        assert [one.heading for one in turns.turned(found, lambda _: ("", "")) if one.turn is turn] == [words.title]
        if turn is not Turn.STILL:
            assert chips[f"{number} {words.brief}"] == words.tone
            assert message.TURNS[turn.value] == words.brief
    assert turns.sentence(found).startswith(counted(Turn.NEW, len(found.of(Turn.NEW)), deviations=True) + ", ")


def test_what_has_one_cause_is_one_finding(found: Changes) -> None:
    text = told.render(found, width=200, color=False)
    new = text[text.index("\nNew: ") : text.index("\nFailed before")]
    assert new.count("✗ ") == 1
    assert "10.20.0.254, or a device behind it, drops tcp 6379 from services (2 hosts) to redis-1: 2 checks" in new
    assert "Ask who runs what is behind 10.20.0.254" in new


@pytest.mark.parametrize("width", [40, 80, 200])
def test_no_line_is_wider_than_the_terminal_and_nothing_steers_it(found: Changes, width: int) -> None:
    text = told.render(found, width=width, color=False)
    assert max(map(len, text.splitlines())) <= width
    assert all(char.isprintable() or char == "\n" for char in text)
    assert HOSTILE_BANNER not in text


def test_colours_only_where_they_are_wanted(found: Changes) -> None:
    assert "\x1b[" not in told.render(found, width=80, color=False)
    assert "\x1b[31;1m" in told.render(found, width=80, color=True)


def test_when_nothing_changed_it_says_so() -> None:
    rich = example.rich()
    assert told.headline(compare(rich, rich)) == "nothing changed: 19 still there"
    fine = example.report(passes())
    assert told.render(compare(fine, fine), width=80, color=False).startswith("nothing changed\nfrom run ")


def test_where_nobody_has_a_name_for_a_run_its_id_is_told(found: Changes) -> None:
    called = f"run {found.old.id} of 2025-03-14 09:26 UTC"
    assert told.compared(found) == f"from {called} to {called}"
    assert told.compared(msgspec.structs.replace(found, names=("a\x1b.json", ""))).startswith(
        "from a\\x1b.json of 2025-"
    )


def test_without_an_older_run_it_says_so() -> None:
    assert told.headline(compare(None, example.report(passes()))) == "the first run"
    assert "nothing to compare it with" in told.render(compare(None, example.rich()), width=200, color=False)


def test_json_keeps_to_its_schema(found: Changes) -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    data = standard.loads(told.render_json(found))
    VALIDATOR.validate(data)
    VALIDATOR.validate(standard.loads(told.render_json(compare(None, example.rich()))))
    assert data["summary"]["new"] == 2
    assert len(data["changes"]) == len(found.changes)
    assert data["changes"][0]["now"]["verdict"] == "blocked"
    with pytest.raises(jsonschema.ValidationError):
        VALIDATOR.validate({**data, "changes": [{**data["changes"][0], "turn": "worse"}]})


def test_advice_that_is_known_already_is_summed_up() -> None:
    rich = example.rich()
    still = told.render(compare(rich, rich), width=100, color=False)
    assert "! 6 ways open that no flow allows: --json F has all" in still
    assert "redis: 4 checks" not in still
    assert "redis: 4 checks" in told.render(compare(None, rich), width=100, color=False)


def test_what_goes_to_and_fro_and_passes_just_now_is_told_so(found: Changes) -> None:
    (one,) = [change for change in found.of(Turn.FLAPPING) if change.now is not None and change.now.deviates]
    passing = msgspec.structs.replace(one, now=mended([one.row])[0], since=None, since_run=None)
    text = told.render(msgspec.structs.replace(found, changes=(passing,)), width=100, color=False)
    assert "    was       mismatch" in text
    assert "    now       passes\n" in text


@pytest.mark.parametrize(("name", "render"), [("diff.json", told.render_json), ("diff.md", changesmarkdown.render)])
def test_the_samples_are_as_agreed(found: Changes, name: str, render: Callable[[Changes], bytes]) -> None:
    made = render(found)
    JUDGES["markdown"](made) if name == "diff.md" else VALIDATOR.validate(standard.loads(made))
    assert agreed(name, made)


class TestMarkdown:
    def test_every_turn_has_its_part_and_what_is_bad_its_advice(self, found: Changes) -> None:
        text = JUDGES["markdown"](changesmarkdown.render(found))
        for turn, words in TURNS.items():
            assert f"{words.title}: {len(found.of(turn))} check" in text
        new = text.partition("New: ")[2].partition("Fixed: ")[0]
        assert "what to do: " in new
        assert "what to do: " not in text.partition("Still there: ")[2]

    def test_what_strangers_say_is_text(self, found: Changes) -> None:
        evil = "<img src=x> [a](http://evil.example) @all | # *b*"
        rows = [msgspec.structs.replace(change.row, source=evil, service=evil, detail=evil) for change in found.changes]
        changes = tuple(Change(turn=Turn.NEW, ports=row.ports, now=row, before=None) for row in rows)
        page = changesmarkdown.render(msgspec.structs.replace(found, changes=changes))
        assert evil in JUDGES["markdown"](page)

    def test_it_is_bounded_and_says_what_it_leaves_out(self, found: Changes) -> None:
        one = next(change.now for change in found.of(Turn.NEW) if change.now is not None)
        rows = [
            msgspec.structs.replace(one, id=f"{n:016x}", service=f"s{n}", where=None, source=f"h{n}x{'ä' * 2000}")
            for n in range(600)
        ]
        changes = tuple(Change(turn=Turn.NEW, ports=row.ports, now=row, before=None) for row in rows)
        page = changesmarkdown.render(msgspec.structs.replace(found, changes=changes))
        assert len(page) <= LARGEST
        assert b"more checks left out of this summary" in page
