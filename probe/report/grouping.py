"""Which rows have one cause: what one device does to many services, ports and hosts is told once.

A router has an address for each network around it, so devices that stop the very same are told together. Where nobody
is known by an address, only what fails between the very same hosts counts as one.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from probe.model.words import Cause, Verdict, Zone

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence

    from probe.model.result import CheckResult

_UNCLAIMED = frozenset(f"policy.{zone}" for zone in Zone)


class Kind(Enum):
    """What the rows of a group have in common beside verdict and cause."""

    DEVICE = "devices that are known by their addresses, and stop the same"
    OWN = "rules or routes of the hosts at one end, which are all alike"
    WAY = "the ways, and who is to blame is not known"
    NAME = "the name that they ask for"
    SERVICE = "the service"
    LISTENER = "who listens, and must not be reached"
    AGENTS = "agents that failed"
    RUN = "the run, which ended too early"


def unclaimed(check: CheckResult) -> bool:
    """Whether it must be blocked because no row of the matrix allows it, rather than because one forbids it."""
    return check.rule in _UNCLAIMED


def together(rows: Iterable[CheckResult], names: Mapping[str, str]) -> Iterator[tuple[Kind, tuple[CheckResult, ...]]]:
    """Groups of rows with their kind. `names` are those of known addresses."""
    units: dict[tuple[Kind, Hashable, Hashable], list[CheckResult]] = {}
    for row in rows:
        kind, what = _place(row, names)
        units.setdefault((kind, what, (row.verdict, row.cause, bool(row.instead))), []).append(row)
    groups: dict[tuple[Kind, Hashable, Hashable], list[CheckResult]] = {}
    for (kind, what, outcome), members in units.items():
        groups.setdefault((kind, _footprint(kind, what, members), outcome), []).extend(members)
    for (kind, _, _), members in groups.items():
        yield kind, tuple(members)


def _place(row: CheckResult, names: Mapping[str, str]) -> tuple[Kind, Hashable]:
    """The smallest thing that may be to blame."""
    listener = listened(row)
    if listener is not None:
        return Kind.LISTENER, listener
    match row.cause:
        case Cause.NO_AGENT | Cause.AGENT_LOST:
            return Kind.AGENTS, None
        case Cause.TIMEOUT:
            return Kind.RUN, None
        case Cause.SOURCE_FIREWALL | Cause.NO_ROUTE:
            return Kind.OWN, row.source
        case Cause.TARGET_FIREWALL:
            return Kind.OWN, row.target
        case Cause.DNS:
            return Kind.NAME, row.address
        case Cause.NETWORK | Cause.RETURN_PATH | Cause.PAYLOAD | Cause.MTU | Cause.INTERCEPTED:
            at = row.where
            if at is not None and at.address and at.hop != 0:
                return Kind.DEVICE, (names.get(at.address, at.address), at.side)
            return Kind.WAY, service(row)
        case None if row.verdict is Verdict.BLOCKED:
            return Kind.WAY, service(row)
        case _:
            return Kind.SERVICE, service(row)


def listened(row: CheckResult) -> Hashable | None:
    """What is exposed by one program of a role on one port, whoever reaches it; None where nobody knows who it is."""
    if row.verdict is not Verdict.EXPOSED or not (row.listener is not None or row.undeclared):
        return None
    return service(row), row.ports, row.listener.process if row.listener is not None else None, row.allowed


def service(row: CheckResult) -> tuple[Hashable, ...]:
    """What is asked of a service: two rows differ in it if they cannot be told in one sentence."""
    spoken = (row.transport, row.protocol, row.application)
    return (row.matrix, row.target_role, row.service, *spoken, row.expect, row.need, row.severity, unclaimed(row))


def _footprint(kind: Kind, what: Hashable, members: Sequence[CheckResult]) -> Hashable:
    """What it does: whatever does the same is told with it."""
    match kind:
        case Kind.DEVICE:
            side = members[0].where.side if members[0].where is not None else None
            return side, frozenset((service(row), row.target, row.ports) for row in members)
        case Kind.OWN:
            # Whichever hosts are at the other end: none is its own client.
            return frozenset((service(row), row.source_role, row.ports) for row in members)
        case Kind.WAY:
            # And whether the source knows at least that it is the next machine.
            return frozenset((row.source, row.target, row.address, row.where is not None) for row in members)
        case _:
            return what
