"""What the rows of a matrix say of each port, so that two matrices compare however their rows are cut."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from probe.model.matrix import EVERY_HOST
from probe.model.ports import PortSet
from probe.spec.matrix.plainly import in_one_line
from probe.spec.matrix.portspan import Span, endpoints, span_of
from probe.spec.matrix.tellings import (
    flow_marks,
    http_told,
    if_told,
    one_line,
    protocol_told,
    service_marks,
    tls_told,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from probe.model.matrix import Flow, Matrix, Service
    from probe.model.words import Expect

# Of a protocol without ports there is one thing to say.
_PORTLESS = Span(words=frozenset([""]))


@dataclass(frozen=True)
class Claim:
    """What one row says of the ports of `span`. Claims compare within one `key`: role and transport for a service,
    source, role and transport for a flow; what has no transport has its protocol there. `details` are told only where
    they differ.
    """

    key: tuple[str, ...]
    span: Span
    service: str
    protocol: str
    condition: str
    marks: tuple[str, ...]
    details: tuple[str, ...]

    @property
    def said(self) -> tuple[str, ...]:
        """All that is compared."""
        return (self.protocol, self.condition, *self.marks, *self.details)


@dataclass(frozen=True)
class Gap:
    """Ports of which two matrices do not say the same. The claims of one side are empty if it does not name them."""

    key: tuple[str, ...]
    span: Span
    first: tuple[Claim, ...]
    second: tuple[Claim, ...]


def service_claims(matrix: Matrix, names: Mapping[str, str], *, texts: bool) -> list[Claim]:
    """For each role that offers a service; what is nobody's of the inventory stands under its own name, or what `names`
    has for it.
    """
    return [
        claim
        for service in matrix.services.values()
        for role in service.roles or (names.get(service.name, service.name),)
        for claim in _of_service(service, role, matrix, texts=texts)
    ]


def flow_claims(matrix: Matrix, services: Iterable[Claim], expect: Expect, *, texts: bool) -> list[Claim]:
    """`services` are the claims of the matrix's services: a flow leads to their ports."""
    offered: dict[str, list[Claim]] = {}
    for claim in services:
        offered.setdefault(claim.service, []).append(claim)
    return [
        claim
        for flow in matrix.flows
        if flow.expect is expect
        for name in flow.services
        for target in offered.get(name, ())
        for claim in _of_flow(flow, target, matrix, texts=texts)
    ]


def gaps(first: Iterable[Claim], second: Iterable[Claim]) -> list[Gap]:
    """In the order of the first's rows, then the second's."""
    mine, theirs = _by_key(first), _by_key(second)
    return [gap for key in {**mine, **theirs} for gap in _gaps(key, mine.get(key, []), theirs.get(key, []))]


def _of_service(service: Service, role: str, matrix: Matrix, *, texts: bool) -> Iterator[Claim]:
    span = span_of(service, matrix) or _PORTLESS
    web = service.is_http
    details = (
        f"path {one_line(service.path)}" if web and service.path != "/" else "",
        f"status {', '.join(map(str, sorted(service.status)))}" if service.status else "",
        http_told(service.http),
        tls_told(service.tls),
        f"dialogue {in_one_line(service.dialogue)}" if service.dialogue else "",
        f"at {', '.join(endpoints(service, matrix))}" if service.at and not service.roles else "",
        *_worth(service, texts=texts),
    )
    for way in service.spoken:
        transport = way.protocol.transport.value if way.protocol else way.word
        marks = service_marks(service)
        yield Claim((role, transport), span, service.name, protocol_told(way), if_told(service.when), marks, details)


def _of_flow(flow: Flow, target: Claim, matrix: Matrix, *, texts: bool) -> Iterator[Claim]:
    role = target.key[0]
    marks, details = flow_marks(flow), _worth(flow, texts=texts)
    for source in flow.sources:
        if flow.between and (role not in flow.sources or source == role):
            continue
        everywhere = source in matrix.roles and matrix.roles[source].every_host
        key = (EVERY_HOST if everywhere else source, *target.key)
        yield Claim(key, target.span, target.service, "", if_told(flow.when), marks, details)


def _worth(row: Service | Flow, *, texts: bool) -> tuple[str, ...]:
    return (
        f"not checkable: {one_line(row.unchecked)}" if row.unchecked else "",
        f"severity {row.severity}" if row.severity else "",
        one_line(row.help) if texts else "",
        f"remedy: {one_line(row.remedy)}" if texts and row.remedy else "",
    )


def _by_key(claims: Iterable[Claim]) -> dict[tuple[str, ...], list[Claim]]:
    groups: dict[tuple[str, ...], list[Claim]] = {}
    for claim in claims:
        groups.setdefault(claim.key, []).append(claim)
    return groups


def _gaps(key: tuple[str, ...], mine: list[Claim], theirs: list[Claim]) -> Iterator[Gap]:
    claims = mine + theirs
    for span, numbers in _pieces(claims):
        first = _without_covered(claims[number] for number in numbers if number < len(mine))
        second = _without_covered(claims[number] for number in numbers if number >= len(mine))
        if [claim.said for claim in first] != [claim.said for claim in second]:
            yield Gap(key, span, first, second)


def _pieces(claims: Sequence[Claim]) -> list[tuple[Span, list[int]]]:
    """The ports in pieces, with the numbers of the claims that are about each: all of one piece have the same."""
    ranges: dict[frozenset[int], list[tuple[int, int]]] = {}
    words: dict[frozenset[int], set[str]] = {}
    edges = [
        (port, number)
        for number, claim in enumerate(claims)
        for low, high in claim.span.ports.ranges
        for port in (low, high + 1)
    ]
    about: frozenset[int] = frozenset()
    start = 0
    for port, number in sorted(edges):
        if about and port > start:
            ranges.setdefault(about, []).append((start, port - 1))
        # A claim's ranges do not touch: each edge is where it begins or ends.
        about ^= {number}
        start = port
    for word in {word for claim in claims for word in claim.span.words}:
        holders = frozenset(number for number, claim in enumerate(claims) if word in claim.span.words)
        words.setdefault(holders, set()).add(word)
    return [
        (Span(PortSet(ranges.get(numbers, ())), frozenset(words.get(numbers, ()))), sorted(numbers))
        for numbers in sorted({**ranges, **words}, key=sorted)
    ]


def _without_covered(claims: Iterable[Claim]) -> tuple[Claim, ...]:
    """Each thing said once; what is said without a condition need not be said with one."""
    said = {claim.said: claim for claim in claims}
    return tuple(
        said[words]
        for words in sorted(said)
        if not said[words].condition or replace(said[words], condition="").said not in said
    )
