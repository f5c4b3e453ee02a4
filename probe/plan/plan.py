"""Matrix × inventory → checks, one source at a time: nothing is held that is not asked for."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING

import msgspec

from probe.errors import UserError
from probe.model.check import Check, Unchecked
from probe.model.ports import PortSet
from probe.model.words import Expect, Exposure, Phase, Policy, Zone
from probe.plan.gathering import Gathering
from probe.plan.making import block_check, reach_check, unchecked_row
from probe.plan.offers import EXTERNAL, Offer
from probe.plan.roles import require_known_roles, require_profile, unknown_groups
from probe.plan.rules import Rule, in_force, leading_from, pairs
from probe.plan.settings import Setting, settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from probe.model.inventory import Host, Inventory
    from probe.model.matrix import Matrix
    from probe.model.words import Transport
    from probe.plan.parties import Party

_STRICTEST = [Policy.ENFORCE, Policy.ADVISE, Policy.IGNORE]
_Place = tuple[str, "Transport"]


class Wishes(msgspec.Struct, frozen=True, kw_only=True):
    """What the user asked for beyond matrix and inventory. `values` are `--set`; `only` keeps a check or drops it.
    `exposure`: whether ports that no service names are looked for (probe.plan.beyond).
    """

    seed: int = 0
    values: dict[str, str] = {}
    profile: str = ""
    strict: bool = False
    phase: Phase = Phase.AUTO
    only: Callable[[Check], bool] | None = None
    exposure: Exposure = Exposure.KNOWN


class Plan:
    """`checks(source)` yields what one host has to find out. `notes` are sentences about what of the inventory is not
    understood. `parties` are the hosts and the endpoints outside the inventory, `present` the roles that some host has,
    `rules` the flows in force.
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
        gathering = Gathering(matrix, inventory, wishes.values, wishes.phase)
        self._parties = gathering.parties
        self.parties = tuple(gathering.parties.values())
        self.present = gathering.present
        carried = {address for host in inventory.hosts.values() for address in host.addresses}
        self._fronts = [party for party in self.parties if party.endpoint and carried & set(party.host.addresses)]
        if wishes.profile:
            require_profile(matrix, wishes.profile, self.present)
        self.rules = in_force(matrix, wishes.phase, self.present)
        self.notes = (*unknown_groups(matrix, inventory), *_agentless(inventory))

    @property
    def sources(self) -> tuple[str, ...]:
        """Every host that can try something: those without an agent on purpose are targets only."""
        return tuple(name for name, party in self._parties.items() if not _has_no_agent(party.host))

    @cached_property
    def hosts(self) -> dict[str, Host]:
        """By name: those of the inventory, and the endpoints outside it that can be asked."""
        return {
            name: party.host
            for name, party in self._parties.items()
            if not party.endpoint or not all(offer.reason for offer in party.offers)
        }

    def role(self, host: str) -> str:
        """The role that stands for this host."""
        return self._parties[host].role

    def roles(self, host: str) -> tuple[str, ...]:
        """All its roles in the matrix's own names, or the inventory's groups where the matrix knows none of them."""
        party = self._parties[host]
        return party.ordered or party.host.roles or ((EXTERNAL,) if party.endpoint else ())

    def zone(self, host: str) -> Zone:
        return self._parties[host].zone

    def settings(self) -> tuple[Setting, ...]:
        """The variables of the matrix as the hosts of the inventory have them."""
        return settings(self.matrix, self.parties)

    @cached_property
    def unchecked(self) -> tuple[Unchecked, ...]:
        """What the matrix asks for between these hosts, and cannot be probed."""
        found: dict[Unchecked, None] = {}
        for rule in self.rules:
            services = set(rule.flow.services)
            offers = (offer for party in self.parties for offer in party.offers)
            if not rule.reason and not any(
                offer.service.name in services and (offer.reason or rule.may_be_unsure(offer)) for offer in offers
            ):
                continue
            for source, target, offer in pairs(rule, self.parties, self.present):
                if reason := rule.reason or offer.reason or rule.unsure(source, target, offer, self.present):
                    found.setdefault(unchecked_row(rule.flow, target, offer, reason))
        return tuple(found)

    def checks(self, source: str) -> Iterator[Check]:
        """In a seeded order that goes round the targets, so that no target gets all its visitors at once. Raises
        UserError where one row wants what another forbids.
        """
        seeded = random.Random(f"{self._wishes.seed}/{source}")
        targets = list(self.parties)
        seeded.shuffle(targets)
        here = self._parties[source]
        rules = leading_from(self.rules, here)
        only = self._wishes.only
        fronts = self._allowed_at_fronts(here, rules)
        queue = deque(self._pair(here, target, rules, fronts, {}) for target in targets)
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

    def spoken_of(self, source: str) -> Callable[[str], dict[_Place, PortSet]]:
        """For each target, the ports that the plan speaks of from here, by address and transport: they must be reached,
        or must not, or are not asked on purpose.
        """
        here = self._parties[source]
        rules = leading_from(self.rules, here)
        fronts = self._allowed_at_fronts(here, rules)

        def ports(target: str) -> dict[_Place, PortSet]:
            there = self._parties[target]
            found: dict[_Place, PortSet] = {}
            deque(self._pair(here, there, rules, fronts, found), maxlen=0)
            for offer in there.offers:
                for address in offer.addresses if offer.reason else ():
                    _add(found, (address, offer.transport), offer.ports)
            return found

        return ports

    def policy(self, source: str, target: str) -> Policy:
        """What a port of this target is worth that is open to this source and that no flow allows."""
        return self._policy(self._parties[source], self._parties[target])

    def party(self, host: str) -> Party:
        return self._parties[host]

    @property
    def wishes(self) -> Wishes:
        return self._wishes

    def _allowed_at_fronts(self, source: Party, rules: dict[str, list[Rule]]) -> dict[_Place, PortSet]:
        """What rows let this source reach at endpoints that are addresses of hosts: nor is it forbidden there."""
        found: dict[_Place, PortSet] = {}
        for front in self._fronts:
            for offer in front.offers:
                wanted = (rule for rule in rules.get(offer.service.name, ()) if rule.flow.expect is Expect.REACH)
                if any(rule.is_about(source, front, offer, self.present) for rule in wanted):
                    _add(found, (front.host.addresses[0], offer.transport), offer.ports)
        return found

    def _pair(
        self,
        source: Party,
        target: Party,
        rules: dict[str, list[Rule]],
        fronts: dict[_Place, PortSet],
        claimed: dict[_Place, PortSet],
    ) -> Iterator[Check]:
        """First what must be reached, then what must not by a row of its own, then what no row allows. What it
        speaks of is added to `claimed`.
        """
        allowed = {} if target.endpoint else dict(fronts)
        claimed |= allowed
        forbidden: list[tuple[Offer, str, list[Rule]]] = []
        for offer in target.offers:
            about = [
                rule for rule in rules.get(offer.service.name, ()) if rule.is_about(source, target, offer, self.present)
            ]
            for address in offer.addresses if about else ():
                place = (address, offer.transport)
                sure = {rule: rule.is_about_address(source, target, address, self.present) for rule in about}
                reach = [rule for rule in about if sure[rule] and rule.flow.expect is Expect.REACH]
                block = [rule for rule in about if sure[rule] and rule.flow.expect is Expect.BLOCK]
                if reach or None in sure.values():
                    _add(claimed, place, offer.ports)
                if reach:
                    _add(allowed, place, offer.ports)
                    asked = [rule for rule in reach if not rule.reason]
                    if asked and not offer.reason:
                        yield reach_check(source, target, address, offer, asked)
                if block and not offer.reason:
                    forbidden.append((offer, address, block))
        if source is target:
            return
        for offer, address, block in forbidden:
            place = (address, offer.transport)
            if both := offer.ports & allowed.get(place, PortSet()):
                raise _contradiction(source, target, offer, both, block[0])
            asked = [rule for rule in block if not rule.reason]
            _add(claimed, place, offer.ports)
            if asked:
                yield block_check(source, target, address, offer, offer.ports, asked, Policy.ENFORCE)
        yield from self._unclaimed(source, target, claimed)

    def _unclaimed(self, source: Party, target: Party, claimed: dict[_Place, PortSet]) -> Iterator[Check]:
        if target.endpoint:
            return
        policy = self._policy(source, target)
        for offer in target.offers:
            # What is for loopback alone must not be open elsewhere, whatever the policy says of the rest.
            worth = Policy.ENFORCE if offer.service.local else policy
            if offer.reason or worth is Policy.IGNORE:
                continue
            for address in target.host.addresses if offer.service.local else offer.addresses:
                place = (address, offer.transport)
                before = claimed.get(place)
                forbidden = offer.ports if before is None else offer.ports - before
                claimed[place] = offer.ports if before is None else before | offer.ports
                if forbidden:
                    yield block_check(source, target, address, offer, forbidden, (), worth)

    def _policy(self, source: Party, target: Party) -> Policy:
        """The strictest that its roles say of the target, else what the source's zone says."""
        own = [policy for role in target.ordered if (policy := self.matrix.roles[role].policy) is not None]
        zone = self.matrix.policy.get(source.zone, Policy.ENFORCE if source.zone is Zone.OUTSIDE else Policy.ADVISE)
        policy = min(own, key=_STRICTEST.index) if own else zone
        return Policy.ENFORCE if self._wishes.strict and policy is not Policy.IGNORE else policy


def _add(places: dict[_Place, PortSet], place: _Place, ports: PortSet) -> None:
    before = places.get(place)
    places[place] = ports if before is None else before | ports


def _contradiction(source: Party, target: Party, offer: Offer, ports: PortSet, block: Rule) -> UserError:
    return UserError(
        f"{block.flow.rule} forbids {source.host.name} to reach {offer.service.name} on {target.host.name} "
        f"({offer.transport} {ports}), and another row wants it reached\n"
        "  hint: narrow one of them with when, hosts or scope, or switch it off under overrides"
    )


def _has_no_agent(host: Host) -> bool:
    return host.vars.get("portcheck_agent") == "none"


def _agentless(inventory: Inventory) -> list[str]:
    names = [name for name, host in inventory.hosts.items() if _has_no_agent(host)]
    return [f"{', '.join(names)}: no agent (portcheck_agent=none), so checked as a target only"] if names else []
