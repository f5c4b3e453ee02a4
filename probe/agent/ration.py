"""What routers can be asked for.

A packet that runs out at a device makes it send an error, and devices ration these: Linux sends one a second to an
address, after the first six (icmp(7), icmp_ratelimit). All ways of a source share the devices near it, so there is one
ration for each distance; and all traces of an agent share it.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_BURST, _EVERY = 5, 1.05  # attempts, seconds
_SOCKETS = 64  # that the attempts hold at once


class Ration:
    """`gate` is entered when one more attempt at this distance may be made."""

    def __init__(self) -> None:
        self._sockets = asyncio.Semaphore(_SOCKETS)
        # By distance and family (ICMP and ICMPv6 are rationed apart), when the ration will be whole again.
        self._whole: dict[tuple[int, bool], float] = {}

    @contextlib.asynccontextmanager
    async def gate(self, ttl: int, *, ipv6: bool, sparing: bool = False) -> AsyncIterator[None]:
        """`sparing`: half of the ration is left to others, who may be about to be told why they failed."""
        now, place = asyncio.get_running_loop().time(), (ttl, ipv6)
        whole = self._whole[place] = max(self._whole.get(place, now), now) + _EVERY * (1 + sparing)
        await asyncio.sleep(max(whole - now - (_BURST - sparing) * _EVERY, 0))
        async with self._sockets:
            yield
