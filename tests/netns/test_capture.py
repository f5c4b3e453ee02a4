"""The witness's capture on hosts with firewalls: what arrives before INPUT, what leaves after OUTPUT, and no more."""

from __future__ import annotations

import select
import signal
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import msgspec
import pytest
from scapy.layers import inet
from scapy.layers.l2 import Dot1Q, Ether

from probe.model.sight import Flow
from probe.model.words import Transport
from probe.witness.capture import Seen

from .lab import COMMAND_SECONDS, Lab, chain, command

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from probe.model.sight import Sight

TCP, UDP = Transport.TCP, Transport.UDP
# Prints `ready`, or why not; then what it saw, once its standard input ends.
CAPTURE = """
import asyncio, sys
import msgspec
from probe.witness.capture import Capture, can_capture
from probe.witness.packetsocket import CaptureError
from probe.model.sight import Flow

async def main():
    capture = Capture(msgspec.json.decode(sys.argv[1], type=list[Flow]))
    try:
        capture.start()
    except CaptureError as error:
        print(can_capture(), error)
        return
    assert can_capture()
    print("ready", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    print(msgspec.json.encode(capture.stop()).decode())

asyncio.run(main())
"""
# Dials all of them at once ("tcp ADDRESS PORT"), and waits for those that are to end in some way ("… answered").
DIAL = """
import select, socket, sys
waiting, held = {}, []
for word in sys.argv[1:]:
    transport, address, port, *answered = word.split()
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM if transport == "tcp" else socket.SOCK_DGRAM)
    sock.setblocking(False)
    held.append(sock)
    try:
        sock.connect_ex((address, int(port)))
        if transport == "udp":
            sock.send(b"hello")
    except OSError:
        pass
    if answered:
        waiting[sock.fileno()] = select.POLLIN if transport == "udp" else select.POLLOUT
poll = select.poll()
for number, mask in waiting.items():
    poll.register(number, mask)
while waiting:
    for number, _ in poll.poll(10000) or sys.exit(f"no answer to {len(waiting)}"):
        poll.unregister(number)
        del waiting[number]
"""
# Frames, in hexadecimal, out of an interface.
SEND = """
import socket, sys
with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sock:
    sock.bind((sys.argv[1], 0))
    for frame in sys.argv[2:]:
        sock.send(bytes.fromhex(frame))
"""
MAC = "02:00:00:00:00:01"
# Port by what becomes of it.
OPEN, INPUT_DROPS, OUTPUT_DROPS, RESET, REJECTED, ROUTER_REJECTS, CLOSED, UNASKED = range(5000, 5008)
# Those that a socket hears nothing of, or after a second: they are dialled before the others, and seen by then.
UNANSWERED = {INPUT_DROPS, OUTPUT_DROPS, REJECTED, ROUTER_REJECTS}
PORTS = f"{OPEN}-{CLOSED}"
BOTH = [4, 6]


def dial(lab: Lab, host: str, *what: str) -> None:
    command(*lab.prefix(host), sys.executable, "-c", DIAL, *what)


class Capturing:
    """A capture on a host, in a process of its own."""

    def __init__(self, lab: Lab, host: str, flows: Sequence[Flow], *prefix: str) -> None:
        words = [*prefix, sys.executable, "-c", CAPTURE, msgspec.json.encode(flows).decode()]
        self._process = lab.start(host, *words)
        assert self._process.stdout is not None
        readable, _, _ = select.select([self._process.stdout], [], [], COMMAND_SECONDS)
        self.said = self._process.stdout.readline().strip() if readable else "nothing in time"

    def signal(self, number: int) -> None:
        self._process.send_signal(number)

    def stop(self) -> Seen:
        assert self.said == "ready"
        output, _ = self._process.communicate(timeout=COMMAND_SECONDS)
        return msgspec.json.decode(output, type=Seen)


@contextmanager
def capturing(lab: Lab, **flows: Sequence[Flow]) -> Iterator[dict[str, Seen]]:
    """Captures on these hosts while the block runs; what they saw is there at its end."""
    running = {host: Capturing(lab, host, wanted) for host, wanted in flows.items()}
    seen: dict[str, Seen] = {}
    yield seen
    seen |= {host: one.stop() for host, one in running.items()}


def flows(lab: Lab, own: str, peer: str) -> list[Flow]:
    return [
        Flow(transport, lab.address(own, family), PORTS, (lab.address(peer, family),))
        for transport in Transport
        for family in BOTH
    ]


