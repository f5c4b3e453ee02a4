"""UDP: one datagram, and an answer, an ICMP error or silence."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from probe.model.observation import Failure, Operation, Proof
from probe.model.words import Protocol, State, Transport
from probe.probes import udp
from probe.wire.challenge import ASK_SIZE, make_answer, read_ask
from probe.wire.messages import Endpoint

UDP = Protocol.UDP
pytestmark = pytest.mark.usefixtures("no_blocking")


class Talker(asyncio.DatagramProtocol):
    """Answers each datagram with what `says` makes of it; remembers them all."""

    def __init__(self, says: Any) -> None:
        self.says = says
        self.heard: list[bytes] = []

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, peer: Any) -> None:
        self.heard.append(data)
        for answer in self.says(data) or ():
            self.transport.sendto(answer, peer)


@pytest.fixture
async def talk():
    """`port, talker = await talk(says)`: a UDP server that says that."""
    transports = []

    async def start(says: Any, address: str = "127.0.0.1") -> tuple[int, Talker]:
        loop = asyncio.get_running_loop()
        transport, talker = await loop.create_datagram_endpoint(lambda: Talker(says), (address, 0))
        transports.append(transport)
        return transport.get_extra_info("sockname")[1], talker

    yield start
    for transport in transports:
        transport.close()


def endpoint(port: int, address: str = "127.0.0.1") -> Endpoint:
    return Endpoint(address=address, transport=Transport.UDP, ports=str(port))


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
async def test_a_stand_in_proves_itself(ask: Any, stand_in: Any, keyed: bytes, free_ports: Any, address: str) -> None:
    (port,) = free_ports(1, address)
    await stand_in(endpoint(port, address))
    seen = await ask(udp, port, UDP, key=keyed, address=address)
    assert (seen.state, seen.proof, seen.failure) == (State.OPEN, Proof.KEYED, None)
    assert (seen.local, seen.seen_from, seen.answered_by) == (address, "", "")


async def test_from_an_address_of_its_own(ask: Any, stand_in: Any, keyed: bytes, free_port: int) -> None:
    await stand_in(endpoint(free_port))
    seen = await ask(udp, free_port, UDP, key=keyed, bind="127.81.9.9")
    assert (seen.proof, seen.local, seen.seen_from) == (Proof.KEYED, "127.81.9.9", "")


async def test_a_name_is_no_translation(ask: Any, stand_in: Any, keyed: bytes, free_port: int) -> None:
    """The stand-in of a name is bound to all addresses; that it does not know which was meant is no news."""
    await stand_in(endpoint(free_port, "localhost"))
    seen = await ask(udp, free_port, UDP, key=keyed)
    assert (seen.proof, seen.answered_by) == (Proof.KEYED, "")


@pytest.mark.parametrize("key", [b"", bytes(32)], ids=["plain", "keyed"])
async def test_nothing_there(ask: Any, free_port: int, key: bytes) -> None:
    """asyncio_dgram does not wake for the error (FACTS); it must be found long before the limit."""
    began = time.monotonic()
    seen = await ask(udp, free_port, UDP, key=key, timeout=5.0)
    assert (seen.state, seen.failure) == (State.CLOSED, Failure.REFUSED)
    assert seen.icmp is not None
    assert (seen.icmp.type, seen.icmp.code, seen.icmp.sender) == (3, 3, "127.0.0.1")
    assert time.monotonic() - began < 1


@pytest.mark.parametrize(("key", "state"), [(b"", State.OPEN_FILTERED), (bytes(32), State.FILTERED)])
async def test_silence(ask: Any, talk: Any, key: bytes, state: State) -> None:
    port, _ = await talk(lambda _: ())
    seen = await ask(udp, port, UDP, key=key, timeout=0.2)
    assert (seen.state, seen.failure, seen.proof) == (state, Failure.TIMEOUT, Proof.NONE)
    assert seen.operation is Operation.RECEIVE


@pytest.mark.parametrize(("careful", "times"), [(False, 1), (True, 3)])
async def test_who_is_careful_asks_three_times(ask: Any, talk: Any, careful: bool, times: int) -> None:
    port, talker = await talk(lambda _: ())
    await ask(udp, port, UDP, key=bytes(32), timeout=0.3, careful=careful)
    assert [len(data) for data in talker.heard] == [ASK_SIZE] * times


async def test_a_second_question_may_be_heard(ask: Any, talk: Any, keyed: bytes) -> None:
    """The first datagram, or its answer, was lost."""

    def deaf_at_first(data: bytes) -> list[bytes]:
        challenge = read_ask(data)
        assert challenge is not None
        return [make_answer(keyed, challenge.nonce, port, ("127.0.0.1", 1), "127.0.0.1")] * (len(talker.heard) > 1)

    port, talker = await talk(deaf_at_first)
    seen = await ask(udp, port, UDP, key=keyed, timeout=0.6, careful=True)
    assert seen.proof is Proof.KEYED


async def test_a_stranger_is_sent_one_byte(ask: Any, talk: Any) -> None:
    """So that nothing is amplified."""
    port, talker = await talk(lambda _: [b"pong" * 100])
    seen = await ask(udp, port, UDP)
    assert (seen.state, seen.proof, seen.failure) == (State.OPEN, Proof.ANSWERED, None)
    assert talker.heard == [b"\0"]


async def test_somebody_else_answers(ask: Any, talk: Any, keyed: bytes) -> None:
    port, _ = await talk(lambda _: [b"\x1b[2Jhello"])
    seen = await ask(udp, port, UDP, key=keyed, timeout=0.2)
    assert (seen.state, seen.failure, seen.text) == (State.OPEN, Failure.BAD_ANSWER, r"\x1b[2Jhello")


async def test_the_stand_in_of_another_port_answers(ask: Any, talk: Any, keyed: bytes) -> None:
    def redirected(data: bytes) -> list[bytes]:
        challenge = read_ask(data)
        assert challenge is not None
        return [make_answer(keyed, challenge.nonce, 4242, ("127.0.0.1", 1), "127.0.0.1")]

    port, _ = await talk(redirected)
    seen = await ask(udp, port, UDP, key=keyed, timeout=0.2)
    assert (seen.failure, seen.text) == (Failure.BAD_ANSWER, "the stand-in of port 4242 answered")


async def test_a_liar_does_not_drown_the_right_answer(ask: Any, talk: Any, keyed: bytes) -> None:
    def both(data: bytes) -> list[bytes]:
        challenge = read_ask(data)
        assert challenge is not None
        return [b"liar", make_answer(keyed, challenge.nonce, port, ("127.0.0.1", 1), "127.0.0.1")]

    port, _ = await talk(both)
    assert (await ask(udp, port, UDP, key=keyed)).proof is Proof.KEYED


async def test_under_another_key_nothing_comes(ask: Any, stand_in: Any, free_port: int) -> None:
    await stand_in(endpoint(free_port))
    seen = await ask(udp, free_port, UDP, key=bytes(32), timeout=0.2)
    assert (seen.state, seen.failure) == (State.FILTERED, Failure.TIMEOUT)
