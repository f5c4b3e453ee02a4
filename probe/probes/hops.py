"""What the attempts of a trace add up to. Pure: they are made in `trace`."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING

import msgspec

from probe.model.path import ByFlow, Hop, Path, Way

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from probe.model.observation import Failure
    from probe.probes.ttl import Answer

SURVEY = 0
"""The number that attempts from ports of their own are kept under. Flows, which stay at one port, count from 1."""


@dataclass
class Notes:
    """Who answered, by flow and TTL; None for silence. `target` is the address traced, `most` the largest TTL."""

    target: str
    most: int
    asked: dict[tuple[int, int], Answer | None] = field(default_factory=dict)
    failure: Failure | None = None
    scattered: bool = False
    """Routers spread the packets of one flow: different devices answered it at the same place."""
    by_flow: ByFlow = field(default_factory=ByFlow)

    def write(self, flow: int, ttl: int, answer: Answer | None) -> None:
        """What was answered once is not unsaid by a later silence."""
        before = self.asked.get((flow, ttl))
        if flow != SURVEY and answer and before and answer.sender != before.sender:
            self.scattered = True
        self.asked[flow, ttl] = before or answer

    @property
    def end(self) -> int | None:
        """The lowest TTL at which the answer was more than "as far as here"."""
        return min((ttl for _, ttl, answer in self._answers() if not answer.passed), default=None)

    @property
    def limit(self) -> int:
        """How far a flow is followed through silence: to the end, or to the place after the last that answered."""
        return self.end or min(self._farthest() + 1, self.most)

    @property
    def works(self) -> bool:
        """Whether the service itself answered, and every attempt of the survey that was to come as far."""
        first = min((ttl for _, ttl, answer in self._answers() if answer.works), default=None)
        return first is not None and all(
            answer for (flow, ttl), answer in self.asked.items() if flow == SURVEY and ttl >= first
        )

    @property
    def circles(self) -> bool:
        """Whether the survey goes round. Its attempts may take ways of different lengths: twice is not enough."""
        return _visits(filter(None, self.devices(SURVEY)), self.target) > 2

    @property
    def fork(self) -> int | None:
        """The first place at which flows came to different devices."""
        named: dict[int, set[str]] = {}
        for flow, ttl, answer in self._answers():
            if flow != SURVEY:
                named.setdefault(ttl, set()).add(answer.sender)
        return min((ttl for ttl, senders in named.items() if len(senders) > 1), default=None)

    def silent(self) -> list[int]:
        """The places before the end at which the survey had no answer."""
        end = self.end or self.most + 1
        return [ttl for (flow, ttl), answer in self.asked.items() if flow == SURVEY and not answer and ttl < end]

    def doubtful(self, flow: int, ttl: int) -> bool:
        """Whether a silence may be a lost or a rationed answer: others were answered here."""
        silent = (flow, ttl) in self.asked and not self.asked[flow, ttl]
        return silent and any(at == ttl for _, at, _ in self._answers())

    def devices(self, flow: int) -> tuple[str, ...]:
        """The devices that a flow came by, from the first place to the last that is known; "" for a silent one."""
        passed = {ttl: answer.sender for of, ttl, answer in self._answers() if of == flow and answer.passed}
        reached = self._distance(flow)
        length = reached - 1 if reached and reached < self.most else max(passed, default=0)
        return tuple(passed.get(ttl, "") for ttl in range(1, length + 1))

    def loops(self, flow: int) -> bool:
        """Whether a flow met a device again, with another between; or twice again, with silent ones between."""
        devices = self.devices(flow)
        return _visits(filter(None, devices), self.target) > 1 or _visits(devices, self.target) > 2

    def path(self) -> Path:
        flows = sorted({flow for flow, _ in self.asked} - {SURVEY})
        looping = [len(self.devices(flow)) for flow in flows if self.loops(flow)]
        distance, rejected = self._distance(), self._rejected()
        length = distance or max(looping, default=0) or self._length(rejected)
        ways = distinct(Way(self.devices(flow), self._distance(flow) is not None) for flow in flows)
        return Path(
            hops=tuple(self._hop(ttl, distance, rejected) for ttl in range(1, length + 1)),
            reached=distance is not None,
            rejected=rejected,
            distance=distance,
            ways=() if self.scattered else ways,
            by_flow=self.by_flow,
            loops=bool(looping),
            failure=self.failure,
        )

    def _answers(self) -> list[tuple[int, int, Answer]]:
        return [(flow, ttl, answer) for (flow, ttl), answer in self.asked.items() if answer]

    def _farthest(self) -> int:
        return max((ttl for _, ttl, answer in self._answers() if answer.passed), default=0)

    def _distance(self, flow: int | None = None) -> int | None:
        """The lowest TTL at which the target answered this flow, or any."""
        found = (ttl for of, ttl, answer in self._answers() if answer.reached and flow in (None, of))
        return min(found, default=None)

    def _length(self, rejected: Hop | None) -> int:
        """How many places there are to show where the target did not answer."""
        farthest = self._farthest()
        if farthest == self.most and any(not answer.sender for _, _, answer in self._answers()):
            return 0  # errors without a name as far as we asked: each may be a refusal just as well
        if rejected is not None and rejected.ttl >= farthest:
            return rejected.ttl
        return min(farthest + 1, max((ttl for _, ttl in self.asked), default=0))

    def _rejected(self) -> Hop | None:
        """Of several refusals the nearest, by all that gave it there."""
        placed = [(self._place(ttl, answer), answer) for _, ttl, answer in self._answers() if answer.icmp is not None]
        if not placed:
            return None
        place, nearest = min(placed, key=lambda found: found[0])
        return _told(place, [answer for at, answer in placed if (at, answer.icmp) == (place, nearest.icmp)])

    def _place(self, ttl: int, answer: Answer) -> int:
        """A router refuses what could go on: it answered for its own place with a smaller TTL, if at all."""
        if answer.own:
            return 0
        if answer.reached:
            return ttl
        own = (at for _, at, other in self._answers() if other.passed and other.sender == answer.sender)
        return min(own, default=ttl)

    def _hop(self, ttl: int, distance: int | None, rejected: Hop | None) -> Hop:
        answers = [answer for _, at, answer in self._answers() if at == ttl]
        here = [answer for answer in answers if answer.passed or (answer.reached and answer.icmp is None)]
        if here:
            return _told(ttl, here)
        if rejected is not None and rejected.ttl == ttl:
            return rejected
        return Hop(ttl)


def distinct(ways: Iterable[Way]) -> tuple[Way, ...]:
    """Each way once, the most used first. One with silent places counts as the only one that it may be."""
    counted = Counter((way.addresses, way.reached) for way in ways)
    kept: list[Way] = []
    for addresses, reached in sorted(counted, key=lambda way: (way[0].count(""), -len(way[0]), way)):
        way = Way(addresses, reached, counted[addresses, reached])
        alike = [place for place, other in enumerate(kept) if _may_be(way, other)]
        if len(alike) == 1:
            kept[alike[0]] = msgspec.structs.replace(kept[alike[0]], flows=kept[alike[0]].flows + way.flows)
        else:
            kept.append(way)
    return tuple(sorted(kept, key=lambda way: (-way.flows, way.addresses, way.reached)))


def _may_be(way: Way, other: Way) -> bool:
    """Of a flow that reached the target the number of devices is known; another may have gone on unheard."""
    missing = len(other.addresses) - len(way.addresses)
    if way.reached != other.reached or missing < 0 or (way.reached and missing):
        return False
    return all(mine in {"", others} for mine, others in zip(way.addresses, other.addresses, strict=False))


def _visits(devices: Iterable[str], target: str) -> int:
    """How often the most visited device was come to. Not the target: behind a translation all devices bear its name."""
    stays = Counter(address for address, _ in groupby(devices))
    return max((times for address, times in stays.items() if address not in {"", target}), default=0)


def _told(ttl: int, answers: Sequence[Answer]) -> Hop:
    """What several answers say of one place."""
    addresses = tuple(sorted({answer.sender for answer in answers}))
    rtt_ms = min((answer.rtt_ms for answer in answers if answer.rtt_ms is not None), default=None)
    return Hop(ttl, addresses, rtt_ms, answers[0].icmp)
