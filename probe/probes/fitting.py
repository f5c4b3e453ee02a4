"""What a dialogue sends, and whether an answer is one of those that it expects."""

from __future__ import annotations

import os
import re
from enum import Enum
from ipaddress import IPv4Address, ip_address
from typing import TYPE_CHECKING

from probe.model.dialogue import OWN_ADDRESS, Expect, Id, Known, Secure, Send
from probe.model.observation import Failure, Operation
from probe.probes import pattern

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from probe.model.dialogue import Dialogue, Part, Parts, Pattern

Ids = dict[str, bytes]
MOST_KEPT = 512
"""So many bytes of an answer are kept as evidence."""


class Fit(Enum):
    """What more bytes can change: nothing, everything, or nothing but whether an expression matches in the end."""

    YES = "yes"
    NO = "no"
    BEGUN = "begun"
    NOT_YET = "not yet"


class Ended(Exception):
    """The dialogue came to an end before its last step."""

    def __init__(self, failure: Failure, operation: Operation, text: str = "", *, spoke: bool = False) -> None:
        super().__init__(text)
        self.failure = failure
        self.operation = operation
        self.text = text
        self.spoke = spoke


def fresh_ids(dialogue: Dialogue, local: str) -> Ids:
    """A value for each id of it. `local` is the address that we send from."""
    found: Ids = {}
    for part in _parts(dialogue):
        if isinstance(part, Id) and part.name not in found:
            found[part.name] = _packed(local) if part.name == OWN_ADDRESS else os.urandom(part.size)
    return found


def _parts(dialogue: Dialogue) -> Iterator[Part]:
    def of(patterns: tuple[Pattern, ...]) -> Iterator[Part]:
        for one in patterns:
            yield from (*one.start, *one.expression)

    for step in dialogue.steps:
        match step:
            case Send():
                yield from step.parts
            case Expect():
                yield from of(step.patterns + step.unhealthy)
            case Secure():
                yield from step.ask
                yield from of(step.yes + step.no + step.unhealthy)


def _packed(local: str) -> bytes:
    found = ip_address(local.partition("%")[0])
    return found.packed if isinstance(found, IPv4Address) else bytes(4)


def filled(parts: Parts, ids: Mapping[str, bytes]) -> bytes:
    """The bytes of what is sent."""
    return b"".join(part.value if isinstance(part, Known) else _standing(part, ids) for part in parts)


def fit(wanted: Pattern, data: bytes, ids: Mapping[str, bytes]) -> Fit:
    """How the beginning of an answer fits. Raises re.error, and pattern.TooSlow for an expression without an end."""
    begins = _begins(wanted.start, data, ids)
    if begins is not Fit.YES:
        return begins
    if wanted.whole and len(data) > len(filled(wanted.start, ids)):
        return Fit.NO
    if len(data) < wanted.least:
        return Fit.BEGUN
    if not wanted.expression or pattern.search(rf"\A(?:{_expression(wanted.expression, ids)})", data.decode("latin-1")):
        return Fit.YES
    return Fit.NOT_YET


def best(patterns: Iterable[Pattern], data: bytes, ids: Mapping[str, bytes]) -> Fit:
    """The best that one of them fits; NO if there is none."""
    found = {fit(one, data, ids) for one in patterns}
    return next((each for each in (Fit.YES, Fit.BEGUN, Fit.NOT_YET) if each in found), Fit.NO)


def compared(patterns: tuple[Pattern, ...], others: tuple[Pattern, ...], data: bytes, ids: Ids) -> tuple[Fit, bool]:
    """How it fits, and whether it is one of the `others`. Raises Ended for an expression that cannot be asked."""
    try:
        found = best(others, data, ids)
        if found is Fit.YES:
            return Fit.YES, True
        wanted = best(patterns, data, ids)
    except (re.error, pattern.TooSlow) as error:
        text = (
            "the expression takes too long"
            if isinstance(error, pattern.TooSlow)
            else f"the expression is none: {error}"
        )
        raise Ended(Failure.OTHER, Operation.RECEIVE, text) from None
    if wanted is Fit.YES:
        return Fit.YES, False
    return next((each for each in (Fit.BEGUN, Fit.NOT_YET) if each in (found, wanted)), Fit.NO), False


def _begins(parts: Parts, data: bytes, ids: Mapping[str, bytes]) -> Fit:
    at = 0
    for part in parts:
        value = part.value if isinstance(part, Known) else _standing(part, ids)
        mask = part.mask if isinstance(part, Known) else b""
        found = data[at : at + len(value)]
        if mask:
            alike = all((one ^ other) & bits == 0 for one, other, bits in zip(found, value, mask, strict=False))
        else:
            alike = value.startswith(found)
        if not alike:
            return Fit.NO
        if len(found) < len(value):
            return Fit.BEGUN
        at += len(value)
    return Fit.YES


def _expression(parts: Parts, ids: Mapping[str, bytes]) -> str:
    """An id stands for itself, whatever its bytes mean in an expression."""
    return "".join(
        re.escape(_standing(part, ids).decode("latin-1")) if isinstance(part, Id) else part.value.decode("latin-1")
        for part in parts
    )


def _standing(part: Id, ids: Mapping[str, bytes]) -> bytes:
    value = ids[part.name]
    return value.hex().encode() if part.digits else value
