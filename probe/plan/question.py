"""The plan cut down to one port between two hosts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from probe.model.ports import PortSet
from probe.model.words import Transport
from probe.plan.plan import Plan, Wishes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from probe.model.check import Check
    from probe.model.inventory import Inventory
    from probe.model.matrix import Matrix
    from probe.plan.offers import Offer


class Way(msgspec.Struct, frozen=True):
    """`transports`: those that are asked about."""

    source: str
    target: str
    port: int
    transports: tuple[Transport, ...]

    def __str__(self) -> str:
        return f"{' or '.join(self.transports)} {self.port} from {self.source} to {self.target}"


class Question(Plan):
    """A plan with the checks of one way alone, each for its port alone; their `id` is that of the whole check."""

    def __init__(self, matrix: Matrix, inventory: Inventory, wishes: Wishes, way: Way) -> None:
        """Raises UserError as Plan does. Names of hosts that there are not leave nothing."""
        super().__init__(matrix, inventory, wishes)
        self.way = way

    @property
    def sources(self) -> tuple[str, ...]:
        return tuple(name for name in super().sources if name == self.way.source)

    def checks(self, source: str) -> Iterator[Check]:
        port = PortSet.of([self.way.port])
        for check in self.between() if source == self.way.source else ():
            if self.way.port in check.ports and check.transport in self.way.transports:
                yield msgspec.structs.replace(check, ports=port)

    def between(self) -> Iterator[Check]:
        """Every check of these two hosts, whole."""
        if self.way.source in self.sources:
            yield from (check for check in super().checks(self.way.source) if check.target == self.way.target)

    def offers(self) -> Iterator[Offer]:
        """What the target has on this port by the matrix, whoever may reach it."""
        for party in self.parties:
            if party.host.name == self.way.target:
                yield from (
                    offer
                    for offer in party.offers
                    if self.way.port in offer.ports and offer.transport in self.way.transports
                )
