"""What came in of thousands of packets, and what listens on a host, told by real agents about known truth."""

from __future__ import annotations

import os
import random
import signal
import sys
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import pytest

from probe.coordinator.link import AgentRefused
from probe.model.ports import PortSet
from probe.model.sight import Flow
from probe.model.words import Transport
from probe.wire.messages import Endpoint, Open, Tally

from .lab import Lab, chain, command
from .linked import SECONDS, agent, line

if TYPE_CHECKING:
    from collections.abc import Iterable

    from probe.coordinator.link import Link
    from probe.model.listening import Listening
    from probe.wire.messages import Tallied

TCP, UDP = Transport.TCP, Transport.UDP
EVERY = PortSet([(1, 65535)])
MARK = b"portcheck-0123456789"
# Sends a datagram to each port, as fast as it goes, that many times over; says how long that took.
BLAST = """
import random, socket, sys, time
address, times, mark = sys.argv[1], int(sys.argv[2]), sys.argv[3].encode()
ports = list(range(1, 65536))
random.Random(7).shuffle(ports)
with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM) as sock:
    began = time.monotonic()
    for _ in range(times):
        for port in ports:
            try:
                sock.sendto(mark + port.to_bytes(2, "big"), (address, port))
            except PermissionError:
                pass  # this host's own rules
    print(time.monotonic() - began, flush=True)
"""
# Begins a connection to each of these ports.
DIAL = """
import socket, sys
held = []
for port in map(int, sys.argv[2:]):
    sock = socket.socket(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET)
    sock.setblocking(False)
    sock.connect_ex((sys.argv[1], port))
    held.append(sock)
print("done", flush=True)
sys.stdin.read()
"""


async def tally(link: Link, transport: Transport = UDP, *, mark: bytes = MARK, inside: bool = True) -> int:
    flows = (Flow(transport, "", str(EVERY)),)
    return await link.tally(lambda number: Tally(id=number, flows=flows, mark=mark, inside=inside), SECONDS)


async def blast(lab: Lab, source: str, address: str, times: int = 1, mark: bytes = MARK) -> float:
    """Returns how many packets a second that were."""
    process = lab.start(source, sys.executable, "-c", BLAST, address, str(times), mark.decode())
    return 65535 * times / float(await line(process))


def arrived(tallied: Tallied, address: str, onto: int = 0) -> PortSet:
    rows = [row for row in tallied.arrived if (row.address, row.onto) == (address, onto)]
    return PortSet(span for row in rows for span in PortSet.parse(row.ports).ranges)


def passed(tallied: Tallied, address: str, onto: int = 0) -> PortSet:
    return arrived(msgspec.structs.replace(tallied, arrived=tallied.passed), address, onto)


def some_ports(seed: int) -> PortSet:
    """Neither many nor few, here and there."""
    chance = random.Random(seed)
    return PortSet((start, start + chance.randrange(40)) for start in chance.sample(range(1, 65400), 100))


@pytest.mark.parametrize("family", [4, 6])
async def test_every_packet_of_a_burst_is_counted(family: int) -> None:
    """Known truth: what the router drops does not arrive, what the target's INPUT drops arrives and goes no further."""
    on_the_way, at_the_target = some_ports(family), some_ports(family + 10)
    with Lab("a1", "b1") as lab:
        lab.nft("r", chain("forward", f"udp dport {{ {on_the_way} }} drop"))
        lab.nft("b1", chain("input", f"udp dport {{ {at_the_target} }} drop"))
        address = lab.address("b1", family)
        async with agent(lab, "b1") as link:
            number = await tally(link)
            pace = await blast(lab, "a1", address, 2)
            tallied = await link.tallied(number, SECONDS)
    assert tallied.sure, pace
    assert tallied.surely_passed, pace
    assert arrived(tallied, address) == EVERY - on_the_way, pace
    assert passed(tallied, address) == EVERY - on_the_way - at_the_target, pace
    assert {row.peer for row in tallied.arrived + tallied.passed} == {lab.address("a1", family)}


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
async def test_on_loopback_packets_that_leave_are_not_counted(address: str) -> None:
    with Lab("a1") as lab:
        lab.nft("a1", chain("output", "udp dport 7000-7999 drop"))
        async with agent(lab, "a1") as link:
            number = await tally(link)
            await blast(lab, "a1", address)
            tallied = await link.tallied(number, SECONDS)
    assert tallied.sure
    assert arrived(tallied, address) == EVERY - PortSet([(7000, 7999)])


