"""Which of the matrix's roles each host has, and what of the inventory the matrix does not know."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from probe.errors import UserError
from probe.model.words import Zone

if TYPE_CHECKING:
    from probe.model.inventory import Host, Inventory
    from probe.model.matrix import Matrix


def roles_of(matrix: Matrix, host: Host) -> tuple[str, ...]:
    """The roles of one host in the matrix's own names and order, those of every host included."""
    named = {role.name for group in host.roles if (role := matrix.role_named(group)) is not None}
    everywhere = host.zone is Zone.INSIDE
    return tuple(name for name, role in matrix.roles.items() if name in named or (role.every_host and everywhere))


def main_role(matrix: Matrix, roles: tuple[str, ...], host: Host) -> str:
    """The one role that stands for the host in an overview: the first that not every host has."""
    if host.zone is Zone.OUTSIDE:
        return Zone.OUTSIDE.value
    own = [name for name in roles if not matrix.roles[name].every_host]
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


def require_profile(matrix: Matrix, name: str, present: set[str]) -> None:
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
