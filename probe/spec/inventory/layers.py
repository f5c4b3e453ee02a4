"""Variables in layers: who sets what, where it stands, and who wins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from probe.spec.inventory.source import Origin


class Layer(NamedTuple):
    """Variables of one owner from one place. `said` names both in a few words: `group web, group_vars/web.yml`."""

    said: str
    vars: dict[str, Any]
    origins: dict[str, Origin]


class Merged(NamedTuple):
    """By the variable's name: its value, where that stands, and who sets it."""

    vars: dict[str, Any]
    origins: dict[str, Origin]
    said: dict[str, str]

    def under(self, layers: Iterable[Layer]) -> Merged:
        """With these layers over it, the last of them on top."""
        values, origins, said = dict(self.vars), dict(self.origins), dict(self.said)
        for layer in layers:
            values.update(layer.vars)
            origins.update(layer.origins)
            said.update(dict.fromkeys(layer.vars, layer.said))
        return Merged(values, origins, said)
