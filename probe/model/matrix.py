"""The specification: who must reach what. A value; `probe.spec.matrix` reads it from YAML, `probe.plan` lays it over
an inventory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from probe.model.words import Listen, Need, Policy, Protocol, Zone

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

EVERY_HOST = "every-host"
OUTSIDE = "outside"


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """A document, or a table of one, that rows cite by its key."""

    key: str
    title: str = ""
    url: str = ""


class Variable(msgspec.Struct, frozen=True, kw_only=True):
    """A value that the file leaves open. `default` None: it must be set."""

    name: str
    default: int | str | None = None
    help: str = ""


class Role(msgspec.Struct, frozen=True, kw_only=True):
    """`every_host`: held by every inside host without being named in the inventory."""

    name: str
    every_host: bool = False
    aliases: tuple[str, ...] = ()
    help: str = ""


class Service(msgspec.Struct, frozen=True, kw_only=True):
    """Something that listens.

    `port` is the text with its variables in braces (`{controller_port}`, `4150,4151`): it is worked out for each
    target host. `status` are the HTTP statuses that count as healthy; empty means the default of `probe.model.judge`.
    """

    name: str
    role: str
    port: str
    protocol: Protocol = Protocol.TCP
    path: str = "/"
    status: tuple[int, ...] = ()
    listen: Listen = Listen.ALL
    local: bool = False
    help: str = ""
    cite: str = ""
    matrix: str = ""


class Condition(msgspec.Struct, frozen=True, kw_only=True):
    """`when:` of a flow. Exactly one field is set; `all_of` and `any_of` hold conditions in turn."""

    role: str | None = None
    negated: Condition | None = None
    all_of: tuple[Condition, ...] | None = None
    any_of: tuple[Condition, ...] | None = None

    def holds(self, roles: AbstractSet[str]) -> bool:
        """`roles`: the matrix's roles that at least one host of the inventory has."""
        if self.role is not None:
            return self.role in roles
        if self.negated is not None:
            return not self.negated.holds(roles)
        if self.all_of is not None:
            return all(part.holds(roles) for part in self.all_of)
        return any(part.holds(roles) for part in self.any_of or ())


class Flow(msgspec.Struct, frozen=True, kw_only=True):
    """Permission and need. `sources` are roles, `every-host` or `outside`; `services` are names of services; `rule`
    is `flows[3]`.
    """

    rule: str
    sources: tuple[str, ...]
    services: tuple[str, ...]
    when: Condition | None = None
    need: Need = Need.REQUIRED
    help: str = ""
    cite: str = ""
    matrix: str = ""


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    requires: tuple[str, ...] = ()
    help: str = ""


class Matrix(msgspec.Struct, frozen=True, kw_only=True):
    """One specification, or several merged (`names` keeps all). Mappings are in the file's order."""

    names: tuple[str, ...]
    title: str = ""
    sources: dict[str, Source] = {}
    variables: dict[str, Variable] = {}
    roles: dict[str, Role] = {}
    services: dict[str, Service] = {}
    flows: tuple[Flow, ...] = ()
    policy: dict[Zone, Policy] = {}
    profiles: dict[str, Profile] = {}

    def role_named(self, group: str) -> Role | None:
        """The role that an inventory means by this group, by name or alias."""
        found = self.roles.get(group)
        if found is None:
            found = next((role for role in self.roles.values() if group in role.aliases), None)
        return found
