"""What one file changes in the rows of another: switched off, or with some of their keys replaced."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from probe.model.matrix import Flow, Service
from probe.spec.diagnostics import nearest
from probe.spec.matrix.document import flow_fields, service_fields
from probe.spec.matrix.keys import check_flow_keys, check_service_keys
from probe.spec.matrix.link import check_flow, check_service
from probe.spec.matrix.names import Names
from probe.spec.matrix.problems import quoted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from probe.model.matrix import Matrix
    from probe.spec.matrix.document import Document


def override(matrix: Matrix, documents: Sequence[Document]) -> Matrix:
    """The merged matrix with the overrides of all documents. What names nothing is written down in its document."""
    names = Names(documents)
    said: dict[tuple[str, str], Document] = {}
    for document in documents:
        for name, changes in document.overrides.get("services", {}).items():
            if _is_first(document, ("services", name), said):
                matrix = _service(matrix, document, name, changes, names)
        for name, changes in document.overrides.get("flows", {}).items():
            if _is_first(document, ("flows", name), said):
                matrix = _flow(matrix, document, name, changes, names)
    return matrix


def _is_first(document: Document, what: tuple[str, str], said: dict[tuple[str, str], Document]) -> bool:
    other = said.setdefault(what, document)
    if other is document:
        return True
    where = other.problems.where(other.key("overrides", *what))
    place = document.key("overrides", *what)
    document.problems.add(place, f"{quoted(what[1])} is overridden in {where} too", "keep one of the two")
    return False


def _service(matrix: Matrix, document: Document, name: str, changes: dict[str, Any], names: Names) -> Matrix:
    path = ("overrides", "services", name)
    if document.problems.at(document.key(*path)):
        return matrix
    if name not in matrix.services:
        document.problems.add(document.key(*path), f"unknown service {quoted(name)}", names.service_hint(name))
        return matrix
    if "off" in changes:
        services = {key: service for key, service in matrix.services.items() if key != name}
        flows = [
            msgspec.structs.replace(flow, services=tuple(to for to in flow.services if to != name))
            for flow in matrix.flows
        ]
        left = tuple(flow for flow in flows if flow.services)
        return msgspec.structs.replace(matrix, services=services, flows=left)
    fields = service_fields(changes, document.file)
    changed = msgspec.structs.replace(matrix.services[name], **fields)
    check_service(document, Service(name=name, **fields), names, path)
    check_service_keys(document, changed, path)
    return msgspec.structs.replace(matrix, services={**matrix.services, name: changed})


def _flow(matrix: Matrix, document: Document, name: str, changes: dict[str, Any], names: Names) -> Matrix:
    path = ("overrides", "flows", name)
    if document.problems.at(document.key(*path)):
        return matrix
    found = [flow for flow in matrix.flows if name in (flow.rule, f"{flow.matrix}:{flow.rule}")]
    if len(found) != 1:
        document.problems.add(document.key(*path), *_lost(name, found, matrix))
        return matrix
    if "off" in changes:
        return msgspec.structs.replace(matrix, flows=tuple(flow for flow in matrix.flows if flow is not found[0]))
    fields = flow_fields(changes)
    check_flow(document, Flow(rule=name, sources=(), services=(), **fields), names, path)
    changed = msgspec.structs.replace(found[0], **fields)
    check_flow_keys(document, changed, path)
    return msgspec.structs.replace(matrix, flows=tuple(changed if flow is found[0] else flow for flow in matrix.flows))


def _lost(name: str, found: list[Flow], matrix: Matrix) -> tuple[str, str]:
    """Message and hint for a name that is no flow's, or several flows'."""
    if found:
        choices = ", ".join(f"{flow.matrix}:{flow.rule}" for flow in found[:5])
        return f"{quoted(name)} is the name of {len(found)} flows", f"write one of {choices}"
    known = [flow.rule for flow in matrix.flows if not flow.rule.startswith("flows[")]
    qualified = [f"{flow.matrix}:{flow.rule}" for flow in matrix.flows]
    return f"unknown flow {quoted(name)}", nearest(name, [*known, *qualified])
