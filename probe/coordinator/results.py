"""Pieces of evidence to rows of the report: each piece is judged, and ports with one outcome become one row."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from msgspec import UNSET

from probe.coordinator.alternatives import with_alternatives
from probe.model import story
from probe.model.certificate import TlsSeen
from probe.model.judge import Judgement, Situation, judge
from probe.model.observation import PortUse, Proof, Receipts
from probe.model.ports import PortSet
from probe.model.result import CheckResult
from probe.model.tls import TlsFacts
from probe.model.words import Cause, Phase, State, Transport, Verdict
from probe.protocols import holder, told

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from probe.coordinator.names import Names
    from probe.coordinator.pieces import Piece
    from probe.coordinator.receipts import Ledger
    from probe.model.certificate import Certificate
    from probe.model.check import Check
    from probe.model.inventory import Host
    from probe.model.observation import Observation

_Key = tuple[str, Judgement, State | None, str, str, TlsFacts | None]


class Results:
    """Everything the judge must know beside the pieces."""

    def __init__(
        self,
        *,
        phase: Phase,
        hosts: Mapping[str, Host],
        numbers: Mapping[str, int],
        ledger: Ledger,
        problem: Callable[[str], tuple[Cause, str] | None],
        agentless: Callable[[str], bool],
        names: Names,
        carried: Mapping[str, frozenset[str]],
        interrupted: bool,
    ) -> None:
        self._phase = phase
        self._numbers = numbers
        self._ledger = ledger
        self._problem = problem
        self._agentless = agentless
        self._names = names
        self._carried = carried
        self._interrupted = interrupted
        self._now = datetime.now(UTC)
        self._addresses = {name: frozenset(map(_bare, host.addresses)) for name, host in hosts.items()}
        self._reached: dict[tuple[str, Transport], PortSet] = {}

    def rows(self, checks: Iterable[Check], pieces: Mapping[str, list[Piece]]) -> tuple[CheckResult, ...]:
        """In the plan's order, which is the inventory's by source."""
        wanted = list(checks)
        for check in wanted:
            self._note_reached(check, pieces.get(check.id, ()))
        rows = tuple(row for check in wanted for row in self._check(check, pieces.get(check.id, [])))
        return with_alternatives(rows, {check.id: check for check in wanted if check.way_of})

    def _note_reached(self, check: Check, pieces: Iterable[Piece]) -> None:
        for piece in pieces:
            self._names.note(check, piece)
            if piece.seen is not None and piece.seen.state is State.OPEN and piece.seen.failure is None:
                place = (piece.address, check.transport)
                self._reached[place] = self._reached.get(place, PortSet()) | piece.ports

    def _check(self, check: Check, pieces: list[Piece]) -> Iterator[CheckResult]:
        groups: dict[_Key, _Group] = {}
        left = check.ports
        for piece in pieces:
            left -= piece.ports
            for ports, situation in self._situations(check, piece):
                self._judge(groups, ports, situation, piece)
        if left:
            self._judge(groups, left, self._situation(check, None), None)
        passes = any(judgement.verdict is Verdict.PASS for _, judgement, *_ in groups)
        for key, group in sorted(groups.items(), key=lambda item: (item[0][0], item[1].ports.ranges)):
            yield self._row(check, key, group, _others(group.situation) if passes else "")

    def _judge(self, groups: dict[_Key, _Group], ports: PortSet, situation: Situation, piece: Piece | None) -> None:
        judgement = judge(situation)
        seen = situation.seen
        address = piece.address if piece is not None else situation.check.address
        failure = "" if judgement.verdict is Verdict.PASS or seen is None else str(seen.failure)
        by = "" if judgement.verdict is Verdict.PASS else situation.view.by
        tls = seen.tls if seen is not None else None
        key = (address, judgement, seen.state if seen is not None else None, failure, by, tls)
        group = groups.get(key)
        if group is None:
            groups[key] = group = _Group(situation)
        group.add(ports, situation, piece)

    def _situations(self, check: Check, piece: Piece) -> Iterator[tuple[PortSet, Situation]]:
        sources = self._addresses[check.source] | self._carried.get(check.source, frozenset())
        sources |= {piece.seen.local} if piece.seen is not None else set()
        if piece.seen is not None and piece.seen.proof is Proof.ACCEPTED and piece.view.use is PortUse.UNKNOWN:
            # Nobody on this target speaks for it: what accepted may have been a stand-in of another's.
            for port in piece.ports:
                receipts = Receipts(elsewhere=self._ledger.visited(check.transport, port, sources))
                yield PortSet.of([port]), self._situation(check, piece, receipts=receipts)
            return
        if piece.seen is None or piece.seen.failure is None:
            yield piece.ports, self._situation(check, piece)
            return
        place = (piece.address, check.transport)
        door = (check.address, check.transport)
        alive = piece.ports & self._reached.get(place, PortSet())
        for part, is_alive in ((alive, True), (piece.ports - alive, False)):
            number = self._numbers[check.source]
            split = self._ledger.split(check.target, door, number, part, sources, piece.address)
            for ports, receipts in split:
                yield ports, self._situation(check, piece, receipts=receipts, alive=is_alive)

    def _situation(self, check: Check, piece: Piece | None, **more: object) -> Situation:
        source, target = self._problem(check.source), self._problem(check.target)
        kept = ("seen", "view", "ends", "path", "large", "decoy", "doubtful")
        known = {name: getattr(piece, name) for name in kept} if piece is not None else {}
        fields: dict[str, object] = {**known, **more}
        facts = piece.seen.tls if piece is not None and piece.seen is not None else None
        return Situation(
            check=check,
            phase=self._phase,
            astray=self._names.astray(check, piece) if piece is not None else "",
            now=self._now,
            certificates=_readable(facts) if facts is not None else (),
            source_problem=source[0] if source else None,
            target_problem=target[0] if target else None,
            agentless=self._agentless(check.target),
            there=piece is not None and any((piece.address, transport) in self._reached for transport in Transport),
            holder=holder(check.application or check.protocol.value, piece.view.by if piece is not None else ""),
            told=self._told(check, piece),
            source_addresses=self._addresses[check.source],
            source_carried=self._carried.get(check.source, frozenset()),
            target_addresses=self._addresses[check.target]
            | self._carried.get(check.target, frozenset())
            | {_bare(piece.address if piece is not None else check.address)},
            **fields,  # type: ignore[arg-type]
        )

    def _told(self, check: Check, piece: Piece | None) -> str:
        if piece is None or piece.seen is None:
            return ""
        words = told(check.application, check.transport, piece.seen.said)
        return f"{words}, from {piece.address}" if words else ""

    def _row(self, check: Check, key: _Key, group: _Group, instead: str) -> CheckResult:
        address, judgement, state, _, _, tls = key
        situation, ports = group.situation, str(group.ports)
        return CheckResult(
            id=check.id,
            source=check.source,
            target=check.target,
            source_role=check.source_role,
            target_role=check.target_role,
            address=address,
            transport=check.transport,
            ports=ports,
            protocol=check.protocol,
            service=check.service,
            matrix=check.matrix,
            rule=check.rule,
            also=check.also,
            cite=check.cite,
            expect=check.expect,
            policy=check.policy,
            need=check.need,
            state=state,
            verdict=judgement.verdict,
            cause=judgement.cause,
            where=judgement.where,
            evidence=story.evidence(situation),
            elapsed_ms=group.elapsed_ms,
            rtt_ms=group.rtt_ms,
            detail=story.detail(situation, judgement, self._trouble(check, judgement)),
            advice=story.advice(situation, judgement, ports),
            application=check.application,
            severity=check.severity,
            tls=TlsSeen(version=tls.version, cipher=tls.cipher, chain=situation.certificates) if tls else UNSET,
            instead=instead,
            undeclared=check.undeclared,
        )

    def _trouble(self, check: Check, judgement: Judgement) -> str:
        if judgement.verdict is not Verdict.INCONCLUSIVE:
            return ""
        for host in (check.source, check.target):
            problem = self._problem(host)
            if problem is not None and problem[0] is judgement.cause:
                return problem[1]
        return "not measured: the run was interrupted" if self._interrupted else ""


def _bare(address: str) -> str:
    """Without the zone of a link-local address (RFC 4007): no packet and no error carries it."""
    return address.partition("%")[0]


def _readable(facts: TlsFacts) -> tuple[Certificate, ...]:
    from probe.coordinator.certificates import read  # cryptography is for runs that meet a certificate

    return tuple(read(der) for der in facts.chain)


def _others(situation: Situation) -> str:
    """Why a part of a range that is used as needed may go unmeasured, where another part of it passes."""
    if situation.check.shares_ports and situation.view.use is PortUse.OUTGOING:
        return "a connection of the target's own held the port just then; the service would take another of the range"
    return ""


class _Group:
    """Ports of one check with one outcome. The situation with the most attempts speaks for all."""

    def __init__(self, situation: Situation) -> None:
        self.situation = situation
        self.ports = PortSet()
        self.elapsed_ms: float | None = None
        self.rtt_ms: float | None = None

    def add(self, ports: PortSet, situation: Situation, piece: Piece | None) -> None:
        self.ports |= ports
        if _attempts(situation.seen) > _attempts(self.situation.seen):
            self.situation = situation
        if piece is not None and piece.elapsed_ms is not None:
            self.elapsed_ms = max(self.elapsed_ms or 0.0, piece.elapsed_ms)
        if piece is not None and piece.rtt_ms is not None:
            self.rtt_ms = piece.rtt_ms if self.rtt_ms is None else min(self.rtt_ms, piece.rtt_ms)


def _attempts(seen: Observation | None) -> int:
    return seen.attempts if seen is not None else 0
