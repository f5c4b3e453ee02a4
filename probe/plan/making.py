"""One row of the plan, from a pair of hosts, a service and the flows that are about them."""

from __future__ import annotations

from hashlib import blake2s
from typing import TYPE_CHECKING

from probe.model.check import Check, Unchecked
from probe.model.words import Enough, Expect, Hosts, Listen, Need, Policy, Protocol, Transport
from probe.spec.matrix.named import asked, web

if TYPE_CHECKING:
    from collections.abc import Sequence

    from probe.model.matrix import Flow
    from probe.model.ports import PortSet
    from probe.plan.offers import Offer
    from probe.plan.parties import Party
    from probe.plan.rules import Rule

_NEEDS = list(Need)
UNDECLARED = "undeclared"
"""In the place of a service's name where no service has the port."""


def reach_check(source: Party, target: Party, address: str, offer: Offer, rules: Sequence[Rule]) -> Check:
    """`rules` all ask for it; the one that asks for most stands for them."""
    flows = sorted((rule.flow for rule in rules), key=_weight)
    first, service = flows[0], offer.service
    groups = [_group(source, target, offer, flow) for flow in flows]
    dialogue, asked_web = asked(service, offer.spoken), web(service, offer.spoken)
    strongest = [group for flow, group in zip(flows, groups, strict=True) if flow.need is first.need]
    role = next((name for name in first.sources if name in source.names and name in source.ordered), source.role)
    return Check(
        id=_identity(first.matrix, first.rule, source, target, address, offer, offer.ports),
        source=source.host.name,
        source_role=role,
        target=target.host.name,
        target_role=offer.role,
        address=address,
        transport=offer.transport,
        ports=offer.ports,
        protocol=offer.protocol,
        application=offer.spoken.application,
        dialogue=dialogue,
        service=service.name,
        matrix=first.matrix,
        rule=first.rule,
        also=tuple(flow.rule for flow in flows[1:]),
        expect=Expect.REACH,
        policy=Policy.ENFORCE,
        need=first.need,
        listen=service.listen,
        local=service.local,
        path=asked_web.path,
        status=asked_web.status,
        http=asked_web.http if offer.protocol.is_http else None,
        tls=service.tls if offer.protocol.may_be_tls or (dialogue and dialogue.begins_tls) else None,
        cite=first.cite or service.cite,
        alternatives=tuple(dict.fromkeys(strongest)) if all(strongest) else (),
        way_of=tuple(dict.fromkeys(filter(None, groups))),
        itself=source is target and not service.local and _over_its_own_address(flows),
        severity=first.severity or service.severity,
        remedy=first.remedy or service.remedy,
    )


def block_check(
    source: Party, target: Party, address: str, offer: Offer, ports: PortSet, rules: Sequence[Rule], policy: Policy
) -> Check:
    """`rules` all forbid it; there are none where it is that none allows it."""
    flows = sorted((rule.flow for rule in rules), key=_weight)
    flow, service = flows[0] if flows else None, offer.service
    rule = flow.rule if flow else f"services.{service.name}" if service.local else f"policy.{source.zone}"
    matrix = flow.matrix if flow else service.matrix
    return Check(
        id=_identity(matrix, rule, source, target, address, offer, ports),
        source=source.host.name,
        source_role=source.role,
        target=target.host.name,
        target_role=offer.role,
        address=address,
        transport=offer.transport,
        ports=ports,
        protocol=Protocol.UDP if offer.transport is Transport.UDP else Protocol.TCP,
        service=service.name,
        matrix=matrix,
        rule=rule,
        also=tuple(other.rule for other in flows[1:]),
        expect=Expect.BLOCK,
        need=flow.need if flow else Need.REQUIRED,
        local=service.local,
        policy=policy,
        cite=(flow.cite if flow else "") or service.cite,
        severity=(flow.severity if flow else None) or service.severity,
        remedy=(flow.remedy if flow else "") or service.remedy,
    )


def undeclared_check(
    source: Party, target: Party, place: tuple[str, Transport], ports: PortSet, policy: Policy, matrix: str
) -> Check:
    """Ports that no service of the matrix has at this place."""
    address, transport = place
    rule = f"policy.{source.zone}"
    return Check(
        id=_named(matrix, rule, source.host.name, target.host.name, address, transport, str(ports), UNDECLARED),
        source=source.host.name,
        source_role=source.role,
        target=target.host.name,
        target_role=target.role,
        address=address,
        transport=transport,
        ports=ports,
        protocol=Protocol.UDP if transport is Transport.UDP else Protocol.TCP,
        service=UNDECLARED,
        matrix=matrix,
        rule=rule,
        expect=Expect.BLOCK,
        policy=policy,
        undeclared=True,
    )


def unchecked_row(flow: Flow, target: Party, offer: Offer, reason: str) -> Unchecked:
    service = offer.service
    if target.endpoint:
        targets = (target.host.name,) if target.host.name != service.name else service.at
    else:
        targets = tuple(role for role in service.roles if role in offer.roles)
    return Unchecked(
        rule=flow.rule,
        matrix=flow.matrix,
        service=service.name,
        sources=flow.sources,
        targets=targets,
        protocol=offer.spoken.word,
        ports=str(offer.ports) if offer.ports else service.port,
        reason=reason,
        need=flow.need,
        help=flow.help or service.help,
        cite=flow.cite or service.cite,
    )


def _weight(flow: Flow) -> tuple[int, bool]:
    return _NEEDS.index(flow.need), flow.enough is not Enough.ALL


def _over_its_own_address(flows: Sequence[Flow]) -> bool:
    """Whether one of those that ask for most wants the host to dial itself as others would."""
    return any(flow.hosts is Hosts.SAME for flow in flows if flow.need is flows[0].need)


def _group(source: Party, target: Party, offer: Offer, flow: Flow) -> str:
    """What this way shares with those that may stand in for it; empty where none may. Who the active member is, any
    source may find out: the active one itself, in a mesh, meets idle members alone.
    """
    if flow.enough is not Enough.ALL:
        return f"{flow.matrix}/{flow.rule}/{source.host.name}"
    if offer.service.listen is Listen.ACTIVE:
        same = [str(target.text(name)) for name in flow.scope.same] if flow.scope is not None else []
        return "/".join((offer.service.name, offer.transport, *same))
    return ""


def _identity(matrix: str, rule: str, source: Party, target: Party, address: str, offer: Offer, ports: PortSet) -> str:
    names = source.host.name, target.host.name
    return _named(matrix, rule, *names, address, offer.transport, str(ports), offer.service.name)


def _named(*parts: str) -> str:
    """The same from run to run, so that baselines, waivers and JUnit names hold."""
    return blake2s("\0".join(parts).encode(), digest_size=8).hexdigest()
