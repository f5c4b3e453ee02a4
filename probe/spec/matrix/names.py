"""What a set of matrices defines between them, and what to suggest for a name that none of them has."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from probe.model.expand import roles_of, variables_of
from probe.model.matrix import ANY, EVERY_HOST, OUTSIDE
from probe.model.variables import Values
from probe.spec.diagnostics import nearest
from probe.spec.matrix.kinds import VARIABLE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from probe.model.conditions import Condition
    from probe.model.matrix import Flow, Matrix, Service, Variable
    from probe.spec.matrix.document import Document


BRACED = re.compile(rf"\{{ *({VARIABLE}) *\}}")


# What to write where a word that stands for hosts is no role.
_ROLES_FOR = {
    EVERY_HOST: "for every host inside write a role with on: every-host",
    OUTSIDE: "for a party outside write a role with zone: outside, or a service with at and without role",
    ANY: "write roles here",
}


class Meaning(NamedTuple):
    """One role that a word means, by its name or as an alias, and the document that says so."""

    role: str
    alias: bool
    document: Document


class Names:
    """`variables` are all of them, with the default of whichever file gives one; `values` has the defaults."""

    def __init__(self, documents: Sequence[Document]) -> None:
        self.services: dict[str, Service] = {}
        self.variables: dict[str, Variable] = {}
        self.roles: dict[str, None] = {}
        self.rules: dict[str, list[Document]] = {}
        self._meanings: dict[str, list[Meaning]] = {}
        for document in documents:
            matrix = document.matrix
            self.services |= matrix.services
            for variable in matrix.variables.values():
                if variable.name not in self.variables or self.variables[variable.name].default is None:
                    self.variables[variable.name] = variable
            for flow in matrix.flows:
                self.rules.setdefault(flow.rule, []).append(document)
            for role in matrix.roles.values():
                self.roles[role.name] = None
                self._meanings.setdefault(role.name, []).append(Meaning(role.name, False, document))
                for alias in role.aliases:
                    self._meanings.setdefault(alias, []).append(Meaning(role.name, True, document))
        self.values = defaults(self.variables)

    def other_meaning(self, alias: str, role: str) -> str:
        """What else than an alias of this role a word is, and where; empty if nothing."""
        for meaning in self._meanings.get(alias, ()):
            document = meaning.document
            if not meaning.alias:
                return f"a role ({document.problems.where(document.key('roles', alias))})"
            if meaning.role != role:
                place = document.word(("roles", meaning.role, "aliases"), alias)
                return f"an alias of role {meaning.role!r} ({document.problems.where(place)})"
        return ""

    def role_hint(self, word: str, more: tuple[str, ...] = ()) -> str:
        """`more` are words that stand for roles in this place."""
        if word in self._meanings:
            return f"{word!r} is another name of {self._meanings[word][0].role!r}: write that"
        if word == "inside":
            word = EVERY_HOST
        if word in more:
            return f"all hosts inside are {EVERY_HOST}"
        if word in _ROLES_FOR:
            return _ROLES_FOR[word]
        return nearest(word, [*self.roles, *more]) or (
            "no role is described: add them under roles, or lint it with the file that has them (--merged)"
        )

    def service_hint(self, word: str) -> str:
        of_role = [name for name, service in self.services.items() if word in service.roles]
        if of_role:
            return f"{word!r} is a role; its services are: {', '.join(of_role[:12])}"
        return nearest(word, self.services) or "no service is described: add them under services"

    def variable_hint(self, word: str) -> str:
        return nearest(word, self.variables) or "no variable is described: add it under variables"


def defaults(variables: dict[str, Variable]) -> Values:
    """The variables as a host without any of its own has them, in an inventory without hosts."""
    return Values(variables, given={}, inventory={}, origins={}, hosts={})


def texts_with_variables(service: Service) -> Iterator[tuple[str, str]]:
    """Key and text of what may have variables in braces."""
    yield "port", service.port
    if service.count.startswith("{"):
        yield "count", service.count
    if service.address:
        yield "address", "{" + service.address + "}"
    for text in service.at:
        if found := BRACED.search(text):
            yield "at", found[0]


def roles_counted(service: Service) -> Iterator[tuple[str, str]]:
    """Key and role of what `hosts(…)` counts."""
    for key, text in texts_with_variables(service):
        for role in roles_of(text) if text else ():
            yield key, role


def variables_used(matrix: Matrix) -> set[str]:
    """Every variable that some row names."""
    used: set[str] = set()
    for service in matrix.services.values():
        for _, text in texts_with_variables(service):
            used |= set(variables_of(text)) if text else set()
        used |= set(_asked(service.when))
    for flow in matrix.flows:
        used |= set(_asked(flow.when)) | {name for _, name in scope_of(flow)}
    for role in matrix.roles.values():
        used |= {found[1] for text in role.networks if (found := BRACED.search(text))}
    return used


def roles_used(matrix: Matrix) -> set[str]:
    """Every role that some row names."""
    used: set[str] = set()
    for service in matrix.services.values():
        used |= {*service.roles, *_roles_in(service.when), *(role for _, role in roles_counted(service))}
    for flow in matrix.flows:
        used |= {*flow.sources, *_roles_in(flow.when)}
    for profile in matrix.profiles.values():
        used |= set(profile.requires)
    for role in matrix.roles.values():
        used |= {role.name, *role.includes} if role.includes else set()
    return used


def scope_of(flow: Flow) -> Iterator[tuple[str, str]]:
    """Key and variable of what stands in a flow's scope."""
    if flow.scope is not None:
        for key in ("same", "different", "names", "named_by"):
            for name in getattr(flow.scope, key):
                yield key.replace("_", "-"), name


def _asked(condition: Condition | None) -> Iterator[str]:
    for part in condition.walk() if condition is not None else ():
        if part.variable is not None:
            yield part.variable


def _roles_in(condition: Condition | None) -> Iterator[str]:
    for part in condition.walk() if condition is not None else ():
        if part.role is not None:
            yield part.role
