"""From matrix and inventory to the parties of a plan: who holds which role, with which values, and offers what."""

from __future__ import annotations

from ipaddress import ip_network
from typing import TYPE_CHECKING

import msgspec

from probe.errors import UserError
from probe.model.conditions import Circumstances, holds
from probe.model.matrix import ANY, EVERY_HOST, OUTSIDE
from probe.model.variables import Values, VariableError
from probe.model.words import Listen, Phase, Zone
from probe.plan.endpoints import endpoints
from probe.plan.offers import Offer, filled, make_offer, ports_of, unset, without_once
from probe.plan.parties import Party
from probe.plan.roles import inside, main_role, roles_of, zone_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from probe.model.inventory import Host, Inventory
    from probe.model.matrix import Matrix, Service


class Gathering:
    """All parties of one plan. Raises UserError for a variable or port that does not work out."""

    def __init__(self, matrix: Matrix, inventory: Inventory, given: Mapping[str, str], phase: Phase) -> None:
        self._matrix = matrix
        self._given = given
        self._phase = phase
        self._counts: dict[str, int] = {}
        self._everywhere = self._values(inventory.vars, dict.fromkeys(inventory.vars, "group all"))
        networks = self._networks()
        roles = {name: roles_of(matrix, host, networks) for name, host in inventory.hosts.items()}
        for held in roles.values():
            for role in held:
                self._counts[role] = self._counts.get(role, 0) + 1
        self.present = frozenset(self._counts)
        self.parties = {name: self._party(host, roles[name]) for name, host in inventory.hosts.items()}
        for party in endpoints(matrix, self.parties, self.present, self._everywhere):
            self.parties[party.host.name] = party

    def _values(self, inventory: Mapping[str, object], origins: Mapping[str, str]) -> Values:
        return Values(
            self._matrix.variables, given=self._given, inventory=inventory, origins=origins, hosts=self._counts
        )

    def _networks(self) -> dict[str, tuple[str, ...]]:
        """For each role outside that has them, its networks with their variables filled in."""
        found: dict[str, tuple[str, ...]] = {}
        for role in self._matrix.roles.values():
            if role.outside and role.networks:
                where = f"role {role.name!r}: networks"
                found[role.name] = tuple(_network(net, where) for net in filled(role.networks, self._everywhere, where))
        return found

    def _party(self, host: Host, roles: tuple[str, ...]) -> Party:
        zone = zone_of(self._matrix, host, roles)
        values = self._values(host.vars, host.origins)
        party = Party(
            host,
            zone,
            roles,
            main_role(self._matrix, roles, zone),
            frozenset((*roles, ANY, EVERY_HOST if zone is Zone.INSIDE else OUTSIDE)),
            (),
            values,
        )
        now = Circumstances(self.present, target=party)
        offers: list[Offer] = []
        for service in self._matrix.services.values():
            through = frozenset(service.roles) & party.names
            if through and not service.at and (service.when is None or holds(service.when, now)):
                offers += self._offers(service, party, through)
        offers = without_once(offers)
        # Those for loopback first: where ports of two services meet, the stricter expectation stands.
        offers.sort(key=lambda offer: not offer.service.local)
        return msgspec.structs.replace(party, offers=tuple(offers))

    def _offers(self, service: Service, party: Party, through: frozenset[str]) -> Iterator[Offer]:
        where = f"service {service.name!r} on host {party.host.name!r}"
        ports, reason = ports_of(service.port, party.values, where)
        addresses = self._addresses(service, party, where)
        if service.address and not addresses:
            reason = reason or f"{party.host.name} has no address that {service.address} names"
        for spoken in service.spoken:
            why = service.unchecked or spoken.reason or reason or self._once(service, party.host)
            if why or ports:
                yield make_offer(service, spoken, ports, addresses, through, why)

    def _once(self, service: Service, host: Host) -> str:
        if service.listen is Listen.ONCE:
            if self._phase is not Phase.PRE_INSTALL:
                return "its listener ends after one connection: only phase pre-install asks for it, from a stand-in"
            if host.vars.get("portcheck_agent") == "none":
                return "its listener ends after one connection, and no agent can stand in for it"
        return ""

    def _addresses(self, service: Service, party: Party, where: str) -> tuple[str, ...]:
        if service.local:
            return ("127.0.0.1",)
        if not service.address:
            return party.host.addresses
        try:
            named = party.values.find(service.address)
        except VariableError as error:
            raise unset(error, where) from None
        if named is None or not named.value:
            return party.host.addresses
        found: list[str] = []
        for item in named.value if isinstance(named.value, tuple) else (str(named.value),):
            if "/" in item:
                found += (address for address in party.host.addresses if inside(address, (item,)))
            else:
                found.append(item)
        return tuple(dict.fromkeys(found))


def _network(text: str, where: str) -> str:
    try:
        return str(ip_network(text, strict=False))
    except ValueError:
        raise UserError(f"{where}: {text!r} is no network\n  hint: write 10.0.0.0/8 or 2001:db8::/32") from None
