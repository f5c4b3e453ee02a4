"""Whether the names in rows lead somewhere.

Names of all files together count, since one file may speak of what another describes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from probe.model.expand import VariableError, expand, variables_of
from probe.model.matrix import EVERY_HOST, OUTSIDE
from probe.model.ports import PortError
from probe.model.words import Protocol
from probe.spec.diagnostics import nearest
from probe.spec.matrix.names import Names
from probe.spec.matrix.problems import quoted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from probe.model.matrix import Condition, Flow, Service
    from probe.spec.matrix.document import Document


def link(documents: Sequence[Document]) -> None:
    """Write down, in each document's problems, what leads nowhere."""
    names = Names(documents)
    for document in documents:
        _aliases(document, names)
        _defaults(document, names)
        for name, service in document.matrix.services.items():
            _service(document, name, service, names)
        for number, flow in enumerate(document.matrix.flows):
            _flow(document, number, flow, names)
        for profile in document.matrix.profiles.values():
            for role in profile.requires:
                _role(document, role, names, ("profiles", profile.name, "requires"))


def _role(document: Document, role: str, names: Names, path: tuple[str | int, ...], more: tuple[str, ...] = ()) -> None:
    """`path` leads to the role or to a list with it in; `more` are words that stand for roles there."""
    if role and role not in names.roles and role not in more and not document.problems.full:
        document.problems.add(document.word(path, role), f"unknown role {quoted(role)}", names.role_hint(role, more))


def _aliases(document: Document, names: Names) -> None:
    """An alias stands for one role."""
    for role in document.matrix.roles.values():
        path = ("roles", role.name, "aliases")
        for alias in role.aliases:
            if alias in (EVERY_HOST, OUTSIDE):
                message = f"{alias!r} has a meaning of its own and cannot be a name here"
                document.problems.add(document.word(path, alias), message)
            if clash := names.other_meaning(alias, role.name):
                message = f"the alias {quoted(alias)} of role {role.name!r} is also {clash}"
                document.problems.add(document.word(path, alias), message, "keep one of the two")


def _defaults(document: Document, names: Names) -> None:
    """Each default for itself; whether it must be one port is seen at the services."""
    for name, variable in document.matrix.variables.items():
        if name in names.used and variable.default is not None:
            try:
                expand("{" + name + "}", {name: variable.default})
            except PortError as error:
                place = document.value("variables", name, "default").place
                document.problems.add(place, f"the default of {error}", 'write 22, "5000-6000" or "4150,4151"')


def _service(document: Document, name: str, service: Service, names: Names) -> None:
    path = ("services", name)
    _role(document, service.role, names, (*path, "role"))
    _cite(document, service.cite, path)
    if service.port:
        _port(document, name, service, names)
    if service.protocol not in (Protocol.HTTP, Protocol.HTTPS):
        for key, present in (("path", service.path != "/"), ("status", bool(service.status))):
            if present:
                message = f"{key!r} is for http and https, not for {service.protocol}"
                document.problems.add(document.key(*path, key), message, "set the protocol, or remove it")


def _port(document: Document, name: str, service: Service, names: Names) -> None:
    """Unknown variables, and what the defaults come to."""
    place = document.value("services", name, "port").place
    variables = variables_of(service.port)
    unknown = [variable for variable in variables if variable not in names.defaults]
    for variable in unknown:
        hint = nearest(variable, names.defaults) or "no variable is described: add it under variables"
        document.problems.add(place, f"unknown variable {quoted(variable)}", hint)
    if unknown or any(names.defaults[variable] is None for variable in variables):
        return
    try:
        expand(service.port, names.defaults)
    except VariableError as error:
        if not _bad_alone(error):
            document.problems.add(place, str(error), "with the defaults of the variables")


def _bad_alone(error: VariableError) -> bool:
    """Whether `_defaults` has said it already."""
    try:
        expand("{" + error.variable + "}", {error.variable: error.value})
    except PortError:
        return True
    return False


def _flow(document: Document, number: int, flow: Flow, names: Names) -> None:
    path = ("flows", number)
    for source in flow.sources:
        _role(document, source, names, (*path, "from"), (EVERY_HOST, OUTSIDE))
    for target in flow.services:
        service = names.services.get(target)
        if document.problems.full:
            break
        if service is None:
            message, hint = f"unknown service {quoted(target)}", names.service_hint(target)
        elif service.local:
            message, hint = f"a flow cannot lead to {target!r}, which is bind: local", "remove the flow, or bind: local"
        else:
            continue
        document.problems.add(document.word((*path, "to"), target), message, hint)
    _cite(document, flow.cite, path)
    if flow.when:
        _condition(document, flow.when, names, (*path, "when"))


def _condition(document: Document, condition: Condition, names: Names, path: tuple[str | int, ...]) -> None:
    if condition.role is not None:
        _role(document, condition.role, names, (*path, "role"))
    if condition.negated is not None:
        _condition(document, condition.negated, names, (*path, "not"))
    for key, parts in (("all", condition.all_of), ("any", condition.any_of)):
        for number, part in enumerate(parts or ()):
            _condition(document, part, names, (*path, key, number))


def _cite(document: Document, cite: str, path: tuple[str | int, ...]) -> None:
    """A source is cited within its own file."""
    if cite and cite not in document.matrix.sources and not document.problems.full:
        hint = nearest(cite, document.matrix.sources) or "no source is described: add it under sources"
        document.problems.add(document.value(*path, "cite").place, f"unknown source {quoted(cite)}", hint)
