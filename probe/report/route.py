"""The way of one row, stop by stop, as far as the row knows it: where it goes on, and where it ends."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

from probe.model.words import Cause, Verdict
from probe.report.text import count, name

if TYPE_CHECKING:
    from probe.model.result import CheckResult, Where


class Kind(StrEnum):
    """What a stop is; `beyond` is what was not come to."""

    HOST = "host"
    DEVICE = "device"
    GAP = "gap"
    CROSS = "cross"
    UNSURE = "unsure"
    OPEN = "open"
    BEYOND = "beyond"


class Stop(msgspec.Struct, frozen=True):
    kind: Kind
    label: str


_SERVICE = {
    Cause.NOT_LISTENING: "nothing listens",
    Cause.BOUND_ELSEWHERE: "listens on another address",
    Cause.OVERLOAD: "its queue is full",
    Cause.PORT_TAKEN: "something else listens",
    Cause.WRONG_SERVICE: "another service answers",
    Cause.TLS: "TLS fails",
    Cause.HTTP_STATUS: "unexpected HTTP status",
    Cause.UNHEALTHY: "not well",
}
_OWN = {
    Cause.SOURCE_FIREWALL: "its own firewall",
    Cause.NO_ROUTE: "no route",
    Cause.DNS: "the name leads nowhere, or elsewhere",
}
_DATA = {Cause.PAYLOAD: "no data passes", Cause.MTU: "large data does not pass"}


def route(row: CheckResult) -> tuple[Stop, ...]:
    """From source to target; empty where nothing of the way is known, such as for what was not measured."""
    if row.verdict in (Verdict.PASS, Verdict.INCONCLUSIVE) or row.source == row.target:
        return ()
    source, target = Stop(Kind.HOST, name(row.source)), Stop(Kind.HOST, name(row.target))
    beyond = Stop(Kind.BEYOND, target.label)
    place = row.where
    match row.cause:
        case Cause.SOURCE_FIREWALL | Cause.NO_ROUTE | Cause.DNS:
            return source, Stop(Kind.CROSS, _OWN[row.cause]), beyond
        case Cause.TARGET_FIREWALL:
            return source, *_before(place), Stop(Kind.CROSS, "its own firewall"), target
        case Cause.RETURN_PATH:
            return (
                source,
                target,
                *_device(row),
                Stop(Kind.CROSS, "the answer is lost"),
                Stop(Kind.BEYOND, source.label),
            )
        case Cause.PAYLOAD | Cause.MTU:
            return source, *_device(row), Stop(Kind.CROSS, _DATA[row.cause]), beyond
        case Cause.INTERCEPTED:
            return source, *_device(row), Stop(Kind.CROSS, "answers in the target's place"), beyond
        case Cause.NETWORK if place is not None and place.hop == 0:
            return source, Stop(Kind.CROSS, "stops here"), beyond
        case Cause.NETWORK:
            ends = "rejects it" if place is not None and place.side == "at" else "goes no further"
            return source, *_device(row), Stop(Kind.CROSS, ends), beyond
        case _ if row.cause in _SERVICE:
            return source, target, Stop(Kind.CROSS, f"{row.transport} {name(row.ports, 40)}: {_SERVICE[row.cause]}")
        case _ if row.verdict is Verdict.EXPOSED:
            return source, Stop(Kind.OPEN, "open"), target
        case _:
            return source, *_device(row), Stop(Kind.UNSURE, "somewhere here, or at the target"), beyond


def _before(place: Where | None) -> tuple[Stop, ...]:
    """The devices before the place, of which only the number is known."""
    hops = (place.hop or 1) - 1 if place is not None else 0
    return (Stop(Kind.GAP, count(hops, "device")),) if hops > 0 else ()


def _device(row: CheckResult) -> tuple[Stop, ...]:
    place = row.where
    if place is None or not place.address or place.hop == 0 or place.address == row.address:
        return _before(place)
    return *_before(place), Stop(Kind.DEVICE, name(place.address))
