"""The targets of one sweep, side by side, over whatever line an engine has."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from probe.sweep.addresses import family
from probe.sweep.course import Course
from probe.sweep.order import Progress

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from probe.model.swept import Swept
    from probe.sweep.order import Sweep, Target, Tick
    from probe.sweep.pace import Throttle
    from probe.sweep.ways import Line, Way

# Each has buffers and a socket.
_TARGETS_AT_ONCE = 64
_TICK_SECONDS = 0.2


def families(order: Sweep) -> set[int]:
    """Of the targets' addresses. Raises ValueError where they cannot all be reached from the one to send from."""
    found: set[int] = {family(target.address) for target in order.targets}
    if order.bind and found - {family(order.bind)}:
        raise ValueError(f"nothing can be sent from {order.bind} to an address of the other family")
    return found


async def run(
    order: Sweep,
    line: Line,
    throttle: Throttle,
    way: Callable[[Target, Course], Way],
    tick: Tick | None,
) -> tuple[Swept, ...]:
    """All of them to their end, to the deadline, or until `tick` has enough; then the line is closed. `way` opens the
    way to a target.
    """
    end = asyncio.get_running_loop().time() + order.deadline
    courses = [
        Course(target, number, order, line, throttle, partial(way, target))
        for number, target in enumerate(order.targets)
    ]
    room = asyncio.Semaphore(_TARGETS_AT_ONCE)
    try:
        async with asyncio.TaskGroup() as group:
            running = [group.create_task(course.run(room, end)) for course in courses]
            while tick is not None and not await _ended(running):
                if tick(_progress(courses)):
                    for task in running:
                        task.cancel()
    finally:
        await line.end()
    found = (course.result() for course in courses)
    return tuple(
        msgspec.structs.replace(swept, problem="interrupted") if task.cancelled() else swept
        for swept, task in zip(found, running, strict=True)
    )


async def _ended(running: Sequence[asyncio.Task[None]]) -> bool:
    """Whether all of them have, within the time between two ticks."""
    _, going_on = await asyncio.wait(running, timeout=_TICK_SECONDS)
    return not going_on


def _progress(courses: Sequence[Course]) -> Progress:
    asked = sum(len(course.evidence.ports) for course in courses)
    return Progress(asked, sum(course.settled for course in courses), sum(course.sent for course in courses))
