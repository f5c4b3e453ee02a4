"""TLS as a protocol of its own: against real servers of each kind, and against what is none."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import threading
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest

from probe.model.observation import Failure, Operation, Proof
from probe.model.secret import Secret
from probe.model.tls import TlsTerms
from probe.model.words import Protocol, State
from probe.probes import handshake, http, tls
from probe.probes.tls import Secured, context, words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("no_blocking")
TLS = Protocol.TLS
OLD = "DEFAULT:@SECLEVEL=0"


@pytest.fixture
def server() -> Iterator[Callable[..., int]]:
    """`server(pem, …)` shakes hands, answers what it is sent, and returns its port; OpenSSL's own alerts and all."""
    with contextlib.ExitStack() as stack:

        def start(pem: Path, **options: Any) -> int:
            made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            made.load_cert_chain(pem)
            made.set_ciphers(OLD)
            made.minimum_version = options.pop("least", ssl.TLSVersion.MINIMUM_SUPPORTED)
            made.maximum_version = options.pop("most", ssl.TLSVersion.MAXIMUM_SUPPORTED)
            if clients := options.pop("clients", None):
                made.load_verify_locations(clients)
                made.verify_mode = ssl.CERT_REQUIRED
            names = options.pop("names", None)
            if names is not None:
                made.sni_callback = lambda _socket, name, _context: names.append(name)
            listening = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            listening.settimeout(10)
            threading.Thread(target=_serve, args=(listening, made), daemon=True).start()
            return int(listening.getsockname()[1])

        yield start


def _serve(listening: socket.socket, made: ssl.SSLContext) -> None:
    with contextlib.suppress(OSError):
        while True:
            connection, _ = listening.accept()
            connection.settimeout(5)
            with contextlib.suppress(OSError), made.wrap_socket(connection, server_side=True) as secured:
                while data := secured.recv(1000):
                    secured.sendall(data)
            connection.close()


async def test_a_handshake_tells_all(ask: Any, server: Any, authority: Any) -> None:
    names: list[str | None] = []
    port = server(authority.intermediate().issue("a.example"), names=names)
    seen = await ask(handshake, port, TLS)
    assert (seen.state, seen.failure, seen.proof, seen.operation) == (State.OPEN, None, Proof.ANSWERED, Operation.TLS)
    assert (seen.tls.version, seen.tls.distrust) == ("1.3", "")
    assert seen.tls.cipher.startswith("TLS_")
    assert len(seen.tls.chain) == 2
    assert len({sha256(der).digest() for der in seen.tls.chain}) == 2
    assert names == [None]  # an address is no server name


@pytest.mark.parametrize(("bound", "value"), [("_MOST_CERTIFICATES", 1), ("_MOST_BYTES", 100)])
async def test_a_long_chain_is_cut(
    ask: Any, server: Any, authority: Any, monkeypatch: pytest.MonkeyPatch, bound: str, value: int
) -> None:
    """The server's own certificate is kept, however large."""
    monkeypatch.setattr(tls, bound, value)
    seen = await ask(handshake, server(authority.intermediate().issue("a.example")), TLS)
    assert len(seen.tls.chain) == 1


async def test_the_server_name(ask: Any, server: Any, authority: Any) -> None:
    names: list[str | None] = []
    port = server(authority.issue("a.example"), names=names)
    await ask(handshake, port, TLS, tls=TlsTerms(server_name="b.example"))
    assert names == ["b.example"]


@pytest.mark.parametrize(
    ("version", "told"),
    [(ssl.TLSVersion.TLSv1, "1.0"), (ssl.TLSVersion.TLSv1_1, "1.1"), (ssl.TLSVersion.TLSv1_2, "1.2")],
    ids=str,
)
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
async def test_an_old_version_is_spoken_and_told(
    ask: Any, server: Any, authority: Any, version: ssl.TLSVersion, told: str
) -> None:
    seen = await ask(handshake, server(authority.issue("a.example"), least=version, most=version), TLS)
    assert (seen.failure, seen.tls.version) == (None, told)


