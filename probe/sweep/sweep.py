"""A sweep, by the engine that this host can run: raw packets with CAP_NET_RAW, plain sockets without."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from probe.model.swept import Swept
    from probe.sweep.order import Sweep, Tick

ENGINES = ("packet", "connect")


async def sweep(order: Sweep, *, engine: str = "", tick: Tick | None = None) -> tuple[Swept, ...]:
    """One result for each target, in the order given. `engine` forces one of ENGINES; `tick` is called now and then;
    its True ends the sweep as the deadline does: with what is known.

    Cancelling the task ends the sweep at once and leaves nothing behind. Raises ValueError for an address that is not
    numeric, for targets of both families with one address to send from, and for an engine that does not exist.
    """
    if engine not in ("", *ENGINES):
        raise ValueError(f"there is no engine {engine!r}: it is one of {', '.join(ENGINES)}")
    # Each engine is one module with the same `sweep`: whoever needs one does not load the other.
    if engine == "packet" or (not engine and can_send_raw()):
        from probe.sweep import packet as chosen  # noqa: PLC0415
    else:
        from probe.sweep import connect as chosen  # type: ignore[no-redef]  # noqa: PLC0415
    return await chosen.sweep(order, tick)


def can_send_raw() -> bool:
    """Whether the packet engine can run here."""
    from probe.sweep.rawsocket import allowed  # noqa: PLC0415

    return allowed()
