"""One check told as a story: what was asked, what both ends saw in the order of events, where it stops, what to do."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

import msgspec

from probe.model.account import Account
from probe.model.exchange import Exchange, Fate, Passage, exchange, label
from probe.model.result import CheckResult, HostResult, RunInfo
from probe.model.words import Cause, Expect, Need, Verdict
from probe.report import wording
from probe.report.causes import MEANINGS, section
from probe.report.drawing import draw, remarks
from probe.report.findings import weight
from probe.report.grouping import unclaimed
from probe.report.json import encode
from probe.report.page import STYLES, Page, cut
from probe.report.text import count, name, sentence, shorten

if TYPE_CHECKING:
    from collections.abc import Iterator

SCHEMA = "portcheck.explain/1"
_MOST_ATTEMPTS, _MOST_PASSAGES, _MOST_EVIDENCE, _MOST_LINES, _MOST_ROWS = 4, 24, 12, 60, 64
_ARROW = 5  # columns, a blank on each side included
_TIME = 9  # columns of a time and the gap that follows it
_WIDEST_CELL = 52
_SKEW = 0.05  # seconds; what is less nobody asks about
_ARROWS = {
    (True, Fate.ARRIVED): "──→",
    (True, Fate.LOST): "──✗",
    (True, Fate.BETWEEN): "├─→",
    (True, Fate.UNKNOWN): "──?",
    (False, Fate.ARRIVED): "←──",
    (False, Fate.LOST): "✗──",
    (False, Fate.BETWEEN): "←─┤",
    (False, Fate.UNKNOWN): "?──",
}
_AT_THE_SOURCE = frozenset({Cause.SOURCE_FIREWALL, Cause.NO_ROUTE, Cause.DNS})
_AT_THE_TARGET = frozenset({
    Cause.TARGET_FIREWALL, Cause.NOT_LISTENING, Cause.BOUND_ELSEWHERE, Cause.OVERLOAD, Cause.PORT_TAKEN,
    Cause.WRONG_SERVICE, Cause.TLS, Cause.HTTP_STATUS, Cause.UNHEALTHY, Cause.LISTENING,
})  # fmt: skip


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A row of the matrix that asks for a check, with the document that it cites. `help` are the words of the row and
    of the service.
    """

    rule: str
    matrix: str
    help: tuple[str, ...] = ()
    title: str = ""
    url: str = ""


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """`account` is None where no fresh attempt was looked at. `one_of_several`: it is enough that another way is
    free.
    """

    row: CheckResult
    asked: tuple[Asked, ...] = ()
    account: Account | None = None
    one_of_several: bool = False


class Story(msgspec.Struct, frozen=True, kw_only=True):
    """All that there is to tell about one port between two hosts."""

    run: RunInfo
    source: HostResult
    target: HostResult
    explanations: tuple[Explanation, ...]


def render(story: Story, *, width: int, color: bool) -> str:
    """Text that ends in a line feed; one chapter for each check."""
    told = story.explanations[:_MOST_ROWS]
    chapters = [_Chapter(story, one, width, color=color).text() for one in told]
    if len(told) < len(story.explanations):
        chapters.append(f"… and {len(story.explanations) - len(told):,} more checks: --json FILE has each\n")
    return "\n\n".join(chapters)


def as_json(story: Story) -> bytes:
    """The rows of a report, each with what both ends saw; reports/explain.schema.json has the shape."""
    checks = [_row_as_json(one) for one in story.explanations]
    document = {"schema": SCHEMA, "run": msgspec.to_builtins(story.run), "checks": checks}
    return msgspec.json.format(encode(document), indent=1) + b"\n"


def _row_as_json(one: Explanation) -> dict[str, Any]:
    account = one.account
    packets = {"source": account.source if account else None, "target": account.target if account else None}
    return {
        **msgspec.to_builtins(one.row),
        "asked": msgspec.to_builtins(one.asked),
        "packets": {end: None if seen is None else msgspec.to_builtins(seen.sights) for end, seen in packets.items()},
        "path": msgspec.to_builtins(account.path) if account else None,
    }


