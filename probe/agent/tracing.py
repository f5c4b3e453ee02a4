"""Paths to ports that did not answer."""

from __future__ import annotations

import asyncio
import functools
import os
from ipaddress import ip_address
from typing import TYPE_CHECKING

from probe.model.ports import PortSet
from probe.probes.trace import trace
from probe.wire.challenge import NONCE_SIZE, make_ask

if TYPE_CHECKING:
    from probe.agent.ration import Ration
    from probe.model.path import Path
    from probe.wire.messages import Aim
    from probe.wire.messages import Trace as Order

# So many at a time: routers answer a few of them a second.
_TOGETHER = 12
# Where many ways wait for their turn: how far they are followed, and the seconds that a device gets to answer.
_FARTHEST, _HOP = 16, 0.5


async def paths(order: Order, ration: Ration) -> dict[int, Path]:
    """By task. A name has no path: whoever orders one knows the address that was dialled."""
    turn = asyncio.Semaphore(_TOGETHER)

    async def follow(aim: Aim) -> Path | None:
        if not _literal(aim.address):
            return None
        port = PortSet.parse(aim.ports).ranges[0][0]
        if order.rationed:
            return await rationed(aim, aim.address, port, order.number, order.bind, ration)
        async with turn:
            return await trace(
                aim.address,
                aim.protocol.transport,
                port,
                payload=_payload(aim, aim.address, order.number),
                bind=order.bind,
                timeout=order.timeout,
                tries=order.tries,
                flows=order.flows,
                sorting=order.sorting,
            )

    async with asyncio.TaskGroup() as group:
        tasks = {aim.task: group.create_task(follow(aim)) for aim in order.aims}
    found = {task: running.result() for task, running in tasks.items()}
    return {task: path for task, path in found.items() if path is not None}


async def rationed(
    aim: Aim, address: str, port: int, number: int, bind: str, ration: Ration, *, sparing: bool = False
) -> Path:
    """One attempt at each distance, when it may be made."""
    return await trace(
        address,
        aim.protocol.transport,
        port,
        payload=_payload(aim, address, number),
        bind=bind,
        most=_FARTHEST,
        timeout=_HOP,
        tries=1,
        flows=0,
        gate=functools.partial(ration.gate, ipv6=":" in address, sparing=sparing),
    )


def _payload(aim: Aim, address: str, number: int) -> bytes:
    """What a stand-in answers, so that a datagram that came through can be told."""
    return make_ask(aim.key, number, os.urandom(NONCE_SIZE), meant=address) if aim.key else b""


def _literal(address: str) -> bool:
    try:
        ip_address(address.partition("%")[0])
    except ValueError:
        return False
    return True
