"""Pieces of evidence to rows: what a range that is used as needed may leave unmeasured, and whose an address is."""

from __future__ import annotations

import pytest

from probe.cli.exitcodes import Exit, exit_for
from probe.coordinator.names import Names
from probe.coordinator.pieces import Piece
from probe.coordinator.receipts import Ledger
from probe.coordinator.results import Results
from probe.model.check import Check
from probe.model.inventory import Host
from probe.model.observation import Failure, Icmp, Observation, PortUse, Proof, TargetView
from probe.model.ports import PortSet
from probe.model.result import CheckResult, Report, RunInfo, summarise
from probe.model.words import Cause, Expect, Listen, Phase, Policy, Protocol, State, Transport, Verdict, Zone
from probe.wire.messages import Arrival, Closed

HELD = TargetView(use=PortUse.OUTGOING, by="curl (pid 7)")
STAND_IN = TargetView(use=PortUse.STAND_IN)
ANSWERED = Observation(state=State.OPEN, proof=Proof.KEYED, local="10.0.0.1")
SILENT = Observation(state=State.FILTERED, failure=Failure.TIMEOUT, local="10.0.0.1")


def rows(
    *pieces: tuple[str, TargetView, Observation | None], listen: Listen = Listen.SOME, ledger: Ledger | None = None
) -> tuple[CheckResult, ...]:
    """The rows of one check of tcp 5000-5009 with these pieces."""
    check = Check(
        id="range",
        source="w1",
        source_role="web",
        target="d1",
        target_role="db",
        address="10.0.0.2",
        transport=Transport.TCP,
        ports=PortSet.parse("5000-5009"),
        protocol=Protocol.TCP,
        service="range",
        matrix="shop",
        rule="flows[0]",
        expect=Expect.REACH,
        policy=Policy.ENFORCE,
        listen=listen,
    )
    results = Results(
        phase=Phase.PRE_INSTALL,
        hosts={"w1": Host(name="w1", addresses=("10.0.0.1",)), "d1": Host(name="d1", addresses=("10.0.0.2",))},
        numbers={"w1": 1, "d1": 2},
        ledger=ledger or Ledger(),
        names=Names({}, lambda _: Zone.INSIDE),
        carried={"w1": frozenset({"10.1.0.1"}), "d1": frozenset({"10.1.0.2"})},
        problem=lambda _: None,
        agentless=lambda _: False,
        interrupted=False,
    )
    found = [
        Piece(ports=PortSet.parse(ports), view=view, address="10.0.0.2", seen=seen) for ports, view, seen in pieces
    ]
    return results.rows([check], {"range": found})


def ended(found: tuple[CheckResult, ...]) -> Exit:
    info = RunInfo(
        id="1", started="", finished="", phase=Phase.PRE_INSTALL, matrix=("shop",), inventory="", seed=0, version=""
    )
    return exit_for(Report(run=info, summary=summarise(found), checks=found))


class TestPortsHeldByOutgoingConnections:
    def test_are_spared_where_another_part_of_the_range_passes(self) -> None:
        free, held = rows(("5000-5007", STAND_IN, ANSWERED), ("5008-5009", HELD, None))
        assert (free.verdict, held.verdict) == (Verdict.PASS, Verdict.INCONCLUSIVE)
        assert held.instead.startswith("a connection of the target's own held the port")
        assert ended((free, held)) is Exit.CONFORMS

    def test_all_of_them_leave_the_range_unmeasured(self) -> None:
        found = rows(("5000-5009", HELD, None))
        assert [(row.verdict, row.instead) for row in found] == [(Verdict.INCONCLUSIVE, "")]
        assert ended(found) is Exit.INCONCLUSIVE

    def test_nothing_is_spared_for_a_part_that_is_blocked(self) -> None:
        found = rows(("5000-5007", STAND_IN, SILENT), ("5008-5009", HELD, None))
        assert {row.verdict for row in found} == {Verdict.BLOCKED, Verdict.INCONCLUSIVE}
        assert {row.instead for row in found} == {""}

    @pytest.mark.parametrize("listen", [one for one in Listen if one is not Listen.SOME])
    def test_count_where_all_of_the_range_is_needed(self, listen: Listen) -> None:
        found = rows(("5000-5007", STAND_IN, ANSWERED), ("5008-5009", HELD, None), listen=listen)
        assert ended(found) is Exit.INCONCLUSIVE


class TestAddressesThatTheInventoryDoesNotName:
    """A host with several may well send by another than the inventory's."""

    @pytest.mark.parametrize(
        ("sender", "cause"),
        [
            ("10.1.0.1", Cause.SOURCE_FIREWALL),
            ("10.1.0.2", Cause.TARGET_FIREWALL),
            ("10.1.0.3", Cause.NETWORK),
        ],
    )
    def test_who_rejects_from_there_is_known(self, sender: str, cause: Cause) -> None:
        error = Icmp(family=4, type=3, code=13, sender=sender)
        (row,) = rows(("5000-5009", STAND_IN, Observation(state=State.REJECTED, failure=Failure.ICMP, icmp=error)))
        assert (row.verdict, row.cause) == (Verdict.BLOCKED, cause)

    def test_what_reached_the_stand_in_from_there_was_the_source_s(self) -> None:
        ledger = Ledger()
        arrivals = (Arrival(address="10.0.0.2", transport=Transport.TCP, port=5000, peer="10.1.0.1"),)
        ledger.add("d1", Closed(id=1, receipts=(), arrivals=arrivals))
        reset = Observation(state=State.OPEN, failure=Failure.RESET, proof=Proof.ACCEPTED)
        found = rows(("5000", STAND_IN, reset), ("5001-5009", STAND_IN, ANSWERED), ledger=ledger)
        assert [row.cause for row in found] == [Cause.PAYLOAD, None]
