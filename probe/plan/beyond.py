"""Beyond the plan: ports that it does not speak of, and that no flow allows. From which kinds of source each is tried,
and what it is worth if it is open.

A kind is all sources of one zone with the same roles: the matrix means the same by them. One of each kind is asked
first (a sample), and the others where that one got through.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import msgspec

from probe.model.ports import PortSet
from probe.model.words import Expect, Policy, Transport, Zone
from probe.plan.making import undeclared_check
from probe.plan.standing import AGENT, runs_portcheck, standing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from probe.model.check import Check
    from probe.plan.offers import Offer
    from probe.plan.plan import Plan

Place = tuple[str, Transport]
EVERY_PORT = PortSet([(1, 65535)])


class Kind(msgspec.Struct, frozen=True, order=True):
    """`role` is the one that stands for its hosts."""

    zone: Zone
    roles: tuple[str, ...]
    role: str

    def __str__(self) -> str:
        return self.zone.value if self.role == self.zone else f"{self.role}, {self.zone}"


class Task(msgspec.Struct, frozen=True):
    """One source, and ports at an address of one target that it has to try."""

    source: str
    target: str
    place: Place
    ports: PortSet


class Beyond:
    """What one plan leaves unspoken. Raises UserError for a list of what is always allowed that makes no sense."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self.scope = plan.wishes.exposure
        inventory = plan.inventory
        known = [*inventory.hosts, *inventory.groups]
        names = [name for name in plan.hosts if name in inventory.hosts]
        self.standing = standing(map(plan.party, names), plan.matrix, known)
        self.kinds: dict[Kind, tuple[str, ...]] = {}
        for source in plan.sources:
            kind = self.kind(source)
            self.kinds[kind] = (*self.kinds.get(kind, ()), source)
        self._carrying: dict[str, list[str]] = {}
        for name in names:
            for address in inventory.hosts[name].addresses:
                self._carrying.setdefault(address, []).append(name)
        self._fronts = [party for party in plan.parties if party.endpoint and party.host.addresses[0] in self._carrying]
        # Whether all hosts of a kind may reach the same: no row and no list tells them apart.
        named = {one.who for found in self.standing.values() for one in found} & set(inventory.hosts)
        here = any(runs_portcheck(inventory.hosts[name]) for name in names)
        self._alike = not (named or here or any(rule.by_host for rule in plan.rules))
        self.targets = tuple(name for name in names if self._is_asked(name))
        self._spoken: tuple[str, Callable[[str], dict[Place, PortSet]]] | None = None

    def kind(self, source: str) -> Kind:
        return Kind(self._plan.zone(source), self._plan.roles(source), self._plan.role(source))

    def _is_asked(self, target: str) -> bool:
        """Whether there is a source from which something there is probed."""
        only = self._plan.wishes.only
        for members in self.kinds.values():
            # The policy is the kind's; what is chosen by hand may be a host's.
            for source in members if only is not None else members[:2]:
                if source == target or self._plan.policy(source, target) is Policy.IGNORE:
                    continue
                if only is None or any(
                    only(self.whole(Task(source, target, place, EVERY_PORT))) for place in self.places(target)
                ):
                    return True
        return False

    def places(self, target: str) -> Iterator[Place]:
        for address in self._plan.hosts[target].addresses:
            for transport in Transport:
                yield address, transport

    def forbidden(self, source: str, target: str, place: Place, ports: PortSet) -> PortSet:
        """Those of these ports that the plan does not speak of, and that this source must not reach."""
        if self._together(source, target) or self._plan.policy(source, target) is Policy.IGNORE:
            return PortSet()
        address, transport = place
        # One machine may have two names: what is meant for one of them is meant.
        for name in self._carrying.get(address, [target]):
            ports -= self._spoken_of(source)(name).get(place, PortSet())
        here = self._plan.party(source)
        for one in self.standing[target]:
            if one.transport is transport and one.lets(here):
                ports -= one.ports
        only = self._plan.wishes.only
        if ports and only is not None and getattr(only, "by_port", True):
            return PortSet.of(port for port in ports if only(self._check(source, target, place, port)))
        if ports and only is not None and not only(self.whole(Task(source, target, place, EVERY_PORT))):
            return PortSet()
        return ports

    @property
    def sources(self) -> Iterator[str]:
        """All that may be asked to try something."""
        for members in self.kinds.values():
            yield from members

    def know_agent(self, target: str, ports: PortSet) -> None:
        """These TCP ports of the target are an agent's own: the entry of the list that means it means them too."""
        self.standing[target] = tuple(
            msgspec.structs.replace(one, ports=one.ports | ports) if one.words.startswith(AGENT) else one
            for one in self.standing[target]
        )

    def _together(self, source: str, target: str) -> bool:
        """Whether they are one machine, as far as the inventory tells."""
        hosts = self._plan.hosts
        return source == target or not set(hosts[source].addresses).isdisjoint(hosts[target].addresses)

    def _spoken_of(self, source: str) -> Callable[[str], dict[Place, PortSet]]:
        # Asked for one source after another: one is enough to keep.
        if self._spoken is None or self._spoken[0] != source:
            self._spoken = (source, self._plan.spoken_of(source))
        return self._spoken[1]

    # --- who tries ----------------------------------------------------------------------------------------------------

    def samples(
        self, target: str, place: Place, ports: PortSet, *, alive: Callable[[str], bool]
    ) -> Iterator[tuple[Kind, Task]]:
        """For each kind of source one host that tries them, or several where some of the ports are not forbidden to the
        first. Those that are `alive` first; who it is changes with seed and target.
        """
        for kind, members in self.kinds.items():
            left = ports
            for source in self._order(kind, members, target, alive):
                if part := self.forbidden(source, target, place, left):
                    left -= part
                    yield kind, Task(source, target, place, part)
                if not left or self._alike:
                    break

    def others(self, task: Task) -> Iterator[Task]:
        """The same for the rest of the kind: where the sample got through, each is asked."""
        for source in self.kinds[self.kind(task.source)]:
            if source != task.source and (part := self.forbidden(source, task.target, task.place, task.ports)):
                yield Task(source, task.target, task.place, part)

    def _order(self, kind: Kind, members: Iterable[str], target: str, alive: Callable[[str], bool]) -> list[str]:
        order = list(members)
        random.Random(f"{self._plan.wishes.seed}/{target}/{kind}").shuffle(order)
        return sorted(order, key=lambda name: not alive(name))

    # --- what it is called --------------------------------------------------------------------------------------------

    def checks(self, task: Task) -> Iterator[Check]:
        """One for each port: a port keeps its id whatever else is open beside it."""
        for port in task.ports:
            yield self._check(task.source, task.target, task.place, port)

    def whole(self, task: Task) -> Check:
        """One for all that is left of a sweep once what is open has its own."""
        policy = self._plan.policy(task.source, task.target)
        source, target = self._plan.party(task.source), self._plan.party(task.target)
        return undeclared_check(source, target, task.place, EVERY_PORT, policy, self._plan.matrix.names[0])

    def _check(self, source: str, target: str, place: Place, port: int) -> Check:
        return undeclared_check(
            self._plan.party(source),
            self._plan.party(target),
            place,
            PortSet.of([port]),
            self._plan.policy(source, target),
            self._plan.matrix.names[0],
        )

    def allowed(self, target: str, transport: Transport, port: int) -> tuple[str, ...]:
        """The roles from which a flow of the matrix leads to this port of the target."""
        services = {offer.service.name for offer in self._offers(target, transport) if port in offer.ports}
        flows = (rule.flow for rule in self._plan.rules if rule.flow.expect is Expect.REACH)
        found = (source for flow in flows if services & set(flow.services) for source in flow.sources)
        return tuple(dict.fromkeys(found))

    def named(self, target: str, transport: Transport) -> PortSet:
        """The ports that some service of the matrix has at the target, on whatever address."""
        return PortSet(span for offer in self._offers(target, transport) for span in offer.ports.ranges)

    def _offers(self, target: str, transport: Transport) -> Iterator[Offer]:
        """The target's, and those of places that are addresses of its."""
        there = self._plan.party(target)
        for party in (there, *(one for one in self._fronts if one.host.addresses[0] in there.host.addresses)):
            yield from (offer for offer in party.offers if offer.transport is transport)
