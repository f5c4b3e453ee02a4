"""The variables as the hosts of a plan have them, and where each value came from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from probe.model.variables import VariableError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from probe.model.matrix import Matrix
    from probe.plan.parties import Party

_LONGEST = 200


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """One value of a variable, and the hosts that have it. `origin` as in `probe.model.variables.Value`; both texts are
    empty where it has none.
    """

    name: str
    value: str
    origin: str
    hosts: tuple[str, ...]


def settings(matrix: Matrix, parties: Iterable[Party]) -> tuple[Setting, ...]:
    """By variable in the matrix's order, the value of the most hosts first."""
    hosts = [party for party in parties if not party.endpoint]
    found = []
    for name in matrix.variables:
        shared: dict[tuple[str, str], list[str]] = {}
        for party in hosts:
            shared.setdefault(_shown(party, name), []).append(party.host.name)
        ordered = sorted(shared.items(), key=lambda item: -len(item[1]))
        found += [
            Setting(name=name, value=value, origin=origin, hosts=tuple(names)) for (value, origin), names in ordered
        ]
    return tuple(found)


def _shown(party: Party, name: str) -> tuple[str, str]:
    try:
        found = party.values.find(name)
    except VariableError as error:
        # No row of this host needs it, or the plan would not be there.
        return str(error)[:_LONGEST], "not used"
    if found is None:
        return "", ""
    value = found.value
    text = (
        ", ".join(value) if isinstance(value, tuple) else str(value).lower() if isinstance(value, bool) else str(value)
    )
    return text[:_LONGEST], found.origin
