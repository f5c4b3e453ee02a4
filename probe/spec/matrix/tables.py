"""A matrix as the tables of the document that it was written from: ports by role, connections, exposed outside."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from probe.model.matrix import ANY, OUTSIDE
from probe.model.words import Expect, Hosts
from probe.spec.matrix import tellings
from probe.spec.matrix.portspan import endpoints, span_of
from probe.spec.matrix.tellings import about, default_told, if_told, one_line, protocol_told
from probe.spec.matrix.unasked import why_not_flow, why_not_service

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from probe.model.matrix import Flow, Matrix, Service

Row = tuple[str, ...]
_PAIRS = ("Source", "Target", "Port", "Protocol", "Use")


class Table(NamedTuple):
    """`rows` have a text for each of `columns`, mostly of one line. The last columns, `long` of them, are those that
    need the width.
    """

    title: str
    columns: Row
    rows: list[Row]
    long: int = 1


def tables(matrix: Matrix) -> list[Table]:
    """Every table that has rows, without its empty columns, in the order in which documents have them."""
    reach = [flow for flow in matrix.flows if flow.expect is Expect.REACH]
    block = [flow for flow in matrix.flows if flow.expect is Expect.BLOCK]
    found = [
        Table("Roles", ("Role", "Also called", "Includes", "Description"), _roles(matrix)),
        Table("Ports by role", ("Role", "Port", "Protocol", "Service"), _ports(matrix)),
        Table("Connections", _PAIRS, _connections(reach, matrix, outside=False)),
        Table("Exposed outside", _PAIRS, _exposed(reach, matrix)),
        Table(
            "Must never be reachable",
            _PAIRS,
            _connections(block, matrix, outside=False) + _connections(block, matrix, outside=True),
        ),
        Table("Outside the inventory", ("Service", "Reached at", "Port", "Protocol", "Use"), _elsewhere(matrix)),
        Table("Not checkable", ("Row", "Reason"), _not_checkable(matrix)),
        Table("Health over HTTP and TLS", ("Service", "Path", "Healthy status", "Asked how"), _health(matrix)),
        Table("If it fails", ("Row", "Severity", "Remedy"), _failures(matrix)),
        Table("Variables", ("Variable", "Type", "Default", "Description"), _variables(matrix)),
        Table("Profiles", ("Profile", "Requires", "Description"), _profiles(matrix), long=2),
        Table("Sources", ("Key", "Title"), _cited(matrix)),
        Table("Matrices", ("Name",), [(name,) for name in matrix.names] if len(matrix.names) > 1 else []),
    ]
    return [_without_empty(table) for table in found if table.rows]


def _without_empty(table: Table) -> Table:
    used = [number for number in range(len(table.columns)) if any(row[number] for row in table.rows)]
    rows = [tuple(row[number] for number in used) for row in table.rows]
    return table._replace(columns=tuple(table.columns[number] for number in used), rows=rows)


def _roles(matrix: Matrix) -> list[Row]:
    return [
        (role.name, ", ".join(role.aliases), ", ".join(role.includes), about(role.help, tellings.role_marks(role)))
        for role in matrix.roles.values()
    ]


def _ports(matrix: Matrix) -> list[Row]:
    """In the order of the roles. What documents write as one row, ports with one description, is one row."""
    order = {name: number for number, name in enumerate(matrix.roles)}
    groups: dict[Row, list[Service]] = {}
    for service in sorted(
        (service for service in matrix.services.values() if service.roles),
        key=lambda service: min(order.get(role, len(order)) for role in service.roles),
    ):
        marks = (if_told(service.when), *tellings.service_marks(service))
        alone = "" if service.help else service.name
        groups.setdefault((alone, ", ".join(service.roles), service.help, service.cite, *marks), []).append(service)
    return [
        (roles, *_reached(services, matrix), about(_named(services, text), marks, cite))
        for (_, roles, text, cite, *marks), services in groups.items()
    ]


def _named(services: Iterable[Service], text: str) -> str:
    names = ", ".join(service.name for service in services)
    return f"{names}: {text}" if text else names


def _reached(services: Sequence[Service], matrix: Matrix) -> tuple[str, str]:
    """Ports and protocols of several services, each once."""
    ports = dict.fromkeys(str(span_of(service, matrix)) for service in services)
    protocols = dict.fromkeys(protocol_told(way) for service in services for way in service.spoken)
    return ", ".join(filter(None, ports)), ", ".join(protocols)


def _connections(flows: Iterable[Flow], matrix: Matrix, *, outside: bool) -> list[Row]:
    """A row for each flow and target role, its ports together; only the sources inside, or only those outside."""
    rows: list[Row] = []
    for flow in flows:
        told = _sources(flow, matrix, outside=outside)
        if not told:
            continue
        targets: dict[str, list[Service]] = {}
        for name in flow.services:
            service = matrix.services[name]
            targets.setdefault(", ".join(service.roles) or name, []).append(service)
        rows += [
            (told, target, *_reached(services, matrix), _use(flow, services, matrix))
            for target, services in targets.items()
        ]
    return rows


def _use(flow: Flow, services: Iterable[Service], matrix: Matrix) -> str:
    # Of a service on loopback a flow says no more than that its own host uses it.
    itself = all(service.local for service in services)
    marks = tellings.flow_marks(msgspec.structs.replace(flow, hosts=Hosts.SAME) if itself else flow)
    rule = _rule(flow, matrix)
    return about(f"{rule}: {flow.help}" if flow.help else rule, (if_told(flow.when), *marks), flow.cite)


def _sources(flow: Flow, matrix: Matrix, *, outside: bool) -> str:
    if flow.between:
        apart = all(_is_outside(source, matrix) for source in flow.sources)
        return " ↔ ".join(flow.sources) if apart is outside else ""
    return ", ".join(source for source in flow.sources if source == ANY or _is_outside(source, matrix) is outside)


def _is_outside(source: str, matrix: Matrix) -> bool:
    return source == OUTSIDE or (source in matrix.roles and matrix.roles[source].outside)


def _exposed(flows: Iterable[Flow], matrix: Matrix) -> list[Row]:
    """Documents have no source here where it is everybody."""
    rows = _connections(flows, matrix, outside=True)
    return [("", *row[1:]) for row in rows] if all(row[0] == OUTSIDE for row in rows) else rows


def _elsewhere(matrix: Matrix) -> list[Row]:
    return [
        (
            service.name,
            ", ".join(endpoints(service, matrix)),
            *_reached([service], matrix),
            about(service.help, (if_told(service.when), *tellings.service_marks(service)), service.cite),
        )
        for service in matrix.services.values()
        if not service.roles
    ]


def _not_checkable(matrix: Matrix) -> list[Row]:
    rows = [(service.name, why_not_service(service, matrix)) for service in matrix.services.values()]
    rows += [(_rule(flow, matrix), why_not_flow(flow)) for flow in matrix.flows]
    return [(name, one_line(reason)) for name, reason in rows if reason]


def _health(matrix: Matrix) -> list[Row]:
    return [
        (
            service.name,
            one_line(service.path) if service.is_http else "",
            ", ".join(map(str, service.status)),
            "\n".join(filter(None, (tellings.http_told(service.http), tellings.tls_told(service.tls)))),
        )
        for service in matrix.services.values()
        if (service.is_http and (service.path != "/" or service.status)) or service.http or service.tls
    ]


def _failures(matrix: Matrix) -> list[Row]:
    services = [(row.name, row.severity, row.remedy) for row in matrix.services.values()]
    flows = [(_rule(row, matrix), row.severity, row.remedy) for row in matrix.flows]
    return [
        (name, severity.value if severity else "", one_line(remedy))
        for name, severity, remedy in services + flows
        if severity or remedy
    ]


def _variables(matrix: Matrix) -> list[Row]:
    return [
        (
            row.name,
            row.type.value,
            one_line(default_told(row, matrix)),
            about(row.help, [f"one of {', '.join(row.choices)}" if row.choices else ""]),
        )
        for row in matrix.variables.values()
    ]


def _profiles(matrix: Matrix) -> list[Row]:
    return [(row.name, ", ".join(row.requires), one_line(row.help)) for row in matrix.profiles.values()]


def _cited(matrix: Matrix) -> list[Row]:
    return [(row.key, "\n".join(filter(None, map(one_line, (row.title, row.url))))) for row in matrix.sources.values()]


def _rule(flow: Flow, matrix: Matrix) -> str:
    """As overrides name it."""
    return f"{flow.matrix}:{flow.rule}" if len(matrix.names) > 1 else flow.rule
