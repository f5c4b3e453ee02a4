"""What stand-ins say and to whom, and what they remember of it."""

from __future__ import annotations

import asyncio
import itertools
import resource
import socket
import struct
from typing import Any

import pytest

from probe.coordinator import selfsigned
from probe.model.words import Transport
from probe.standin import answers as module
from probe.standin import listener
from probe.standin.answers import Answers
from probe.wire.challenge import ANSWER_SIZE, NONCE_SIZE, make_ask, pair_key, read_answer
from probe.wire.messages import Receipt

pytestmark = pytest.mark.usefixtures("no_blocking")
NONCE = bytes(NONCE_SIZE)
TCP, UDP = Transport.TCP, Transport.UDP


class TestOverTcp:
    async def test_a_challenge_is_answered_once(
        self, received: Any, opened: Any, tcp: Any, free_port: int, say: Any, key_of: Any
    ):
        lease, _ = await opened(tcp(free_port))
        heard = await say(free_port, make_ask(key_of(3), 3, NONCE))
        reply = read_answer(key_of(3), NONCE, heard)
        assert reply is not None
        assert (reply.port, reply.peer, reply.local) == (free_port, "127.0.0.1", "127.0.0.1")
        receipts, arrivals = await received(lease)
        assert receipts == (Receipt(number=3, address="127.0.0.1", transport=TCP, answered=str(free_port)),)
        assert arrivals == ()

    @pytest.mark.parametrize("cuts", [range(1, 56), [4], [1, 55], [20, 40]], ids=["bytes", "magic", "ends", "thirds"])
    async def test_a_challenge_in_pieces(
        self, opened: Any, tcp: Any, free_port: int, say: Any, key_of: Any, cuts: Any
    ) -> None:
        await opened(tcp(free_port))
        ask = make_ask(key_of(3), 3, NONCE)
        edges = [0, *cuts, len(ask)]
        parts = [ask[low:high] for low, high in itertools.pairwise(edges)]
        assert len(await say(free_port, *parts, pause=0.001)) == ANSWER_SIZE

    @pytest.mark.parametrize("web", [False, True])
    @pytest.mark.parametrize(
        "words",
        [
            b"",
            b"\n",
            b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
            b"SSH-2.0-scanner\r\n",
            b"hello\r\n\r\n",
            b"POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: x\r\nPortcheck-Ask: 00ff\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: x\r\nPortcheck-Ask: nonsense\r\n\r\n",
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            b"GET /" + b"x" * 20_000 + b" HTTP/1.1\r\n\r\n",
            b"\xf1PC1" + bytes(52),
            make_ask(bytes(32), 3, NONCE),
            b"\x16\x03\x01",
        ],
        ids=[
            "silence",
            "newline",
            "http",
            "ssh",
            "words",
            "expect",
            "short-ask",
            "bad-ask",
            "http2",
            "long",
            "zeros",
            "other-key",
            "tls",
        ],
    )
    async def test_strangers_get_nothing(
        self, received: Any, opened: Any, tcp: Any, free_port: int, web: bool, words: bytes
    ) -> None:
        lease, _ = await opened(tcp(free_port, web=web))
        reader, writer = await asyncio.open_connection("127.0.0.1", free_port)
        writer.write(words)
        if writer.can_write_eof():
            writer.write_eof()
        async with asyncio.timeout(8):
            try:
                assert await reader.read() == b""
            except ConnectionResetError:
                pass
            finally:
                writer.close()
        receipts, arrivals = await received(lease)
        assert not any(receipt.answered for receipt in receipts)
        told = [(arrival.port, arrival.peer) for arrival in arrivals]
        if words[:4] != b"\xf1PC1":
            assert told == [(free_port, "127.0.0.1")]

    async def test_a_challenge_for_another_target_is_remembered(
        self, received: Any, opened: Any, tcp: Any, free_port: int, say: Any
    ) -> None:
        """It shows where the packets of a swapped address go."""
        lease, _ = await opened(tcp(free_port))
        assert await say(free_port, make_ask(pair_key(bytes(32), 9), 9, NONCE)) == b""
        (receipt,), _ = await received(lease)
        assert (receipt.number, receipt.answered, receipt.foreign) == (9, "", str(free_port))

    async def test_who_connects_and_says_nothing_has_come_too(
        self, received: Any, opened: Any, tcp: Any, free_port: int
    ) -> None:
        """Its challenge was dropped on the way: this is the only trace."""
        lease, _ = await opened(tcp(free_port))
        _, writer = await asyncio.open_connection("127.0.0.1", free_port)
        await asyncio.sleep(0.05)  # the loop accepts
        _, arrivals = await received(lease)
        writer.close()
        assert [(arrival.port, arrival.peer) for arrival in arrivals] == [(free_port, "127.0.0.1")]

    async def test_silent_peers_are_let_go(
        self, opened: Any, tcp: Any, free_port: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(listener, "_PATIENCE", 0.0)
        lease, _ = await opened(tcp(free_port))
        reader, writer = await asyncio.open_connection("127.0.0.1", free_port)
        await asyncio.sleep(0.05)
        lease.expire()
        async with asyncio.timeout(5):
            assert await reader.read() == b""
        writer.close()

    async def test_a_crowd_of_silent_peers_is_bounded(
        self, opened: Any, tcp: Any, free_port: int, say: Any, key_of: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(listener, "_MOST_SILENT", 5)
        await opened(tcp(free_port))
        crowd = [await asyncio.open_connection("127.0.0.1", free_port) for _ in range(12)]
        async with asyncio.timeout(5):
            for reader, _ in crowd[:7]:
                assert await reader.read() == b""
        assert len(await say(free_port, make_ask(key_of(3), 3, NONCE))) == ANSWER_SIZE
        for _, writer in crowd:
            writer.close()

    async def test_without_a_free_file_it_says_that_it_may_have_missed_somebody(
        self, opened: Any, tcp: Any, free_port: int
    ) -> None:
        lease, _ = await opened(tcp(free_port))
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as guest:
            resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
            try:
                guest.connect_ex(("127.0.0.1", free_port))
                await asyncio.sleep(0.05)  # the loop tries to accept
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert (await lease.close()).starved

    async def test_who_resets_at_once_does_no_harm(
        self, opened: Any, tcp: Any, free_port: int, say: Any, key_of: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        await opened(tcp(free_port, web=True))
        for words in (b"", b"G", b"\x16", b"\xf1"):
            sock = socket.create_connection(("127.0.0.1", free_port))
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            sock.send(words)
            sock.close()
        assert len(await say(free_port, make_ask(key_of(3), 3, NONCE))) == ANSWER_SIZE
        await asyncio.sleep(0.05)
        assert caplog.records == []


class TestOverHttp:
    async def test_a_challenge_in_a_header(
        self, received: Any, opened: Any, tcp: Any, free_port: int, say: Any, key_of: Any
    ) -> None:
        lease, _ = await opened(tcp(free_port, web=True))
        ask = make_ask(key_of(3), 3, NONCE).hex().encode()
        heard = await say(free_port, b"GET /any HTTP/1.1\r\nHost: x\r\nPortcheck-Ask: " + ask + b"\r\n\r\n")
        head = heard.partition(b"\r\n\r\n")[0].decode()
        assert head.startswith("HTTP/1.1 200")
        (answer,) = (line.partition(": ")[2] for line in head.splitlines() if line.startswith("Portcheck-Answer"))
        reply = read_answer(key_of(3), NONCE, bytes.fromhex(answer))
        assert reply is not None
        assert reply.port == free_port
        receipts, arrivals = await received(lease)
        assert (receipts[0].answered, arrivals) == (str(free_port), ())

    async def test_a_port_for_the_web_speaks_plainly_too(
        self, opened: Any, tcp: Any, free_port: int, say: Any, key_of: Any
    ) -> None:
        """One check asks in HTTP, another only in TCP."""
        await opened(tcp(free_port, web=True))
        assert len(await say(free_port, make_ask(key_of(3), 3, NONCE))) == ANSWER_SIZE

    async def test_a_certificate_that_is_none(self, opened: Any, tcp: Any, free_port: int) -> None:
        with pytest.raises(OSError, match=r"PEM|SSL"):
            await opened(tcp(free_port, web=True), certificate=b"nonsense", private_key=selfsigned.make().key_pem)


class TestOverUdp:
    async def exchange(self, port: int, data: bytes, wait: float = 0.2) -> bytes:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sock:
            sock.connect(("127.0.0.1", port))
            sock.send(data)
            try:
                async with asyncio.timeout(wait):
                    return await asyncio.get_running_loop().sock_recv(sock, 2000)
            except TimeoutError:
                return b""

    async def test_a_challenge_is_answered(
        self, received: Any, opened: Any, tcp: Any, free_port: int, key_of: Any
    ) -> None:
        lease, _ = await opened(tcp(free_port, transport=UDP))
        heard = await self.exchange(free_port, make_ask(key_of(3), 3, NONCE), 5)
        reply = read_answer(key_of(3), NONCE, heard)
        assert reply is not None
        assert (reply.port, reply.peer) == (free_port, "127.0.0.1")
        receipts, _ = await received(lease)
        assert [(receipt.transport, receipt.answered) for receipt in receipts] == [(UDP, str(free_port))]

    @pytest.mark.parametrize("words", [b"", b"x", make_ask(bytes(32), 3, NONCE), bytes(1400)])
    async def test_strangers_get_nothing(
        self, received: Any, opened: Any, tcp: Any, free_port: int, words: bytes
    ) -> None:
        lease, _ = await opened(tcp(free_port, transport=UDP))
        assert await self.exchange(free_port, words) == b""
        _, arrivals = await received(lease)
        assert [(arrival.transport, arrival.port) for arrival in arrivals] == [(UDP, free_port)]


class TestBounds:
    """A flood changes nothing."""

    def test_arrivals_are_counted_only_so_far(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "_MOST_ARRIVALS", 10)
        answers = Answers(bytes(32))
        for port in range(1, 100):
            answers.stranger(port, "192.0.2.1", "127.0.0.1")
        assert len(answers.arrivals()) == 10

    def test_sources_are_remembered_only_so_far_and_still_answered(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "_MOST_SOURCES", 10)
        answers, key = Answers(bytes(32)), pair_key(bytes(32), 99)
        for number in range(50):
            answers.answer(make_ask(bytes(32), number, NONCE), 80, ("192.0.2.1", 1), "127.0.0.1")
        assert len(answers.receipts()) == 10
        assert answers.answer(make_ask(key, 99, NONCE), 80, ("192.0.2.1", 1), "127.0.0.1")

    def test_the_same_stranger_counts_once(self) -> None:
        answers = Answers(bytes(32))
        for _ in range(3):
            answers.stranger(80, "192.0.2.1", "127.0.0.1")
        assert len(answers.arrivals()) == 1
