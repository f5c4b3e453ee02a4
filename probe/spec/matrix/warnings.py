"""What is no error and still worth a look."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

from probe.model.expand import count_of, expand
from probe.model.ports import EPHEMERAL, PortError, PortSet
from probe.model.words import Listen
from probe.spec.diagnostics import Severity
from probe.spec.matrix import sense
from probe.spec.matrix.names import defaults, roles_used, variables_used
from probe.spec.matrix.problems import WHOLE_FILE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from probe.model.matrix import Matrix, Remark, Service
    from probe.spec.matrix.document import Document
    from probe.spec.matrix.problems import Place


def warn(documents: Sequence[Document], merged: Matrix) -> None:
    """Add warnings to the documents' problems. Only for documents without errors: half a matrix makes false ones."""
    for document in documents:
        for place, message, hint in _warnings(document, merged):
            document.problems.add(place, message, hint, Severity.WARNING)


def remarked(documents: Sequence[Document], remark: Remark) -> None:
    """Add a remark as a warning where its row stands, or to the file as a whole."""
    for document in documents:
        flows = [flow.rule for flow in document.matrix.flows if document.name == remark.matrix]
        place = WHOLE_FILE
        if remark.service in document.matrix.services:
            place = document.value("services", remark.service, "port").place
        elif remark.rule in flows:
            place = document.value("flows", flows.index(remark.rule)).place
        elif document is not documents[-1]:
            continue
        document.problems.add(place, remark.message, remark.hint, Severity.WARNING)
        return


def _warnings(document: Document, merged: Matrix) -> Iterator[tuple[Place, str, str]]:
    yield from _unused(document, merged)
    yield from _without_cite(document)
    yield from _overlaps(document, merged)
    yield from _ephemeral(document, merged)
    yield from _counts(document, merged)
    yield from _credulous(document, merged)
    yield from sense.never(document, merged)
    yield from sense.repeated(document)


def _unused(document: Document, merged: Matrix) -> Iterator[tuple[Place, str, str]]:
    variables, roles = variables_used(merged), roles_used(merged)
    named = {name for flow in merged.flows for name in flow.services}
    for name in document.matrix.variables:
        if name not in variables:
            yield document.key("variables", name), f"variable {name!r} is used by no row", ""
    for name in document.matrix.roles:
        if name not in roles:
            yield document.key("roles", name), f"role {name!r} is used by no service, flow or profile", ""
    for name, service in document.matrix.services.items():
        if name in merged.services and name not in named and not service.local:
            hint = "all hosts are expected to be blocked there: add a flow, or bind: local"
            yield document.key("services", name), f"no flow leads to service {name!r}", hint


def _without_cite(document: Document) -> Iterator[tuple[Place, str, str]]:
    matrix = document.matrix
    rows = [(document.key("services", name), f"service {name!r}", row.cite) for name, row in matrix.services.items()]
    rows += [(document.value("flows", number).place, row.rule, row.cite) for number, row in enumerate(matrix.flows)]
    if any(cite for _, _, cite in rows):
        for place, what, cite in rows:
            if not cite:
                yield place, f"{what} cites no source, where others do", ""


def _overlaps(document: Document, merged: Matrix) -> Iterator[tuple[Place, str, str]]:
    """Two services that would listen on one port of one host: of one role, or one of a role that every host has."""
    ports = {name: _ports(service, merged) for name, service in merged.services.items()}
    everywhere = {name for name, role in merged.roles.items() if role.every_host}
    for first, second in combinations(merged.services.values(), 2):
        roles, others = set(first.roles), set(second.roles)
        together = roles & others or (roles and others and (roles | others) & everywhere)
        # With a condition, or an address of its own, two services may well keep out of each other's way.
        apart = first.at or second.at or first.when or second.when or first.address or second.address
        transports = _transports(first) & _transports(second)
        if not together or apart or not transports:
            continue
        shared = ports[first.name] & ports[second.name]
        # Where only some of the ports listen, the others are free for whoever needs one.
        if shared and second.name in document.matrix.services and not _loose(first, second):
            names = f"{first.name!r} and {second.name!r}"
            message = f"services {names} share {' and '.join(sorted(transports))} {shared} on the same hosts"
            yield document.value("services", second.name, "port").place, message, ""


def _loose(first: Service, second: Service) -> bool:
    return Listen.SOME in (first.listen, second.listen) and set(first.roles) == set(second.roles)


def _transports(service: Service) -> set[str]:
    return {way.protocol.transport.value for way in service.spoken if way.protocol is not None}


def _ephemeral(document: Document, merged: Matrix) -> Iterator[tuple[Place, str, str]]:
    for name in document.matrix.services:
        if name not in merged.services or merged.services[name].listen is Listen.SOME:
            continue
        inside = _ports(merged.services[name], merged) & EPHEMERAL
        if inside:
            message = f"{inside} lies in the range 32768-60999, from which systems take ports for outgoing connections"
            hint = "reserve it with net.ipv4.ip_local_reserved_ports, or choose another port"
            yield document.value("services", name, "port").place, message, hint


def _counts(document: Document, merged: Matrix) -> Iterator[tuple[Place, str, str]]:
    """More ports in use than there are, with the defaults."""
    for name, row in document.matrix.services.items():
        service = merged.services.get(name, row)
        ports = _ports(service, merged)
        if not service.count or not ports:
            continue
        try:
            count = count_of(service.count, defaults(merged.variables))
        except PortError:
            continue
        if count > len(ports):
            message = f"{count} ports of service {name!r} are in use at a time, and it has {len(ports)}"
            yield document.value("services", name, "count").place, message, ""


def _credulous(document: Document, merged: Matrix) -> Iterator[tuple[Place, str, str]]:
    """Secrets for a server that need not show who it is."""
    for name, row in document.matrix.services.items():
        service = merged.services.get(name, row)
        if not row.http or not service.http or not service.http.secrets:
            continue
        if service.protocols != ("https",) or not (service.tls and service.tls.trust and service.tls.name):
            hint = "protocol: https, and tls: {trust: true, name: true}, or with ca: FILE for a CA of your own"
            yield document.key("services", name, "http"), f"the secrets of {name!r} go to whoever answers there", hint


def _ports(service: Service, merged: Matrix) -> PortSet:
    """With the defaults; none where a variable has no default."""
    try:
        return expand(service.port, defaults(merged.variables)) if service.port else PortSet()
    except PortError:
        return PortSet()
