"""A path as a line from source to target, with a cross where packets stop."""

from __future__ import annotations

from typing import TYPE_CHECKING

from probe.model.ends import Answer
from probe.model.words import Cause, Expect, State
from probe.report.text import count, listed, name

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from probe.model.account import Account
    from probe.model.path import Hop, Path
    from probe.model.result import CheckResult

    _Column = tuple[str, ...]

CROSS, UNSURE, SILENT = "✗", "?", "*"
_MOST_HOPS, _MOST_BESIDE, _MOST_WAYS = 30, 6, 6
_STOPPED = (State.FILTERED, State.REJECTED)


def draw(row: CheckResult, account: Account, width: int) -> list[str]:
    """`a1 ─ 10.0.0.1 ─ ✗ ─ b1`, or `?` for the cross where it may as well stop at the target; several devices of one
    place are drawn below each other. No line is wider than `width`.
    """
    widest = width // 2 - 4
    hops = _hops(account.path, row.address)
    columns = [(name(row.source, widest),), *(_devices(hop, widest) for hop in hops[:_MOST_HOPS])]
    if len(hops) > _MOST_HOPS:
        columns.append((f"{len(hops) - _MOST_HOPS} more",))
    target = name(row.target, widest)
    if _at_the_source(account):
        columns[1:1] = [(CROSS,)]
        return _laid([*columns, (target,)], width)
    if _at_the_target(row, account):
        return _laid([*columns, (f"{target} {CROSS}",)], width)
    columns += [(mark,) for mark in _between(row, account)]
    drawn = _laid([*columns, (target,)], width)
    if account.ends.returned is Answer.NOTHING and account.ends.answered is Answer.ACCEPT:
        drawn += _laid([("and back: " + target,), (CROSS,), columns[0]], width)
    return drawn


def remarks(row: CheckResult, account: Account) -> Iterator[str]:
    """What a line cannot show."""
    if not _at_the_source(account) and _between(row, account) == UNSURE:
        yield f"{UNSURE}: whether it arrives at {name(row.target)} is not known."
    path = account.path
    if path is None:
        yield "The devices between could not be asked for."
        return
    if any(not hop.addresses for hop in _hops(path, "")):
        yield f"{SILENT} is a device that says nothing."
    if path.loops:
        yield "Packets go round in a circle."
    if path.failure is not None:
        yield f"The source could not send all that a trace takes ({path.failure}): what is missing means nothing."
    if len(path.ways) > 1:
        for way in path.ways[:_MOST_WAYS]:
            devices = listed((name(address) if address else SILENT for address in way.addresses), 12) or "no device"
            yield f"By {devices}: {count(way.flows, 'flow')}, {'answered' if way.reached else 'without an answer'}."
        if len(path.ways) > _MOST_WAYS:
            yield f"There are {count(len(path.ways) - _MOST_WAYS, 'more way')}."


def _hops(path: Path | None, target: str) -> list[Hop]:
    """The devices between, without the target itself and without the silence after the last one."""
    if path is None:
        return []
    hops = [
        hop
        for hop in path.hops
        if hop.ttl > 0 and (path.distance is None or hop.ttl < path.distance) and hop.addresses != (target,)
    ]
    while hops and not hops[-1].addresses:
        hops.pop()
    return hops


def _devices(hop: Hop, widest: int) -> _Column:
    shown = [name(address, widest) if address else "(not named)" for address in hop.addresses] or [SILENT]
    return tuple(shown if len(shown) <= _MOST_BESIDE else [*shown[: _MOST_BESIDE - 1], "…"])


def _at_the_source(account: Account) -> bool:
    rejected = account.path.rejected if account.path is not None else None
    return account.ends.left is False or (rejected is not None and rejected.ttl == 0)


def _at_the_target(row: CheckResult, account: Account) -> bool:
    if row.cause is Cause.TARGET_FIREWALL:
        return True
    refused = account.ends.answered in (Answer.NOTHING, Answer.ICMP) and row.state in _STOPPED
    return row.expect is Expect.BLOCK and refused


def _between(row: CheckResult, account: Account) -> str:
    """The mark before the target, if any."""
    if account.ends.arrived is not None:
        return "" if account.ends.arrived else CROSS
    if row.cause is Cause.NETWORK:
        return CROSS
    reached = account.path is not None and account.path.reached
    return UNSURE if row.state in _STOPPED and not reached else ""


def _laid(columns: Sequence[_Column], width: int) -> list[str]:
    """Columns beside each other, in as many bands as it takes."""
    bands: list[list[_Column]] = [[]]
    used = 0
    for column in columns:
        size = max(map(len, column)) + 3
        if bands[-1] and used + size + 2 > width:
            bands.append([("…",)])
            used = 4
        bands[-1].append(column)
        used += size
    return [line for band in bands for line in _band(band)]


def _band(columns: Sequence[_Column]) -> Iterator[str]:
    for line in range(max(map(len, columns))):
        text = ""
        for place, column in enumerate(columns):
            if place:
                text += f" {_joint(len(columns[place - 1]), len(column), line)} "
            cell = column[line] if line < len(column) else ""
            text += f"{cell:<{max(map(len, column))}}"
        yield text.rstrip()


def _joint(before: int, after: int, line: int) -> str:
    """What joins two columns of so many cells, on this line of them."""
    if line == 0:
        return "─" if before == after == 1 else "┬"
    last = line == max(before, after) - 1
    if line < before and line < after:
        return "┴" if last else "┼"
    if line < before:
        return "┘" if last else "┤"
    if line < after:
        return "└" if last else "├"
    return " "
