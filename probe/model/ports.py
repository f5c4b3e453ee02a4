"""Sets of port numbers, and their text: `22`, `5000-6000`, `4150,4151,5000-6000`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

LOWEST, HIGHEST = 1, 65535
# Documents are typeset: an en dash, an em dash or a minus sign between two numbers means what a hyphen means.
_PART = re.compile(r"\s*(\d{1,9})\s*(?:[-\u2010-\u2015\u2212]\s*(\d{1,9})\s*)?\Z")


class PortError(ValueError):
    """A text that names no set of ports. `offset` is where in the text the trouble starts."""

    def __init__(self, message: str, offset: int = 0) -> None:
        super().__init__(message)
        self.offset = offset


class PortSet:
    """An immutable set of ports, kept as sorted ranges that neither overlap nor touch."""

    __slots__ = ("ranges",)

    ranges: tuple[tuple[int, int], ...]

    def __init__(self, ranges: Iterable[tuple[int, int]] = ()) -> None:
        merged: list[tuple[int, int]] = []
        for low, high in sorted(ranges):
            if not LOWEST <= low <= high <= HIGHEST:
                raise PortError(f"{low}-{high} is no range of ports")
            if merged and low <= merged[-1][1] + 1:
                merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
            else:
                merged.append((low, high))
        self.ranges = tuple(merged)

    @classmethod
    def of(cls, ports: Iterable[int]) -> PortSet:
        return cls((port, port) for port in ports)

    @classmethod
    def parse(cls, text: str) -> PortSet:
        """Read `22`, `5000-6000` or a comma list of both; raises PortError with what is wrong and where."""
        ranges, offset = [], 0
        for part in text.split(","):
            at = offset + len(part) - len(part.lstrip())
            offset += len(part) + 1
            found = _PART.match(part)
            if found is None:
                raise PortError(f"{part.strip()!r} is neither a port nor a range of ports", at)
            low, high = int(found[1]), int(found[2] or found[1])
            for port in (low, high):
                if not LOWEST <= port <= HIGHEST:
                    raise PortError(f"port {port} does not exist: ports go from {LOWEST} to {HIGHEST}", at)
            if low > high:
                raise PortError(f"the range {low}-{high} runs backwards", at)
            ranges.append((low, high))
        return cls(ranges)

    def __str__(self) -> str:
        return ",".join(str(low) if low == high else f"{low}-{high}" for low, high in self.ranges)

    def __repr__(self) -> str:
        return f"PortSet({str(self)!r})"

    def __iter__(self) -> Iterator[int]:
        for low, high in self.ranges:
            yield from range(low, high + 1)

    def __len__(self) -> int:
        return sum(high - low + 1 for low, high in self.ranges)

    def __contains__(self, port: int) -> bool:
        return any(low <= port <= high for low, high in self.ranges)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PortSet) and self.ranges == other.ranges

    def __hash__(self) -> int:
        return hash(self.ranges)

    def __or__(self, other: PortSet) -> PortSet:
        return PortSet(self.ranges + other.ranges)

    def __and__(self, other: PortSet) -> PortSet:
        """Both lists are walked once, side by side: sets that come back from a walk are thousands of small pieces."""
        found: list[tuple[int, int]] = []
        ours, theirs = iter(self.ranges), iter(other.ranges)
        one, two = next(ours, None), next(theirs, None)
        while one is not None and two is not None:
            low, high = max(one[0], two[0]), min(one[1], two[1])
            if low <= high:
                found.append((low, high))
            if one[1] < two[1]:
                one = next(ours, None)
            else:
                two = next(theirs, None)
        return PortSet(found)

    def __sub__(self, other: PortSet) -> PortSet:
        left: list[tuple[int, int]] = []
        theirs = iter(other.ranges)
        two = next(theirs, None)
        for start, high in self.ranges:
            low = start
            while two is not None and two[1] < low:
                two = next(theirs, None)
            while two is not None and two[0] <= high:
                if low < two[0]:
                    left.append((low, two[0] - 1))
                low = two[1] + 1
                if two[1] > high:
                    break
                two = next(theirs, None)
            if low <= high:
                left.append((low, high))
        return PortSet(left)


EPHEMERAL = PortSet([(32768, 60999)])
"""Linux's default net.ipv4.ip_local_port_range, from which connections take their own ports."""
