"""Who takes what is sent to an address, and the sentences about it."""

from __future__ import annotations

import pytest

from probe.model.exposed import Listener, Sockets, Sweeping, permission, sentence, with_survey
from probe.model.listening import Listening
from probe.model.ports import PortSet
from probe.model.words import State, Transport

TCP, UDP = Transport.TCP, Transport.UDP


def held(address: str, ports: str = "80", process: str = "", **more: object) -> Listening:
    return Listening(address=address, transport=TCP, ports=ports, process=process, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("bound", "dialled", "taken"),
    [
        ("0.0.0.0", "10.0.0.1", True),
        ("0.0.0.0", "fd00::1", False),
        ("::", "fd00::1", True),
        ("::", "10.0.0.1", True),
        ("10.0.0.1", "10.0.0.1", True),
        ("fd00::1", "10.0.0.1", False),
        # The address may be translated on the way to any of the host's, but not to loopback.
        ("10.0.0.1", "203.0.113.5", True),
        ("127.0.0.1", "10.0.0.1", False),
        ("::1", "fd00::1", False),
        # Nobody knows what a name means to others.
        ("fd00::1", "db.example", True),
        ("127.0.0.1", "db.example", False),
        # Hosts that share a machine: only what is bound to the very address is theirs.
        ("127.0.0.5", "127.0.0.5", True),
        ("127.0.0.6", "127.0.0.5", False),
        ("0.0.0.0", "127.0.0.5", False),
        ("::", "127.0.0.5", False),
    ],
)
def test_who_takes_what_is_sent_to_an_address(bound: str, dialled: str, taken: bool) -> None:
    assert bool(Sockets([held(bound)]).ports(dialled, TCP)) is taken


def test_a_socket_for_ipv6_alone() -> None:
    sockets = Sockets([held("::", only_ipv6=True)])
    assert not sockets.ports("10.0.0.1", TCP)
    assert sockets.ports("fd00::1", TCP) == PortSet.of([80])


def test_a_socket_for_one_interface_alone() -> None:
    sockets = Sockets([held("0.0.0.0", "80", interface="lo"), held("0.0.0.0", "81", interface="docker0")])
    assert str(sockets.ports("10.0.0.1", TCP)) == "81"
    assert sockets.elsewhere("10.0.0.1", TCP, 81)
    assert not Sockets([held("0.0.0.0", "81", interface="eth0"), held("::", "81")]).elsewhere("10.0.0.1", TCP, 81)
    assert not sockets.elsewhere("10.0.0.1", TCP, 82)


def test_ports_of_all_sockets_of_a_transport() -> None:
    sockets = Sockets([held("0.0.0.0", "80,90-92"), held("::", "443"), held("127.0.0.1", "5000")])
    assert str(sockets.ports("10.0.0.1", TCP)) == "80,90-92,443"
    assert not sockets.ports("10.0.0.1", UDP)


def test_the_holder_is_the_one_bound_closest() -> None:
    sockets = Sockets(
        [held("10.0.0.9", process="other"), held("0.0.0.0", process="wide"), held("10.0.0.1", process="own")]
    )
    assert (sockets.holder("10.0.0.1", TCP, 80) or Listener(address="")).process == "own"
    assert (sockets.holder("10.0.0.2", TCP, 80) or Listener(address="")).process == "wide"
    assert sockets.holder("10.0.0.1", TCP, 81) is None


def test_sentences() -> None:
    redis = Listener(address="0.0.0.0", process="redis-server", pid=812, user="redis")
    assert sentence(
        "o1", "db-1", TCP, "6379", redis, permission(("controller", "services"), undeclared=False, local=False)
    ) == (
        "redis-server (pid 812, user redis) on db-1 listens on 0.0.0.0:6379, and o1 reaches it; "
        "the matrix allows controller and services"
    )
    assert sentence("o1", "db-1", UDP, "53", redis, "it may not").startswith(
        "redis-server (pid 812, user redis) on db-1 listens on udp 0.0.0.0:53, and o1"
    )
    unknown = Listener(address="::", user="uid 5")
    assert sentence("o1", "db-1", TCP, "1", unknown, permission((), undeclared=True, local=False)) == (
        "a process (user uid 5) on db-1 listens on [::]:1, and o1 reaches it; "
        "no service of the matrix has this port here"
    )
    assert sentence("o1", "nas", UDP, "53", None, permission((), undeclared=False, local=True)) == (
        "o1 gets an answer on udp 53 of nas; the matrix has it for loopback alone (bind: local)"
    )
    assert permission(("a", "b", "c"), undeclared=True, local=False) == "the matrix allows a, b and c"


def test_datagrams_that_arrived_where_nothing_listens_are_refused() -> None:
    found = Sweeping(
        source="a", target="b", address="10.0.0.1", transport=UDP, ports="1-10", arrived="1-6",
        states={State.CLOSED: "2,4", State.OPEN_FILTERED: "1,3,5-6", State.FILTERED: "7-10"},
    )  # fmt: skip
    sockets = Sockets([Listening(address="0.0.0.0", transport=UDP, ports="5")])
    assert with_survey(found, sockets).states == {
        State.CLOSED: "1-4,6", State.OPEN_FILTERED: "5", State.FILTERED: "7-10",
    }  # fmt: skip
    blind = Sweeping(
        source="a", target="b", address="10.0.0.1", transport=UDP, ports="1-10", states={State.OPEN_FILTERED: "1-10"}
    )
    assert with_survey(blind, sockets) == blind
