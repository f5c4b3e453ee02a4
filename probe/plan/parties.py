"""A host of the inventory as the plan sees it, or an endpoint that is not in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from probe.model.inventory import Host
from probe.model.variables import Values, VariableError
from probe.model.words import Zone
from probe.plan.offers import Offer, unset

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet


class Party(msgspec.Struct, frozen=True):
    """`names` are what flows may call it as a source. `endpoint`: not of the inventory, a target without an agent."""

    host: Host
    zone: Zone
    ordered: tuple[str, ...]
    role: str
    names: frozenset[str]
    offers: tuple[Offer, ...]
    values: Values
    endpoint: bool = False

    @property
    def roles(self) -> AbstractSet[str]:
        return self.names

    def value(self, name: str) -> object:
        """For conditions: raises UserError where the variable has no value or none of its type."""
        try:
            return self.values[name]
        except VariableError as error:
            raise unset(error, f"host {self.host.name!r}") from None

    def text(self, name: str) -> object:
        """For scopes: None where the variable has no value; raises UserError for one that is not of its type."""
        try:
            found = self.values.find(name)
        except VariableError as error:
            raise unset(error, f"host {self.host.name!r}") from None
        return found.value if found is not None else None
