"""The hosts of the inventory as the plan sees them, and the endpoints that are not in it."""

from __future__ import annotations

from ipaddress import ip_network
from typing import TYPE_CHECKING

import msgspec

from probe.errors import UserError
from probe.model.conditions import Circumstances, holds
from probe.model.expand import UnknownPorts, expand
from probe.model.inventory import Host
from probe.model.matrix import ANY, EVERY_HOST, OUTSIDE, Matrix, Service
from probe.model.ports import PortError, PortSet
from probe.model.protocols import Spoken
from probe.model.variables import Values, VariableError, split_endpoint, why_not_one
from probe.model.words import Listen, Phase, Protocol, Transport, Zone
from probe.plan.roles import inside, main_role, roles_of, zone_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from collections.abc import Set as AbstractSet

    from probe.model.inventory import Inventory

EXTERNAL = "external"
"""The role of an endpoint that is nobody's of the inventory."""


class Offer(msgspec.Struct, frozen=True, kw_only=True):
    """A service as one party has it, over one transport. `reason`: why it cannot be asked there; it may have no ports
    then. `roles`: those of the party's roles that offer it, `role` the first of them. `sources`: the hosts that mean
    this party by the service, none for all.
    """

    service: Service
    spoken: Spoken
    ports: PortSet
    addresses: tuple[str, ...]
    roles: frozenset[str]
    role: str
    protocol: Protocol
    transport: Transport
    reason: str = ""
    sources: frozenset[str] = frozenset()


def _offer(
    service: Service, way: Spoken, ports: PortSet, addresses: tuple[str, ...], roles: frozenset[str], reason: str
) -> Offer:
    protocol = way.protocol or Protocol.TCP
    return Offer(
        service=service,
        spoken=way,
        ports=ports,
        addresses=addresses,
        roles=roles,
        role=next((role for role in service.roles if role in roles), EXTERNAL),
        protocol=protocol,
        transport=protocol.transport,
        reason=reason,
    )


class Party(msgspec.Struct, frozen=True):
    """`names` are what flows may call it as a source. `endpoint`: not of the inventory, a target without an agent."""

    host: Host
    zone: Zone
    ordered: tuple[str, ...]
    role: str
    names: frozenset[str]
    offers: tuple[Offer, ...]
    values: Values
    endpoint: bool = False

    @property
    def roles(self) -> AbstractSet[str]:
        return self.names

    def value(self, name: str) -> object:
        """For conditions: raises UserError where the variable has no value or none of its type."""
        try:
            return self.values[name]
        except VariableError as error:
            raise unset(error, f"host {self.host.name!r}") from None

    def text(self, name: str) -> object:
        """For scopes: None where the variable has no value; raises UserError for one that is not of its type."""
        try:
            found = self.values.find(name)
        except VariableError as error:
            raise unset(error, f"host {self.host.name!r}") from None
        return found.value if found is not None else None


def unset(error: VariableError, where: str) -> UserError:
    hint = f"set it with --set {error.variable}=VALUE or in the inventory"
    return UserError(f"{where}: {error}\n  hint: {hint}")


