"""Which flows are about which pairs of hosts."""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING

from probe.model.conditions import Circumstances, asks_family, asks_pair, holds
from probe.model.ports import EPHEMERAL, PortSet
from probe.model.words import Expect, Family, Hosts, Phase

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from collections.abc import Set as AbstractSet

    from probe.model.matrix import Flow, Matrix, Scope
    from probe.plan.offers import Offer
    from probe.plan.parties import Party


class Rule:
    """A flow, and what can be known of it before any pair of hosts."""

    def __init__(self, flow: Flow, phase: Phase) -> None:
        self.flow = flow
        self.reason = _reason(flow, phase)
        when = flow.when
        self._when = when if when is not None and asks_pair(when) else None
        self._by_family = when is not None and asks_family(when)
        self.simple = (
            self._when is None
            and not flow.between
            and flow.scope is None
            and flow.hosts is Hosts.ANY
            and not flow.unchecked
        )

    @property
    def by_host(self) -> bool:
        """Whether hosts with the same roles may be told apart by it."""
        return self._when is not None or self.flow.scope is not None

    def is_source(self, party: Party) -> bool:
        return not party.names.isdisjoint(self.flow.sources)

    def is_about(self, source: Party, target: Party, offer: Offer, present: AbstractSet[str]) -> bool:
        """Whether this flow leads from a source of its own to this service there."""
        if offer.sources and source.host.name not in offer.sources:
            return False
        if self.simple and not offer.service.local:
            return True
        itself = source is target
        flow = self.flow
        wanted = Hosts.SAME if offer.service.local else flow.hosts
        if (wanted is Hosts.OTHER and itself) or (wanted is Hosts.SAME and not itself):
            return False
        if flow.between and not _between(flow, source, offer):
            return False
        if flow.scope is not None and not _in_scope(flow.scope, source, target):
            return False
        if self._when is None or self._by_family:
            return True
        return holds(self._when, Circumstances(present, source, target))

    def is_about_address(self, source: Party, target: Party, address: str, present: AbstractSet[str]) -> bool | None:
        """Whether a flow that is about the service is about this address of it. None where nobody knows: the flow is
        about one IP family, and the address is a name.
        """
        if not self._by_family or self._when is None:
            return True
        family = family_of(address)
        families = tuple(Family) if family is None else (family,)
        answers = {holds(self._when, Circumstances(present, source, target, each)) for each in families}
        return answers.pop() if len(answers) == 1 else None

    def may_be_unsure(self, offer: Offer) -> bool:
        return self._by_family and any(family_of(address) is None for address in offer.addresses)

    def unsure(self, source: Party, target: Party, offer: Offer, present: AbstractSet[str]) -> str:
        """Why it is not known whether the flow is about an address of the service; empty where it is."""
        for address in offer.addresses if self.may_be_unsure(offer) else ():
            if self.is_about_address(source, target, address, present) is None:
                return f"the row is about one IP family, and {address} is a name"
        return ""


def in_force(matrix: Matrix, phase: Phase, present: AbstractSet[str]) -> list[Rule]:
    """The flows that this inventory does not switch off as a whole."""
    now = Circumstances(present)
    return [
        Rule(flow, phase) for flow in matrix.flows if flow.when is None or asks_pair(flow.when) or holds(flow.when, now)
    ]


def leading_from(rules: Iterable[Rule], source: Party) -> dict[str, list[Rule]]:
    """Those that have this party as a source, by service."""
    found: dict[str, list[Rule]] = {}
    for rule in rules:
        if rule.is_source(source):
            for service in rule.flow.services:
                found.setdefault(service, []).append(rule)
    return found


def split(rules: Iterable[Rule]) -> tuple[list[Rule], list[Rule]]:
    """Those that want it reached, and those that want it blocked."""
    reach: list[Rule] = []
    block: list[Rule] = []
    for rule in rules:
        (block if rule.flow.expect is Expect.BLOCK else reach).append(rule)
    return reach, block


def family_of(address: str) -> Family | None:
    """None for a name."""
    try:
        return Family.IPV4 if ip_address(address.partition("%")[0]).version == 4 else Family.IPV6
    except ValueError:
        return None


def _reason(flow: Flow, phase: Phase) -> str:
    if flow.unchecked:
        return flow.unchecked
    if flow.during is not None and phase is Phase.LIVE:
        return f"it is needed during {flow.during} only, and phase live does not ask for it"
    if flow.source_port and EPHEMERAL - _source_ports(flow):
        return f"the source sends from port {flow.source_port}, and an agent from a port that is free"
    return ""


def _source_ports(flow: Flow) -> PortSet:
    return PortSet.parse(flow.source_port)


def _between(flow: Flow, source: Party, offer: Offer) -> bool:
    """From one of the roles to another of them."""
    return any(
        mine in source.names and other in offer.roles
        for mine in flow.sources
        for other in flow.sources
        if mine != other
    )


def _in_scope(scope: Scope, source: Party, target: Party) -> bool:
    for name in (*scope.same, *scope.different):
        mine, theirs = source.text(name), target.text(name)
        if mine is None or theirs is None or (mine == theirs) is not (name in scope.same):
            return False
    named = all(_names(source, name, target) for name in scope.names)
    return named and all(_names(target, name, source) for name in scope.named_by)


def _names(party: Party, variable: str, other: Party) -> bool:
    value = party.text(variable) or ()
    return other.host.name in (value if isinstance(value, tuple) else (value,))


def pairs(rule: Rule, parties: Iterable[Party], present: AbstractSet[str]) -> Iterator[tuple[Party, Party, Offer]]:
    """Every source, target and service that the rule is about."""
    everybody = list(parties)
    for source in everybody:
        if not rule.is_source(source) or source.endpoint:
            continue
        for target in everybody:
            for offer in target.offers:
                if offer.service.name not in rule.flow.services or not rule.is_about(source, target, offer, present):
                    continue
                about = (rule.is_about_address(source, target, address, present) for address in offer.addresses)
                if not offer.addresses or any(answer is not False for answer in about):
                    yield source, target, offer
