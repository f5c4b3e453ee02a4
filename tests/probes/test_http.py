"""HTTP and HTTPS, against real servers and against what is none."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from typing import Any

import pytest
from aiohttp import ClientOSError, web

from probe.coordinator import selfsigned
from probe.model.observation import Failure, Operation, Proof
from probe.model.words import Protocol, State, Transport
from probe.probes import http
from probe.probes import request as request_
from probe.wire.challenge import make_answer, read_ask
from probe.wire.messages import Endpoint
from tests.tlspeer import shake

HTTP, HTTPS = Protocol.HTTP, Protocol.HTTPS
pytestmark = pytest.mark.usefixtures("no_blocking")


@pytest.fixture(scope="module")
def certificate() -> selfsigned.SelfSigned:
    return selfsigned.make()


@pytest.fixture
def tls(certificate: selfsigned.SelfSigned, tmp_path: Any) -> ssl.SSLContext:
    file = tmp_path / "server.pem"
    file.write_bytes(certificate.key_pem + certificate.certificate_pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


@pytest.fixture
async def site():
    """`port, requests = await site(handler)`: an aiohttp server."""
    runners = []

    async def start(handler: Any, **more: Any) -> tuple[int, list[web.BaseRequest]]:
        requests: list[web.BaseRequest] = []

        async def remember(request: web.BaseRequest) -> web.StreamResponse:
            requests.append(request)
            return await handler(request)

        runner = web.ServerRunner(web.Server(remember, access_log=None), shutdown_timeout=0.1)
        runners.append(runner)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, **more).start()
        return runner.addresses[0][1], requests

    yield start
    for runner in runners:
        await runner.cleanup()


def says(answer: bytes) -> Any:
    """A talker that answers any request with these bytes."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()

    return handler


def web_endpoint(port: int, address: str = "127.0.0.1") -> Endpoint:
    return Endpoint(address=address, transport=Transport.TCP, ports=str(port), web=True)


def opened(certificate: selfsigned.SelfSigned) -> dict[str, bytes]:
    return {"certificate": certificate.certificate_pem, "private_key": certificate.key_pem}


class TestWithAStandIn:
    @pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
    async def test_http(self, ask: Any, stand_in: Any, keyed: bytes, free_ports: Any, address: str) -> None:
        (port,) = free_ports(1, address)
        await stand_in(web_endpoint(port, address))
        seen = await ask(http, port, HTTP, key=keyed, address=address)
        assert (seen.state, seen.proof, seen.failure, seen.status) == (State.OPEN, Proof.KEYED, None, 200)
        assert (seen.local, seen.seen_from, seen.answered_by) == (address, "", "")

    async def test_https(self, ask: Any, stand_in: Any, keyed: bytes, free_port: int, certificate: Any) -> None:
        await stand_in(web_endpoint(free_port), **opened(certificate))
        seen = await ask(http, free_port, HTTPS, key=keyed, fingerprint=certificate.fingerprint)
        assert (seen.proof, seen.failure) == (Proof.KEYED, None)

    async def test_from_an_address_of_its_own(self, ask: Any, stand_in: Any, keyed: bytes, free_port: int) -> None:
        await stand_in(web_endpoint(free_port))
        seen = await ask(http, free_port, HTTP, key=keyed, bind="127.81.9.9")
        assert (seen.proof, seen.local, seen.seen_from) == (Proof.KEYED, "127.81.9.9", "")

    async def test_under_another_key_nothing_comes(self, ask: Any, stand_in: Any, free_port: int) -> None:
        await stand_in(web_endpoint(free_port))
        seen = await ask(http, free_port, HTTP, key=bytes(32))
        assert (seen.state, seen.proof) == (State.OPEN, Proof.ACCEPTED)
        assert seen.failure in (Failure.CLOSED, Failure.RESET)

    async def test_another_certificate_is_another_machine(
        self, ask: Any, stand_in: Any, keyed: bytes, free_port: int, certificate: Any
    ) -> None:
        await stand_in(web_endpoint(free_port), **opened(certificate))
        seen = await ask(http, free_port, HTTPS, key=keyed, fingerprint=selfsigned.make().fingerprint)
        assert (seen.state, seen.failure, seen.operation) == (State.OPEN, Failure.BAD_ANSWER, Operation.TLS)
        assert seen.text == "the certificate is not the stand-in's"

    async def test_a_web_server_in_its_place(self, ask: Any, site: Any, keyed: bytes) -> None:
        async def handler(_: web.BaseRequest) -> web.Response:
            return web.Response(headers={"Server": "nginx"})

        port, _ = await site(handler)
        seen = await ask(http, port, HTTP, key=keyed)
        assert (seen.state, seen.failure, seen.status, seen.text) == (
            State.OPEN,
            Failure.BAD_ANSWER,
            200,
            "HTTP 200 nginx",
        )

    @pytest.mark.parametrize("header", ["00", "not hexadecimal", "\udcff"])
    async def test_a_wrong_answer(self, ask: Any, serve: Any, keyed: bytes, header: str) -> None:
        raw = header.encode(errors="surrogateescape")
        port = await serve(says(b"HTTP/1.1 200 OK\r\nPortcheck-Answer: " + raw + b"\r\nContent-Length: 0\r\n\r\n"))
        assert (await ask(http, port, HTTP, key=keyed)).failure is Failure.BAD_ANSWER

    async def test_the_stand_in_of_another_port_answers(self, ask: Any, site: Any, keyed: bytes) -> None:
        async def redirected(request: web.BaseRequest) -> web.Response:
            challenge = read_ask(bytes.fromhex(request.headers[request_.ASK_HEADER]))
            assert challenge is not None
            answer = make_answer(keyed, challenge.nonce, 4242, ("127.0.0.1", 1), "127.0.0.1")
            return web.Response(headers={request_.ANSWER_HEADER: answer.hex()})

        port, _ = await site(redirected)
        seen = await ask(http, port, HTTP, key=keyed)
        assert (seen.failure, seen.text) == (Failure.BAD_ANSWER, "the stand-in of port 4242 answered")


