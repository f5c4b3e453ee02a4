"""Services that two matrices have on different ports."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from probe.spec.matrix.claims import Claim, Gap


@dataclass(frozen=True)
class Move:
    """What the first has on ports of its own is on others in the second."""

    first: Gap
    second: Gap


def moves(gaps: Sequence[Gap], first: Iterable[Claim], second: Iterable[Claim]) -> list[Move]:
    """Of the ports that one matrix alone has, those that belong together: at one role a service of the same name, of
    the same purpose, or the only one that each has there.
    """
    alone = _alone(first) & _alone(second)

    def only(gap: Gap) -> set[str]:
        return {gap.key[0]} & alone

    found: list[Move] = []
    mine = [gap for gap in gaps if not gap.second]
    theirs = [gap for gap in gaps if not gap.first]
    for belongs in (_services, _purposes, only):
        for gap in tuple(mine):
            others = [other for other in theirs if _meet(gap, other, belongs)]
            if len(others) == 1 and sum(_meet(rival, others[0], belongs) for rival in mine) == 1:
                found.append(Move(gap, others[0]))
                mine.remove(gap)
                theirs.remove(others[0])
    return found


def moved_back(claims: Iterable[Claim], found: Iterable[Move]) -> list[Claim]:
    """The second's claims of its services, with those that moved where the first has them."""
    back = list(claims)
    for move in found:
        first, second = move.first, move.second
        for number, claim in enumerate(back):
            if claim.key == second.key and claim.span & second.span:
                back[number] = replace(claim, key=first.key, span=(claim.span - second.span) | first.span)
    return back


def _meet(one: Gap, other: Gap, belongs: Callable[[Gap], set[str]]) -> bool:
    return one.key[0] == other.key[0] and bool(belongs(one) & belongs(other))


def _services(gap: Gap) -> set[str]:
    return {claim.service for claim in gap.first + gap.second}


def _purposes(gap: Gap) -> set[str]:
    """The protocols of applications, and the paths: what says more of a service than that it is web or TCP."""
    claims = gap.first + gap.second
    paths = {detail for claim in claims for detail in claim.details if detail.startswith("path ")}
    return paths | {claim.protocol for claim in claims if "/" in claim.protocol}


def _alone(claims: Iterable[Claim]) -> set[str]:
    """The roles with a single service."""
    services: dict[str, set[str]] = {}
    for claim in claims:
        services.setdefault(claim.key[0], set()).add(claim.service)
    return {role for role, names in services.items() if len(names) == 1}