@pytest.fixture(scope="module")
def seen_with_firewalls() -> Iterator[tuple[Lab, dict[str, Seen], tuple[float, float]]]:
    """a1 dials every port of b1; both have captures, and firewalls of their own."""
    rejecting = [
        f"tcp dport {RESET} reject with tcp reset",
        f"meta l4proto {{tcp, udp}} th dport {REJECTED} reject with icmpx admin-prohibited",
        f"meta l4proto {{tcp, udp}} th dport {INPUT_DROPS} drop",
    ]
    with Lab("a1", "a2", "b1") as lab:
        lab.nft("b1", chain("input", *rejecting))
        lab.nft("a1", chain("output", f"meta l4proto {{tcp, udp}} th dport {OUTPUT_DROPS} drop"))
        rejects = f"meta l4proto {{tcp, udp}} th dport {ROUTER_REJECTS} reject with icmpx host-unreachable"
        lab.nft("r", chain("forward", rejects))
        lab.serve("b1", f"echo {OPEN}", f"udp-echo {OPEN}", f"echo {OUTPUT_DROPS}", f"echo {UNASKED}")
        began = time.time()
        with capturing(lab, a1=flows(lab, "a1", "b1"), b1=flows(lab, "b1", "a1")) as seen:
            silent, answered = (
                [
                    f"{transport} {lab.address('b1', family)} {port}"
                    for transport in Transport
                    for family in BOTH
                    for port in range(OPEN, UNASKED + 1)
                    if (port in UNANSWERED) is without
                ]
                for without in (True, False)
            )
            # What nobody asked for comes first: if it is not seen at the end, it was not merely late.
            dial(lab, "a2", *silent, *(f"{one} answered" for one in answered))
            dial(lab, "a1", *(f"udp {lab.address('a2', family)} {OPEN}" for family in BOTH))
            dial(lab, "a1", *silent, *(f"{one} answered" for one in answered))
        yield lab, seen, (began, time.time())


@pytest.fixture(params=BOTH, ids=["IPv4", "IPv6"])
def look(request: pytest.FixtureRequest, seen_with_firewalls: tuple[Lab, dict[str, Seen], object]) -> Looking:
    lab, seen, _ = seen_with_firewalls
    return Looking(lab, seen, request.param)


class Looking:
    """What was seen of one IP version."""

    def __init__(self, lab: Lab, seen: dict[str, Seen], family: int) -> None:
        self.lab, self.seen, self.family = lab, seen, family

    def __call__(self, host: str, transport: Transport, port: int, *, out: bool) -> list[Sight]:
        return [
            sight
            for sight in self.seen[host].sights
            if sight.transport is transport
            and port in {sight.source_port, sight.target_port}
            and sight.out is out
            and (":" in sight.source) == (self.family == 6)
        ]

    def flags(self, host: str, port: int, *, out: bool) -> list[str]:
        return [sight.flags for sight in self(host, TCP, port, out=out) if sight.icmp is None]

    def errors(self, host: str, transport: Transport, port: int, *, out: bool) -> set[tuple[tuple[int, int], str]]:
        return {(s.icmp, s.sender) for s in self(host, transport, port, out=out) if s.icmp is not None}

    def icmp(self, four: tuple[int, int], six: tuple[int, int]) -> tuple[int, int]:
        return four if self.family == 4 else six


def test_a_handshake_from_both_ends(look: Looking) -> None:
    assert look.flags("a1", OPEN, out=True)[:2] == ["S", "A"]
    assert look.flags("a1", OPEN, out=False)[0] == "SA"
    assert look.flags("b1", OPEN, out=False)[:2] == ["S", "A"]
    assert look.flags("b1", OPEN, out=True)[0] == "SA"
    left, arrived = look("a1", TCP, OPEN, out=True)[0], look("b1", TCP, OPEN, out=False)[0]
    assert (left.source, left.target) == (look.lab.address("a1", look.family), look.lab.address("b1", look.family))
    assert (left.seq, left.source_port) == (arrived.seq, arrived.source_port)
    assert (left.ttl, arrived.ttl, arrived.interface) == (64, 63, "net")
    answer = look("b1", TCP, OPEN, out=True)[0]
    assert answer.ack == (arrived.seq + 1) % 2**32


def test_what_the_targets_input_drops_has_arrived(look: Looking) -> None:
    assert set(look.flags("b1", INPUT_DROPS, out=False)) == {"S"}
    assert look.flags("b1", INPUT_DROPS, out=True) == []
    (datagram,) = look("b1", UDP, INPUT_DROPS, out=False)
    assert datagram.size == len("hello")
    assert look("b1", UDP, INPUT_DROPS, out=True) == []


@pytest.mark.parametrize("transport", Transport)
def test_what_the_sources_output_drops_has_not_left(look: Looking, transport: Transport) -> None:
    for host in ("a1", "b1"):
        for out in (True, False):
            assert look(host, transport, OUTPUT_DROPS, out=out) == []


def test_a_firewalls_reset_is_seen_leaving_and_arriving(look: Looking) -> None:
    assert look.flags("b1", RESET, out=False) == ["S"]
    assert look.flags("b1", RESET, out=True) == ["RA"]
    assert look.flags("a1", RESET, out=False) == ["RA"]
    assert look.flags("b1", CLOSED, out=True) == ["RA"]


