"""The dialogue language on real sockets: what each step does, and what comes of it."""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
import time
from typing import TYPE_CHECKING, Any

import pytest

from probe.coordinator import selfsigned
from probe.model.dialogue import Dialogue, Expect, Id, Known, Pattern, Send
from probe.model.observation import Failure, Operation, Proof
from probe.model.words import State, Transport
from probe.probes import letters, talk
from probe.probes.fitting import Ended, Fit, compared, fit
from probe.protocols import told
from probe.spec.matrix.named import named
from tests.tlspeer import shake

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from probe.model.observation import Observation

    Hold = Callable[..., Awaitable[Observation]]
    Peer = Callable[..., Awaitable[int]]

pytestmark = pytest.mark.usefixtures("no_blocking")
IDS = {"id": b"\xab\xcd"}


def answering(*answers: bytes) -> Any:
    """Answers each thing it is told with the next of these; `heard` is what it was told."""
    heard: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in answers:
            heard.append(await reader.read(4096))
            writer.write(answer)
            await writer.drain()
        heard.append(await reader.read(-1))

    serve.heard = heard  # type: ignore[attr-defined]
    return serve


@pytest.mark.parametrize(
    ("wanted", "data", "found"),
    [
        (Pattern(start=(Known(b"OK"),)), b"", Fit.BEGUN),
        (Pattern(start=(Known(b"OK"),)), b"O", Fit.BEGUN),
        (Pattern(start=(Known(b"OK"),)), b"OK and more", Fit.YES),
        (Pattern(start=(Known(b"OK"),)), b"ON", Fit.NO),
        (Pattern(start=(Known(b"OK"),), whole=True), b"OK", Fit.YES),
        (Pattern(start=(Known(b"OK"),), whole=True), b"OKAY", Fit.NO),
        (Pattern(start=(Known(b"\x40", b"\xf0"),)), b"\x4f", Fit.YES),
        (Pattern(start=(Known(b"\x40", b"\xf0"),)), b"\x5f", Fit.NO),
        (Pattern(start=(Id("id", 2),)), b"\xab\xcd", Fit.YES),
        (Pattern(start=(Id("id", 2),)), b"\xab\xce", Fit.NO),
        (Pattern(start=(Id("id", 2, digits=True),)), b"abcd", Fit.YES),
        (Pattern(least=3), b"ab", Fit.BEGUN),
        (Pattern(least=3), b"abc", Fit.YES),
        (Pattern(expression=(Known(rb"[0-9]+\n"),)), b"12", Fit.NOT_YET),
        (Pattern(expression=(Known(rb"[0-9]+\n"),)), b"12\n", Fit.YES),
        (Pattern(expression=(Known(b"is "), Id("id", 2, digits=True))), b"is abcd", Fit.YES),
        (Pattern(expression=(Known(b"b"),)), b"ab", Fit.NOT_YET),
        (Pattern(start=(Known(b"a"),), expression=(Known(b"ab"),)), b"ac", Fit.NOT_YET),
        (Pattern(expression=(Known(rb"\xff"),)), b"\xff", Fit.YES),
    ],
)
def test_a_pattern(wanted: Pattern, data: bytes, found: Fit) -> None:
    assert fit(wanted, data, IDS) is found


def test_an_expression_without_an_end_is_our_own_fault() -> None:
    endless = Pattern(expression=(Known(b"(a*)*b"),))
    with pytest.raises(Ended) as caught:
        compared((endless,), (), b"a" * 40, {})
    assert caught.value.failure is Failure.OTHER


async def test_steps_follow_each_other(peer: Peer, hold: Hold) -> None:
    server = answering(b"hello\r\n", b"200 fine\r\n")
    port = await peer(server)
    steps = [{"send": r"HI\r\n"}, {"expect": "hello"}, {"send": r"HOW\r\n"}, {"expect": {"regex": r"2\d\d "}}]
    seen = await hold(port, steps)
    assert (seen.state, seen.failure, seen.proof, seen.local) == (State.OPEN, None, Proof.ANSWERED, "127.0.0.1")
    assert seen.said == b"hello\r\n200 fine\r\n"
    assert server.heard == [b"HI\r\n", b"HOW\r\n", b""]


