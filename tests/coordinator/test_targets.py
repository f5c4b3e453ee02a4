"""Windows of ports, who holds them, and what the stand-ins received."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.coordinator.pieces import Errand
from probe.coordinator.receipts import Ledger
from probe.coordinator.targets import Views, windows
from probe.model.check import Check
from probe.model.observation import Observation, PortUse, Receipts, TargetView
from probe.model.ports import PortSet
from probe.model.words import Expect, Policy, Protocol, State, Transport
from probe.wire.frames import WireError
from probe.wire.messages import Arrival, Closed, Held, Outcome, Receipt

TCP, UDP = Transport.TCP, Transport.UDP
OPEN = Observation(state=State.OPEN)


def check(ports: str, address: str = "10.0.0.2", protocol: Protocol = Protocol.TCP) -> Check:
    return Check(
        **dict.fromkeys(("id", "source", "source_role", "target", "target_role", "service", "matrix", "rule"), "x"),
        address=address,
        transport=protocol.transport,
        ports=PortSet.parse(ports),
        protocol=protocol,
        expect=Expect.REACH,
        policy=Policy.ENFORCE,
    )


class TestWindows:
    @pytest.mark.parametrize(
        ("ports", "capacity", "cut"),
        [
            (["80"], 10, ["80"]),
            (["1-10"], 10, ["1-10"]),
            (["1-10"], 4, ["1-4", "5-8", "9-10"]),
            (["1-3,7-9"], 4, ["1-3,7", "8-9"]),
            (["1-3", "2-5"], 10, ["1-5"]),
            ([], 10, []),
        ],
    )
    def test_are_cut(self, ports: list[str], capacity: int, cut: list[str]) -> None:
        found = windows([check(text) for text in ports], capacity)
        assert [str(window.ports["10.0.0.2", TCP]) for window in found] == cut

    def test_each_address_and_transport_needs_sockets_of_its_own(self) -> None:
        checks = [check("1-4"), check("1-4", "::1"), check("1-4", protocol=Protocol.UDP)]
        found = windows(checks, 6)
        assert [{place: str(ports) for place, ports in window.ports.items()} for window in found] == [
            {("10.0.0.2", TCP): "1-4", ("::1", TCP): "1-2"},
            {("::1", TCP): "3-4", ("10.0.0.2", UDP): "1-4"},
        ]

    def test_what_is_asked_in_http_is_told_apart(self) -> None:
        (window,) = windows([check("80-90"), check("85", protocol=Protocol.HTTP)], 100)
        assert {(end.ports, end.web) for end in window.endpoints()} == {("80-84,86-90", False), ("85", True)}

    @given(
        st.lists(
            st.tuples(
                st.sampled_from(["a", "b"]), st.sampled_from([Protocol.TCP, Protocol.UDP, Protocol.HTTPS])
            ).flatmap(lambda key: st.tuples(st.just(key), st.integers(1, 200), st.integers(0, 60))),
            max_size=8,
        ),
        st.integers(1, 70),
    )
    def test_hold_everything_once_and_never_too_much(self, given_: Any, capacity: int) -> None:
        checks = [check(f"{low}-{low + more}", address, protocol) for (address, protocol), low, more in given_]
        wanted = {(one.address, one.transport, port) for one in checks for port in one.ports}
        got: list[Any] = []
        for window in windows(checks, capacity):
            held = [(*place, port) for place, ports in window.ports.items() for port in ports]
            assert 0 < len(held) <= capacity
            asked = [
                (end.address, end.transport, port) for end in window.endpoints() for port in PortSet.parse(end.ports)
            ]
            assert sorted(asked) == sorted(held)
            got += held
        assert len(got) == len(set(got))
        assert set(got) == wanted


class TestViews:
    def held(self, ports: str, use: PortUse) -> Held:
        return Held(address="10.0.0.2", transport=TCP, ports=ports, view=TargetView(use=use))

    def split(self, ports: str, *held: Held) -> dict[str, str]:
        views = Views()
        views.add(held)
        found = list(views.split(("10.0.0.2", TCP), PortSet.parse(ports)))
        assert sum(len(part) for part, _ in found) == len(PortSet.parse(ports))
        return {str(part): view.use.value for part, view in found}

    def test_ports_by_what_holds_them(self) -> None:
        held = self.held("1-5,7", PortUse.STAND_IN), self.held("6", PortUse.LISTENER)
        assert self.split("4-9", *held) == {"4-5,7": "stand-in", "6": "listener", "8-9": "unknown"}

    def test_of_two_words_the_one_that_says_more_counts(self) -> None:
        """A name stands for all of IPv4 and all of IPv6."""
        assert self.split("1", self.held("1", PortUse.STAND_IN), self.held("1", PortUse.LISTENER)) == {"1": "listener"}
        assert self.split("1", self.held("1", PortUse.DENIED), self.held("1", PortUse.STAND_IN)) == {"1": "denied"}

    def test_of_another_address_nothing_is_known(self) -> None:
        views = Views()
        views.add([self.held("1", PortUse.STAND_IN)])
        assert [view.use for _, view in views.split(("10.0.0.3", TCP), PortSet.parse("1"))] == [PortUse.UNKNOWN]

    def test_ports_that_are_none_raise(self) -> None:
        with pytest.raises(ValueError, match="neither a port"):
            Views().add([self.held("bogus", PortUse.FREE)])


class TestErrand:
    def outcome(self, ports: str, address: str = "10.0.0.2") -> Outcome:
        return Outcome(task=1, address=address, ports=ports, seen=OPEN)

    def errand(self, address: str = "10.0.0.2") -> Errand:
        return Errand(check("1-10", address), PortSet.parse("1-10"), TargetView())

    def test_gathers_pieces_and_says_what_is_missing(self) -> None:
        errand = self.errand()
        assert (errand.take(self.outcome("1-4")), errand.take(self.outcome("6"))) == (4, 1)
        pieces = errand.finish()
        assert [(str(piece.ports), piece.seen) for piece in pieces] == [("1-4", OPEN), ("6", OPEN), ("5,7-10", None)]

    def test_a_name_may_have_several_addresses(self) -> None:
        errand = self.errand("db.example")
        errand.take(self.outcome("1-10", "10.0.0.1"))
        errand.take(self.outcome("1-10", "10.0.0.2"))
        assert [piece.address for piece in errand.finish()] == ["10.0.0.1", "10.0.0.2"]

    @pytest.mark.parametrize(
        ("asked", "dialled"), [("10.0.0.2", "10.0.0.3"), ("10.0.0.2", "\x1b[31m"), ("db.example", "elsewhere")]
    )
    def test_believes_in_no_address_that_was_not_asked(self, asked: str, dialled: str) -> None:
        with pytest.raises(WireError, match="address that was not ordered"):
            self.errand(asked).take(self.outcome("1", dialled))

    @pytest.mark.parametrize("ports", ["11", "1-11", "bogus", "", "2"])
    def test_believes_nothing_that_was_not_asked(self, ports: str) -> None:
        errand = self.errand()
        errand.take(self.outcome("2-3"))
        with pytest.raises(WireError):
            errand.take(self.outcome(ports))

    def test_has_an_end(self) -> None:
        """A name with more addresses than that is none."""
        errand = self.errand("db.example")
        for number in range(65):
            errand.take(self.outcome("1", f"10.0.0.{number}"))
        with pytest.raises(WireError):
            errand.take(self.outcome("1", "10.0.0.65"))


class TestLedger:
    door = ("10.0.0.2", TCP)

    def ledger(self, *receipts: Receipt, arrivals: tuple[Arrival, ...] = (), target: str = "b") -> Ledger:
        ledger = Ledger()
        ledger.add(target, Closed(id=1, receipts=receipts, arrivals=arrivals))
        return ledger

    def split(
        self, ledger: Ledger, ports: str, number: int = 3, door: Any = door, dialled: str = "10.0.0.2"
    ) -> dict[str, Receipts]:
        found = ledger.split("b", door, number, PortSet.parse(ports), frozenset({"10.0.0.1"}), dialled)
        return {str(part): receipts for part, receipts in found}

    def receipt(self, number: int = 3, **more: str) -> Receipt:
        return Receipt(number=number, address="10.0.0.2", transport=TCP, **more)

    def test_what_was_answered_to_this_source(self) -> None:
        ledger = self.ledger(self.receipt(answered="1-3"), self.receipt(4, answered="9"))
        assert self.split(ledger, "2-9") == {"2-3": Receipts(answered=True), "4-9": Receipts()}

    def test_another_address_of_the_target_is_another_door(self) -> None:
        ledger = self.ledger(self.receipt(answered="1"))
        assert self.split(ledger, "1", door=("10.0.0.3", TCP)) == {"1": Receipts()}
        assert self.split(ledger, "1", door=("10.0.0.2", UDP)) == {"1": Receipts()}

    def test_who_came_without_a_challenge(self) -> None:
        came = [Arrival(address="10.0.0.2", transport=TCP, port=port, peer=f"10.0.0.{port}") for port in (1, 2)]
        assert self.split(self.ledger(arrivals=tuple(came)), "1-2") == {"1": Receipts(arrived=True), "2": Receipts()}

    def test_a_challenge_that_came_to_another_host(self) -> None:
        ledger = self.ledger(self.receipt(foreign="7", meant="10.0.0.2"), target="c")
        assert self.split(ledger, "7-8") == {"7": Receipts(elsewhere="c"), "8": Receipts()}

    def test_a_challenge_for_another_address_says_nothing_of_this_one(self) -> None:
        """Where what is sent to one target is led elsewhere, the same port of another may be blocked."""
        ledger = self.ledger(self.receipt(foreign="7", meant="10.0.0.3"), target="c")
        assert self.split(ledger, "7") == {"7": Receipts()}
        assert self.split(ledger, "7", dialled="10.0.0.3") == {"7": Receipts(elsewhere="c")}
        assert self.split(ledger, "7", dialled="b.example") == {"7": Receipts()}

    def test_a_target_that_came_to_a_limit_may_have_missed_somebody(self) -> None:
        ledger = Ledger()
        ledger.add("b", Closed(id=1, receipts=(self.receipt(answered="1"),), starved=True))
        assert self.split(ledger, "1-2") == {"1": Receipts(answered=True), "2": Receipts(starved=True)}
        ledger.add("c", Closed(id=1, starved=True))
        assert self.split(self.ledger(), "1") == {"1": Receipts()}

    def test_windows_add_up(self) -> None:
        ledger = self.ledger(self.receipt(answered="1"))
        ledger.add("b", Closed(id=2, receipts=(self.receipt(answered="2"),)))
        assert self.split(ledger, "1-2") == {"1-2": Receipts(answered=True)}

    def test_ports_that_are_none_raise(self) -> None:
        with pytest.raises(ValueError, match="neither a port"):
            self.ledger(self.receipt(answered="bogus"))