@pytest.mark.parametrize("transport", Transport)
def test_a_rejection_by_the_target(look: Looking, transport: Transport) -> None:
    told = {(look.icmp((3, 13), (1, 1)), look.lab.address("b1", look.family))}
    assert look.errors("b1", transport, REJECTED, out=True) == told
    assert look.errors("a1", transport, REJECTED, out=False) == told
    assert look.errors("a1", transport, REJECTED, out=True) == set()


@pytest.mark.parametrize("transport", Transport)
def test_a_rejection_on_the_way(look: Looking, transport: Transport) -> None:
    told = {(look.icmp((3, 1), (1, 3)), look.lab.router_address("a1", look.family))}
    assert look.errors("a1", transport, ROUTER_REJECTS, out=False) == told
    assert look("b1", transport, ROUTER_REJECTS, out=False) == []
    error = next(s for s in look("a1", transport, ROUTER_REJECTS, out=False) if s.icmp)
    sent = look("a1", transport, ROUTER_REJECTS, out=True)[0]
    assert (error.source, error.source_port, error.target, error.seq) == (
        sent.source,
        sent.source_port,
        sent.target,
        sent.seq,
    )
    assert (error.ttl, error.flags) == (64, "")


def test_datagrams_and_their_answers(look: Looking) -> None:
    for host, asked in (("a1", True), ("b1", False)):
        for out in (True, False):
            (datagram,) = look(host, UDP, OPEN, out=out)
            assert (datagram.size, datagram.target_port == OPEN) == (5, out is asked)
    assert look.errors("b1", UDP, CLOSED, out=True) == {
        (look.icmp((3, 3), (1, 4)), look.lab.address("b1", look.family))
    }


def test_nothing_else_is_seen(seen_with_firewalls: tuple[Lab, dict[str, Seen], tuple[float, float]]) -> None:
    lab, seen, (began, ended) = seen_with_firewalls
    hosts = {lab.address(host, family) for host in ("a1", "b1") for family in BOTH}
    for one in seen.values():
        assert (one.lost, one.full) == (0, False)
        assert {sight.source for sight in one.sights} | {sight.target for sight in one.sights} == hosts
        assert UNASKED not in {port for sight in one.sights for port in (sight.source_port, sight.target_port)}
        assert all(began <= sight.at <= ended for sight in one.sights)
        # The order is that in which they passed, and the kernel's clock says the same.
        assert [sight.at for sight in one.sights] == sorted(sight.at for sight in one.sights)


def test_on_loopback_each_packet_is_seen_leaving_and_arriving() -> None:
    with Lab("a1") as lab:
        lab.serve("a1", f"udp-silent {OPEN}")
        capture = Capturing(lab, "a1", [Flow(UDP, "", str(OPEN))])
        # It is told later than they passed: the time is that of the kernel.
        capture.signal(signal.SIGSTOP)
        dial(lab, "a1", f"udp 127.0.0.1 {OPEN}", f"udp {lab.address('a1', 6)} {OPEN}")
        passed = time.time()
        capture.signal(signal.SIGCONT)
        sights = capture.stop().sights
        assert all(sight.at < passed for sight in sights)
        found = [(sight.target, sight.out, sight.interface) for sight in sights]
    addresses = ("127.0.0.1", lab.address("a1", 6))
    assert found == [(address, out, "lo") for address in addresses for out in (True, False)]


def test_frames_with_a_tag_and_for_others_and_a_link_that_goes_down() -> None:
    """What a switch may do to frames, and a host to its links."""
    with Lab("a1") as lab:
        lab.ip("a1", f"link set net address {MAC}")
        flow = Flow(UDP, lab.address("a1"), PORTS)
        with capturing(lab, a1=[flow]) as seen:
            lab.ip("a1", "link add extra type veth peer name other", "link set extra up", "link del extra")
            packets = [inet.IP(dst=lab.address("a1")) / inet.UDP(sport=1, dport=OPEN + number) for number in range(3)]
            frames = [
                Ether(dst=MAC) / Dot1Q(vlan=7) / packets[0],
                Ether(dst="02:00:00:00:00:99") / packets[1],
                Ether(dst=MAC) / packets[2],
            ]
            command(*lab.prefix("r"), sys.executable, "-c", SEND, "a1", *(bytes(frame).hex() for frame in frames))
    assert not seen["a1"].full
    arrived = [sight.target_port for sight in seen["a1"].sights if not sight.out]
    assert arrived == [OPEN, OPEN + 2]


def test_without_the_capability_it_says_so() -> None:
    with Lab("a1") as lab:
        flow = Flow(TCP, "", "443")
        capture = Capturing(lab, "a1", [flow], "setpriv", "--bounding-set", "-net_raw", "--inh-caps", "-net_raw")
    assert capture.said == "False packets cannot be seen here: the agent lacks the capability CAP_NET_RAW"
