"""Two matrices in the words of the first: which of the second's roles and services it knows under other names."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from probe.spec.matrix.tellings import condition_told

if TYPE_CHECKING:
    from collections.abc import Iterable

    from probe.model.conditions import Condition
    from probe.model.matrix import Flow, Matrix, Role, Service

Names = dict[str, str]
"""From a name of the second matrix to that of the first for the same thing."""


def roles_alike(first: Matrix, second: Matrix) -> Names:
    """Roles of one name mean the same; of the others, those whose names or aliases meet, if no third meets either."""
    mine = [role for name, role in first.roles.items() if name not in second.roles]
    theirs = [role for name, role in second.roles.items() if name not in first.roles]
    found: Names = {}
    for role in theirs:
        met = [other for other in mine if _words(role) & _words(other)]
        if len(met) == 1 and sum(bool(_words(other) & _words(met[0])) for other in theirs) == 1:
            found[role.name] = met[0].name
    return found


def endpoints_alike(first: Matrix, second: Matrix) -> Names:
    """Services outside the inventory under other names: those that are reached at the same places."""
    mine = {service.at: name for name, service in first.services.items() if not service.roles}
    return {
        name: mine[service.at]
        for name, service in second.services.items()
        if not service.roles and name not in first.services and service.at in mine
    }


def in_words_of(matrix: Matrix, roles: Names) -> Matrix:
    """The matrix with its roles renamed, and what is in no order sorted, so that equal meanings are equal values."""
    return msgspec.structs.replace(
        matrix,
        roles={roles.get(name, name): _role(role, roles) for name, role in matrix.roles.items()},
        services={name: _service(service, roles) for name, service in matrix.services.items()},
        flows=tuple(_flow(flow, roles) for flow in matrix.flows),
        profiles={
            name: msgspec.structs.replace(profile, requires=_sorted(profile.requires, roles))
            for name, profile in matrix.profiles.items()
        },
    )


def _words(role: Role) -> set[str]:
    return {role.name, *role.aliases}


def _sorted(names: Iterable[str], roles: Names) -> tuple[str, ...]:
    return tuple(sorted({roles.get(name, name) for name in names}))


def _role(role: Role, roles: Names) -> Role:
    return msgspec.structs.replace(
        role,
        aliases=tuple(sorted(role.aliases)),
        includes=_sorted(role.includes, roles),
        networks=tuple(sorted(role.networks)),
    )


def _service(service: Service, roles: Names) -> Service:
    return msgspec.structs.replace(service, roles=_sorted(service.roles, roles), when=_condition(service.when, roles))


def _flow(flow: Flow, roles: Names) -> Flow:
    return msgspec.structs.replace(flow, sources=_sorted(flow.sources, roles), when=_condition(flow.when, roles))


def _condition(condition: Condition | None, roles: Names) -> Condition | None:
    if condition is None:
        return None

    def several(parts: tuple[Condition, ...] | None) -> tuple[Condition, ...] | None:
        renamed = (_condition(part, roles) for part in parts or ())
        return tuple(sorted(filter(None, renamed), key=condition_told)) or None

    return msgspec.structs.replace(
        condition,
        role=roles.get(condition.role, condition.role) if condition.role else None,
        values=tuple(sorted(condition.values)) if condition.values else None,
        source=_condition(condition.source, roles),
        target=_condition(condition.target, roles),
        negated=_condition(condition.negated, roles),
        all_of=several(condition.all_of),
        any_of=several(condition.any_of),
    )