class TestTheServiceItself:
    @pytest.mark.parametrize("status", [200, 302, 404, 503])
    async def test_its_status_is_told(self, ask: Any, site: Any, status: int) -> None:
        async def handler(_: web.BaseRequest) -> web.Response:
            return web.Response(status=status, headers={"Location": "http://192.0.2.1/"})

        port, requests = await site(handler)
        seen = await ask(http, port, HTTP, path="/health?deep=1")
        assert (seen.state, seen.proof, seen.failure, seen.status) == (State.OPEN, Proof.ANSWERED, None, status)
        (request,) = requests  # a redirect is an answer, not an order
        assert (request.method, request.path_qs) == ("GET", "/health?deep=1")
        assert request.headers["User-Agent"].startswith("portcheck/")
        assert request_.ASK_HEADER not in request.headers

    async def test_https_trusts_anybody_here(self, ask: Any, site: Any, tls: ssl.SSLContext) -> None:
        async def handler(_: web.BaseRequest) -> web.Response:
            return web.Response(status=204)

        port, _ = await site(handler, ssl_context=tls)
        assert (await ask(http, port, HTTPS)).status == 204

    async def test_a_proxy_of_the_environment_is_not_used(
        self, ask: Any, site: Any, monkeypatch: pytest.MonkeyPatch, free_port: int
    ) -> None:
        async def handler(_: web.BaseRequest) -> web.Response:
            return web.Response()

        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_port}")
        port, _ = await site(handler)
        assert (await ask(http, port, HTTP)).status == 200

    @pytest.mark.parametrize("name", [b"\xff\xfe\x80", b"\x1b[31mred", b"x" * 5000, b"\xc3\xa9"])
    async def test_a_servers_name_is_hostile(self, ask: Any, serve: Any, name: bytes) -> None:
        port = await serve(says(b"HTTP/1.1 200 OK\r\nServer: " + name + b"\r\nContent-Length: 0\r\n\r\n"))
        seen = await ask(http, port, HTTP)
        assert seen.state is State.OPEN
        assert seen.text.isprintable()
        assert len(seen.text) <= 80

    async def test_its_endless_body_is_not_read(self, ask: Any, serve: Any) -> None:
        async def pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
            while True:
                writer.write(bytes(65536))
                await writer.drain()

        assert (await ask(http, await serve(pour), HTTP)).status == 200