async def test_an_id_is_fresh_and_demanded_back(peer: Peer, hold: Hold) -> None:
    told = []

    async def repeat(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        told.append(await reader.readline())
        writer.write(told[-1])

    port = await peer(repeat)
    steps = [{"send": r"<id:8>\n"}, {"expect": r"<id>\n"}]
    assert [(await hold(port, steps)).failure for _ in range(2)] == [None, None]
    assert len({*told}) == 2
    assert all(re.fullmatch(rb"[0-9a-f]{16}\n", line) for line in told)
    seen = await hold(await peer(answering(b"0011223344556677\n")), steps)
    assert seen.failure is Failure.BAD_ANSWER


async def test_one_of_several_answers_will_do(peer: Peer, hold: Hold) -> None:
    steps = [{"send": "a"}, {"expect": ["yes", "no"], "unhealthy": "busy"}]
    assert (await hold(await peer(answering(b"no")), steps)).failure is None
    seen = await hold(await peer(answering(b"busy, sorry")), steps)
    assert (seen.failure, seen.text, seen.said) == (Failure.UNHEALTHY, "busy, sorry", b"busy, sorry")
    seen = await hold(await peer(answering(b"maybe")), steps)
    assert (seen.failure, seen.text) == (Failure.BAD_ANSWER, "maybe")


async def test_an_answer_in_pieces(peer: Peer, hold: Hold) -> None:
    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        del reader
        for byte in b"hello\n":
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0.01)

    assert (await hold(await peer(slow), [{"expect": r"hello\n"}])).failure is None