class _Chapter(Page):
    """The parts in their order; each yields lines."""

    def __init__(self, story: Story, one: Explanation, width: int, *, color: bool) -> None:
        super().__init__(width, color=color)
        self.story, self.row, self.asked, self.account = story, one.row, one.asked, one.account
        self.one_of_several = one.one_of_several

    def text(self) -> str:
        parts = [self.head(), self.asked_for_by(), self.packets(), self.path(), self.evidence(), self.to_do()]
        blocks = [list(part) for part in parts]
        return "\n\n".join("\n".join(lines) for lines in blocks if lines) + "\n"

    def head(self) -> Iterator[str]:
        row, run = self.row, self.story.run
        worth = weight(row)
        way = f"{name(row.source)} → {name(row.target)} ({name(row.address)}), {wording.spoken(row, name(row.ports))}"
        title = f"{wording.SYMBOLS[worth]} {way}: {wording.verdict(row) if row.cause else row.verdict}"
        yield from (self.styled(line, f"{STYLES[worth]};1") for line in self.wrapped(title))
        yield from self.wrapped(wording.seen(row), "  ")
        matrices = ", ".join(name(matrix) for matrix in run.matrix)
        yield from self.wrapped(f"measured {name(run.started)}, phase {run.phase}, matrix {matrices}", "  ")

    def asked_for_by(self) -> Iterator[str]:
        row = self.row
        yield self.heading("Asked for by")
        verb = "must" if row.need is Need.REQUIRED else "should"
        worth = "" if row.need is Need.REQUIRED else f" ({row.need})"
        reach = row.expect is Expect.REACH
        yield from self.field("expected", f"{verb} {'' if reach else 'not '}be reachable{worth}, policy {row.policy}")
        if unclaimed(row):
            yield from self.field("rule", f"{name(row.matrix)} {name(row.rule)}: no flow allows it")
        yield from self.field("service", f"{wording.target(row)}")
        for asked in self.asked:
            if not unclaimed(row):
                yield from self.field("rule", f"{name(asked.matrix)} {name(asked.rule)}")
            yield from self.field("help", *(sentence(text) for text in asked.help))
            yield from self.field("cites", sentence(asked.title), name(asked.url, 200) if asked.url else "")
        if self.one_of_several:
            several = "the matrix says that one of several ways is enough; the others were not looked at here"
            yield from self.field("instead", several)

    def packets(self) -> Iterator[str]:
        yield self.heading("A fresh attempt, packet by packet")
        account = self.account
        if account is None or (account.source is None and account.target is None):
            yield from self.wrapped(f"Not looked at: {self.why_nobody_looked()}.", "    ")
            return
        told = exchange(account)
        room = min((self.width - 4 - _ARROW) // 2, _WIDEST_CELL)
        titles = [f"{'ms':>7}  {name(host, room - _TIME)}" for host in (self.row.source, self.row.target)]
        yield self.styled(f"    {titles[0]:<{room + _ARROW}}{titles[1]}", "2")
        for attempt in told.attempts[:_MOST_ATTEMPTS]:
            if len(told.attempts) > 1 or attempt.times > 1:
                others = f" and {count(attempt.times - 1, 'other')} alike" if attempt.times > 1 else ""
                yield f"    from port {attempt.port}{others}"
            for passage in attempt.passages[:_MOST_PASSAGES]:
                yield from self.passage(passage, room)
            if len(attempt.passages) > _MOST_PASSAGES:
                yield f"    … and {len(attempt.passages) - _MOST_PASSAGES:,} more: --json FILE has each packet"
        if len(told.attempts) > _MOST_ATTEMPTS:
            yield f"    … and {count(len(told.attempts) - _MOST_ATTEMPTS, 'more attempt')}: --json FILE has each packet"
        if not told.attempts:
            yield from self.wrapped("No packet of it passed an interface.", "    ")
        for note in self.notes(account, told):
            yield from self.wrapped(note, "    ")

    def passage(self, passage: Passage, room: int) -> Iterator[str]:
        here, there = (self.cell(passage, end, room) for end in ("source", "target"))
        arrow = _ARROWS[passage.forward, passage.fate]
        style = STYLES[weight(self.row)] if "✗" in arrow else ""
        for place in range(max(len(here), len(there))):
            left = here[place] if place < len(here) else ""
            right = there[place] if place < len(there) else ""
            middle = (self.styled(arrow, style) if style else arrow) if place == 0 else "   "
            yield f"    {left:<{room}} {middle} {right}".rstrip()

    def cell(self, passage: Passage, end: str, room: int) -> list[str]:
        """When the packet passed this end and what it was; else what is known of that."""
        here = end == "source"
        sight, at = (passage.here, passage.at_source) if here else (passage.there, passage.at_target)
        margin, room = " " * _TIME, room - _TIME
        if sight is None or at is None:
            said = {Fate.LOST: "did not arrive", Fate.BETWEEN: f"not sent by {name(getattr(self.row, end), 40)}"}
            text = "" if passage.seen.icmp is not None else said.get(passage.fate, "")
            return [margin + line for line in textwrap.wrap(text, room)] or [""]
        text = f"{label(sight)}, TTL {sight.ttl}"
        if passage.times > 1 and sight is (passage.seen if passage.forward else passage.there or passage.here):
            text += f", {passage.times:,} times until {1000 * passage.until:,.1f} ms"
        lines = textwrap.wrap(sentence(text, 160), room, break_on_hyphens=False)
        return [shorten(f"{1000 * at:>7.1f}  ", _TIME) + lines[0], *(margin + line for line in lines[1:])]

    def notes(self, account: Account, told: Exchange) -> Iterator[str]:
        for host, packets in ((self.story.source, account.source), (self.story.target, account.target)):
            if packets is None:
                yield f"{name(host.name)} did not look: {_why_not(host)}."
            elif not packets.sure:
                yield f"{name(host.name)} may have missed packets: that one is not shown there proves nothing."
        if abs(told.skew) >= _SKEW:
            ahead = "ahead of" if told.skew > 0 else "behind"
            yield (
                f"The clock of {name(self.row.target)} is about {abs(told.skew):,.3f} s {ahead} that of "
                f"{name(self.row.source)}; its times are shown without that."
            )

        asked = (passage for attempt in told.attempts for passage in attempt.passages if passage.seen.opens)
        lost = any(passage.forward and passage.fate is Fate.LOST for passage in asked)
        if lost and self.row.verdict is Verdict.PASS and self.row.expect is Expect.REACH:
            yield "It passes, and still packets were lost: a bad line, a rate limit, or one of several devices."

    def why_nobody_looked(self) -> str:
        row, hosts = self.row, (self.story.source, self.story.target)
        if row.source == row.target:
            return "of a host and itself the table of its sockets says it all"
        if self.account is not None:
            return "; ".join(f"{name(host.name)}: {_why_not(host)}" for host in hosts)
        missing = [f"{name(host.name)}: {_why_not(host)}" for host in hosts if host.agent is None]
        return "; ".join(missing) or "there was no attempt to look at"

    def path(self) -> Iterator[str]:
        account = self.account
        if account is None:
            return
        yield self.heading("The path")
        for line in cut(draw(self.row, account, self.width - 4), _MOST_LINES):
            marked = line.replace("✗", self.styled("✗", STYLES[weight(self.row)]))
            yield f"    {marked}"
        place = self.row.where
        if place is not None and place.address != self.row.address:
            yield from self.wrapped(f"It stops {wording.where(place)}.", "    ")
        for remark in remarks(self.row, account):
            yield from self.wrapped(remark, "    ")

    def evidence(self) -> Iterator[str]:
        if self.row.evidence:
            yield self.heading("Evidence")
            told = [f"{name(piece.at)}: {sentence(piece.what)}" for piece in self.row.evidence]
            for line in cut(told, _MOST_EVIDENCE):
                first, *rest = textwrap.wrap(line, self.width - 6, break_on_hyphens=False)
                yield f"    {first}"
                yield from (f"      {more}" for more in rest)

    def to_do(self) -> Iterator[str]:
        if self.row.verdict is Verdict.PASS:
            return
        yield self.heading("What to do")
        if self.row.cause is not None:
            yield from self.field("meaning", MEANINGS[self.row.cause].sentence)
        yield from self.field("who", whose(self.row))
        yield from self.field("do", sentence(self.row.advice))
        yield from self.field("more", section(self.row.verdict, self.row.cause))


def whose(row: CheckResult) -> str:
    """For whom the advice is."""
    if row.cause in _AT_THE_SOURCE:
        return f"the owner of the source, {name(row.source)}"
    if row.cause in _AT_THE_TARGET or row.verdict is Verdict.DOWN or (row.cause is None and _answers(row)):
        return f"the owner of the target, {name(row.target)} ({name(row.address)})"
    if row.verdict is Verdict.INCONCLUSIVE:
        return "whoever runs portcheck"
    place = row.where
    if place is not None and place.hop == 0 and place.side == "at":
        return f"the owner of the source, {name(row.source)}"
    device = place.address if place is not None and place.hop != 0 else None
    return f"the network team, for the device {name(device)}" if device else "the network team"


def _answers(row: CheckResult) -> bool:
    return row.verdict in (Verdict.MISMATCH, Verdict.EXPOSED)


def _why_not(host: HostResult) -> str:
    if host.agent is None:
        return sentence(host.problem, 160) or "it has no agent"
    if "raw" not in host.agent.capabilities:
        return "its agent lacks the capability CAP_NET_RAW"
    return "its capture could not be had"
