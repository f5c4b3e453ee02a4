"""`when:` of a row: what must be so for the row to be there."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

import msgspec

from probe.model.words import Family

if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Set as AbstractSet


class Condition(msgspec.Struct, frozen=True, kw_only=True):
    """Exactly one field is set, `values` going with `variable`; `all_of` and `any_of` hold conditions in turn.

    `values` None: the variable must be true. `source` and `target` hold conditions on that host: a role in them is one
    that it has, a variable has the value that it has there. Elsewhere a role is one that some host has, and a variable
    is the target's.
    """

    role: str | None = None
    variable: str | None = None
    values: tuple[str, ...] | None = None
    family: Family | None = None
    source: Condition | None = None
    target: Condition | None = None
    negated: Condition | None = None
    all_of: tuple[Condition, ...] | None = None
    any_of: tuple[Condition, ...] | None = None

    @property
    def parts(self) -> tuple[Condition, ...]:
        """The conditions directly in it."""
        single = (self.source, self.target, self.negated)
        return (*(part for part in single if part is not None), *(self.all_of or ()), *(self.any_of or ()))

    def walk(self) -> Iterator[Condition]:
        """It and all in it."""
        yield self
        for part in self.parts:
            yield from part.walk()


class Party(Protocol):
    """What a condition may ask of a host."""

    @property
    def roles(self) -> AbstractSet[str]: ...

    def value(self, name: str) -> object: ...


class Circumstances(NamedTuple):
    """`present`: the roles that at least one host has. `family` is None where the address is a name."""

    present: AbstractSet[str]
    source: Party | None = None
    target: Party | None = None
    family: Family | None = None


def holds(condition: Condition, now: Circumstances, here: Party | None = None) -> bool:
    """`here` is the host that the condition stands in, if any. Raises VariableError for a variable without a value."""
    if condition.role is not None:
        return condition.role in (here.roles if here is not None else now.present)
    if condition.variable is not None:
        party = here or now.target
        value = party.value(condition.variable) if party is not None else None
        return value is True if condition.values is None else _word(value) in condition.values
    if condition.family is not None:
        return condition.family is now.family
    if condition.source is not None:
        return now.source is not None and holds(condition.source, now, now.source)
    if condition.target is not None:
        return now.target is not None and holds(condition.target, now, now.target)
    if condition.negated is not None:
        return not holds(condition.negated, now, here)
    if condition.all_of is not None:
        return all(holds(part, now, here) for part in condition.all_of)
    return any(holds(part, now, here) for part in condition.any_of or ())


def asks_family(condition: Condition) -> bool:
    return any(part.family is not None for part in condition.walk())


def asks_pair(condition: Condition) -> bool:
    """Whether it must be asked for each source and target: if not, the inventory as a whole answers it."""
    return any(
        part.source is not None or part.target is not None or part.variable is not None or part.family is not None
        for part in condition.walk()
    )


def _word(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
