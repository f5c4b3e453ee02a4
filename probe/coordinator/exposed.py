"""What the search for open ports comes to in the report: the rows that no attempt stands behind, who holds what is
exposed, and how it was looked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from probe.model import sweptrows
from probe.model.exposed import Exposed, Kind, Standing, Unnamed, permission, sentence
from probe.model.ports import PortSet
from probe.model.words import Cause, Transport, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from probe.coordinator.exposing import Exposing
    from probe.model.check import Check
    from probe.model.exposed import Sockets
    from probe.model.result import CheckResult

_Alike = tuple[str, int, str, Transport, tuple[str, ...], tuple[tuple[str, ...], ...]]
_Fates = dict[tuple[str, Transport, int], dict[Verdict, list[str]]]
"""By target, transport and port: the sources, by what came of their attempt."""


class Told:
    """`problem` is why a host's agent cannot speak, None where it can."""

    def __init__(self, exposing: Exposing, problem: Callable[[str], tuple[Cause, str] | None]) -> None:
        self._exposing = exposing
        self._beyond = exposing.beyond
        self._problem = problem

    # --- rows ---------------------------------------------------------------------------------------------------------

    def swept(self) -> Iterator[CheckResult]:
        """For each sweep what has no check of its own."""
        apart: dict[tuple[str, str, str, Transport], PortSet] = {}
        for check in self._exposing.checks:
            key = (check.source, check.target, check.address, check.transport)
            apart[key] = apart.get(key, PortSet()) | check.ports
        for job in self._exposing.sweeps.jobs:
            for task in job.tasks:
                check = self._beyond.whole(task)
                ports = task.ports - apart.get((task.source, task.target, *task.place), PortSet())
                found = job.done.get(task)
                if found is None:
                    problem = self._problem(task.source) or self._problem(task.target)
                    why = job.problem_of(task)
                    cause, told = problem or (Cause.RESOURCES if why else Cause.TIMEOUT, "the run was interrupted")
                    yield sweptrows.unmeasured(check, ports, cause, f"not measured: {why or told}")
                elif ports:
                    yield from sweptrows.rows(check, found, ports, surveyed=task.target in self._exposing.surveys)

    def with_holders(self, rows: Iterable[CheckResult], checks: Mapping[str, Check]) -> Iterator[CheckResult]:
        """The rows; what is exposed with who holds it and whom the matrix allows."""
        for row in rows:
            check = checks.get(row.id)
            if row.verdict is not Verdict.EXPOSED or row.cause is Cause.STAND_IN or check is None:
                yield row
                continue
            first = PortSet.parse(row.ports).ranges[0][0]
            sockets = self._exposing.surveys.get(row.target)
            holder = sockets.holder(row.address, row.transport, first) if sockets is not None else None
            allowed = self._beyond.allowed(row.target, row.transport, first)
            why = permission(allowed, undeclared=check.undeclared, local=check.local)
            if sockets is not None and holder is None:
                why = f"nothing listens there on {row.target}, so translation or a device before it opens it; {why}"
            yield msgspec.structs.replace(
                row,
                listener=holder,
                allowed=allowed,
                detail=sentence(row.source, row.target, row.transport, row.ports, holder, why),
            )

    # --- how it was looked for ----------------------------------------------------------------------------------------

    def exposed(self, rows: Iterable[CheckResult]) -> Exposed:
        sweeps = tuple(found for job in self._exposing.sweeps.jobs for found in job.done.values())
        return Exposed(
            scope=self._beyond.scope,
            standing=tuple(self._standing()),
            kinds=tuple(
                Kind(zone=kind.zone, role=kind.role, roles=kind.roles, sources=sources)
                for kind, sources in self._beyond.kinds.items()
            ),
            unnamed=tuple(self._unnamed(rows)),
            sweeps=sweeps,
            sent=self._exposing.sent + sum(found.sent for found in sweeps),
        )

    def _standing(self) -> Iterator[Standing]:
        targets: dict[tuple[str, Transport, str, str], list[str]] = {}
        for target in self._beyond.targets:
            for one in self._beyond.standing[target]:
                if one.ports:
                    targets.setdefault((one.words, one.transport, str(one.ports), one.who), []).append(target)
        for (entry, transport, ports, who), names in targets.items():
            yield Standing(entry=entry, transport=transport, ports=ports, who=who, targets=tuple(names))

    def _unnamed(self, rows: Iterable[CheckResult]) -> Iterator[Unnamed]:
        """What listens and has no name in the matrix, ports together that have the same holder and fate."""
        fates: _Fates = {}
        for row in rows:
            if row.undeclared and row.target in self._exposing.surveys and len(ports := PortSet.parse(row.ports)) == 1:
                fate = fates.setdefault((row.target, row.transport, next(iter(ports))), {})
                fate.setdefault(row.verdict, []).append(row.source)
        for target, sockets in self._exposing.surveys.items():
            yield from self._unnamed_at(target, sockets, fates)

    def _unnamed_at(self, target: str, sockets: Sockets, fates: _Fates) -> Iterator[Unnamed]:
        # By holder and port the addresses: a service often has one socket for each family.
        bound: dict[tuple[str, int, str, Transport, int], list[str]] = {}
        known = {transport: self._beyond.named(target, transport) for transport in Transport}
        for row, ports in sockets.rows:
            for port in () if row.agent else ports - known[row.transport]:
                bound.setdefault((row.process, row.pid, row.user, row.transport, port), []).append(row.address)
        alike: dict[_Alike, list[int]] = {}
        for (process, pid, user, transport, port), places in bound.items():
            fate = fates.get((target, transport, port), {})
            told = tuple(
                tuple(dict.fromkeys(fate.get(verdict, ())))
                for verdict in (Verdict.PASS, Verdict.EXPOSED, Verdict.INCONCLUSIVE)
            )
            alike.setdefault((process, pid, user, transport, tuple(sorted(places)), told), []).append(port)
        for (process, pid, user, transport, addresses, (closed, reached, unsure)), every in alike.items():
            yield Unnamed(
                target=target,
                transport=transport,
                ports=str(PortSet.of(every)),
                addresses=addresses,
                process=process,
                pid=pid,
                user=user,
                asked=tuple(dict.fromkeys((*closed, *reached, *unsure))),
                reached=reached,
                unsure=unsure,
            )
