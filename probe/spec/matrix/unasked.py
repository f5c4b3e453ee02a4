"""Which rows portcheck cannot ask for on any inventory, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from probe.model.expand import UnknownPorts, expand, variables_of
from probe.model.ports import EPHEMERAL, PortError, PortSet
from probe.model.variables import split_endpoint, why_not_one
from probe.spec.matrix.names import defaults
from probe.spec.matrix.portspan import endpoints

if TYPE_CHECKING:
    from collections.abc import Iterator

    from probe.model.matrix import Flow, Matrix, Service


def why_not_service(service: Service, matrix: Matrix) -> str:
    """With the variables at their defaults; empty where it can be asked for."""
    if service.unchecked:
        return service.unchecked
    reasons = [way.reason for way in service.spoken if way.reason]
    reasons += _endpoints(service, matrix) if service.at else _ports(service, matrix)
    return "; ".join(dict.fromkeys(reasons))


def why_not_flow(flow: Flow) -> str:
    if flow.unchecked:
        return flow.unchecked
    if flow.source_port and EPHEMERAL - PortSet.parse(flow.source_port):
        return f"the source sends from port {flow.source_port}, and an agent from a port that is free"
    return ""


def _ports(service: Service, matrix: Matrix) -> Iterator[str]:
    if service.port and all(matrix.variables[name].default is not None for name in variables_of(service.port)):
        try:
            expand(service.port, defaults(matrix.variables))
        except UnknownPorts as error:
            yield str(error)
        except PortError:
            # It depends on the inventory.
            return


def _endpoints(service: Service, matrix: Matrix) -> Iterator[str]:
    for text in endpoints(service, matrix):
        if "{" in text:
            yield f"no endpoint is given: set {text.partition('{')[2].partition('}')[0].strip()}"
        elif many := why_not_one(split_endpoint(text)[0]):
            yield many
        elif split_endpoint(text)[1] is None:
            yield from _ports(service, matrix)
