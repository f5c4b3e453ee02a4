"""Which of the matrix's roles each host has, and what of the inventory the matrix does not know."""

from __future__ import annotations

import difflib
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING

from probe.errors import UserError
from probe.model.words import Zone

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from collections.abc import Set as AbstractSet

    from probe.model.inventory import Host, Inventory
    from probe.model.matrix import Matrix


def roles_of(matrix: Matrix, host: Host, networks: Mapping[str, tuple[str, ...]] | None = None) -> tuple[str, ...]:
    """The roles of one host in the matrix's own names and order, those of every host and those that others include
    among them. `networks`: for roles outside, the networks whose hosts hold them untold.
    """
    named = {role.name for group in host.roles if (role := matrix.role_named(group)) is not None}
    _include(matrix, named)
    if zone_of(matrix, host, named) is Zone.OUTSIDE:
        for party, nets in (networks or {}).items():
            if any(inside(address, nets) for address in host.addresses):
                named.add(party)
        _include(matrix, named)
    else:
        named.update(name for name, role in matrix.roles.items() if role.every_host)
        _include(matrix, named)
    return tuple(name for name in matrix.roles if name in named)


def zone_of(matrix: Matrix, host: Host, roles: Iterable[str]) -> Zone:
    """Outside if the inventory says so, or if all that the host is there for is outside."""
    own = [matrix.roles[role] for role in roles if not matrix.roles[role].every_host]
    return Zone.OUTSIDE if own and all(role.outside for role in own) else host.zone


def inside(address: str, networks: Iterable[str]) -> bool:
    """Whether a literal address lies in one of the networks. A name lies in none."""
    try:
        literal = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    return any(literal in ip_network(network, strict=False) for network in networks)


def _include(matrix: Matrix, roles: set[str]) -> None:
    fresh = list(roles)
    while fresh:
        for name in matrix.roles[fresh.pop()].includes:
            if name in matrix.roles and name not in roles:
                roles.add(name)
                fresh.append(name)


def main_role(matrix: Matrix, roles: tuple[str, ...], zone: Zone) -> str:
    """The one role that stands for the host in an overview: the first that not every host has."""
    own = [name for name in roles if not matrix.roles[name].every_host]
    if zone is Zone.OUTSIDE:
        return (own or [Zone.OUTSIDE.value])[0]
    return (own or list(roles) or ["no role"])[0]


def unknown_groups(matrix: Matrix, inventory: Inventory) -> list[str]:
    """A sentence for each group that is no role and holds no group that is one, with the nearest role where it looks
    misspelt.
    """
    names = _names(matrix)
    known_hosts = {
        group: {host for host in hosts if any(matrix.role_named(role) for role in inventory.hosts[host].roles)}
        for group, hosts in inventory.groups.items()
    }
    notes = []
    for group, hosts in inventory.groups.items():
        if group in {"all", "ungrouped"} or matrix.role_named(group) is not None or not hosts:
            continue
        close = difflib.get_close_matches(group, names, n=1, cutoff=0.66)
        if close:
            notes.append(f"group {group!r} is no role of {_titles(matrix)}: did you mean {close[0]!r}?")
        elif not known_hosts[group] and any(inventory.hosts[host].zone is Zone.INSIDE for host in hosts):
            whose = "its host has" if len(hosts) == 1 else f"its {len(hosts)} hosts have"
            notes.append(f"group {group!r} is no role of {_titles(matrix)}; {whose} no role from it")
    return notes


def require_known_roles(matrix: Matrix, inventory: Inventory) -> None:
    """Groups may be anything, but `portcheck_roles` is ours: raises UserError for a role in it that the matrix does not
    have, because a host without its role would not be checked, and nobody would know.
    """
    problems = []
    for host in inventory.hosts.values():
        given = host.vars.get("portcheck_roles") or ()
        words = given if isinstance(given, (list, tuple)) else str(given).split(",")
        for word in (str(part).strip() for part in words):
            if word and matrix.role_named(word) is None:
                close = difflib.get_close_matches(word, _names(matrix), n=1, cutoff=0.6)
                hint = f"did you mean {close[0]!r}?" if close else f"there is: {', '.join(matrix.roles)}"
                problems.append(
                    f"host {host.name!r}: portcheck_roles: {word!r} is no role of {_titles(matrix)}\n  hint: {hint}"
                )
    if problems:
        raise UserError("\n".join(problems[:100]))


def require_profile(matrix: Matrix, name: str, present: AbstractSet[str]) -> None:
    """Raises UserError for a profile that is unknown or whose roles the inventory does not have."""
    profile = matrix.profiles.get(name)
    if profile is None:
        known = ", ".join(matrix.profiles) or "none"
        raise UserError(f"--profile {name}: {_titles(matrix)} has no such profile (there is: {known})")
    missing = [role for role in profile.requires if role not in present]
    if missing:
        raise UserError(
            f"--profile {name}: no host of the inventory has the role {', '.join(missing)}; "
            f"the profile requires {', '.join(profile.requires)}"
        )


def _names(matrix: Matrix) -> list[str]:
    return [*matrix.roles, *(alias for role in matrix.roles.values() for alias in role.aliases)]


def _titles(matrix: Matrix) -> str:
    return " or ".join(matrix.names)
