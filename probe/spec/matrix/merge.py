"""Several matrices as one. What they say of one thing unites; a contradiction is an error that names both places."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeVar

import msgspec

from probe.model.conditions import Condition
from probe.model.http import HttpDemand
from probe.model.matrix import Flow, Matrix, Role, Service, Source, Variable
from probe.model.tls import TlsDemand
from probe.model.words import Policy, Zone
from probe.spec.matrix.problems import quoted
from probe.spec.matrix.tellings import http_told, tls_told

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from probe.model.matrix import Profile
    from probe.spec.matrix.document import Document

DEFAULT_POLICY = {Zone.INSIDE: Policy.ADVISE, Zone.OUTSIDE: Policy.ENFORCE}

_Row = TypeVar("_Row", Variable, Role, Service, "Profile")


# The keys of a service that must agree, and their fields.
_OF_SERVICE = {
    "role": "roles",
    "port": "port",
    "protocol": "protocols",
    "path": "path",
    "status": "status",
    "http": "http",
    "tls": "tls",
    "listen": "listen",
    "count": "count",
    "address": "address",
    "at": "at",
    "when": "when",
    "unchecked": "unchecked",
}


_HINTS = {
    "variables": "make the two agree; to give it a value use --set or the inventory",
    "services": "make the two agree, or rename one; what is to differ goes under overrides",
}


class _Clash(NamedTuple):
    """`key` of a row says one thing here and another there."""

    key: str
    here: object
    there: object


def merge(documents: Sequence[Document]) -> Matrix:
    """One matrix; contradictions are written down in the problems of the later document."""
    variables: dict[str, Variable] = {}
    roles: dict[str, Role] = {}
    services: dict[str, Service] = {}
    profiles: dict[str, Profile] = {}
    sources: dict[str, Source] = {}
    flows: list[Flow] = []
    for number, document in enumerate(documents):
        earlier = documents[:number]
        _names(document, earlier)
        matrix = document.matrix
        cites = _sources(sources, matrix)
        own = {
            name: msgspec.structs.replace(row, cite=cites.get(row.cite, row.cite))
            for name, row in matrix.services.items()
        }
        _unite(variables, matrix.variables, "variables", _variable, document, earlier)
        _unite(roles, matrix.roles, "roles", _role, document, earlier)
        _unite(services, own, "services", _service, document, earlier)
        _unite(profiles, matrix.profiles, "profiles", _profile, document, earlier)
        flows += (msgspec.structs.replace(flow, cite=cites.get(flow.cite, flow.cite)) for flow in matrix.flows)
    return Matrix(
        names=tuple(document.name for document in documents),
        title=" + ".join(document.matrix.title or document.name for document in documents),
        sources=sources,
        variables=variables,
        roles=roles,
        services=services,
        flows=tuple(flows),
        policy=_policy(documents),
        profiles=profiles,
    )


def _unite(
    into: dict[str, _Row],
    rows: dict[str, _Row],
    section: str,
    unite: Callable[[_Row, _Row], _Row | _Clash],
    document: Document,
    earlier: Sequence[Document],
) -> None:
    for name, row in rows.items():
        if name not in into:
            into[name] = row
            continue
        united = unite(into[name], row)
        if isinstance(united, _Clash):
            where = _where(earlier, section, name, united.key)
            place = document.value(section, name, united.key).place
            message = (
                f"{section[:-1]} {name!r}: {united.key} is {_say(united.here)} here and {_say(united.there)} in {where}"
            )
            document.problems.add(place, message, _HINTS.get(section, "make the two agree, or rename one"))
        else:
            into[name] = united


def _where(earlier: Sequence[Document], *path: str) -> str:
    """The first document that has this row, and in it the key if it is written there."""
    first = next(document for document in earlier if path[1] in getattr(document.matrix, path[0]))
    return first.problems.where(first.value(*path).place)


def _say(value: object) -> str:
    if value in (None, "", ()):
        return "not said"
    if isinstance(value, Condition):
        return "another condition"
    if isinstance(value, HttpDemand):
        return quoted(http_told(value))
    if isinstance(value, TlsDemand):
        return quoted(tls_told(value))
    if isinstance(value, tuple) and len(value) > 1:
        return f"[{', '.join(map(str, value))}]"
    if isinstance(value, tuple):
        value = value[0]
    return quoted(str(value))


def _variable(there: Variable, here: Variable) -> Variable | _Clash:
    """One that has no default leaves it to the other."""
    for key in ("type", "choices"):
        if getattr(there, key) != getattr(here, key):
            return _Clash(key, getattr(here, key), getattr(there, key))
    if there.default is not None and here.default is not None and there.default != here.default:
        return _Clash("default", here.default, there.default)
    default = there.default if there.default is not None else here.default
    return msgspec.structs.replace(there, default=default, help=there.help or here.help)


def _role(there: Role, here: Role) -> Role | _Clash:
    if there.every_host != here.every_host:
        return _Clash("on", *("every-host" if role.every_host else None for role in (here, there)))
    if there.outside != here.outside:
        return _Clash("zone", *("outside" if role.outside else None for role in (here, there)))
    if there.policy is not None and here.policy is not None and there.policy is not here.policy:
        return _Clash("policy", here.policy, there.policy)
    return msgspec.structs.replace(
        there,
        aliases=_united(there.aliases, here.aliases),
        includes=_united(there.includes, here.includes),
        networks=_united(there.networks, here.networks),
        policy=there.policy or here.policy,
        help=there.help or here.help,
    )


def _united(there: tuple[str, ...], here: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(there + here))


def _service(there: Service, here: Service) -> Service | _Clash:
    for key, field in _OF_SERVICE.items():
        if getattr(there, field) != getattr(here, field):
            return _Clash(key, getattr(here, field), getattr(there, field))
    if there.severity and here.severity and there.severity is not here.severity:
        return _Clash("severity", here.severity, there.severity)
    if there.local != here.local:
        return _Clash("bind", *("local" if service.local else None for service in (here, there)))
    return msgspec.structs.replace(
        there,
        severity=there.severity or here.severity,
        remedy=there.remedy or here.remedy,
        help=there.help or here.help,
        cite=there.cite or here.cite,
    )


def _profile(there: Profile, here: Profile) -> Profile | _Clash:
    return there if set(there.requires) == set(here.requires) else _Clash("requires", here.requires, there.requires)


def _names(document: Document, earlier: Sequence[Document]) -> None:
    """Reports tell rows apart by the matrix that they are from."""
    same = next((other for other in earlier if other.name and other.name == document.name), None)
    if same:
        where = same.problems.where(same.value("name").place)
        document.problems.add(
            document.value("name").place, f"the name {document.name!r} is taken by {where}", "rename one of the two"
        )


def _sources(into: dict[str, Source], matrix: Matrix) -> dict[str, str]:
    """Keys of sources are a file's own affair: where two files mean different documents, the later key is qualified.

    Returns old key to new.
    """
    renamed: dict[str, str] = {}
    for key, source in matrix.sources.items():
        if into.get(key, source) == source:
            into[key] = source
        else:
            renamed[key] = f"{matrix.names[0]}:{key}"
            into[renamed[key]] = msgspec.structs.replace(source, key=renamed[key])
    return renamed


def _policy(documents: Sequence[Document]) -> dict[Zone, Policy]:
    said: dict[Zone, tuple[Policy, Document]] = {}
    for document in documents:
        for zone, policy in document.matrix.policy.items():
            if zone not in said:
                said[zone] = (policy, document)
            elif said[zone][0] is not policy:
                other = said[zone][1]
                where = other.problems.where(other.value("policy", zone.value).place)
                message = f"policy: {zone} is {policy.value!r} here and {said[zone][0].value!r} in {where}"
                document.problems.add(document.value("policy", zone.value).place, message, "make the two agree")
    return {zone: said[zone][0] if zone in said else default for zone, default in DEFAULT_POLICY.items()}
