"""What a set of matrices defines between them, and what to suggest for a name that none of them has."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from probe.model.expand import variables_of
from probe.model.matrix import EVERY_HOST
from probe.spec.diagnostics import nearest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from probe.model.matrix import Service
    from probe.spec.matrix.document import Document


class Meaning(NamedTuple):
    """One role that a word means, by its name or as an alias, and the document that says so."""

    role: str
    alias: bool
    document: Document


class Names:
    """`defaults` has every variable, with None for those that have none; `used` those that a port is made of."""

    def __init__(self, documents: Sequence[Document]) -> None:
        self.services: dict[str, Service] = {}
        self.defaults: dict[str, int | str | None] = {}
        self.used: set[str] = set()
        self.roles: dict[str, None] = {}
        self._meanings: dict[str, list[Meaning]] = {}
        for document in documents:
            matrix = document.matrix
            self.services |= matrix.services
            for service in matrix.services.values():
                self.used |= set(variables_of(service.port) if service.port else ())
            for variable in matrix.variables.values():
                if self.defaults.get(variable.name) is None:
                    self.defaults[variable.name] = variable.default
            for role in matrix.roles.values():
                self.roles[role.name] = None
                self._meanings.setdefault(role.name, []).append(Meaning(role.name, False, document))
                for alias in role.aliases:
                    self._meanings.setdefault(alias, []).append(Meaning(role.name, True, document))

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
            return f"all hosts inside are {EVERY_HOST}"
        return nearest(word, [*self.roles, *more]) or "no role is described: add them under roles"

    def service_hint(self, word: str) -> str:
        of_role = [name for name, service in self.services.items() if service.role == word]
        if of_role:
            return f"{word!r} is a role; its services are: {', '.join(of_role[:12])}"
        return nearest(word, self.services) or "no service is described: add them under services"
