"""The packet engine: raw SYNs and datagrams in batches, several targets at once, each through its own rounds.

It runs in short steps on the event loop, so that the loop's other work goes on. Nothing of a connection is kept: the
kernel answers a SYN-ACK that it did not ask for with a RST, and what stayed silent is reset by a RST of ours, which
frees the entry that a firewall on the way keeps for it.
"""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

from probe.sweep.course import Course
from probe.sweep.line import Line
from probe.sweep.order import Progress
from probe.sweep.pace import GENTLE, Throttle

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from probe.model.swept import Swept
    from probe.sweep.order import Sweep

# Each has buffers and a socket.
_TARGETS_AT_ONCE = 64
_TICK_SECONDS = 0.2


async def sweep(order: Sweep, tick: Callable[[Progress], None] | None = None) -> tuple[Swept, ...]:
    """Raises OSError where raw sockets are not allowed; ValueError for an address that is not numeric."""
    families = {_family(target.address) for target in order.targets}
    if order.bind and families - {_family(order.bind)}:
        raise ValueError(f"nothing can be sent from {order.bind} to an address of the other family")
    if not families:
        return ()
    throttle = Throttle(order.rate or GENTLE[order.transport], gentle=not order.rate)
    end = asyncio.get_running_loop().time() + order.deadline
    line = Line(order.transport, families, order.seed)
    courses = [Course(target, number, order, line, throttle, payload) for number, target in enumerate(order.targets)]
    room = asyncio.Semaphore(_TARGETS_AT_ONCE)
    try:
        async with asyncio.TaskGroup() as group:
            ticking = group.create_task(_ticking(courses, tick))
            async with asyncio.TaskGroup() as running:
                for course in courses:
                    running.create_task(course.run(room, end))
            ticking.cancel()
    finally:
        line.close()
    return tuple(course.result() for course in courses)


def payload(port: int) -> bytes:
    """What a datagram to this port carries."""
    del port
    return b""


async def _ticking(courses: Sequence[Course], tick: Callable[[Progress], None] | None) -> None:
    while tick is not None:
        asked = sum(len(course.evidence.ports) for course in courses)
        tick(Progress(asked, sum(course.settled for course in courses), sum(course.sent for course in courses)))
        await asyncio.sleep(_TICK_SECONDS)


def _family(address: str) -> int:
    return socket.AF_INET6 if ":" in address else socket.AF_INET