async def mute(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    while await reader.read(100):
        pass


async def hang_up(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    await reader.read(1)


async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(1)
    linger = struct.pack("ii", 1, 0)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    writer.transport.abort()


async def again_and_again(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    while True:
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        await writer.drain()
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("key", [b"", bytes(32)], ids=["plain", "keyed"])
@pytest.mark.parametrize(
    ("handler", "failures"),
    [
        (mute, {Failure.TIMEOUT}),
        (hang_up, {Failure.CLOSED, Failure.RESET}),
        (reset, {Failure.RESET, Failure.CLOSED}),
        (again_and_again, {Failure.TIMEOUT}),
        (says(b"SSH-2.0-OpenSSH_9.2\r\n"), {Failure.BAD_ANSWER}),
        (says(b"220 mail ESMTP\r\n\r\n"), {Failure.BAD_ANSWER}),
        (says(b"\x15\x03\x01\x00\x02\x02\x46"), {Failure.BAD_ANSWER, Failure.CLOSED}),
        (says(b"HTTP/1.1 200 OK\r\nA: " + b"x" * 20_000 + b"\r\n\r\n"), {Failure.BAD_ANSWER}),
        (says(b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"), {Failure.BAD_ANSWER}),
        (says(b"HTTP/1.1 200 OK\r\nContent-"), {Failure.CLOSED, Failure.BAD_ANSWER}),
        (says(b"HTTP/9.9 99999999 \xff\r\n\r\n"), {Failure.BAD_ANSWER}),
    ],
    ids=["mute", "hangs-up", "resets", "continue", "ssh", "smtp", "alert", "long", "bad-length", "cut", "nonsense"],
)
async def test_what_answers_is_no_http(ask: Any, serve: Any, key: bytes, handler: Any, failures: Any) -> None:
    seen = await ask(http, await serve(handler), HTTP, key=key, timeout=0.4)
    assert seen.state is State.OPEN
    assert seen.failure in failures
    assert seen.proof in (Proof.ACCEPTED, Proof.ANSWERED)
    assert seen.text.isprintable()


async def test_who_hangs_up_without_tls_is_asked_once_more_in_it(ask: Any, serve: Any, tls: ssl.SSLContext) -> None:
    """On the careful attempt, and no stand-in ever."""
    asked: list[bytes] = []

    async def strict(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readexactly(1))
        if asked[-1] == b"\x16":
            await shake(tls, asked[-1], reader, writer)

    port = await serve(strict)
    for more in ({}, {"careful": True, "key": bytes(32)}):
        seen = await ask(http, port, HTTP, **more)
        assert seen.failure in (Failure.CLOSED, Failure.RESET)
    assert asked == [b"G", b"G"]
    seen = await ask(http, port, HTTP, careful=True)
    assert (seen.failure, seen.operation) == (Failure.BAD_ANSWER, Operation.TLS)
    assert seen.text.endswith("it wants TLS")


@pytest.mark.parametrize("fingerprint", ["", "00" * 32], ids=["service", "stand-in"])
@pytest.mark.parametrize(
    ("handler", "failures"),
    [
        (says(b"HTTP/1.1 400 Bad Request\r\n\r\n"), {Failure.BAD_ANSWER}),
        (mute, {Failure.TIMEOUT}),
        (hang_up, {Failure.RESET, Failure.CLOSED, Failure.BAD_ANSWER}),
        (reset, {Failure.RESET}),
    ],
    ids=["http", "mute", "hangs-up", "resets"],
)
async def test_what_answers_is_no_tls(ask: Any, serve: Any, fingerprint: str, handler: Any, failures: Any) -> None:
    async def at_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if handler in (mute, hang_up, reset):
            await handler(reader, writer)
        else:
            await reader.read(1)
            writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    seen = await ask(http, await serve(at_once), HTTPS, fingerprint=fingerprint, timeout=0.4)
    assert seen.state is State.OPEN
    assert seen.failure in failures
    assert seen.operation is Operation.TLS or seen.failure is not Failure.BAD_ANSWER


def test_an_error_of_openssl_is_no_errno() -> None:
    """Its 1 is not EPERM, wherever aiohttp has put it."""
    alert = ssl.SSLError(1, "[SSL: TLSV13_ALERT_CERTIFICATE_REQUIRED]")
    wrapped = ClientOSError(1, "[SSL: TLSV13_ALERT_CERTIFICATE_REQUIRED]")
    wrapped.__cause__ = alert
    for error in (alert, wrapped):
        seen = http._failure(error, None, secured=False)
        assert (seen.state, seen.failure, seen.operation) == (State.OPEN, Failure.BAD_ANSWER, Operation.TLS)


async def test_nothing_listens(ask: Any, free_port: int) -> None:
    seen = await ask(http, free_port, HTTP)
    assert (seen.state, seen.failure, seen.proof) == (State.CLOSED, Failure.REFUSED, Proof.NONE)


async def test_silence(ask: Any) -> None:
    """A queue that is full drops the SYN."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        with socket.create_connection(server.getsockname()):
            seen = await ask(http, server.getsockname()[1], HTTP, timeout=0.3)
    assert (seen.state, seen.failure, seen.operation) == (State.FILTERED, Failure.TIMEOUT, Operation.CONNECT)


@pytest.mark.parametrize("path", ["/", "/a b", "//x", "/\u00e9?q=\u2603#f", "no-slash", ""])
async def test_any_path_is_asked_for(ask: Any, site: Any, path: str) -> None:
    async def handler(_: web.BaseRequest) -> web.Response:
        return web.Response()

    port, _ = await site(handler)
    assert (await ask(http, port, HTTP, path=path)).status == 200