class Gathering:
    """All parties of one plan. Raises UserError for a variable or port that does not work out."""

    def __init__(self, matrix: Matrix, inventory: Inventory, given: Mapping[str, str], phase: Phase) -> None:
        self._matrix = matrix
        self._given = given
        self._phase = phase
        self._inventory = inventory
        self._counts: dict[str, int] = {}
        self._everywhere = self._values(inventory.vars, dict.fromkeys(inventory.vars, "group all"))
        networks = self._networks()
        roles = {name: roles_of(matrix, host, networks) for name, host in inventory.hosts.items()}
        for held in roles.values():
            for role in held:
                self._counts[role] = self._counts.get(role, 0) + 1
        self.present = frozenset(self._counts)
        self.parties = {name: self._party(host, roles[name]) for name, host in inventory.hosts.items()}
        for party in self._endpoints():
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
                found[role.name] = tuple(_network(net, where) for net in self._filled(role.networks, where))
        return found

    def _filled(self, texts: Iterable[str], where: str, values: Values | None = None) -> Iterator[str]:
        """Texts as they are, and for `{variable}` its items; none where it has no value."""
        for text in texts:
            before, brace, rest = text.partition("{")
            if not brace:
                yield text
                continue
            name, _, after = rest.partition("}")
            try:
                found = (values or self._everywhere).find(name.strip())
            except VariableError as error:
                raise unset(error, where) from None
            items = found.value if found is not None else ()
            for item in items if isinstance(items, tuple) else (str(items),):
                # An IPv6 address takes brackets before a port.
                bare = item.count(":") > 1 and after.startswith(":")
                yield f"{before}[{item}]{after}" if bare else f"{before}{item}{after}"

    # --- hosts --------------------------------------------------------------------------------------------------------

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
        offers = _without_once(offers)
        # Those for loopback first: where ports of two services meet, the stricter expectation stands.
        offers.sort(key=lambda offer: not offer.service.local)
        return msgspec.structs.replace(party, offers=tuple(offers))

    def _offers(self, service: Service, party: Party, through: frozenset[str]) -> Iterator[Offer]:
        where = f"service {service.name!r} on host {party.host.name!r}"
        ports, reason = _ports(service.port, party.values, where)
        addresses = self._addresses(service, party, where)
        if service.address and not addresses:
            reason = reason or f"{party.host.name} has no address that {service.address} names"
        for spoken in service.spoken:
            why = service.unchecked or spoken.reason or reason or self._once(service, party.host)
            if why or ports:
                yield _offer(service, spoken, ports, addresses, through, why)

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

    # --- endpoints ----------------------------------------------------------------------------------------------------

    def _endpoints(self) -> list[Party]:
        """A party for each host that services name with `at`, and one for each service whose `at` is empty."""
        offers: dict[str, list[Offer]] = {}
        for service in self._matrix.services.values():
            if service.at:
                for host, offer in self._at(service):
                    offers.setdefault(host, []).append(offer)
        return [self._endpoint(host, found) for host, found in offers.items()]

    def _endpoint(self, host: str, offers: list[Offer]) -> Party:
        name = host if host not in self._inventory.hosts else f"{EXTERNAL}:{host}"
        roles = tuple(dict.fromkeys(role for offer in offers for role in offer.service.roles))
        return Party(
            Host(name=name, addresses=(host,), zone=Zone.OUTSIDE, vars={"portcheck_agent": "none"}, external=True),
            Zone.OUTSIDE,
            roles,
            (*roles, EXTERNAL)[0],
            frozenset(roles),
            tuple(dict.fromkeys(offers)),
            self._everywhere,
            endpoint=True,
        )

    def _at(self, service: Service) -> Iterator[tuple[str, Offer]]:
        """A floating address is often a variable of the group that shares it, so each of its hosts is asked. Of a party
        that is nobody's each source says what it means by it.
        """
        through = frozenset(service.roles)
        askers = [party for party in self.parties.values() if not through or party.names & through]
        where = f"service {service.name!r}: at"
        meant: dict[tuple[str, Offer], list[str]] = {}
        lacking: list[str] = []
        for party in askers:
            now = Circumstances(self.present, target=_Nobody(party.values))
            if service.when is None or holds(service.when, now):
                texts = list(self._filled(service.at, where, party.values))
                for text in texts:
                    for named in self._named(service, text, party.values, through, where):
                        meant.setdefault(named, []).append(party.host.name)
                if not texts:
                    lacking.append(party.host.name)

        def only(hosts: Iterable[str]) -> frozenset[str]:
            found = frozenset(hosts)
            return frozenset() if through or len(found) == len(askers) else found

        for (host, offer), hosts in meant.items():
            yield host, msgspec.structs.replace(offer, sources=only(hosts))
        if lacking and not (through and meant):
            reason = service.unchecked or f"no endpoint is given: set {_variables(service.at)}"
            for spoken in service.spoken:
                offer = _offer(service, spoken, PortSet(), (), through, reason)
                yield service.name, msgspec.structs.replace(offer, sources=only(lacking))

    def _named(
        self, service: Service, text: str, values: Values, through: frozenset[str], where: str
    ) -> Iterator[tuple[str, Offer]]:
        try:
            host, port = split_endpoint(text)
        except ValueError as error:
            raise UserError(f"{where}: {error}") from None
        ports, reason = (PortSet.of([port]), "") if port else _ports(service.port, values, f"{where} {text}")
        for spoken in service.spoken:
            why = service.unchecked or spoken.reason or why_not_one(host) or reason
            if not why and not ports:
                why = f"{text} has no port"
            yield host, _offer(service, spoken, ports, (host,), through, why)


def _without_once(offers: list[Offer]) -> list[Offer]:
    """A listener that ends after one connection is not touched for the sake of a range that it lies in either."""
    untouched: dict[Transport, PortSet] = {}
    for offer in offers:
        if offer.service.listen is Listen.ONCE and offer.reason:
            untouched[offer.transport] = untouched.get(offer.transport, PortSet()) | offer.ports
    if not untouched:
        return offers
    cut = [
        offer
        if offer.service.listen is Listen.ONCE
        else msgspec.structs.replace(offer, ports=offer.ports - untouched.get(offer.transport, PortSet()))
        for offer in offers
    ]
    return [offer for offer in cut if offer.ports or offer.reason]


class _Nobody(msgspec.Struct, frozen=True):
    """For conditions on the target where that is no host of the inventory."""

    values: Values
    roles: frozenset[str] = frozenset()

    def value(self, name: str) -> object:
        try:
            return self.values[name]
        except VariableError as error:
            raise unset(error, "the matrix") from None


def _ports(text: str, values: Values, where: str) -> tuple[PortSet, str]:
    """The ports, or why nobody knows them."""
    if not text:
        return PortSet(), ""
    try:
        return expand(text, values), ""
    except UnknownPorts as error:
        return PortSet(), str(error)
    except VariableError as error:
        raise unset(error, where) from None
    except PortError as error:
        raise UserError(f"{where}: {error}") from None


def _network(text: str, where: str) -> str:
    try:
        return str(ip_network(text, strict=False))
    except ValueError:
        raise UserError(f"{where}: {text!r} is no network\n  hint: write 10.0.0.0/8 or 2001:db8::/32") from None


def _variables(texts: Iterable[str]) -> str:
    return ", ".join(text.partition("{")[2].partition("}")[0].strip() for text in texts if "{" in text)