class TestTrust:
    async def test_where_it_leads(self, ask: Any, server: Any, authority: Any) -> None:
        port = server(authority.intermediate().issue("127.0.0.1"))
        roots = authority.root.read_bytes()
        for name in (False, True):
            seen = await ask(handshake, port, TLS, tls=TlsTerms(trust=True, name=name, roots=roots))
            assert (seen.failure, seen.tls.distrust) == (None, "")

    async def test_to_nobody_known(self, ask: Any, server: Any, authority: Any) -> None:
        pem = authority.issue("a.example")
        seen = await ask(handshake, server(pem), TLS, tls=TlsTerms(trust=True))
        assert (seen.state, seen.failure, seen.operation) == (State.OPEN, Failure.BAD_ANSWER, Operation.TLS)
        assert "local issuer certificate" in seen.tls.distrust
        assert seen.text == f"the certificate is not trusted: {seen.tls.distrust}"
        assert len(seen.tls.chain) == 1  # what it was is told all the same

    @pytest.mark.parametrize(
        ("names", "valid", "distrust"),
        [(("b.example",), (-1, 9), "Hostname mismatch"), (("a.example",), (-9, -1), "certificate has expired")],
        ids=["another-name", "expired"],
    )
    async def test_not_to_this(
        self, ask: Any, server: Any, authority: Any, names: Any, valid: Any, distrust: str
    ) -> None:
        """Before anything is said to it."""
        port = server(authority.issue(*names, valid=valid, file=distrust.split(maxsplit=1)[0]))
        terms = TlsTerms(trust=True, name=True, server_name="a.example", roots=authority.root.read_bytes())
        seen = await ask(handshake, port, TLS, tls=terms)
        assert (seen.failure, seen.operation) == (Failure.BAD_ANSWER, Operation.TLS)
        assert distrust in seen.tls.distrust

    async def test_nobody_cares(self, ask: Any, server: Any, authority: Any) -> None:
        port = server(authority.issue("b.example", valid=(-9, -1), file="old"))
        assert (await ask(handshake, port, TLS, tls=TlsTerms(name=True))).failure is None


class TestOurOwnCertificate:
    @pytest.mark.parametrize("most", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=str)
    async def test_is_demanded(self, ask: Any, server: Any, authority: Any, most: ssl.TLSVersion) -> None:
        """With TLS 1.3 the complaint comes after the handshake."""
        port = server(authority.issue("a.example"), clients=authority.root, most=most)
        seen = await ask(handshake, port, TLS)
        assert (seen.failure, seen.operation) == (Failure.BAD_ANSWER, Operation.TLS)
        assert "client certificate" in seen.text

    @pytest.mark.parametrize("most", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=str)
    async def test_is_shown(self, ask: Any, server: Any, authority: Any, most: ssl.TLSVersion) -> None:
        port = server(authority.issue("a.example"), clients=authority.root, most=most)
        identity = Secret(authority.issue("client").read_bytes())
        assert (await ask(handshake, port, TLS, tls=TlsTerms(identity=identity))).failure is None

    async def test_is_another_authoritys(self, ask: Any, server: Any, authority: Any, tmp_path: Path) -> None:
        stranger = type(authority)(tmp_path, "Stranger")
        port = server(authority.issue("a.example"), clients=authority.root)
        identity = Secret(stranger.issue("client").read_bytes())
        seen = await ask(handshake, port, TLS, tls=TlsTerms(identity=identity))
        assert (seen.failure, seen.text) == (Failure.BAD_ANSWER, "it does not trust the client certificate")

    @pytest.mark.parametrize("protocol", [Protocol.HTTPS, Protocol.HTTP_OR_HTTPS], ids=str)
    async def test_is_demanded_of_a_request(self, ask: Any, server: Any, authority: Any, protocol: Protocol) -> None:
        """Which may be on its way when the complaint comes, and then the complaint is lost; it is asked for again."""
        port = server(authority.issue("a.example"), clients=authority.root)
        for _ in range(5):
            seen = await ask(http, port, protocol, careful=True)
            assert (seen.state, seen.failure, seen.operation) == (State.OPEN, Failure.BAD_ANSWER, Operation.TLS)
            assert seen.text == "it demands a client certificate"

    async def test_cannot_be_used(self, ask: Any, server: Any, authority: Any) -> None:
        """That is no fault of the network."""
        terms = TlsTerms(identity=Secret(b"no PEM"))
        seen = await ask(handshake, server(authority.issue("a.example")), TLS, tls=terms)
        assert (seen.state, seen.failure) == (State.ERROR, Failure.OTHER)
        with pytest.raises(ValueError, match="cannot be used"):
            context(terms)