async def test_a_tally_that_could_not_keep_up_says_so() -> None:
    """An agent that is stopped meanwhile has room for one burst, and not for three."""
    with Lab("a1", "b1") as lab:
        address = lab.address("b1")
        async with agent(lab, "b1") as link:
            for times, sure in ((1, True), (3, False)):
                number = await tally(link, inside=False)
                pids = lab.pids("b1")
                for pid in pids:
                    os.kill(pid, signal.SIGSTOP)
                try:
                    await blast(lab, "a1", address, times)
                finally:
                    for pid in pids:
                        os.kill(pid, signal.SIGCONT)
                tallied = await link.tallied(number, SECONDS)
                assert tallied.sure is sure
                assert arrived(tallied, address) == EVERY if sure else EVERY & arrived(tallied, address)


async def test_what_is_translated_on_the_way_keeps_the_port_it_was_sent_to() -> None:
    with Lab("a1", "b1") as lab:
        address = lab.address("b1")
        lab.nft("r", chain("prerouting", f"udp dport 9998-9999 dnat ip to {address}:53", "udp dport 54 redirect to :1"))
        async with agent(lab, "b1") as link:
            number = await tally(link)
            await blast(lab, "a1", address)
            tallied = await link.tallied(number, SECONDS)
    assert tallied.sure
    assert tallied.arrived == tallied.passed
    assert arrived(tallied, address) == EVERY - PortSet.parse("54,9998-9999")
    assert arrived(tallied, address, 53) == PortSet.parse("9998-9999")


async def test_what_is_not_of_this_sweep_is_not_counted() -> None:
    with Lab("a1", "b1") as lab:
        async with agent(lab, "b1") as link:
            number = await tally(link)
            await blast(lab, "a1", lab.address("b1"), mark=b"portcheck-0123456780")
            tallied = await link.tallied(number, SECONDS)
    assert (tallied.arrived, tallied.passed, tallied.sure) == ((), (), True)


@pytest.mark.parametrize("family", [4, 6])
async def test_connections_count_where_they_ask(family: int) -> None:
    """Not where they are answered: the target dials too, and the answers come from ports that were not dialled."""
    with Lab("a1", "b1") as lab:
        own, peer = lab.address("b1", family), lab.address("a1", family)
        lab.nft("b1", chain("input", "tcp dport 5001 drop"))
        lab.serve("a1", f"echo 6000 address={peer}")
        async with agent(lab, "b1") as link:
            number = await tally(link, TCP, mark=b"")
            dialled = lab.start("a1", sys.executable, "-c", DIAL, own, "5000", "5001", "5002")
            dialling = lab.start("b1", sys.executable, "-c", DIAL, peer, "6000", "6001")
            assert [await line(dialled), await line(dialling)] == ["done\n"] * 2
            tallied = await link.tallied(number, SECONDS)
    assert tallied.sure
    assert tallied.surely_passed
    assert arrived(tallied, own) == PortSet.parse("5000-5002")
    assert passed(tallied, own) == PortSet.parse("5000,5002")


async def test_without_the_capability_there_is_none() -> None:
    with Lab("b1") as lab:
        async with agent(lab, "b1", "setpriv", "--bounding-set=-net_raw") as link:
            with pytest.raises(AgentRefused, match="CAP_NET_RAW"):
                await tally(link)
            assert link.lost is None


# --- surveys ----------------------------------------------------------------------------------------------------------

# Sockets of all kinds: "tcp ADDRESS PORT [v6only] [net]", "udp …", "connected ADDRESS PORT". Prints its pid.
LISTEN = """
import os, socket, sys
held = []
for word in sys.argv[1:]:
    kind, address, port, *more = word.split()
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM)
    if family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, "v6only" in more)
    if "net" in more:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"net")
    sock.bind((address, int(port)))
    if kind == "tcp":
        sock.listen()
    if kind == "connected":
        sock.connect((address, 9))
    held.append(sock)
print(os.getpid(), flush=True)
sys.stdin.read()
"""
SOCKETS = (
    "tcp 0.0.0.0 22",
    "tcp 127.0.0.1 25",
    "tcp :: 80",
    "tcp :: 81 v6only",
    "tcp ::1 631",
    "tcp {own4} 443",
    "tcp {own6} 443",
    "udp 0.0.0.0 53",
    "udp :: 123",
    "udp :: 124 v6only",
    "udp 127.0.0.53 5300",
    "udp 0.0.0.0 67 net",
    "tcp :: 82 net",
    "connected 127.0.0.1 5353",
)