async def test_an_answer_that_breaks_off_is_another(peer: Peer, hold: Hold) -> None:
    async def half(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        del reader
        writer.write(b"hel")

    assert (await hold(await peer(half), [{"expect": "hello"}])).failure is Failure.BAD_ANSWER


async def test_silence(peer: Peer, hold: Hold, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who has taken our words and is silent is slow; who has not confirmed them may never have had them."""
    port = await peer(answering(b"", b""))
    steps = [{"send": "a"}, {"expect": "b", "within": 0.3}]
    seen = await hold(port, steps)
    assert (seen.failure, seen.operation, seen.proof) == (Failure.TIMEOUT, Operation.RECEIVE, Proof.ACCEPTED)
    monkeypatch.setattr(talk._Line, "unacknowledged", True)
    seen = await hold(port, steps)
    assert (seen.failure, seen.operation) == (Failure.TIMEOUT, Operation.SEND)


@pytest.mark.parametrize("transport", Transport)
async def test_a_dialogue_has_its_time(
    transport: Transport, peer: Peer, post: Any, hold: Hold, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each wait where nothing is said of it, and all of them together."""
    port = (await post(lambda _: []))[0] if transport is Transport.UDP else await peer(answering(b"", b""))
    began = time.monotonic()
    monkeypatch.setattr(talk, "_THINKING", 0.1)
    seen = await hold(port, [{"send": "a"}, {"expect": "b"}], transport, timeout=0.1)
    assert (seen.failure, time.monotonic() - began < 1) == (Failure.TIMEOUT, True)
    monkeypatch.setattr(talk if transport is Transport.TCP else letters, "LONGEST", 0.2)
    seen = await hold(port, [{"send": "a"}, {"expect": "b", "within": 9}], transport, timeout=9)
    assert (seen.failure, time.monotonic() - began < 2) == (Failure.TIMEOUT, True)


async def test_no_more_is_read_than_is_said(peer: Peer, hold: Hold) -> None:
    async def lines(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        del reader
        writer.write(b"x" * 5000)

    seen = await hold(await peer(lines), [{"expect": {"regex": "x+y"}, "most": 100}])
    assert (seen.failure, len(seen.said)) == (Failure.BAD_ANSWER, 100)


async def test_a_dialogue_beyond_bounds_is_not_held(hold: Hold, free_port: int) -> None:
    """A node does not take the coordinator's word for it."""
    large = Dialogue(steps=(Expect(patterns=(Pattern(),), most=1 << 20),))
    long = Dialogue(steps=(Expect(patterns=(Pattern(),), within=1e6),))
    many = Dialogue(steps=(Send((Known(b"a"),)),) * 100)
    loud = Dialogue(steps=(Send((Known(b"a" * 16_385),)),))
    for dialogue in (large, long, many, loud):
        seen = await hold(free_port, dialogue)
        assert (seen.state, seen.failure) == (State.ERROR, Failure.OTHER)


@pytest.fixture(scope="module")
def certified(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate and its key, in one file."""
    certificate = selfsigned.make()
    file = tmp_path_factory.mktemp("tls") / "server.pem"
    file.write_bytes(certificate.key_pem + certificate.certificate_pem)
    return file


@pytest.fixture(scope="module")
def server_tls(certified: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certified)
    return context


async def test_tls_from_the_beginning(peer: Peer, hold: Hold, server_tls: ssl.SSLContext) -> None:
    port = await peer(answering(b"inside"), ssl=server_tls)
    seen = await hold(port, [{"tls": True}, {"send": "hi"}, {"expect": "inside"}])
    assert (seen.failure, seen.said) == (None, b"inside")
    assert seen.tls is not None
    assert seen.tls.version == "1.3"


async def test_a_name_inside_tls(peer: Peer, hold: Hold, server_tls: ssl.SSLContext) -> None:
    dialogue = named("redis/tls", Transport.TCP)
    assert dialogue is not None
    seen = await hold(await peer(answering(b"+PONG\r\n"), ssl=server_tls), dialogue)
    assert seen.failure is None
    assert seen.tls is not None
    assert told("redis/tls", Transport.TCP, seen.said) == "Redis says PONG"


async def test_a_server_that_wants_tls_and_says_so(peer: Peer, hold: Hold) -> None:
    seen = await hold(await peer(answering(b"\x15\x03\x01\x00\x02\x02\x46")), [{"send": "a"}, {"expect": "b"}])
    assert (seen.failure, seen.operation) == (Failure.BAD_ANSWER, Operation.TLS)


async def test_a_server_that_wants_tls_and_hangs_up(peer: Peer, hold: Hold, server_tls: ssl.SSLContext) -> None:
    """Told by a handshake on a second connection: but only where the first look was no success."""
    steps = [{"send": "hi"}, {"expect": "ho"}]
    asked: list[bytes] = []

    async def strict(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readexactly(1))
        if asked[-1] == b"\x16":
            await shake(server_tls, asked[-1], reader, writer)

    port = await peer(strict)
    seen = await hold(port, steps)
    assert seen.failure in (Failure.CLOSED, Failure.RESET)
    assert asked == [b"h"]
    seen = await hold(port, steps, careful=True)
    assert (seen.failure, seen.operation) == (Failure.BAD_ANSWER, Operation.TLS)
    assert seen.text.endswith("it wants TLS")
    assert seen.tls is not None


async def test_a_server_that_wants_a_client_certificate(peer: Peer, hold: Hold, certified: Path) -> None:
    """In TLS 1.3 it says so after the handshake, in the place of its first answer: that is another service's no more
    than before.
    """
    strict = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    strict.load_cert_chain(certified)
    strict.load_verify_locations(certified)
    strict.verify_mode = ssl.CERT_REQUIRED

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await shake(strict, b"", reader, writer)

    seen = await hold(await peer(refuse), [{"tls": True}, {"send": "hi"}, {"expect": "ho"}])
    assert (seen.failure, seen.operation) == (Failure.BAD_ANSWER, Operation.TLS)
    assert seen.text == "it demands a client certificate"


async def test_tls_that_is_asked_for(peer: Peer, hold: Hold, server_tls: ssl.SSLContext) -> None:
    async def upgrade(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert await reader.readline() == b"STARTTLS\n"
        writer.write(b"220 go\r\n")
        await writer.drain()
        await writer.start_tls(server_tls)
        assert await reader.readline() == b"QUIT\n"
        writer.write(b"bye")
        await writer.drain()

    steps = [
        {"starttls": {"send": r"STARTTLS\n", "expect": "220", "declined": "454"}},
        {"send": r"QUIT\n"},
        {"expect": "bye"},
    ]
    seen = await hold(await peer(upgrade), steps)
    assert seen.failure is None, seen
    assert seen.tls is not None
    seen = await hold(await peer(answering(b"454 no", b"bye")), steps)
    assert (seen.failure, seen.tls) == (None, None)
    seen = await hold(await peer(answering(b"500 what")), steps)
    assert (seen.failure, seen.operation) == (Failure.BAD_ANSWER, Operation.RECEIVE)
    seen = await hold(await peer(answering(b"220 go\r\n", b"no TLS at all")), steps)
    assert (seen.failure, seen.operation) == (Failure.BAD_ANSWER, Operation.TLS)


async def test_over_udp(post: Any, hold: Hold) -> None:
    port, heard = await post(lambda data: [b"late", data[::-1]])
    steps = [{"send": {"hex": "01 <id:2>"}}, {"expect": {"hex": "???? 01"}}]
    seen = await hold(port, steps, Transport.UDP)
    # A stranger's datagram before the answer is passed over.
    assert (seen.failure, seen.said, seen.text) == (None, heard[0][0][::-1], "")
    assert len(heard) == 1


async def test_a_lost_datagram_is_sent_again(post: Any, hold: Hold) -> None:
    heard: list[bytes] = []

    def third(data: bytes) -> list[bytes]:
        heard.append(data)
        return [b"ok"] if len(heard) == 3 else []

    port, _ = await post(third)
    seen = await hold(port, [{"send": "a<id:2>"}, {"expect": "ok"}], Transport.UDP, careful=True, timeout=0.6)
    assert seen.failure is None
    assert len({*heard}) == 1


async def test_an_answer_from_another_port(post: Any, hold: Hold) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        other.setblocking(False)
        came = asyncio.Event()
        port, heard = await post(lambda _: [came.set()][:0])
        asked = [{"send": "a"}, {"expect": "b", "any-port": True}]
        task = asyncio.create_task(hold(port, asked, Transport.UDP))
        await came.wait()
        other.sendto(b"b", heard[0][1])
        seen = await task
        assert (seen.failure, seen.text) == (None, f"it answers from port {other.getsockname()[1]}")


async def test_an_answer_from_another_address_is_none(post: Any, hold: Hold) -> None:
    """Where any port will do, the address still counts."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.bind(("127.0.0.2", 0))
        stranger.setblocking(False)
        heard: list[Any] = []

        def at_once(data: bytes) -> list[bytes]:
            stranger.sendto(b"b", heard[0][1])
            return []

        port, heard = await post(at_once)
        seen = await hold(port, [{"send": "a"}, {"expect": "b", "any-port": True}], Transport.UDP, timeout=0.3)
    assert (seen.state, seen.said) == (State.OPEN_FILTERED, b"")


async def test_of_a_datagram_no_more_is_looked_at_than_is_said(post: Any, hold: Hold) -> None:
    port, _ = await post(lambda _: [b"x" * 100 + b"y"])
    steps = [{"send": "a"}, {"expect": {"regex": "x+y"}, "most": 100}]
    assert (await hold(port, steps, Transport.UDP, timeout=0.2)).failure is Failure.BAD_ANSWER


async def test_who_meets_himself_has_met_nobody(peer: Peer, hold: Hold, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(talk, "met_itself", lambda _: True)
    seen = await hold(await peer(answering(b"b")), [{"send": "a"}, {"expect": "b"}])
    assert (seen.state, seen.failure) == (State.ERROR, Failure.SELF_CONNECT)


async def test_a_port_to_send_from(post: Any, hold: Hold, free_port: int) -> None:
    port, heard = await post(lambda _: [b"b"])
    asked = [{"send": "a", "from-port": free_port}, {"expect": "b"}]
    # One after the other, also where two are to be asked at once.
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(hold(port, asked, Transport.UDP)) for _ in range(2)]
    assert [task.result().failure for task in tasks] == [None, None]
    assert {peer[1] for _, peer in heard} == {free_port}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("0.0.0.0", free_port))
        seen = await hold(port, asked, Transport.UDP)
        assert (seen.state, seen.failure) == (State.ERROR, Failure.RESOURCES)
        assert "another program" in seen.text
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        # As clients of DHCP hold theirs.
        client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        client.bind(("0.0.0.0", free_port))
        assert (await hold(port, asked, Transport.UDP)).failure is None


async def test_our_own_address_is_known(post: Any, hold: Hold) -> None:
    port, heard = await post(lambda _: [b"b"])
    await hold(port, [{"send": {"hex": "<own-address>"}}, {"expect": "b"}], Transport.UDP)
    assert heard[0][0] == socket.inet_aton("127.0.0.1")


async def test_nobody_there_over_udp(hold: Hold, free_port: int) -> None:
    seen = await hold(free_port, [{"send": "a"}, {"expect": "b"}], Transport.UDP)
    assert (seen.state, seen.failure) == (State.CLOSED, Failure.REFUSED)


async def test_who_should_speak_first_and_waits_is_told_our_next_words(
    peer: Peer, hold: Hold, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A web server in the place of one that greets: what it says of our words tells who it is."""
    monkeypatch.setattr(talk, "_AT_LAST", 0.3)
    steps = [{"expect": "220", "unhealthy": "421", "within": 0.2}, {"send": r"QUIT\r\n"}, {"expect": "221"}]
    server = answering(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    seen = await hold(await peer(server), steps)
    assert (seen.failure, seen.said[:8]) == (Failure.BAD_ANSWER, b"HTTP/1.1")
    assert server.heard[0] == b"QUIT\r\n"
    # A greeting that comes too late is still one, and whoever says nothing to the end stays unknown.
    for late in (b"220 at last\r\n", b"421 not now\r\n", b""):
        seen = await hold(await peer(answering(late)), steps)
        assert seen.failure is Failure.TIMEOUT

    async def leaving(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        del writer
        await reader.readline()

    assert (await hold(await peer(leaving), steps)).failure is Failure.TIMEOUT
    # Who was asked has had his chance.
    server = answering(b"", b"no")
    asked = [{"send": "a"}, {"expect": "b", "within": 0.2}, {"send": "c"}]
    assert (await hold(await peer(server), asked)).failure is Failure.TIMEOUT
    assert b"c" not in server.heard
