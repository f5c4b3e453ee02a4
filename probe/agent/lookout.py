"""The captures and tallies that one coordinator has under way here."""

from __future__ import annotations

import asyncio
import logging
from math import isfinite
from typing import TYPE_CHECKING

import msgspec

from probe.model.ports import PortSet
from probe.model.words import Transport
from probe.wire.messages import (
    MOST_MARK,
    MOST_SIGHTS,
    Refused,
    Tallied,
    Tally,
    Unwatch,
    Watch,
    Watched,
    Watching,
)
from probe.witness import nexthop, sockdiag

if TYPE_CHECKING:
    from collections.abc import Collection

    from probe.agent.common import Common
    from probe.model.ends import Stuck
    from probe.model.sight import Flow, Sight
    from probe.witness.capture import Capture
    from probe.witness.tally import Tally as Counting

log = logging.getLogger("portcheck.agent")

_LONGEST_WATCH, _LONGEST_TALLY = 300.0, 3600.0
# Captures of one visit; tallies of all visits, since each has 16 MB of the kernel's memory; peers of one capture.
_MOST_CAPTURES, _MOST_TALLIES, _MOST_PEERS = 4, 8, 512


class Lookout:
    """`begin` and `end` carry out orders and return their answers; `close` ends what is left."""

    def __init__(self, peer: str, common: Common) -> None:
        self._peer = peer
        self._common = common
        # Each with its flows, and the ports whose accept queue was full when it began.
        self._captures: dict[int, tuple[Capture, tuple[Flow, ...], PortSet]] = {}
        # Each at the interfaces, and behind the host's own rules if that is wanted.
        self._tallies: dict[int, list[Counting]] = {}

    def __contains__(self, number: int) -> bool:
        return number in self._captures or number in self._tallies

    def watch(self, order: Watch) -> Watching | Refused:
        from probe.witness.capture import Capture
        from probe.witness.packetsocket import CaptureError

        if len(self._captures) >= _MOST_CAPTURES:
            return Refused(id=order.id, reason="too many captures are under way")
        capture = Capture(order.flows, packets=MOST_SIGHTS, seconds=_bounded(order.seconds, _LONGEST_WATCH))
        try:
            capture.start()
        except CaptureError as error:
            return Watching(id=order.id, problem=str(error))
        self._captures[order.id] = (capture, order.flows, _full_queues())
        log.info("%s: capture of %d flows", self._peer, len(order.flows))
        return Watching(id=order.id)

    def tally(self, order: Tally) -> Watching | Refused:
        from probe.witness.packetsocket import CaptureError
        from probe.witness.tally import Tally as Counting

        if self._common.tallies >= _MOST_TALLIES:
            return Refused(id=order.id, reason="too many tallies are under way")
        if len(order.mark) > MOST_MARK:
            return Refused(id=order.id, reason=f"a mark has at most {MOST_MARK} bytes")
        seconds = _bounded(order.seconds, _LONGEST_TALLY)
        places = (False, True) if order.inside else (False,)
        counting = [Counting(order.flows, order.mark, seconds, inside=inside) for inside in places]
        try:
            for each in counting:
                each.start()
        except CaptureError as error:
            for each in counting:
                each.stop()
            return Watching(id=order.id, problem=str(error))
        self._tallies[order.id] = counting
        self._common.tallies += 1
        log.info("%s: tally of %d flows", self._peer, len(order.flows))
        return Watching(id=order.id)

    async def end(self, order: Unwatch) -> Watched | Tallied:
        counting = self._tallies.pop(order.watch, None)
        if counting is not None:
            self._common.tallies -= 1
            came, *inside = [each.stop() for each in counting]
            told = Tallied(id=order.id, arrived=came.arrived, sure=came.sure)
            for each in inside:
                told = msgspec.structs.replace(told, passed=each.arrived, surely_passed=each.sure)
            return told
        capture, flows, full = self._captures.pop(order.watch, (None, (), PortSet()))
        if capture is None:
            return Watched(id=order.id)
        seen, full = capture.stop(), full | _full_queues()
        sure = not seen.full and not seen.lost
        stuck = await asyncio.to_thread(_stuck, flows, seen.sights)
        near = await asyncio.to_thread(_near, flows, stuck)
        return Watched(
            id=order.id, sights=seen.sights, sure=sure, full=str(full) if full else "", stuck=stuck, near=near
        )

    def close(self) -> None:
        for capture, _, _ in self._captures.values():
            capture.stop()
        self._common.tallies -= len(self._tallies)
        for counting in self._tallies.values():
            for each in counting:
                each.stop()
        self._captures.clear()
        self._tallies.clear()


def _bounded(seconds: float, most: float) -> float:
    return min(max(seconds, 1.0), most) if isfinite(seconds) else 1.0


def _stuck(flows: tuple[Flow, ...], sights: tuple[Sight, ...]) -> dict[str, Stuck]:
    """Those peers, ordered or met, that this host has no way to send to."""
    peers = {(peer, "", "") for flow in flows for peer in flow.peers}
    peers |= {(sight.source, sight.interface, sight.target) for sight in sights if not sight.out and sight.opens}
    found = {peer: nexthop.stuck(peer, *by) for peer, *by in sorted(peers)[:_MOST_PEERS]}
    return {peer: why for peer, why in found.items() if why is not None}


def _near(flows: tuple[Flow, ...], stuck: Collection[str]) -> tuple[str, ...]:
    """Those peers, ordered, towards which the next machine is there."""
    peers = sorted({peer for flow in flows for peer in flow.peers}.difference(stuck))
    return tuple(peer for peer in peers[:_MOST_PEERS] if nexthop.answers(peer))


def _full_queues() -> PortSet:
    return PortSet.of(one.port for one in sockdiag.listening(Transport.TCP) if one.full)
