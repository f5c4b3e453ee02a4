"""TCP, against everything that may be at the other end."""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from probe.model.observation import Failure, Operation, Proof
from probe.model.words import Protocol, State, Transport
from probe.probes import tcp
from probe.probes.attempt import Attempt, Terms
from probe.probes.tcp import Dialler
from probe.wire.challenge import ASK_SIZE, make_answer, read_ask
from probe.wire.messages import Aim, Endpoint

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.usefixtures("no_blocking")
RESET_ON_CLOSE = struct.pack("ii", 1, 0)


def attempt_at(port: int, key: bytes = b"") -> Attempt:
    aim = Aim(task=1, target=1, address="127.0.0.1", ports=str(port), protocol=Protocol.TCP, key=key)
    return Attempt(aim, "127.0.0.1", port)


async def turned(holds: Callable[[], object]) -> None:
    """Lets the loop turn until that holds."""
    while not holds():  # noqa: ASYNC110  (nothing here could set an event)
        await asyncio.sleep(0.005)


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def tcp_endpoint(port: int, address: str = "127.0.0.1") -> Endpoint:
    return Endpoint(address=address, transport=Transport.TCP, ports=str(port))


async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Says nothing until the other side goes."""
    while await reader.read(100):
        pass


async def banner(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"SSH-2.0-OpenSSH_9.2\r\n")
    await hold(reader, writer)


async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readexactly(ASK_SIZE)


async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readexactly(ASK_SIZE)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
    writer.transport.abort()


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(100):
        writer.write(data)


async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Begins like an answer and never stops."""
    while True:
        writer.write(b"\xf1PC1" * 1000)
        await writer.drain()


class TestWithAStandIn:
    async def test_its_answer_proves_it(self, dial: Any, stand_in: Any, keyed: bytes, free_port: int) -> None:
        await stand_in(tcp_endpoint(free_port))
        seen, rtt = await dial(free_port, key=keyed)
        assert (seen.state, seen.proof, seen.failure) == (State.OPEN, Proof.KEYED, None)
        assert (seen.local, seen.seen_from, seen.answered_by) == ("127.0.0.1", "", "")
        assert rtt is None or 0 < rtt < 1000

    async def test_over_ipv6(self, dial: Any, stand_in: Any, keyed: bytes, free_ports: Any) -> None:
        (port,) = free_ports(1, "::1")
        await stand_in(tcp_endpoint(port, "::1"))
        seen, _ = await dial(port, address="::1", key=keyed)
        assert (seen.proof, seen.local, seen.answered_by) == (Proof.KEYED, "::1", "")

    async def test_from_an_address_of_its_own(self, dial: Any, stand_in: Any, keyed: bytes, free_port: int) -> None:
        await stand_in(tcp_endpoint(free_port))
        seen, _ = await dial(free_port, key=keyed, bind="127.81.9.9")
        assert (seen.proof, seen.local, seen.seen_from) == (Proof.KEYED, "127.81.9.9", "")

    async def test_under_another_key_nothing_comes(self, dial: Any, stand_in: Any, free_port: int) -> None:
        await stand_in(tcp_endpoint(free_port))
        seen, _ = await dial(free_port, key=bytes(32))
        assert (seen.state, seen.failure) == (State.OPEN, Failure.CLOSED)
        assert seen.proof is Proof.ACCEPTED

    async def test_whatever_was_dialled_before_makes_no_difference(
        self, reactor: Any, dial: Any, stand_in: Any, keyed: bytes, free_ports: Any
    ) -> None:
        ports = free_ports(20)
        await stand_in(*map(tcp_endpoint, ports))
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(dial(port, key=keyed)) for port in ports]
        assert {task.result()[0].proof for task in tasks} == {Proof.KEYED}


@pytest.mark.parametrize(
    ("handler", "failure", "text"),
    [
        (hold, Failure.TIMEOUT, ""),
        (banner, Failure.BAD_ANSWER, r"SSH-2.0-OpenSSH_9.2\r\n"),
        (hang_up, Failure.CLOSED, ""),
        (reset, Failure.RESET, ""),
        (echo, Failure.BAD_ANSWER, None),
        (babble, Failure.BAD_ANSWER, None),
    ],
)
async def test_somebody_else_answers_a_challenge(
    dial: Any, serve: Any, keyed: bytes, handler: Any, failure: Failure, text: str | None
) -> None:
    seen, _ = await dial(await serve(handler), key=keyed, timeout=0.3)
    proof = Proof.ANSWERED if failure is Failure.BAD_ANSWER else Proof.ACCEPTED
    assert (seen.state, seen.proof, seen.failure) == (State.OPEN, proof, failure)
    assert text is None or seen.text == text
    assert seen.text.isprintable()
    assert len(seen.text) <= 80


