"""Whether the names in rows lead somewhere, and the rows make sense.

Names of all files together count, since one file may speak of what another describes.
"""

from __future__ import annotations

from ipaddress import ip_network
from typing import TYPE_CHECKING

from probe.model.expand import UnknownPorts, expand, roles_of, variables_of
from probe.model.matrix import EVERYBODY, OUTSIDE
from probe.model.ports import PortError
from probe.model.variables import VariableError, coerce
from probe.model.words import Hosts, VariableType
from probe.spec.diagnostics import nearest
from probe.spec.matrix.conditions import check_condition
from probe.spec.matrix.keys import check_flow_keys, check_service_keys
from probe.spec.matrix.names import BRACED, Names, roles_counted, scope_of, texts_with_variables
from probe.spec.matrix.problems import quoted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from probe.model.matrix import Flow, Service, Variable
    from probe.spec.matrix.document import Document

_PORTS = (VariableType.PORT, VariableType.PORTS, VariableType.COUNT)
_WANTED: dict[str, tuple[VariableType, ...]] = {
    "port": _PORTS,
    "count": _PORTS,
    "address": (VariableType.ADDRESSES,),
    "at": (VariableType.ENDPOINTS, VariableType.ADDRESSES, VariableType.TEXT, VariableType.NAMES),
    "networks": (VariableType.ADDRESSES,),
    "same": (VariableType.TEXT, VariableType.CHOICE, VariableType.COUNT, VariableType.BOOLEAN),
    "different": (VariableType.TEXT, VariableType.CHOICE, VariableType.COUNT, VariableType.BOOLEAN),
    "names": (VariableType.NAMES, VariableType.TEXT),
    "named-by": (VariableType.NAMES, VariableType.TEXT),
}
_FORMS = {
    VariableType.PORT: "write 22; for several ports its type is ports",
    VariableType.COUNT: "write 4",
    VariableType.BOOLEAN: "write true or false",
    VariableType.TEXT: "write one text; for several its type is names, addresses or endpoints",
    VariableType.NAMES: "write db1 or [db1, db2]",
    VariableType.ADDRESSES: "write 192.0.2.1, 10.0.0.0/8, 2001:db8::1, a name, or a list of them",
}
_Path = tuple[str | int, ...]


def link(documents: Sequence[Document]) -> None:
    """Write down, in each document's problems, what leads nowhere."""
    names = Names(documents)
    for document in documents:
        _roles(document, names)
        for variable in document.matrix.variables.values():
            _default(document, variable)
        for name, service in document.matrix.services.items():
            check_service(document, service, names, ("services", name))
            check_service_keys(document, service, ("services", name))
        _rules(document)
        for number, flow in enumerate(document.matrix.flows):
            _flow(document, number, flow, names)
        for profile in document.matrix.profiles.values():
            for role in profile.requires:
                _role(document, role, names, ("profiles", profile.name, "requires"))


def _role(document: Document, role: str, names: Names, path: _Path, more: tuple[str, ...] = ()) -> None:
    """`path` leads to the role or to a list with it in; `more` are words that stand for roles there."""
    if role and role not in names.roles and role not in more and not document.problems.full:
        document.problems.add(document.word(path, role), f"unknown role {quoted(role)}", names.role_hint(role, more))


def _roles(document: Document, names: Names) -> None:
    for role in document.matrix.roles.values():
        path = ("roles", role.name)
        for alias in role.aliases:
            # An alias stands for one role.
            place = document.word((*path, "aliases"), alias)
            if alias in EVERYBODY:
                document.problems.add(place, f"{alias!r} has a meaning of its own and cannot be a name here")
            if clash := names.other_meaning(alias, role.name):
                message = f"the alias {quoted(alias)} of role {role.name!r} is also {clash}"
                document.problems.add(place, message, "keep one of the two")
        for included in role.includes:
            _role(document, included, names, (*path, "includes"))
            if included == role.name:
                document.problems.add(
                    document.word((*path, "includes"), included), f"role {role.name!r} includes itself", "remove it"
                )
        for text in role.networks:
            if found := BRACED.fullmatch(text):
                _variable(document, "networks", found[1], names, (*path, "networks"))
            elif not _is_network(text):
                hint = 'write 10.0.0.0/8, 2001:db8::/32 or "{variable}"'
                document.problems.add(document.word((*path, "networks"), text), f"{quoted(text)} is no network", hint)
        if role.networks and not role.outside:
            document.problems.add(
                document.key(*path, "networks"), "'networks' is for roles outside", "add zone: outside, or remove it"
            )
        if role.every_host and role.outside:
            document.problems.add(
                document.key(*path, "zone"), "a role of every host inside cannot be outside", "remove one of the two"
            )


def _is_network(text: str) -> bool:
    try:
        ip_network(text, strict=False)
    except ValueError:
        return False
    return True