class Socket(NamedTuple):
    transport: str
    address: str
    port: int
    pid: int


def told_by_ss(lab: Lab, host: str) -> set[Socket]:
    """`ss` writes `*` for all of IPv6 and IPv4, `[::]` for all of IPv6 alone, `%net` for one interface."""
    found = set()
    for row in command(*lab.prefix(host), "ss", "-Hlntup").splitlines():
        transport, _, _, _, local, _, *users = row.split()
        address, _, port = local.rpartition(":")
        pid = int(users[0].partition("pid=")[2].partition(",")[0]) if users else 0
        found.add(Socket(transport, address, int(port), pid))
    return found


def as_ss(rows: Iterable[Listening]) -> set[Socket]:
    found = set()
    for row in rows:
        address = f"[{row.address}]" if ":" in row.address else row.address
        if row.address == "::" and not row.only_ipv6:
            address = "*"
        if row.interface:
            address += f"%{row.interface}"
        found |= {Socket(row.transport, address, port, row.pid) for port in PortSet.parse(row.ports)}
    return found


async def served(lab: Lab, host: str, words: Iterable[str], *command: str) -> int:
    own = {"own4": lab.address(host), "own6": lab.address(host, 6)}
    process = lab.start(host, *command, *(word.format(**own) for word in words))
    return int(await line(process))


async def test_a_survey_says_what_ss_says() -> None:
    with Lab("b1") as lab:
        pid = await served(lab, "b1", SOCKETS, sys.executable, "-c", LISTEN)
        async with agent(lab, "b1") as link:
            surveyed = await link.survey(SECONDS)
            truth = told_by_ss(lab, "b1")
    assert len(truth) == len(SOCKETS) - 1
    assert as_ss(surveyed.sockets) == truth
    assert {(row.pid, row.user, row.agent) for row in surveyed.sockets} == {(pid, "root", False)}
    assert surveyed.complete


async def test_processes_of_others_without_privilege() -> None:
    """Who may not read whose socket it is still says that it is there, and which user made it."""
    daemon = ("setpriv", "--reuid=1", "--regid=1", "--clear-groups", "/usr/bin/python3", "-c", LISTEN)
    nobody = ("setpriv", "--reuid=61234", "--regid=61234", "--clear-groups", "/usr/bin/python3", "-c", LISTEN)
    with Lab("b1") as lab:
        pid = await served(lab, "b1", ["tcp 0.0.0.0 6379"], *daemon)
        await served(lab, "b1", ["udp :: 5514"], *nobody)
        async with agent(lab, "b1", "setpriv", "--bounding-set=-all", "--inh-caps=-all") as link:
            poor = await link.survey(SECONDS)
        async with agent(lab, "b1") as link:
            rich = await link.survey(SECONDS)
    assert [(row.ports, row.process, row.pid, row.user) for row in poor.sockets] == [
        ("5514", "", 0, "uid 61234"),
        ("6379", "", 0, "daemon"),
    ]
    assert poor.complete
    assert [(row.pid, row.user) for row in rich.sockets if row.ports == "6379"] == [(pid, "daemon")]


async def test_stand_ins_are_not_told_of() -> None:
    ends = (Endpoint(address="0.0.0.0", transport=TCP, ports="7000-7099"),)
    with Lab("b1") as lab:
        async with agent(lab, "b1") as link, agent(lab, "b1") as other:
            await link.look(lambda number: Open(id=number, endpoints=ends, key=bytes(32)), SECONDS)
            assert len(lab.listening("b1")) == 100
            assert (await link.survey(SECONDS)).sockets == ()
            (row,) = (await other.survey(SECONDS)).sockets
    assert (row.ports, row.process, row.agent) == ("7000-7099", "portcheck", True)
