"""What of a matrix is worth a look once an inventory is laid under it."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

from probe.errors import UserError
from probe.model.matrix import EVERYBODY, Remark
from probe.model.words import Listen
from probe.plan.rules import pairs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from probe.plan.offers import Offer
    from probe.plan.plan import Plan

_MOST_HOSTS = 5


def remarks_on(plan: Plan) -> Iterator[Remark]:
    """Services that want the same port of one host, and rows that lead nowhere although their roles are there."""
    yield from _overlaps(plan)
    yield from _unmatched(plan)
    yield from _contradictions(plan)


def _overlaps(plan: Plan) -> Iterator[Remark]:
    shared: dict[tuple[str, str, str], tuple[Offer, list[str]]] = {}
    for party in plan.parties:
        for first, second in combinations(party.offers, 2):
            if ports := _shared(first, second):
                key = (first.service.name, second.service.name, f"{first.transport} {ports}")
                shared.setdefault(key, (second, []))[1].append(party.host.name)
    for (first_name, second_name, ports), (offer, hosts) in shared.items():
        more = f" and {len(hosts) - _MOST_HOSTS} more" if len(hosts) > _MOST_HOSTS else ""
        where = f"{', '.join(hosts[:_MOST_HOSTS])}{more}"
        yield Remark(
            message=f"services {first_name!r} and {second_name!r} share {ports} on {where}",
            matrix=offer.service.matrix,
            service=second_name,
            hint="run them on different hosts, or give one of them another port",
        )


def _shared(first: Offer, second: Offer) -> str:
    if first.service.name == second.service.name or first.transport is not second.transport:
        return ""
    if first.reason or second.reason or not set(first.addresses) & set(second.addresses):
        return ""
    # Of one role, two ranges that are used as needed go round each other.
    together = first.service.roles == second.service.roles
    if together and Listen.SOME in (first.service.listen, second.service.listen):
        return ""
    both = first.ports & second.ports
    return str(both) if both else ""


def _unmatched(plan: Plan) -> Iterator[Remark]:
    for rule in plan.rules:
        flow = rule.flow
        offered = any(offer.service.name in flow.services for party in plan.parties for offer in party.offers)
        there = any(rule.is_source(party) and not party.endpoint for party in plan.parties)
        if offered and there and next(pairs(rule, plan.parties, plan.present), None) is None:
            sources = " or ".join(word for word in flow.sources if word not in EVERYBODY) or flow.sources[0]
            yield Remark(
                message=f"{flow.rule} matches no pair of these hosts, although there are hosts of {sources}",
                matrix=flow.matrix,
                rule=flow.rule,
                hint="look at its when, hosts and scope, and at the variables of the hosts",
            )


def _contradictions(plan: Plan) -> Iterator[Remark]:
    try:
        for _ in plan.all_checks():
            pass
    except UserError as error:
        message, _, hint = str(error).partition("\n  hint: ")
        yield Remark(message=message, hint=hint)
