"""The ports of a service with the variables at their defaults, as far as they are known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from probe.model.expand import expand, roles_of
from probe.model.ports import PortError, PortSet
from probe.model.variables import split_endpoint
from probe.spec.matrix.names import defaults

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from probe.model.matrix import Matrix, Service

_NO_PORTS = PortSet()


@dataclass(frozen=True)
class Span:
    """Ports, and a word for each that is not known (`random`, `{port}`) or is no port (a path)."""

    ports: PortSet = _NO_PORTS
    words: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.ports or self.words)

    def __and__(self, other: Span) -> Span:
        return Span(self.ports & other.ports, self.words & other.words)

    def __or__(self, other: Span) -> Span:
        return Span(self.ports | other.ports, self.words | other.words)

    def __sub__(self, other: Span) -> Span:
        return Span(self.ports - other.ports, self.words - other.words)

    def __str__(self) -> str:
        known = [str(self.ports).replace(",", ", ")] if self.ports else []
        return ", ".join(known + sorted(filter(None, self.words)))


def span_of(service: Service, matrix: Matrix) -> Span:
    """The ports on which it is reached; empty for a protocol that has none, or an endpoint that nobody has given."""
    if not service.at:
        return _span(service.port, matrix) if service.port else Span(words=_path(service))
    return united(_at(text, service, matrix) for text in endpoints(service, matrix))


def united(spans: Iterable[Span]) -> Span:
    whole = Span()
    for span in spans:
        whole |= span
    return whole


def endpoints(service: Service, matrix: Matrix) -> tuple[str, ...]:
    """Where it is reached, if not at its hosts; a text stays with its variable where that has no default."""
    return tuple(dict.fromkeys(found for text in service.at for found in _filled(text, matrix)))


def _filled(text: str, matrix: Matrix) -> Iterator[str]:
    before, brace, rest = text.partition("{")
    name, _, after = rest.partition("}")
    found = defaults(matrix.variables).find(name.strip()) if brace else None
    items = found.value if found is not None else ()
    if not items:
        yield text
    for item in items if isinstance(items, tuple) else (str(items),):
        yield f"{before}{item}{after}"


def _at(text: str, service: Service, matrix: Matrix) -> Span:
    """The port in the text of an endpoint, else the service's own."""
    if "{" in text:
        own = text.rpartition("}")[2].removeprefix(":")
        port = int(own) if own.isdecimal() else None
    else:
        port = split_endpoint(text)[1]
    if port is not None:
        return Span(PortSet.of([port]))
    return _span(service.port, matrix) if service.port else Span()


def _span(text: str, matrix: Matrix) -> Span:
    """The text itself where the defaults make no ports of it, or the inventory has a say in them."""
    try:
        ports = PortSet() if roles_of(text) else expand(text, defaults(matrix.variables))
    except PortError:
        ports = PortSet()
    return Span(ports) if ports else Span(words=frozenset([_word(text, matrix)]))


def _word(text: str, matrix: Matrix) -> str:
    """`random` and `unstated` as such where a variable says so: whoever reads the document reads that there."""
    name = text.strip("{}")
    default = matrix.variables[name].default if name in matrix.variables else None
    return default if isinstance(default, str) else text


def _path(service: Service) -> frozenset[str]:
    return frozenset([service.path] if "unix" in service.protocols else [])
