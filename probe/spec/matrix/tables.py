"""A matrix as the tables of the document that it was written from: ports by role, connections, exposed outside."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from probe.model.expand import expand
from probe.model.matrix import OUTSIDE
from probe.model.ports import PortError
from probe.text import printable

if TYPE_CHECKING:
    from probe.model.matrix import Condition, Flow, Matrix, Service


class Table(NamedTuple):
    """`rows` have a text for each of `columns`. The last column is the long one."""

    title: str
    columns: tuple[str, ...]
    rows: list[tuple[str, ...]]


def tables(matrix: Matrix) -> list[Table]:
    """Every table that has rows, in the order in which documents have them."""
    inside = [row for flow in matrix.flows for row in _connections(flow, matrix) if row[0] != OUTSIDE]
    outside = [row[1:] for flow in matrix.flows for row in _connections(flow, matrix) if row[0] == OUTSIDE]
    several = len(matrix.names) > 1
    found = [
        Table("Roles", ("Role", "Also called", "Description"), _roles(matrix)),
        Table("Ports by role", ("Role", "Port", "Protocol", "Service"), _ports(matrix)),
        Table("Connections", ("Source", "Target", "Port", "Protocol", "Use"), inside),
        Table("Exposed outside", ("Target", "Port", "Protocol", "Use"), outside),
        Table("Variables", ("Variable", "Default", "Description"), _variables(matrix)),
        Table(
            "Profiles",
            ("Profile", "Requires"),
            [(row.name, ", ".join(row.requires)) for row in matrix.profiles.values()],
        ),
        Table("Sources", ("Key", "Title"), [(row.key, _both(row.title, row.url)) for row in matrix.sources.values()]),
        Table("Matrices", ("Name",), [(name,) for name in matrix.names] if several else []),
    ]
    return [table for table in found if table.rows]


def as_json(matrix: Matrix) -> dict[str, Any]:
    """The matrix with the keys of the file, `ports` being the ports with the variables at their defaults."""
    return {
        "schema": "portcheck.matrix/1",
        "names": list(matrix.names),
        "title": matrix.title,
        "sources": {key: {"title": row.title, "url": row.url} for key, row in matrix.sources.items()},
        "variables": {key: {"default": row.default, "help": row.help} for key, row in matrix.variables.items()},
        "roles": {
            key: {"on": "every-host" if row.every_host else None, "aliases": list(row.aliases), "help": row.help}
            for key, row in matrix.roles.items()
        },
        "services": {key: _service(row, matrix) for key, row in matrix.services.items()},
        "flows": [_flow(row) for row in matrix.flows],
        "policy": {zone.value: policy.value for zone, policy in matrix.policy.items()},
        "profiles": {key: {"requires": list(row.requires), "help": row.help} for key, row in matrix.profiles.items()},
    }


def ports_shown(service: Service, matrix: Matrix) -> str:
    """The ports with the defaults, or the text with its variables where one has none."""
    try:
        return str(expand(service.port, {name: row.default for name, row in matrix.variables.items()})).replace(
            ",", ", "
        )
    except PortError:
        return service.port.replace(",", ", ")


def condition_shown(condition: Condition) -> str:
    """`lb`, `no lb`, `lb and db`, `(lb or db) and no es`: which roles the inventory has."""
    if condition.role is not None:
        return condition.role
    if condition.negated is not None:
        inner = condition_shown(condition.negated)
        return f"no {inner}" if condition.negated.role is not None else f"not ({inner})"
    parts = condition.all_of or condition.any_of or ()
    shown = [condition_shown(part) if part.role or part.negated else f"({condition_shown(part)})" for part in parts]
    return (" and " if condition.all_of else " or ").join(shown)


def _roles(matrix: Matrix) -> list[tuple[str, ...]]:
    return [
        (role.name, ", ".join(role.aliases), _both("(every host)" if role.every_host else "", role.help))
        for role in matrix.roles.values()
    ]


def _ports(matrix: Matrix) -> list[tuple[str, ...]]:
    order = {name: number for number, name in enumerate(matrix.roles)}
    services = sorted(matrix.services.values(), key=lambda service: order.get(service.role, len(order)))
    return [
        (service.role, ports_shown(service, matrix), service.protocol.value, _about(service)) for service in services
    ]


def _about(service: Service) -> str:
    marks = [f"listen: {service.listen.value}"] if service.listen.value != "all" else []
    marks += ["bind: local"] if service.local else []
    about = _both(service.help, f"({', '.join(marks)})" if marks else "")
    return f"{service.name}: {about}" if about else service.name


def _connections(flow: Flow, matrix: Matrix) -> list[tuple[str, ...]]:
    """A row for each kind of source and each target role, its ports together, as documents write them."""
    targets: dict[str, list[Service]] = {}
    for name in flow.services:
        targets.setdefault(matrix.services[name].role, []).append(matrix.services[name])
    marks = [f"if {condition_shown(flow.when)}"] if flow.when else []
    marks += [flow.need.value] if flow.need.value != "required" else []
    use = _both(f"({'; '.join(marks)})" if marks else "", flow.help)
    kinds = [
        ", ".join(source for source in flow.sources if source != OUTSIDE),
        OUTSIDE if OUTSIDE in flow.sources else "",
    ]
    return [
        (
            sources,
            role,
            ", ".join(ports_shown(service, matrix) for service in services),
            ", ".join(dict.fromkeys(service.protocol.value for service in services)),
            use,
        )
        for sources in kinds
        if sources
        for role, services in targets.items()
    ]


def _variables(matrix: Matrix) -> list[tuple[str, ...]]:
    return [
        (row.name, "must be set" if row.default is None else str(row.default), row.help)
        for row in matrix.variables.values()
    ]


def one_line(text: str) -> str:
    """For a cell or a heading: without line breaks, and with nothing that a terminal would obey."""
    return printable(" ".join(text.split()))


def _both(first: str, second: str) -> str:
    return one_line(f"{first} {second}")


def _service(service: Service, matrix: Matrix) -> dict[str, Any]:
    row: dict[str, Any] = msgspec.to_builtins(service)
    del row["name"]
    row["ports"] = ports_shown(service, matrix).replace(" ", "")
    row["status"] = list(service.status)
    row["bind"] = "local" if row.pop("local") else None
    return row


def _flow(flow: Flow) -> dict[str, Any]:
    row: dict[str, Any] = {"rule": flow.rule, "from": list(flow.sources), "to": list(flow.services)}
    row["when"] = _when(flow.when) if flow.when else None
    return row | {"need": flow.need.value, "help": flow.help, "cite": flow.cite, "matrix": flow.matrix}


def _when(condition: Condition) -> dict[str, Any]:
    if condition.role is not None:
        return {"role": condition.role}
    if condition.negated is not None:
        return {"not": _when(condition.negated)}
    key, parts = ("all", condition.all_of) if condition.all_of is not None else ("any", condition.any_of)
    return {key: [_when(part) for part in parts or ()]}
