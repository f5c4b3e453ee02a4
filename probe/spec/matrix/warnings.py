"""What is no error and still worth a look."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

from probe.model.expand import expand, variables_of
from probe.model.ports import PortError, PortSet
from probe.spec.diagnostics import Severity

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from probe.model.matrix import Condition, Matrix, Service
    from probe.spec.matrix.document import Document
    from probe.spec.matrix.problems import Place

# Linux's default net.ipv4.ip_local_port_range.
EPHEMERAL = PortSet([(32768, 60999)])


def warn(documents: Sequence[Document], merged: Matrix) -> None:
    """Add warnings to the documents' problems. Only for documents without errors: half a matrix makes false ones."""
    for document in documents:
        for place, message, hint in _warnings(document, merged):
            document.problems.add(place, message, hint, Severity.WARNING)


def _warnings(document: Document, merged: Matrix) -> Iterator[tuple[Place, str, str]]:
    yield from _unused(document, merged)
    yield from _without_cite(document)
    yield from _overlaps(document, merged)
    yield from _ephemeral(document, merged)


def _unused(document: Document, merged: Matrix) -> Iterator[tuple[Place, str, str]]:
    services = merged.services.values()
    variables = {name for service in services for name in variables_of(service.port)}
    named = {name for flow in merged.flows for name in flow.services}
    roles = {service.role for service in services}
    for flow in merged.flows:
        roles |= {*flow.sources, *(_roles_of(flow.when) if flow.when else ())}
    for profile in merged.profiles.values():
        roles |= set(profile.requires)
    for name in document.matrix.variables:
        if name not in variables:
            yield document.key("variables", name), f"variable {name!r} is used by no port", ""
    for name in document.matrix.roles:
        if name not in roles:
            yield document.key("roles", name), f"role {name!r} is used by no service, flow or profile", ""
    for name, service in document.matrix.services.items():
        if name not in named and not service.local:
            hint = "all hosts are expected to be blocked there: add a flow, or bind: local"
            yield document.key("services", name), f"no flow leads to service {name!r}", hint


def _roles_of(condition: Condition) -> Iterator[str]:
    if condition.role is not None:
        yield condition.role
    for part in (condition.negated, *(condition.all_of or ()), *(condition.any_of or ())):
        if part is not None:
            yield from _roles_of(part)


def _without_cite(document: Document) -> Iterator[tuple[Place, str, str]]:
    matrix = document.matrix
    rows = [(document.key("services", name), f"service {name!r}", row.cite) for name, row in matrix.services.items()]
    rows += [(document.value("flows", number).place, row.rule, row.cite) for number, row in enumerate(matrix.flows)]
    if any(cite for _, _, cite in rows):
        for place, what, cite in rows:
            if not cite:
                yield place, f"{what} cites no source, where others do", ""


def _overlaps(document: Document, merged: Matrix) -> Iterator[tuple[Place, str, str]]:
    """Two services that would listen on one port of one host: of one role, or one of a role that every host has."""
    ports = {name: _ports(service, merged) for name, service in merged.services.items()}
    everywhere = {name for name, role in merged.roles.items() if role.every_host}
    for first, second in combinations(merged.services.values(), 2):
        together = first.role == second.role or first.role in everywhere or second.role in everywhere
        if not together or first.protocol.transport is not second.protocol.transport:
            continue
        shared = ports[first.name] & ports[second.name]
        if shared and second.name in document.matrix.services:
            names = f"{first.name!r} and {second.name!r}"
            message = f"services {names} share {first.protocol.transport} {shared} on the same hosts"
            yield document.value("services", second.name, "port").place, message, ""


def _ephemeral(document: Document, merged: Matrix) -> Iterator[tuple[Place, str, str]]:
    for name in document.matrix.services:
        inside = _ports(merged.services[name], merged) & EPHEMERAL
        if inside:
            message = f"{inside} lies in the range 32768-60999, from which systems take ports for outgoing connections"
            hint = "reserve it with net.ipv4.ip_local_reserved_ports, or choose another port"
            yield document.value("services", name, "port").place, message, hint


def _ports(service: Service, merged: Matrix) -> PortSet:
    """With the defaults; none where a variable has no default."""
    try:
        return expand(service.port, {name: variable.default for name, variable in merged.variables.items()})
    except PortError:
        return PortSet()
