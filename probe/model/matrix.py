"""The specification: who must reach what. A value; `probe.spec.matrix` reads it from YAML, `probe.plan` lays it over
an inventory.
"""

from __future__ import annotations

import msgspec

from probe.model.conditions import Condition
from probe.model.dialogue import Dialogue
from probe.model.http import HttpDemand
from probe.model.protocols import Spoken, spoken
from probe.model.tls import TlsDemand
from probe.model.words import (
    During,
    Enough,
    Expect,
    Hosts,
    Listen,
    Need,
    Policy,
    Severity,
    VariableType,
    Zone,
)

EVERY_HOST = "every-host"
OUTSIDE = "outside"
ANY = "any"
EVERYBODY = (EVERY_HOST, OUTSIDE, ANY)
"""Words that stand for roles as the source of a flow."""


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """A document, or a table of one, that rows cite by its key."""

    key: str
    title: str = ""
    url: str = ""


class Variable(msgspec.Struct, frozen=True, kw_only=True):
    """A value that the file leaves open. `default` None: it has none unless it is set. `choices` go with the type of
    that name.
    """

    name: str
    type: VariableType = VariableType.PORTS
    default: int | str | bool | tuple[int | str, ...] | None = None
    choices: tuple[str, ...] = ()
    help: str = ""


class Role(msgspec.Struct, frozen=True, kw_only=True):
    """`every_host`: held by every inside host without being named in the inventory. `outside`: a party that is not part
    of the instance; `networks` (CIDR, or `{variable}`) then say which hosts outside hold it untold. `includes` are
    roles that its hosts hold too. `policy` is what something open on its hosts, and allowed by no flow, is worth.
    """

    name: str
    every_host: bool = False
    outside: bool = False
    aliases: tuple[str, ...] = ()
    includes: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    policy: Policy | None = None
    help: str = ""


class Service(msgspec.Struct, frozen=True, kw_only=True):
    """Something that listens.

    `port` is the text with its variables in braces (`{controller_port}`, `4150,4151`): it is worked out for each
    target host; empty where the protocol has no ports, or where `at` says them. `status` are the HTTP statuses that
    count as healthy; empty means the default of `probe.model.judge`. `http` and `tls` are None where the row says
    nothing. `address` names the variable that says on which address of its host it listens, empty for all. `at` is
    where it is reached if not at its hosts: `host:port`, or `{variable}`; without `roles` it is nobody's of the
    inventory. `dialogue` is how it is asked, None for what its protocol has.
    """

    name: str
    roles: tuple[str, ...] = ()
    port: str = ""
    protocols: tuple[str, ...] = ("tcp",)
    path: str = "/"
    status: tuple[int, ...] = ()
    http: HttpDemand | None = None
    tls: TlsDemand | None = None
    listen: Listen = Listen.ALL
    count: str = ""
    local: bool = False
    address: str = ""
    at: tuple[str, ...] = ()
    when: Condition | None = None
    dialogue: Dialogue | None = None
    unchecked: str = ""
    severity: Severity | None = None
    remedy: str = ""
    help: str = ""
    cite: str = ""
    matrix: str = ""

    @property
    def spoken(self) -> tuple[Spoken, ...]:
        """Its protocols, once for each transport."""
        return tuple(dict.fromkeys(way for word in self.protocols for way in spoken(word)))

    @property
    def is_http(self) -> bool:
        """Whether one of its protocols is asked in HTTP."""
        return any(way.protocol is not None and way.protocol.is_http for way in self.spoken)

    @property
    def may_be_tls(self) -> bool:
        return any(way.protocol is not None and way.protocol.may_be_tls for way in self.spoken)


class Scope(msgspec.Struct, frozen=True, kw_only=True):
    """Which pairs of hosts, by variables. `same`: both have a value, and the same. `different`: both have one, and
    another. `names`: the source's value names the target. `named_by`: the target's names the source.
    """

    same: tuple[str, ...] = ()
    different: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    named_by: tuple[str, ...] = ()


class Flow(msgspec.Struct, frozen=True, kw_only=True):
    """Permission and need, or with `expect` block their opposite. `sources` are roles or words of EVERYBODY; `services`
    are names of services; `rule` is its id, or `flows[3]` where it has none. `between`: from each of the roles to the
    hosts of the others, both ways.
    """

    rule: str
    sources: tuple[str, ...]
    services: tuple[str, ...]
    between: bool = False
    hosts: Hosts = Hosts.ANY
    scope: Scope | None = None
    enough: Enough = Enough.ALL
    expect: Expect = Expect.REACH
    when: Condition | None = None
    during: During | None = None
    need: Need = Need.REQUIRED
    source_port: str = ""
    unchecked: str = ""
    severity: Severity | None = None
    remedy: str = ""
    help: str = ""
    cite: str = ""
    matrix: str = ""


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    requires: tuple[str, ...] = ()
    help: str = ""


class Remark(msgspec.Struct, frozen=True, kw_only=True):
    """What is worth a look in a row of a matrix, which is a service or the flow of a rule."""

    message: str
    matrix: str = ""
    service: str = ""
    rule: str = ""
    hint: str = ""


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
