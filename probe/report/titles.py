"""A finding in one line: who does what to which ports, from where to where."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from probe.model.words import Cause, State, Verdict
from probe.report import listeners, ways, wording
from probe.report.grouping import Kind
from probe.report.text import count, folded, listed, name

if TYPE_CHECKING:
    from collections.abc import Iterable

    from probe.model.result import Where
    from probe.report.findings import Finding

_MOST_PORTS, _MOST_PARTIES, _MOST_HOSTS, _MOST_DEVICES = 6, 4, 4, 3
_SILENT = frozenset({State.FILTERED, State.OPEN_FILTERED})


def title(finding: Finding) -> str:
    """`10.0.0.1 rejects tcp 6379, 9200 from engine (8 hosts) to services (3 hosts)`."""
    match finding.kind:
        case Kind.AGENTS:
            return f"{count(len(finding.members), 'check')} not measured"
        case Kind.RUN:
            return f"{count(len(finding.members), 'check')} not measured in time"
        case Kind.SERVICE:
            roles = listed(sorted({name(row.source_role) for row in finding.members}), _MOST_PARTIES)
            return f"{roles} → {wording.target(finding.example)}"
        case Kind.LISTENER:
            return listeners.exposed(finding.members)
        case Kind.OWN:
            return _own(finding)
        case Kind.NAME:
            address = name(finding.example.address)
            return f"the name {address} has no address, or a wrong one, on {_sources(finding)}: {_ports(finding)}"
        case _:
            return f"{_stopped(finding)} {_ports(finding)} from {_sources(finding)} to {_targets(finding)}"


def _own(finding: Finding) -> str:
    """By rules or routes of the hosts at one end."""
    match finding.example.cause:
        case Cause.NO_ROUTE:
            hosts = _hosts(row.source for row in finding.members)
            return f"{hosts}: no route to {_targets(finding)}, {_ports(finding)}"
        case Cause.SOURCE_FIREWALL:
            hosts = _hosts(row.source for row in finding.members)
            return f"{hosts}: own firewall {_verb(finding)} {_ports(finding)} to {_targets(finding)}"
        case _:
            hosts = _hosts(row.target for row in finding.members)
            return f"{hosts}: own firewall {_verb(finding)} {_ports(finding)} from {_sources(finding)}"


def _stopped(finding: Finding) -> str:
    """What happens on the way, with a verb or a colon before the ports."""
    one = finding.example
    match one.cause:
        case Cause.RETURN_PATH:
            return "the answer does not come back:"
        case Cause.PAYLOAD:
            return "connects, but no data passes:"
        case Cause.MTU:
            return "large data does not pass:"
        case Cause.INTERCEPTED:
            return "something answers in the target's place:"
        case Cause.NETWORK if finding.kind is Kind.DEVICE:
            several = len(finding.devices) > 1
            behind = f", or {'devices behind them' if several else 'a device behind it'}," if _after(one.where) else ""
            if State.OPEN in {row.state for row in finding.members}:  # a bad next hop: other connections got through
                return f"{devices(finding)}{behind} {'stop' if several else 'stops'} some connections of"
            return f"{devices(finding)}{behind} {_verb(finding).removesuffix('s' if several else '')}"
        case Cause.NETWORK if one.where is not None:
            return "the next machine on the way does not answer:"
        case Cause.NETWORK:
            return f"a device on the way {_verb(finding)}"
        case _:
            return f"{'blocked' if one.verdict is Verdict.BLOCKED else one.verdict}:"


def _after(place: Where | None) -> bool:
    return place is not None and place.side == "after"


def devices(finding: Finding) -> str:
    """`fw-1 (10.0.0.1, 10.0.1.1)`, or addresses alone."""
    told = []
    for called, addresses in finding.devices.items():
        known = f" ({listed(map(name, addresses), _MOST_DEVICES)})" if addresses != (called,) else ""
        told.append(f"{name(called)}{known}")
    return listed(told, _MOST_DEVICES)


def _verb(finding: Finding) -> str:
    states = {row.state for row in finding.members}
    if states <= _SILENT:
        return "drops"
    if states == {State.UNREACHABLE}:
        return "cannot deliver"
    return "blocks" if states & _SILENT else "rejects"


def _ports(finding: Finding) -> str:
    """`tcp 6379, 9200, udp 53`."""
    by_transport: defaultdict[str, list[str]] = defaultdict(list)
    for row in finding.members:
        by_transport[row.transport].append(row.ports)
    return ", ".join(
        f"{transport} {listed(name(ways.joined(texts), 255).split(','), _MOST_PORTS)}"
        for transport, texts in sorted(by_transport.items())
    )


def _sources(finding: Finding) -> str:
    return _parties((row.source_role, row.source) for row in finding.members)


def _targets(finding: Finding) -> str:
    return _parties((row.target_role, row.target) for row in finding.members)


def _parties(members: Iterable[tuple[str, str]]) -> str:
    """`engine (8 hosts), db-1`: roles with their number of hosts, but not a role whose hosts others have as well."""
    hosts: defaultdict[str, set[str]] = defaultdict(set)
    for role, host in members:
        hosts[role].add(host)
    said: list[str] = []
    covered: set[str] = set()
    for role, found in sorted(hosts.items(), key=lambda item: (-len(item[1]), item[0])):
        if not found <= covered:
            said.append(f"{name(role)} ({len(found):,} hosts)" if len(found) > 1 else name(next(iter(found))))
            covered |= found
    return listed(said, _MOST_PARTIES)


def _hosts(names: Iterable[str]) -> str:
    return listed(folded(names), _MOST_HOSTS)
