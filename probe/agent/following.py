"""The ways that are silent or refused so far, followed hop by hop while a walk waits to believe it.

Routers ration their answers: Linux sends one of these errors a second to an address, after the first six (icmp(7),
icmp_ratelimit). All ways of a source share the devices near it, so there is one ration for each distance.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from typing import TYPE_CHECKING

from probe.model.observation import Failure
from probe.probes.trace import trace
from probe.wire.messages import Followed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from probe.probes.attempt import Attempt

_SILENT = frozenset({Failure.TIMEOUT, Failure.KERNEL_TIMEOUT})
_FARTHEST = 16  # devices; a longer way is followed by an order of its own
_HOP = 0.5  # seconds that a device on the way gets to answer
_BURST, _EVERY = 5, 1.05
_SOCKETS = 64  # that the attempts hold at once


class Ration:
    """`gate` is entered when one more attempt at this distance may be made."""

    def __init__(self) -> None:
        self._given: Counter[int] = Counter()
        self._sockets = asyncio.Semaphore(_SOCKETS)
        self._loop = asyncio.get_running_loop()
        self._began = self._loop.time()

    @contextlib.asynccontextmanager
    async def gate(self, ttl: int) -> AsyncIterator[None]:
        self._given[ttl] += 1
        at = self._began + max(0, self._given[ttl] - _BURST) * _EVERY
        await asyncio.sleep(max(at - self._loop.time(), 0))
        async with self._sockets:
            yield


def chosen(attempts: Iterable[Attempt], most: int) -> list[Attempt]:
    """So many of those that failed, of different ports and different addresses: what is silent, and as far as nothing
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
    return found + _varied(refused, min(most, _BURST) - len(found))


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


async def follow(attempts: Iterable[Attempt], bind: str) -> list[Followed]:
    """The path of each, as far as it came."""
    gate = Ration().gate

    async def path(one: Attempt) -> Followed:
        found = await trace(
            one.address,
            one.aim.protocol.transport,
            one.port,
            bind=bind,
            most=_FARTHEST,
            timeout=_HOP,
            tries=1,
            flows=0,
            gate=gate,
        )
        return Followed(task=one.aim.task, address=one.address, port=one.port, path=found)

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(path(one)) for one in attempts]
    return [task.result() for task in tasks]
