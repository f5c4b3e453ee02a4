"""Who reaches whom on which ports, in few lines."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import msgspec

from probe.model.ports import PortError, PortSet
from probe.report.text import folded, listed, name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from probe.model.result import CheckResult

_FEW = 2
_Row = tuple[frozenset[str], str, str]  # sources, transport, ports


class Ways(msgspec.Struct, frozen=True):
    """All pairs of these sources and targets, for the same ports. No sources: each target to itself. `mutual`: each of
    the targets from all others of them.
    """

    sources: tuple[str, ...]
    targets: tuple[tuple[str, str], ...]
    transport: str
    ports: str
    mutual: bool = False

    def text(self, limit: int = 8) -> str:
        """`svc-[1:2] → db-1 (10.0.0.8)  tcp 5432`; addresses only where they are few, of names no more than `limit`."""
        return self._line(listed(self._sources, limit), listed(self._targets, limit))

    def lines(self, limit: int = 12) -> Iterator[str]:
        """Everybody, at most `limit` of each side in a line."""
        for sources in _pieces(self._sources, limit):
            for targets in _pieces(self._targets, limit):
                yield self._line(sources, targets)

    @property
    def _sources(self) -> list[str]:
        return folded(self.sources)

    @property
    def _targets(self) -> list[str]:
        if len(self.targets) > _FEW:
            return folded(target for target, _ in self.targets)
        # A party outside the inventory has no name but its address.
        return [
            name(target) if target == address else f"{name(target)} ({name(address)})"
            for target, address in self.targets
        ]

    def _line(self, sources: str, targets: str) -> str:
        if self.mutual:
            way = f"{targets} to each other"
        else:
            way = f"{sources} → {targets}" if sources else f"{targets} to itself"
        return f"{way}  {self.transport} {name(self.ports.replace(',', ', '), 80)}"


def _pieces(names: Sequence[str], limit: int) -> list[str]:
    return [", ".join(names[at : at + limit]) for at in range(0, len(names), limit)] or [""]


def ways(members: Sequence[CheckResult]) -> tuple[Ways, ...]:
    """The members' pairs in as few rows as equal ports and equal sets of sources allow."""
    # A target's check of itself has no source, and stays apart from those that come from elsewhere.
    pairs: defaultdict[tuple[str, str, str, bool], defaultdict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for check in members:
        itself = check.source == check.target
        here = pairs[check.target, check.address, check.transport, itself]
        here[check.ports] |= set() if itself else {check.source}
    # Ports that the same sources cannot reach are told together, and then targets.
    rows: defaultdict[_Row, list[tuple[str, str]]] = defaultdict(list)
    for (target, address, transport, _), by_ports in pairs.items():
        alike: defaultdict[frozenset[str], list[str]] = defaultdict(list)
        for text, sources in by_ports.items():
            alike[frozenset(sources)].append(text)
        for same, texts in alike.items():
            rows[same, transport, joined(texts)].append((target, address))
    return tuple(_with_meshes(rows))


def _with_meshes(rows: Mapping[_Row, list[tuple[str, str]]]) -> Iterator[Ways]:
    """Where each of some hosts is reached by all others of them, one row says so."""
    circles: defaultdict[_Row, set[tuple[str, str]]] = defaultdict(set)
    for (sources, transport, text), targets in rows.items():
        for target in targets:
            circles[sources | {target[0]}, transport, text].add(target)
    meshes = {
        row: found for row, found in circles.items() if len(row[0]) > _FEW and {one for one, _ in found} == row[0]
    }
    for (circle, transport, text), found in meshes.items():
        yield Ways(tuple(sorted(circle)), tuple(sorted(found)), transport, text, mutual=True)
    for (sources, transport, text), targets in rows.items():
        left = [one for one in targets if (sources | {one[0]}, transport, text) not in meshes]
        if left:
            yield Ways(tuple(sorted(sources)), tuple(sorted(left)), transport, text)


def ports(members: Iterable[CheckResult]) -> str:
    """All ports of these rows, each once, as a report has them."""
    return joined(check.ports for check in members)


def joined(texts: Iterable[str]) -> str:
    """`5000-5499,5510-6000`; of what names no ports, the words."""
    distinct = dict.fromkeys(texts)
    if len(distinct) == 1:
        return next(iter(distinct))
    try:
        return str(PortSet(part for text in distinct for part in PortSet.parse(text).ranges))
    except PortError:
        return ",".join(distinct)
