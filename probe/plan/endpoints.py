"""Places that services are `at`, and that are not hosts: parties outside the inventory, floating addresses, fronts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from probe.errors import UserError
from probe.model.conditions import Circumstances, holds
from probe.model.inventory import Host
from probe.model.ports import PortSet
from probe.model.variables import Values, VariableError, split_endpoint, why_not_one
from probe.model.words import Zone
from probe.plan.offers import EXTERNAL, Offer, filled, make_offer, ports_of, unset
from probe.plan.parties import Party

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from probe.model.matrix import Matrix, Service


def endpoints(matrix: Matrix, hosts: Mapping[str, Party], present: frozenset[str], everywhere: Values) -> list[Party]:
    """A party for each host that services name with `at`, and one for each service whose `at` is empty. `hosts` are the
    inventory's, `present` the roles that they hold, `everywhere` the values of a host without any of its own.
    """
    offers: dict[str, list[Offer]] = {}
    for service in matrix.services.values():
        if service.at:
            for host, offer in _at(service, list(hosts.values()), present):
                offers.setdefault(host, []).append(offer)
    return [_endpoint(host, found, hosts, everywhere) for host, found in offers.items()]


def _endpoint(host: str, offers: list[Offer], hosts: Mapping[str, Party], everywhere: Values) -> Party:
    name = host if host not in hosts else f"{EXTERNAL}:{host}"
    roles = tuple(dict.fromkeys(role for offer in offers for role in offer.service.roles))
    return Party(
        Host(name=name, addresses=(host,), zone=Zone.OUTSIDE, vars={"portcheck_agent": "none"}, external=True),
        Zone.OUTSIDE,
        roles,
        (*roles, EXTERNAL)[0],
        frozenset(roles),
        tuple(dict.fromkeys(offers)),
        everywhere,
        endpoint=True,
    )


def _at(service: Service, hosts: list[Party], present: frozenset[str]) -> Iterator[tuple[str, Offer]]:
    """A floating address is often a variable of the group that shares it, so each of its hosts is asked. Of a party
    that is nobody's each source says what it means by it.
    """
    through = frozenset(service.roles)
    askers = [party for party in hosts if not through or party.names & through]
    where = f"service {service.name!r}: at"
    meant: dict[tuple[str, Offer], list[str]] = {}
    lacking: list[str] = []
    for party in askers:
        now = Circumstances(present, target=_Nobody(party.values))
        if service.when is None or holds(service.when, now):
            texts = list(filled(service.at, party.values, where))
            for text in texts:
                for named in _named(service, text, party.values, through, where):
                    meant.setdefault(named, []).append(party.host.name)
            if not texts:
                lacking.append(party.host.name)

    def only(names: Iterable[str]) -> frozenset[str]:
        found = frozenset(names)
        return frozenset() if through or len(found) == len(askers) else found

    for (host, offer), names in meant.items():
        yield host, msgspec.structs.replace(offer, sources=only(names))
    if lacking and not (through and meant):
        reason = service.unchecked or f"no endpoint is given: set {_variables(service.at)}"
        for spoken in service.spoken:
            offer = make_offer(service, spoken, PortSet(), (), through, reason)
            yield service.name, msgspec.structs.replace(offer, sources=only(lacking))


def _named(
    service: Service, text: str, values: Values, through: frozenset[str], where: str
) -> Iterator[tuple[str, Offer]]:
    try:
        host, port = split_endpoint(text)
    except ValueError as error:
        raise UserError(f"{where}: {error}") from None
    ports, reason = (PortSet.of([port]), "") if port else ports_of(service.port, values, f"{where} {text}")
    for spoken in service.spoken:
        why = service.unchecked or spoken.reason or why_not_one(host) or reason
        if not why and not ports:
            why = f"{text} has no port"
        yield host, make_offer(service, spoken, ports, (host,), through, why)


class _Nobody(msgspec.Struct, frozen=True):
    """For conditions on the target where that is no host of the inventory."""

    values: Values
    roles: frozenset[str] = frozenset()

    def value(self, name: str) -> object:
        try:
            return self.values[name]
        except VariableError as error:
            raise unset(error, "the matrix") from None


def _variables(texts: Iterable[str]) -> str:
    return ", ".join(text.partition("{")[2].partition("}")[0].strip() for text in texts if "{" in text)
