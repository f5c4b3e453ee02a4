"""Final outcomes on their way out: ports of one aim that saw the same travel as one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from probe.model.observation import Observation
from probe.model.ports import PortSet
from probe.model.words import State
from probe.wire.messages import Outcome

if TYPE_CHECKING:
    from probe.probes.attempt import Attempt

_UNTRIED = Observation(state=State.ERROR)


class Outcomes:
    """`count` is how many ports have been added in all; `take` hands out what was added since the last time."""

    def __init__(self) -> None:
        self._groups: dict[tuple[int, str, int], _Group] = {}
        self._alike: dict[Observation, Observation] = {}
        self.count = 0

    def add(self, attempt: Attempt) -> None:
        seen = attempt.seen or _UNTRIED
        if attempt.attempts != seen.attempts:
            seen = self._alike.setdefault(again := msgspec.structs.replace(seen, attempts=attempt.attempts), again)
        # Probers hand out the same object for the same sight; to compare identities is much cheaper than values, and
        # what is equal but not the same only travels in two pieces. A group keeps its object, so that no identity is
        # given out twice.
        key = (attempt.aim.task, attempt.address, id(seen))
        group = self._groups.get(key)
        if group is None:
            group = self._groups[key] = _Group(seen)
        group.ports.append(attempt.port)
        group.elapsed_ms = max(group.elapsed_ms, attempt.elapsed_ms)
        if attempt.rtt_ms is not None and (group.rtt_ms is None or attempt.rtt_ms < group.rtt_ms):
            group.rtt_ms = attempt.rtt_ms
        self.count += 1

    def take(self) -> list[Outcome]:
        groups, self._groups = self._groups, {}
        self._alike.clear()
        return [
            Outcome(
                task=task,
                address=address,
                ports=str(PortSet.of(group.ports)),
                seen=group.seen,
                elapsed_ms=round(group.elapsed_ms, 3),
                rtt_ms=group.rtt_ms,
            )
            for (task, address, _), group in groups.items()
        ]


class _Group:
    """`elapsed_ms`: of the slowest port, all its attempts; `rtt_ms`: of the quickest."""

    __slots__ = ("elapsed_ms", "ports", "rtt_ms", "seen")

    def __init__(self, seen: Observation) -> None:
        self.seen = seen
        self.ports: list[int] = []
        self.elapsed_ms = 0.0
        self.rtt_ms: float | None = None
