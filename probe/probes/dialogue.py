"""A service asked in its own protocol: one dialogue, over TCP or UDP.

Everything is bounded: each answer in bytes and time, the dialogue in steps and time. What a stranger sends is compared
and, in part, kept as evidence; nothing else is done with it.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from probe.model.dialogue import LONGEST, MOST_READ, MOST_SENT, MOST_STEPS, Expect, Id, Send
from probe.model.observation import Failure, Observation
from probe.model.words import State, Transport
from probe.probes import handshake, letters, talk

if TYPE_CHECKING:
    from probe.model.dialogue import Dialogue, Parts
    from probe.probes.attempt import Attempt, Terms

# A source port that a protocol prescribes is used by one attempt at a time.
_reserved: dict[tuple[str, int], asyncio.Lock] = {}


async def probe(attempt: Attempt, terms: Terms) -> tuple[Observation, float | None]:
    """One attempt: the whole dialogue, on a socket of its own."""
    dialogue = attempt.aim.dialogue
    if dialogue is None or (problem := _out_of_bounds(dialogue)):
        text = problem if dialogue is not None else "there is no dialogue to hold"
        return Observation(state=State.ERROR, failure=Failure.OTHER, text=text), None
    if attempt.aim.protocol.transport is Transport.TCP:
        seen, rtt = await talk.hold(attempt, terms, dialogue)
        hung_up = seen.failure in (Failure.CLOSED, Failure.RESET) and not seen.said
        if terms.careful and hung_up and not dialogue.begins_tls:
            seen = await handshake.wanted(attempt, terms) or seen
        return seen, rtt
    if not dialogue.source_port:
        return await letters.exchange(attempt, terms, dialogue), None
    place = (terms.bind_for(attempt.address), dialogue.source_port)
    async with _reserved.setdefault(place, asyncio.Lock()):
        return await letters.exchange(attempt, terms, dialogue), None


def _out_of_bounds(dialogue: Dialogue) -> str:
    """The bounds are the language's own; a node does not take the coordinator's word for them."""
    steps = dialogue.steps
    waits = sum(step.within for step in steps if not isinstance(step, Send))
    sent = sum(_size(step.parts) for step in steps if isinstance(step, Send))
    most = max((step.most for step in steps if isinstance(step, Expect)), default=0)
    if len(steps) > MOST_STEPS or waits > LONGEST or sent > MOST_SENT or most > MOST_READ:
        return "the dialogue is larger than a dialogue may be"
    return ""


def _size(parts: Parts) -> int:
    return sum(2 * part.size if isinstance(part, Id) else len(part.value) for part in parts)
