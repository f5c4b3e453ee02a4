"""Which flows of one way get through, each time or never: where a router chooses among several next hops by the source
port (ECMP), one bad hop shows in nothing else.

Loss and limits on new connections do not care for ports: they make flows that get through at times. Each round tries
every flow, in an order of its own, so that nothing but the flow is the same from round to round.
"""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, NamedTuple

from probe.model.path import ByFlow
from probe.probes.ttl import Answer, ask

if TYPE_CHECKING:
    from collections.abc import Mapping

    from probe.probes.ttl import Aim, Flow

_ROUNDS = 6
_OFTEN = _ROUNDS - 1  # of those a flow on a good way gets through, though one packet in ten be lost
_WHOLE = 64  # a TTL that ends nowhere on the way
_APART = 0.01  # seconds between two attempts of a round: a limit is not to be met in a burst


class Sorted(NamedTuple):
    """Flows by number."""

    through: list[int]
    lost: list[int]
    mixed: list[int]

    @property
    def counted(self) -> ByFlow:
        return ByFlow(len(self.through), len(self.lost), len(self.mixed))


async def sort(aim: Aim, flows: Mapping[int, Flow], seconds: float) -> Sorted:
    """Takes six times `seconds` at the longest, beside what it takes to send."""
    passed = dict.fromkeys(flows, 0)

    async def attempt(number: int, after: float) -> None:
        await asyncio.sleep(after)
        answer = await ask(aim, flows[number], _WHOLE, seconds)
        passed[number] += isinstance(answer, Answer) and answer.works

    for _ in range(_ROUNDS):
        order = random.sample(list(flows), len(flows))
        async with asyncio.TaskGroup() as group:
            for place, number in enumerate(order):
                group.create_task(attempt(number, place * _APART))
    return Sorted(
        through=[number for number, times in passed.items() if times >= _OFTEN],
        lost=[number for number, times in passed.items() if times == 0],
        mixed=[number for number, times in passed.items() if 0 < times < _OFTEN],
    )
