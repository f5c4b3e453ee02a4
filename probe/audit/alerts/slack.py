"""A message as Slack and those who speak like it want it: text, and the same in blocks.

Slack takes at most 50 blocks, 150 characters in a header and 3,000 in a section; what is from elsewhere is escaped and,
being verbatim, makes no links and calls nobody.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from probe.audit.alerts.message import TURNS
from probe.encoding import encode
from probe.model.change import Turn
from probe.report.text import count, listed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from probe.audit.alerts.message import Message, Told

MOST_BLOCKS, HEADER, SECTION = 50, 150, 3000
_ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
_LINE = 1200


def body(message: Message) -> bytes:
    blocks = list(_blocks(message))[:MOST_BLOCKS]
    return encode({"text": escaped(message.title), "blocks": blocks})


def escaped(text: str, limit: int = _LINE) -> str:
    """At most `limit` characters, no entity cut in two."""
    made = text.translate(_ENTITIES)
    if len(made) <= limit:
        return made
    kept, cut = made[: limit - 1], made[limit - 1 :]
    start = kept.rfind("&")
    if start >= 0 and ";" not in kept[start:] and ";" in cut[:4]:
        kept = kept[:start]
    return kept + "…"


def _blocks(message: Message) -> Iterator[dict[str, Any]]:
    yield {"type": "header", "text": {"type": "plain_text", "text": escaped(message.title, HEADER), "emoji": False}}
    run = message.run
    said = f"{_link(run.link, f'run {run.number}')}: {escaped(run.summary or run.state)}"
    yield _section(said)
    if message.problem:
        yield _section("*problem*", escaped(message.problem, SECTION - 100))
    if message.was:
        yield _section("*over*", escaped(message.was, SECTION - 100))
    for told in message.findings:
        yield _section(*_finding(told))
    if message.more:
        yield _context(f"… and {count(message.more, 'finding')} more: see the run")
    for waiver in message.waivers:
        yield _section(f"*waiver {waiver.state}* {escaped(waiver.summary)}", escaped(f"To do: {waiver.advice}"))
    if message.undelivered:
        yield _context(f"{count(message.undelivered, 'earlier message')} could not be delivered")


def _finding(told: Told) -> list[str]:
    lines = [f"*{TURNS[told.turn]}* {_link(told.link, told.title)}"]
    what = f"{told.verdict} · {told.cause}: {told.meaning}" if told.cause else told.verdict
    lines.append(escaped(what))
    facts = [f"severity {told.severity}"] if told.severity else []
    facts += [count(told.checks, "check"), f"from {listed(told.sources, 4)}", f"to {listed(told.targets, 4)}"]
    facts += [f"since {told.since}"] if told.since and told.turn != Turn.NEW else []
    lines.append(escaped(", ".join(facts)))
    lines += [escaped(f"To do: {told.advice}")] if told.advice else []
    return lines


def _link(where: str, text: str) -> str:
    """Without the link where it is too long for one."""
    shown = escaped(text)
    return f"<{where.translate(_ENTITIES)}|{shown.replace('|', '¦')}>" if 0 < len(where) < _LINE else shown


def _section(first: str, *others: str) -> dict[str, Any]:
    """Of lines, as many as there is room for."""
    text = first
    for line in others:
        if len(text) + 1 + len(line) <= SECTION:
            text += f"\n{line}"
    return {"type": "section", "text": {"type": "mrkdwn", "text": text, "verbatim": True}}


def _context(text: str) -> dict[str, Any]:
    return {"type": "context", "elements": [{"type": "mrkdwn", "text": escaped(text), "verbatim": True}]}
