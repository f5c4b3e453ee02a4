"""How a service is asked: as its row in the matrix says, and for the rest as its protocol has it."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from probe.model.http import HttpDemand
from probe.model.words import Transport
from probe.protocols import INSIDE_TLS, NAMED, known_as
from probe.spec.matrix.asked import HTTP, demands
from probe.spec.matrix.dialogue import Steps
from probe.spec.matrix.problems import Place, Problems
from probe.spec.matrix.tree import Mapping, Scalar, Sequence

if TYPE_CHECKING:
    from probe.model.dialogue import Dialogue
    from probe.model.matrix import Service
    from probe.model.protocols import Spoken
    from probe.spec.matrix.tree import Node

_NOWHERE = Place(0, 0)


def asked(service: Service, way: Spoken) -> Dialogue | None:
    """None where the protocol alone says how: tcp, udp, http, https, and names without a dialogue on this transport."""
    if service.dialogue is not None or way.protocol is None:
        return service.dialogue
    return named(way.application, way.protocol.transport)


class Web(NamedTuple):
    """How a service is asked in HTTP."""

    path: str
    status: tuple[int, ...]
    http: HttpDemand | None


def web(service: Service, way: Spoken) -> Web:
    """What its row says, and for the rest what its protocol has."""
    own = Web(service.path, service.status, service.http)
    known = NAMED.get(way.application)
    if known is None or not known.web:
        return own
    usual = _usual(way.application)
    http = service.http or usual.http
    if service.http is not None and usual.http is not None:
        says = service.http.text or service.http.regex
        http = msgspec.structs.replace(
            service.http,
            known_by=service.http.known_by or usual.http.known_by,
            regex=service.http.regex if says else usual.http.regex,
        )
    return Web(usual.path if own.path == "/" else own.path, own.status or usual.status, http)


@functools.cache
def _usual(word: str) -> Web:
    """Raises ValueError as `read` does."""
    row, problems = NAMED[word].web, Problems(word)
    http = demands({"http": HTTP.read(_node(row["http"]), problems)}, "")["http"]
    if problems.found or not isinstance(http, HttpDemand):
        raise ValueError("; ".join(problem.message for problem in problems.found))
    status = row["status"]
    return Web(row["path"], tuple(status) if isinstance(status, list) else (status,), http)


@functools.cache
def named(word: str, transport: Transport) -> Dialogue | None:
    """That of a protocol with a name."""
    known = known_as(word)
    inside: list[dict[str, Any]] = [{"tls": True}] if word.endswith(INSIDE_TLS) else []
    steps = (known.tcp if transport is Transport.TCP else known.udp) if known is not None else []
    return read([*inside, *steps]) if steps else None


def read(steps: list[dict[str, Any]]) -> Dialogue:
    """Steps as plain values, in the words of the matrix language. Raises ValueError for what a matrix may not say."""
    problems = Problems("dialogue")
    found: Dialogue | None = Steps().read(_node(steps), problems)
    if found is None or problems.found:
        raise ValueError("; ".join(problem.message for problem in problems.found))
    return found


def _node(value: Any) -> Node:
    match value:
        case dict():
            return Mapping({key: (_node(key), _node(inner)) for key, inner in value.items()}, _NOWHERE)  # type: ignore[misc]
        case list():
            return Sequence(tuple(map(_node, value)), _NOWHERE)
        case str():
            return Scalar(value, plain=False, place=_NOWHERE)
        case _:
            return Scalar(str(value).lower(), plain=True, place=_NOWHERE)
