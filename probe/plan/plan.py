"""Matrix × inventory → checks, one source at a time: nothing is held that is not asked for."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from hashlib import blake2s
from typing import TYPE_CHECKING

import msgspec

from probe.errors import UserError
from probe.model.check import Check
from probe.model.expand import VariableError, ports_of
from probe.model.inventory import Host
from probe.model.matrix import EVERY_HOST, OUTSIDE, Service
from probe.model.ports import PortError, PortSet
from probe.model.words import Expect, Need, Policy, Protocol, Transport, Zone
from probe.plan.roles import main_role, require_known_roles, require_profile, roles_of, unknown_groups

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from probe.model.inventory import Inventory
    from probe.model.matrix import Flow, Matrix

_NEEDS = list(Need)


class Wishes(msgspec.Struct, frozen=True, kw_only=True):
    """What the user asked for beyond matrix and inventory. `values` are `--set`; `only` keeps a check or drops it."""

    seed: int = 0
    values: dict[str, str] = {}
    profile: str = ""
    strict: bool = False
    only: Callable[[Check], bool] | None = None


class _Party(msgspec.Struct, frozen=True):
    """A host as the plan sees it. `names` are what flows may call it as a source; `services` what it offers, with
    their ports on this host.
    """

    host: Host
    roles: tuple[str, ...]
    role: str
    names: frozenset[str]
    services: tuple[tuple[Service, PortSet], ...]


class Plan:
    """`checks(source)` yields what one host has to find out. `notes` are sentences about what of the inventory is not
    understood.
    """

    def __init__(self, matrix: Matrix, inventory: Inventory, wishes: Wishes) -> None:
        """Raises UserError for a variable, profile or port that does not work out."""
        self.matrix = matrix
        self.inventory = inventory
        self._wishes = wishes
        unknown = set(wishes.values) - set(matrix.variables)
        if unknown:
            known = ", ".join(matrix.variables) or "none"
            raise UserError(
                f"--set {min(unknown)}: {' or '.join(matrix.names)} has no such variable (there is: {known})"
            )
        require_known_roles(matrix, inventory)
        self._parties = {name: self._party(host) for name, host in inventory.hosts.items()}
        present = {role for party in self._parties.values() for role in party.roles}
        if wishes.profile:
            require_profile(matrix, wishes.profile, present)
        self._flows = [flow for flow in matrix.flows if flow.when is None or flow.when.holds(present)]
        self.notes = (*unknown_groups(matrix, inventory), *_agentless(inventory))

    @property
    def sources(self) -> tuple[str, ...]:
        """Every host that can try something: those without an agent on purpose are targets only."""
        return tuple(name for name, party in self._parties.items() if not _has_no_agent(party.host))

    def role(self, host: str) -> str:
        """The role that stands for this host."""
        return self._parties[host].role

    def roles(self, host: str) -> tuple[str, ...]:
        """All its roles in the matrix's own names, or the inventory's groups where the matrix knows none of them."""
        party = self._parties[host]
        return party.roles or party.host.roles

    def checks(self, source: str) -> Iterator[Check]:
        """In a seeded order that goes round the targets, so that no target gets all its visitors at once."""
        seeded = random.Random(f"{self._wishes.seed}/{source}")
        targets = list(self._parties.values())
        seeded.shuffle(targets)
        here = self._parties[source]
        allowed = self._flows_from(here)
        only = self._wishes.only
        queue = deque(self._pair(here, target, allowed) for target in targets)
        while queue:
            rest = queue.popleft()
            check = next(rest, None)
            if check is None:
                continue
            queue.append(rest)
            if only is None or only(check):
                yield check

    def all_checks(self) -> Iterator[Check]:
        for source in self.sources:
            yield from self.checks(source)

    def _party(self, host: Host) -> _Party:
        roles = roles_of(self.matrix, host)
        names = set(roles)
        names.add(EVERY_HOST if host.zone is Zone.INSIDE else OUTSIDE)
        values = self._values(host)
        offered = tuple(
            (service, _ports(service, values, host))
            for service in self.matrix.services.values()
            if service.role in roles
        )
        return _Party(host, roles, main_role(self.matrix, roles, host), frozenset(names), offered)

    def _values(self, host: Host) -> Mapping[str, object]:
        """--set over the inventory over the default."""
        values: dict[str, object] = {name: variable.default for name, variable in self.matrix.variables.items()}
        values.update((name, host.vars[name]) for name in values if name in host.vars)
        values.update(self._wishes.values)
        return values

    def _flows_from(self, source: _Party) -> dict[str, list[Flow]]:
        """The flows that hold for this source, by service."""
        found: dict[str, list[Flow]] = {}
        for flow in self._flows:
            if not source.names.isdisjoint(flow.sources):
                for service in flow.services:
                    found.setdefault(service, []).append(flow)
        return found

    def _pair(self, source: _Party, target: _Party, allowed: dict[str, list[Flow]]) -> Iterator[Check]:
        open_ports = {transport: PortSet() for transport in Transport}
        for service, ports in target.services:
            flows = allowed.get(service.name)
            if flows:
                transport = service.protocol.transport
                open_ports[transport] |= ports
                if not service.local or source is target:
                    for address in target.host.addresses:
                        yield self._reach(source, target, address, service, ports, flows)
        if source is target:
            return
        policy = self._policy(source)
        if policy is Policy.IGNORE:
            return
        claimed = dict(open_ports)
        for service, ports in target.services:
            transport = service.protocol.transport
            forbidden = ports - claimed[transport]
            claimed[transport] |= ports
            if forbidden:
                for address in target.host.addresses:
                    yield self._block(source, target, address, service, forbidden, policy)

    def _policy(self, source: _Party) -> Policy:
        zone = source.host.zone
        policy = self.matrix.policy.get(zone, Policy.ENFORCE if zone is Zone.OUTSIDE else Policy.ADVISE)
        return Policy.ENFORCE if self._wishes.strict and policy is not Policy.IGNORE else policy

    def _reach(
        self, source: _Party, target: _Party, address: str, service: Service, ports: PortSet, flows: list[Flow]
    ) -> Check:
        first = min(flows, key=lambda flow: _NEEDS.index(flow.need))
        role = next((name for name in first.sources if name in source.names and name in source.roles), source.role)
        return Check(
            id=_identity(
                first.matrix, first.rule, source, target, address, service.protocol.transport, ports, service.name
            ),
            source=source.host.name,
            source_role=role,
            target=target.host.name,
            target_role=service.role,
            address=address,
            transport=service.protocol.transport,
            ports=ports,
            protocol=service.protocol,
            service=service.name,
            matrix=first.matrix,
            rule=first.rule,
            also=tuple(flow.rule for flow in flows if flow is not first),
            expect=Expect.REACH,
            policy=Policy.ENFORCE,
            need=first.need,
            listen=service.listen,
            local=service.local,
            path=service.path,
            status=service.status,
            cite=first.cite or service.cite,
        )

    def _block(
        self, source: _Party, target: _Party, address: str, service: Service, ports: PortSet, policy: Policy
    ) -> Check:
        transport = service.protocol.transport
        rule = f"policy.{source.host.zone}"
        return Check(
            id=_identity(service.matrix, rule, source, target, address, transport, ports, service.name),
            source=source.host.name,
            source_role=source.role,
            target=target.host.name,
            target_role=service.role,
            address=address,
            transport=transport,
            ports=ports,
            protocol=Protocol.UDP if transport is Transport.UDP else Protocol.TCP,
            service=service.name,
            matrix=service.matrix,
            rule=rule,
            expect=Expect.BLOCK,
            local=service.local,
            policy=policy,
            cite=service.cite,
        )


def _has_no_agent(host: Host) -> bool:
    return host.vars.get("portcheck_agent") == "none"


def _agentless(inventory: Inventory) -> list[str]:
    names = [name for name, host in inventory.hosts.items() if _has_no_agent(host)]
    return [f"{', '.join(names)}: no agent (portcheck_agent=none), so checked as a target only"] if names else []


def _ports(service: Service, values: Mapping[str, object], host: Host) -> PortSet:
    try:
        return ports_of(service, values)
    except VariableError as error:
        hint = f"set it with --set {error.variable}=VALUE or in the inventory"
        raise UserError(f"service {service.name!r} on host {host.name!r}: {error}\n  hint: {hint}") from None
    except PortError as error:
        raise UserError(f"service {service.name!r} on host {host.name!r}: {error}") from None


def _identity(
    matrix: str,
    rule: str,
    source: _Party,
    target: _Party,
    address: str,
    transport: Transport,
    ports: PortSet,
    service: str,
) -> str:
    """The same from run to run, so that baselines, waivers and JUnit names hold."""
    parts = (matrix, rule, source.host.name, target.host.name, address, transport.value, str(ports), service)
    return blake2s("\0".join(parts).encode(), digest_size=8).hexdigest()
