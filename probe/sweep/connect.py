"""The connect engine, for hosts without CAP_NET_RAW: the kernel's own connections and datagrams, with the same rounds.

A connection that was accepted is reset at once. What stays silent cannot be reset without privilege: a firewall on the
way keeps an entry for it (docs/sweep.md), so a gentle sweep counts those.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from probe.model.words import Transport
from probe.sweep import courses
from probe.sweep.dial import Dial
from probe.sweep.dials import Dials
from probe.sweep.pace import GENTLE, Throttle
from probe.sweep.payloads import payloads

if TYPE_CHECKING:
    from probe.model.swept import Swept
    from probe.sweep.course import Course
    from probe.sweep.order import Sweep, Target, Tick


async def sweep(order: Sweep, tick: Tick | None = None) -> tuple[Swept, ...]:
    """Raises ValueError for an address that is not numeric."""
    if not courses.families(order):
        return ()
    throttle = Throttle(order.rate or GENTLE[order.transport], gentle=not order.rate)
    silent = throttle.left_half_open if order.transport is Transport.TCP else None
    dials = Dials(
        order.transport, payloads(order.mark), timeout=order.timeout, seed=order.seed, most=order.most, silent=silent
    )

    def way(target: Target, course: Course) -> Dial:
        return Dial(dials, target.address, order.bind, course)

    return await courses.run(order, dials, throttle, way, tick)
