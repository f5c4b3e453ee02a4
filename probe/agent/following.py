"""The ways that are silent or refused so far, followed hop by hop while a walk waits to believe it."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING

from probe.agent.tracing import rationed
from probe.model.observation import Failure
from probe.wire.messages import Followed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from probe.agent.ration import Ration
    from probe.probes.attempt import Attempt
    from probe.wire.messages import Walk

_AT_ONCE = 2  # that wait for nothing
_SILENT = frozenset({Failure.TIMEOUT, Failure.KERNEL_TIMEOUT})


def chosen(attempts: Iterable[Attempt], most: int) -> list[Attempt]:
    """So many of those that failed, of different ports and different addresses: what is silent, and as far as nobody
    has to wait for it, what was refused.
    """
    silent: list[Attempt] = []
    refused: list[Attempt] = []
    for attempt in attempts:
        if attempt.seen is None or attempt.seen.icmp is not None:
            continue
        if attempt.seen.failure in _SILENT:
            silent.append(attempt)
        elif attempt.seen.failure is Failure.REFUSED:
            refused.append(attempt)
    found = _varied(silent, most)
    return found + _varied(refused, min(most, _AT_ONCE) - len(found))


def _varied(waiting: list[Attempt], most: int) -> list[Attempt]:
    ports: Counter[tuple[str, int]] = Counter()
    addresses: Counter[str] = Counter()
    found: list[Attempt] = []
    # The most is a dozen: to look through a walk's failures so many times is nothing beside having tried them.
    while waiting and len(found) < most:
        best = min(waiting, key=lambda one: ports[one.aim.protocol.transport, one.port] + addresses[one.address])
        waiting.remove(best)
        found.append(best)
        ports[best.aim.protocol.transport, best.port] += 1
        addresses[best.address] += 1
    return found


async def follow(attempts: Iterable[Attempt], order: Walk, ration: Ration) -> list[Followed]:
    """The path of each, as far as it came."""

    async def path(one: Attempt) -> Followed:
        found = await rationed(one.aim, one.address, one.port, order.number, order.bind, ration, sparing=True)
        return Followed(task=one.aim.task, address=one.address, port=one.port, path=found)

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(path(one)) for one in attempts]
    return [task.result() for task in tasks]
