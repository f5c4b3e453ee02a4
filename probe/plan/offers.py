"""What a party of the plan offers: a service over one transport, with its ports there, or why it cannot be asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from probe.errors import UserError
from probe.model.expand import UnknownPorts, expand
from probe.model.matrix import Service
from probe.model.ports import PortError, PortSet
from probe.model.protocols import Spoken
from probe.model.variables import VariableError
from probe.model.words import Listen, Protocol, Transport

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from probe.model.variables import Values

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


def make_offer(
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


def unset(error: VariableError, where: str) -> UserError:
    hint = f"set it with --set {error.variable}=VALUE or in the inventory"
    return UserError(f"{where}: {error}\n  hint: {hint}")


def filled(texts: Iterable[str], values: Values, where: str) -> Iterator[str]:
    """Texts as they are, and for `{variable}` its items; none where it has no value."""
    for text in texts:
        before, brace, rest = text.partition("{")
        if not brace:
            yield text
            continue
        name, _, after = rest.partition("}")
        try:
            found = values.find(name.strip())
        except VariableError as error:
            raise unset(error, where) from None
        items = found.value if found is not None else ()
        for item in items if isinstance(items, tuple) else (str(items),):
            # An IPv6 address takes brackets before a port.
            bare = item.count(":") > 1 and after.startswith(":")
            yield f"{before}[{item}]{after}" if bare else f"{before}{item}{after}"


def without_once(offers: list[Offer]) -> list[Offer]:
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


def ports_of(text: str, values: Values, where: str) -> tuple[PortSet, str]:
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
