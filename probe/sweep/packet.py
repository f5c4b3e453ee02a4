"""The packet engine: raw SYNs and datagrams in batches, several targets at once, each through its own rounds.

It runs in short steps on the event loop, so that the loop's other work goes on. Nothing of a connection is kept: the
kernel answers a SYN-ACK that it did not ask for with a RST, and what stayed silent is reset by a RST of ours, which
frees the entry that a firewall on the way keeps for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from probe.sweep import courses
from probe.sweep.line import Line
from probe.sweep.outlet import Outlet
from probe.sweep.pace import GENTLE, Throttle
from probe.sweep.payloads import payloads

if TYPE_CHECKING:
    from probe.model.swept import Swept
    from probe.sweep.course import Course
    from probe.sweep.order import Sweep, Target, Tick


async def sweep(order: Sweep, tick: Tick | None = None) -> tuple[Swept, ...]:
    """Raises OSError where raw sockets are not allowed; ValueError for an address that is not numeric."""
    families = courses.families(order)
    if not families:
        return ()
    if len({target.address for target in order.targets}) < len(order.targets):
        raise ValueError("a target is named twice: whose answers would be whose?")
    throttle = Throttle(order.rate or GENTLE[order.transport], gentle=not order.rate)
    line = Line(order.transport, families, order.seed)

    def way(target: Target, course: Course) -> Outlet:
        outlet = Outlet(target.address, order.transport, line, order.bind, payloads(order.mark))
        line.join(outlet.target, course, outlet.offset)
        return outlet

    return await courses.run(order, line, throttle, way, tick)
