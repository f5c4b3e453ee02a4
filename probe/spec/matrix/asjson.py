"""A matrix as JSON, `portcheck.matrix/1`: the keys and forms of the file, and what follows from them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from probe.spec.matrix.plainly import plainly
from probe.spec.matrix.portspan import span_of

if TYPE_CHECKING:
    from probe.model.conditions import Condition
    from probe.model.http import HttpDemand
    from probe.model.matrix import Flow, Matrix, Role, Scope, Service, Variable
    from probe.model.secret import SecretSource
    from probe.model.tls import TlsDemand


def as_json(matrix: Matrix) -> dict[str, Any]:
    """`ports` are the ports with the variables at their defaults; `matrix` and `rule` tell where a row is from, in a
    matrix of several.
    """
    return {
        "schema": "portcheck.matrix/1",
        "names": list(matrix.names),
        "title": matrix.title,
        "sources": {key: {"title": row.title, "url": row.url} for key, row in matrix.sources.items()},
        "variables": {key: _variable(row) for key, row in matrix.variables.items()},
        "roles": {key: _role(row) for key, row in matrix.roles.items()},
        "services": {key: _service(row, matrix) for key, row in matrix.services.items()},
        "flows": [_flow(row) for row in matrix.flows],
        "policy": {zone.value: policy.value for zone, policy in matrix.policy.items()},
        "profiles": {key: {"requires": list(row.requires), "help": row.help} for key, row in matrix.profiles.items()},
    }


def _variable(row: Variable) -> dict[str, Any]:
    default = list(row.default) if isinstance(row.default, tuple) else row.default
    return {"type": row.type.value, "default": default, "choices": list(row.choices), "help": row.help}


def _role(row: Role) -> dict[str, Any]:
    return {
        "on": "every-host" if row.every_host else None,
        "aliases": list(row.aliases),
        "includes": list(row.includes),
        "zone": "outside" if row.outside else None,
        "networks": list(row.networks),
        "policy": row.policy,
        "help": row.help,
    }


def _service(row: Service, matrix: Matrix) -> dict[str, Any]:
    return {
        "role": _one_or_many(row.roles),
        "port": row.port,
        "ports": str(span_of(row, matrix)).replace(" ", ""),
        "protocol": _one_or_many(row.protocols),
        "path": row.path,
        "status": list(row.status),
        "http": _http(row.http) if row.http else None,
        "tls": _tls(row.tls) if row.tls else None,
        "dialogue": plainly(row.dialogue) if row.dialogue else None,
        "listen": row.listen.value,
        "count": row.count,
        "bind": "local" if row.local else None,
        "address": f"{{{row.address}}}" if row.address else None,
        "at": list(row.at),
        "when": _when(row.when) if row.when else None,
        "unchecked": row.unchecked,
        "severity": row.severity,
        "remedy": row.remedy,
        "help": row.help,
        "cite": row.cite,
        "matrix": row.matrix,
    }


def _http(demand: HttpDemand) -> dict[str, Any]:
    """Of secrets only where they are found."""
    credentials = {kind: _secret(said) for kind, said in (("basic", demand.basic), ("bearer", demand.bearer)) if said}
    body = {key: said for key, said in (("text", demand.text), ("regex", demand.regex)) if said}
    return {
        "method": demand.method.value,
        "host": demand.host,
        "headers": {name: said if isinstance(said, str) else _secret(said) for name, said in demand.headers},
        "credentials": credentials or None,
        "body": body or None,
        "redirects": demand.redirects,
    }


def _secret(source: SecretSource) -> dict[str, str]:
    return {"env": source.env} if source.env else {"file": source.file}


def _tls(demand: TlsDemand) -> dict[str, Any]:
    return {
        "server_name": demand.server_name,
        "name": demand.name,
        "trust": demand.trust,
        "ca": demand.ca,
        "minimum": demand.minimum,
        "expiry": True if demand.days == 0 else {"days": demand.days} if demand.days else None,
        "certificate": demand.certificate,
        "key": demand.key,
    }


def _flow(row: Flow) -> dict[str, Any]:
    return {
        "rule": row.rule,
        "from": [] if row.between else list(row.sources),
        "between": list(row.sources) if row.between else [],
        "to": list(row.services),
        "hosts": row.hosts.value,
        "scope": _scope(row.scope) if row.scope else None,
        "enough": row.enough.value,
        "expect": row.expect.value,
        "when": _when(row.when) if row.when else None,
        "during": row.during,
        "need": row.need.value,
        "source-port": row.source_port,
        "unchecked": row.unchecked,
        "severity": row.severity,
        "remedy": row.remedy,
        "help": row.help,
        "cite": row.cite,
        "matrix": row.matrix,
    }


def _scope(scope: Scope) -> dict[str, list[str]]:
    keys = {"same": scope.same, "different": scope.different, "names": scope.names, "named-by": scope.named_by}
    return {key: list(names) for key, names in keys.items() if names}


def _when(condition: Condition) -> dict[str, Any]:
    if condition.role is not None:
        return {"role": condition.role}
    if condition.variable is not None:
        values = condition.values
        return {"variable": condition.variable} | ({} if values is None else {"is": _one_or_many(values)})
    if condition.family is not None:
        return {"family": condition.family.value}
    for key, inner in (("source", condition.source), ("target", condition.target), ("not", condition.negated)):
        if inner is not None:
            return {key: _when(inner)}
    key, parts = ("all", condition.all_of) if condition.all_of is not None else ("any", condition.any_of)
    return {key: [_when(part) for part in parts or ()]}


def _one_or_many(words: tuple[str, ...]) -> str | list[str] | None:
    """As people write it: a word, or a list of several."""
    return list(words) if len(words) > 1 else words[0] if words else None