async def test_the_stand_in_of_another_port_answers(dial: Any, serve: Any, keyed: bytes) -> None:
    async def redirected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        challenge = read_ask(await reader.readexactly(ASK_SIZE))
        assert challenge is not None
        writer.write(make_answer(keyed, challenge.nonce, 4242, ("127.0.0.1", 1), "127.0.0.1"))

    seen, _ = await dial(await serve(redirected), key=keyed)
    assert (seen.failure, seen.text) == (Failure.BAD_ANSWER, "the stand-in of port 4242 answered")


async def test_an_answer_in_pieces_is_an_answer(dial: Any, serve: Any, keyed: bytes) -> None:
    async def hesitant(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        challenge = read_ask(await reader.readexactly(ASK_SIZE))
        assert challenge is not None
        port = writer.get_extra_info("sockname")[1]
        answer = make_answer(keyed, challenge.nonce, port, ("192.0.2.1", 1), "192.0.2.2")
        for at in range(0, len(answer), 9):
            writer.write(answer[at : at + 9])
            await asyncio.sleep(0.002)

    seen, _ = await dial(await serve(hesitant), key=keyed)
    assert seen.proof is Proof.KEYED
    assert (seen.seen_from, seen.answered_by) == ("192.0.2.1", "192.0.2.2")  # translated on the way


class TestWithoutAKey:
    """The service itself: the handshake is all there is to see."""

    async def test_it_accepts(self, dial: Any, serve: Any) -> None:
        seen, rtt = await dial(await serve(hold))
        assert (seen.state, seen.proof, seen.failure, seen.local) == (State.OPEN, Proof.ACCEPTED, None, "127.0.0.1")
        assert rtt is None or 0 < rtt < 1000

    @pytest.mark.parametrize("careful", [False, True])
    async def test_nothing_listens(self, dial: Any, free_port: int, careful: bool) -> None:
        seen, _ = await dial(free_port, careful=careful)
        assert (seen.state, seen.failure, seen.proof) == (State.CLOSED, Failure.REFUSED, Proof.NONE)
        assert seen.operation is Operation.CONNECT

    async def test_it_accepts_and_resets_at_once(self, reactor: Any) -> None:
        """Open, whatever comes then. The loop sleeps meanwhile, as a busy one does."""
        found: list[Any] = []
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
            Dialler(reactor).start(attempt_at(port), Terms(number=1), lambda *what: found.append(what[1]))
            connection, _ = await asyncio.to_thread(server.accept)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
            connection.close()
            async with asyncio.timeout(5):
                await turned(lambda: found)
        assert found[0].state is State.OPEN
        assert found[0].failure in (None, Failure.RESET)

    async def test_its_queue_is_full(self, dial: Any) -> None:
        """The kernel drops a SYN that has no room: silence, as behind a firewall that drops."""
        with socket.socket() as server:
            server.bind(("127.0.0.1", 0))
            server.listen(0)
            port = server.getsockname()[1]
            with socket.create_connection(("127.0.0.1", port)):
                began = time.monotonic()
                seen, _ = await dial(port, timeout=0.3)
        assert (seen.state, seen.failure, seen.operation) == (State.FILTERED, Failure.TIMEOUT, Operation.CONNECT)
        assert 0.25 < time.monotonic() - began < 1.5

    async def test_an_address_that_is_not_ours(self, dial: Any, free_port: int) -> None:
        seen, _ = await dial(free_port, bind="192.0.2.77")
        assert (seen.state, seen.failure, seen.operation) == (State.ERROR, Failure.ADDRESS, Operation.BIND)


@pytest.mark.parametrize("key", [b"", bytes(32)], ids=["plain", "keyed"])
async def test_a_socket_that_meets_itself_is_no_open_port(
    dial: Any, monkeypatch: pytest.MonkeyPatch, free_port: int, key: bytes
) -> None:
    """FACTS: inside the ephemeral range connect() may choose the very port it dials."""

    class Narrow:
        """socket, but each new socket has only one port to dial from."""

        def __getattr__(self, name: str) -> Any:
            return getattr(socket, name)

        @staticmethod
        def SocketType(*kind: int) -> socket.SocketType:  # noqa: N802
            sock = socket.SocketType(*kind)
            sock.bind(("127.0.0.1", free_port))
            return sock

    monkeypatch.setattr(tcp, "socket", Narrow())
    seen, _ = await dial(free_port, key=key)
    assert (seen.state, seen.failure) == (State.ERROR, Failure.SELF_CONNECT)


async def test_aborting_closes_everything_and_tells_nobody(reactor: Any, serve: Any) -> None:
    port, told = await serve(hold), []
    before = open_files()
    dialler = Dialler(reactor)
    for _ in range(50):
        dialler.start(attempt_at(port, bytes(32)), Terms(number=1), lambda *what: told.append(what))
    dialler.abort()
    for _ in range(20):
        await asyncio.sleep(0.005)
    dialler.expire()
    assert told == []
    assert open_files() <= before + 1
