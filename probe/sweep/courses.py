"""The targets of one sweep, side by side, over whatever line an engine has."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

from probe.sweep.course import Course
from probe.sweep.order import Progress

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from probe.model.swept import Swept
    from probe.sweep.course import Line, Way
    from probe.sweep.order import Sweep, Target
    from probe.sweep.pace import Throttle

# Each has buffers and a socket.
_TARGETS_AT_ONCE = 64
_TICK_SECONDS = 0.2


def families(order: Sweep) -> set[int]:
    """Of the targets' addresses. Raises ValueError where they cannot all be reached from the one to send from."""
    found = {family(target.address) for target in order.targets}
    if order.bind and found - {family(order.bind)}:
        raise ValueError(f"nothing can be sent from {order.bind} to an address of the other family")
    return found


def family(address: str) -> int:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


async def run(
    order: Sweep,
    line: Line,
    throttle: Throttle,
    way: Callable[[Target, Course], Way],
    tick: Callable[[Progress], None] | None,
) -> tuple[Swept, ...]:
    """All of them to their end or to the deadline; the line is closed then. `way` opens the way to a target."""
    end = asyncio.get_running_loop().time() + order.deadline
    courses = [
        Course(target, number, order, line, throttle, lambda course, target=target: way(target, course))  # type: ignore[misc]
        for number, target in enumerate(order.targets)
    ]
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


async def _ticking(courses: Sequence[Course], tick: Callable[[Progress], None] | None) -> None:
    while tick is not None:
        asked = sum(len(course.evidence.ports) for course in courses)
        tick(Progress(asked, sum(course.settled for course in courses), sum(course.sent for course in courses)))
        await asyncio.sleep(_TICK_SECONDS)
