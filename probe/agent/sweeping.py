"""A sweep by order: bounded whatever the coordinator says, one at a time in this process, told of as it goes."""

from __future__ import annotations

import asyncio
from heapq import nlargest
from ipaddress import ip_address
from math import isnan
from typing import TYPE_CHECKING

import msgspec

from probe.model.ports import PortSet
from probe.wire.messages import MOST_MARK, Sweeping

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator

    from probe.model.swept import Rejection
    from probe.sweep.order import Progress, Target
    from probe.sweep.order import Sweep as Engines
    from probe.wire.messages import Sweep

# In one order: targets, and ports of all of them (all ports of sixteen).
MOST_TARGETS, MOST_PORTS = 256, 16 * 65_535
# Senders of ICMP errors that are told of for each target, and the text of their ports: what a stranger makes up must
# fit into a frame.
_MOST_REJECTIONS, _MOST_TEXT = 256, 1_000_000
_PROGRESS_EVERY = 0.5
_SHORTEST_TIMEOUT, _LONGEST_TIMEOUT, _LONGEST_DEADLINE = 0.05, 10.0, 3600.0


async def carry_out(order: Sweep, turn: asyncio.Lock, tell: Callable[[Sweeping], Awaitable[None]]) -> None:
    """`tell` is awaited with a word now and then, and with what was found at its end. `turn` is held meanwhile.

    Raises ValueError for an order that is not carried out, TimeoutError if its turn never came.
    """
    from probe.sweep.sweep import sweep

    asked = engines(order)
    ports = sum(len(target.ports) for target in asked.targets)
    now = Sweeping(id=order.id, asked=ports)

    def tick(progress: Progress) -> None:
        nonlocal now
        now = Sweeping(id=order.id, asked=ports, settled=progress.settled, sent=progress.sent)

    async def tell_now_and_then() -> None:
        while True:
            await tell(now)
            await asyncio.sleep(_PROGRESS_EVERY)

    telling = asyncio.create_task(tell_now_and_then())
    loop = asyncio.get_running_loop()
    end = loop.time() + asked.deadline
    try:
        await _acquire(turn, asked.deadline)
        try:
            left = max(end - loop.time(), 0.1)
            found = await sweep(msgspec.structs.replace(asked, deadline=left), tick=tick)
        finally:
            turn.release()
    finally:
        telling.cancel()
        await asyncio.wait((telling,))
        if not telling.cancelled():
            telling.exception()  # the coordinator is gone, which is known elsewhere
    for target, one in zip(order.targets, found, strict=True):
        told = msgspec.structs.replace(one, address=target.address, rejections=tuple(_few(one.rejections)))
        await tell(msgspec.structs.replace(now, settled=ports, found=(told,)))


async def _acquire(turn: asyncio.Lock, patience: float) -> None:
    try:
        async with asyncio.timeout(patience):
            await turn.acquire()
    except TimeoutError:
        raise TimeoutError(f"another sweep was under way here for {patience:.0f} s") from None


def engines(order: Sweep) -> Engines:
    """The order as the engines take it. Raises ValueError for one past the bounds."""
    from probe.sweep.order import Sweep as Engines

    for name, number in (("rate", order.rate), ("timeout", order.timeout), ("deadline", order.deadline)):
        if isnan(number) or number < 0:
            raise ValueError(f"a sweep's {name} cannot be {number}")
    if len(order.mark) > MOST_MARK:
        raise ValueError(f"a mark has at most {MOST_MARK} bytes")
    return Engines(
        targets=tuple(_targets(order)),
        transport=order.transport,
        rate=order.rate,
        timeout=min(max(order.timeout, _SHORTEST_TIMEOUT), _LONGEST_TIMEOUT),
        deadline=min(order.deadline, _LONGEST_DEADLINE),
        seed=order.seed,
        bind=order.bind,
        mark=order.mark,
        rounds=max(order.rounds, 0),
    )


def _targets(order: Sweep) -> Iterable[Target]:
    from probe.sweep.order import Target

    if not 0 < len(order.targets) <= MOST_TARGETS:
        raise ValueError(f"a sweep has 1 to {MOST_TARGETS} targets, not {len(order.targets)}")
    left = MOST_PORTS
    for target in order.targets:
        address = ip_address(target.address.partition("%")[0])
        address = getattr(address, "ipv4_mapped", None) or address
        if address.is_multicast or address.is_unspecified or address == _BROADCAST:
            raise ValueError(f"{address} is no address of one host")
        ports = PortSet.parse(target.ports)
        left -= len(ports)
        if left < 0:
            raise ValueError(f"a sweep has at most {MOST_PORTS} ports in all")
        yield Target(address=target.address, ports=ports)


def _few(rejections: Iterable[Rejection]) -> Iterator[Rejection]:
    """Those of the most ports, as far as they may be told."""
    left = _MOST_TEXT
    for one in nlargest(_MOST_REJECTIONS, rejections, key=lambda rejection: len(rejection.ports)):
        left -= len(one.ports)
        if left < 0:
            return
        yield one


_BROADCAST = ip_address("255.255.255.255")