def _default(document: Document, variable: Variable) -> None:
    """Each default for itself; whether it must be one port is seen at the services."""
    path = ("variables", variable.name)
    if variable.type is VariableType.CHOICE and not variable.choices and document.has(*path, "choices"):
        return
    if (variable.type is VariableType.CHOICE) != bool(variable.choices):
        message = (
            f"'choices' go with type choice, not with {variable.type}"
            if variable.choices
            else "type choice needs 'choices'"
        )
        place = document.key(*path, "choices") if variable.choices else document.key(*path)
        document.problems.add(place, message, "write {choices: [one, other], default: one}")
        return
    if variable.default is not None:
        try:
            coerce(variable, variable.default)
        except PortError as error:
            hint = "" if variable.choices else _forms(variable)
            document.problems.add(document.value(*path, "default").place, f"the default of {error}", hint)


def _forms(variable: Variable) -> str:
    if variable.type is VariableType.PORTS:
        if variable.default in ("yes", "no", "on", "off"):
            return "write true or false"
        return 'write 22, "5000-6000" or "4150,4151"; for anything but ports say its type'
    return _FORMS.get(variable.type, "")


def _variable(document: Document, key: str, name: str, names: Names, path: _Path) -> bool:
    """Whether it is known and of a type that can stand there."""
    if document.problems.full:
        return False
    place = document.mention(path, name)
    if name not in names.variables:
        document.problems.add(place, f"unknown variable {quoted(name)}", names.variable_hint(name))
        return False
    kind = names.variables[name].type
    if kind not in _WANTED[key]:
        message = f"the variable {name!r} is of type {kind}, which does not go with {key!r}"
        document.problems.add(place, message, f"{key} takes: {', '.join(_WANTED[key])}")
        return False
    return True


def check_service(document: Document, service: Service, names: Names, path: _Path) -> None:
    """Write down which of its names lead nowhere. `path` is where its keys stand; those that are not said are not asked
    for.
    """
    for role in service.roles:
        _role(document, role, names, (*path, "role"))
    _cite(document, service.cite, path)
    known = [
        _variable(document, key, variable, names, (*path, key))
        for key, text in texts_with_variables(service)
        for variable in (variables_of(text) if text else ())
    ]
    for key, role in roles_counted(service):
        _role(document, role, names, (*path, key))
    if service.port and all(known):
        _port(document, service, names, (*path, "port"))
    if service.when:
        check_condition(document, service.when, names, (*path, "when"), of_service=True)


def _port(document: Document, service: Service, names: Names, path: _Path) -> None:
    """What the defaults come to."""
    variables = [names.variables[variable] for variable in variables_of(service.port)]
    if any(variable.default is None for variable in variables) or roles_of(service.port):
        return
    try:
        expand(service.port, names.values)
    except UnknownPorts:
        pass
    except VariableError as error:
        if not _bad_alone(error, names):
            document.problems.add(document.value(*path).place, str(error), "with the defaults of the variables")


def _bad_alone(error: VariableError, names: Names) -> bool:
    """Whether `_default` has said it already."""
    try:
        names.values.find(error.variable)
    except VariableError:
        return True
    return False


def _rules(document: Document) -> None:
    """Ids are names: none twice in a file, and none that could be a row's number."""
    seen: dict[str, int] = {}
    for number, flow in enumerate(document.matrix.flows):
        if flow.rule in seen:
            first = document.value("flows", seen[flow.rule], "id").place
            place = document.value("flows", number, "id").place
            document.problems.add(
                place, f"the id {quoted(flow.rule)} is already in line {first.line}", "give each flow an id of its own"
            )
        seen.setdefault(flow.rule, number)


def _flow(document: Document, number: int, flow: Flow, names: Names) -> None:
    path = ("flows", number)
    key = "between" if flow.between else "from"
    for source in flow.sources:
        _role(document, source, names, (*path, key), () if flow.between else EVERYBODY)
    for target in flow.services:
        if document.problems.full:
            break
        service = names.services.get(target)
        place = document.word((*path, "to"), target)
        if service is None:
            document.problems.add(place, f"unknown service {quoted(target)}", names.service_hint(target))
        elif service.local and (set(flow.sources) == {OUTSIDE} or flow.hosts is Hosts.OTHER):
            message = f"a flow from elsewhere cannot lead to {target!r}, which is bind: local"
            document.problems.add(place, message, "remove the flow, or bind: local")
    check_flow_keys(document, flow, path)
    check_flow(document, flow, names, path)


def check_flow(document: Document, flow: Flow, names: Names, path: _Path) -> None:
    """Write down which names in its scope, condition and cite lead nowhere."""
    for scope, variable in scope_of(flow):
        _variable(document, scope, variable, names, (*path, "scope", scope))
    _cite(document, flow.cite, path)
    if flow.when:
        check_condition(document, flow.when, names, (*path, "when"))


def _cite(document: Document, cite: str, path: _Path) -> None:
    """A source is cited within its own file."""
    if cite and cite not in document.matrix.sources and not document.problems.full:
        hint = nearest(cite, document.matrix.sources) or "no source is described: add it under sources"
        document.problems.add(document.value(*path, "cite").place, f"unknown source {quoted(cite)}", hint)