async def mute(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    while await reader.read(100):
        pass


async def hang_up(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    await reader.read(1)


async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """The beginning of an answer, a byte at a time."""
    await reader.read(1)
    for byte in b"\x16\x03\x03\x40\x00" + bytes(10_000):
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(0.02)


def says(answer: bytes) -> Any:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(answer)
        await writer.drain()
        await reader.read(-1)

    return handler


@pytest.mark.parametrize(
    ("handler", "failures"),
    [
        (mute, {Failure.TIMEOUT}),
        (hang_up, {Failure.CLOSED, Failure.RESET}),
        (drip, {Failure.TIMEOUT}),
        (says(b"HTTP/1.1 400 Bad Request\r\n\r\n"), {Failure.BAD_ANSWER}),
        (says(b"SSH-2.0-OpenSSH_9.2\r\n"), {Failure.BAD_ANSWER}),
        (says(b"-ERR unknown command\r\n"), {Failure.BAD_ANSWER}),
        (says(b"\x15\x03\x01\x00\x02\x02\x46"), {Failure.BAD_ANSWER}),
        (says(b"\x16\x03\x03\x3f\xff" + b"\x02\x00\xff\xff" + bytes(100_000)), {Failure.BAD_ANSWER, Failure.TIMEOUT}),
        (says(bytes(10 * 1024 * 1024)), {Failure.BAD_ANSWER}),
    ],
    ids=["mute", "hangs-up", "drips", "http", "ssh", "redis", "alert", "endless", "megabytes"],
)
async def test_what_answers_is_no_tls(ask: Any, serve: Any, handler: Any, failures: Any) -> None:
    patience = 0.4 if Failure.TIMEOUT in failures else 8.0
    seen = await ask(handshake, await serve(handler), TLS, timeout=patience)
    assert (seen.state, seen.operation) == (State.OPEN, Operation.TLS)
    assert seen.failure in failures
    assert seen.tls is None
    assert seen.text.isprintable() or not seen.text


async def test_nothing_listens(ask: Any, free_port: int) -> None:
    seen = await ask(handshake, free_port, TLS)
    assert (seen.state, seen.failure, seen.proof) == (State.CLOSED, Failure.REFUSED, Proof.NONE)


async def test_silence(ask: Any) -> None:
    """A queue that is full drops the SYN."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        with socket.create_connection(listening.getsockname()):
            seen = await ask(handshake, listening.getsockname()[1], TLS, timeout=0.3)
    assert (seen.state, seen.failure, seen.operation) == (State.FILTERED, Failure.TIMEOUT, Operation.CONNECT)


async def test_from_an_address_of_its_own(ask: Any, server: Any, authority: Any) -> None:
    seen = await ask(handshake, server(authority.issue("a.example")), TLS, bind="127.81.9.9")
    assert (seen.failure, seen.local) == (None, "127.81.9.9")


async def test_a_server_that_never_hangs_up_is_well(ask: Any, serve: Any, authority: Any) -> None:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(authority.issue("a.example"))

    async def pour(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(b"220 hello\r\n" * 1000)
            await writer.drain()

    assert (await ask(handshake, await serve(pour, ssl=made), TLS)).failure is None


async def test_data_goes_both_ways(server: Any, authority: Any) -> None:
    """What a dialogue does inside."""
    loop = asyncio.get_running_loop()
    port = server(authority.issue("a.example"))
    with socket.socket() as sock:
        sock.setblocking(False)
        async with asyncio.timeout(10):
            await loop.sock_connect(sock, ("127.0.0.1", port))
            secured = Secured(sock, TlsTerms(), "127.0.0.1")
            await secured.shake()
            sent = bytes(range(256)) * 200
            sending = asyncio.create_task(secured.send(sent))
            got = b""
            while len(got) < len(sent):
                got += await secured.receive()
            await sending
            await secured.farewell()
    assert got == sent


def test_words_are_for_people() -> None:
    assert words(ssl.SSLError(1, "X_Y")) == "x y"
    assert words(ValueError("the private key is encrypted")) == "the private key is encrypted"
