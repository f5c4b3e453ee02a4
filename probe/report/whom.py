"""Whose ticket a finding is: the people who can mend it, as far as its cause says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from probe.model.words import Cause, State, Verdict
from probe.report.grouping import Kind
from probe.report.text import folded, listed, name
from probe.report.titles import devices

if TYPE_CHECKING:
    from collections.abc import Iterable

    from probe.report.findings import Finding

_MOST = 4
_BETWEEN = "those who run the firewalls between the two"
# `{sources}`, `{targets}`: names of hosts; `{service}`; `{devices}`: on the way, where they are known.
_WHOM = {
    Cause.SOURCE_FIREWALL: "whoever runs {sources}",
    Cause.NO_ROUTE: "whoever runs {sources}, or its network",
    Cause.NETWORK: _BETWEEN,
    Cause.TARGET_FIREWALL: "whoever runs {targets}",
    Cause.RETURN_PATH: "those who run the network on the way back from {targets}",
    Cause.PAYLOAD: _BETWEEN,
    Cause.MTU: "those who run the network between the two",
    Cause.NOT_LISTENING: "whoever runs {service} on {targets}",
    Cause.BOUND_ELSEWHERE: "whoever runs {service} on {targets}",
    Cause.OVERLOAD: "whoever runs {service} on {targets}",
    Cause.PORT_TAKEN: "whoever runs {targets}",
    Cause.WRONG_SERVICE: "whoever runs {service} on {targets}",
    Cause.TLS: "whoever runs {service} on {targets}",
    Cause.HTTP_STATUS: "whoever runs {service} on {targets}",
    Cause.UNHEALTHY: "whoever runs {service} on {targets}",
    Cause.INTERCEPTED: _BETWEEN,
    Cause.DNS: "whoever keeps the names that {sources} asks for",
    Cause.LISTENING: "whoever runs {targets}, or the firewall before it",
    Cause.STAND_IN: "those who run the firewall before {targets}",
    Cause.NO_AGENT: "whoever runs portcheck",
    Cause.AGENT_LOST: "whoever runs portcheck",
    Cause.RESOURCES: "whoever runs {sources} and {targets}",
    Cause.CONFLICTING_EVIDENCE: "whoever runs {targets}, with those who run the network",
    Cause.TIMEOUT: "whoever runs portcheck",
}

# Where no cause is proven.
_LIKELY = {
    Verdict.BLOCKED: Cause.NETWORK,
    Verdict.EXPOSED: Cause.LISTENING,
    Verdict.INCONCLUSIVE: Cause.CONFLICTING_EVIDENCE,
}


def whom(finding: Finding) -> str:
    """`whoever runs db-1`, `the owner of 10.0.0.1`."""
    one = finding.example
    if finding.kind is Kind.DEVICE:
        behind = one.where is not None and one.where.side == "after"
        if {row.state for row in finding.members} == {State.UNREACHABLE}:  # the router's word for a host that is off
            return f"whoever runs {_hosts(row.target for row in finding.members)}, and the owner of {devices(finding)}"
        return f"the owner of {devices(finding)}" + (", or of what is behind it" if behind else "")
    words = _WHOM[one.cause or _LIKELY.get(one.verdict, Cause.NOT_LISTENING)]
    return words.format(
        sources=_hosts(row.source for row in finding.members),
        targets=_hosts(row.target for row in finding.members),
        service=name(one.service),
    )


def _hosts(names: Iterable[str]) -> str:
    return listed(folded(names), _MOST)
