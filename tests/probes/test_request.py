"""What is asked in HTTP, and what of the answer counts."""

from __future__ import annotations

import base64
import gzip
import ssl
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web

from probe.model.http import HttpTerms, Method
from probe.model.observation import Failure, Operation
from probe.model.secret import Secret
from probe.model.tls import TlsTerms
from probe.model.words import Protocol, State
from probe.probes import http
from probe.probes.attempt import Attempt, Terms
from probe.probes.request import Asking
from probe.wire.messages import Aim, Walk

if TYPE_CHECKING:
    import asyncio
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.usefixtures("no_blocking")
HTTP, HTTPS, EITHER = Protocol.HTTP, Protocol.HTTPS, Protocol.HTTP_OR_HTTPS
TOKEN = 'S3cr3t-t0ken"of-ours'


@pytest.fixture
async def site() -> AsyncIterator[Any]:
    """`port, requests = await site(handler)`: an aiohttp server."""
    runners = []

    async def start(handler: Any, **more: Any) -> tuple[int, list[web.BaseRequest]]:
        requests: list[web.BaseRequest] = []

        async def remember(request: web.BaseRequest) -> web.StreamResponse:
            requests.append(request)
            answer = handler(request)
            return answer if isinstance(answer, web.StreamResponse) else await answer

        runner = web.ServerRunner(web.Server(remember, access_log=None), shutdown_timeout=0.1)
        runners.append(runner)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, **more).start()
        return runner.addresses[0][1], requests

    yield start
    for runner in runners:
        await runner.cleanup()


@pytest.fixture
def certified(authority: Any) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.issue("a.example", "127.0.0.1", file="site"))
    return context


def ok(_: web.BaseRequest) -> web.Response:
    return web.Response(text='{"status": "yellow", "who": "é"}')


class TestTheRequest:
    async def test_is_made_as_the_matrix_has_it(self, ask: Any, site: Any) -> None:
        port, requests = await site(ok)
        terms = HttpTerms(
            method=Method.OPTIONS,
            host="shop.example:8443",
            headers=(("Accept", "application/json"), ("X-Tenant", "a b")),
            secret_headers=(("Authorization", Secret(b"Bearer x")), ("X-Key", Secret(b"k"))),
        )
        assert (await ask(http, port, HTTP, http=terms, path="/a?b=%2F")).status == 200
        (request,) = requests
        headers = request.headers
        assert (request.method, request.path_qs, headers["Host"]) == ("OPTIONS", "/a?b=%2F", "shop.example:8443")
        assert (headers["Accept"], headers["X-Tenant"]) == ("application/json", "a b")
        assert (headers["Authorization"], headers["X-Key"]) == ("Bearer x", "k")
        assert headers["Accept-Encoding"] == "identity"

    @pytest.mark.parametrize(
        ("protocol", "port_of_scheme", "host"), [(HTTP, 80, "a.example"), (HTTP, 8080, "a.example:8080")]
    )
    def test_names_who_was_dialled(self, protocol: Protocol, port_of_scheme: int, host: str) -> None:
        aim = Aim(task=1, target=1, address="a.example", ports="1", protocol=protocol)
        asking = Asking(Any, Attempt(aim, "192.0.2.1", port_of_scheme), str, secured=False)
        assert asking._name == host

    async def test_is_made_to_a_name(self, site: Any, certified: Any, authority: Any) -> None:
        """In the Host header and in the handshake stands the name, whatever address it has."""
        names: list[str | None] = []
        certified.sni_callback = lambda _socket, name, _context: names.append(name)
        port, requests = await site(ok, ssl_context=certified)
        terms = TlsTerms(trust=True, name=True, roots=authority.root.read_bytes())
        aim = Aim(task=1, target=1, address="a.example", ports=str(port), protocol=HTTPS, tls=terms)
        seen, _ = await http.probe(Attempt(aim, "127.0.0.1", port), Terms(number=1))
        assert (seen.status, seen.tls.distrust if seen.tls else None) == (200, "")
        assert (names, requests[0].headers["Host"]) == (["a.example"], f"a.example:{port}")

    async def test_over_ipv6(self, ask: Any, serve: Any, authority: Any) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(authority.issue("::1", file="ipv6"))
        hosts = []

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            hosts.append((await reader.readuntil(b"\r\n\r\n")).partition(b"Host: ")[2].partition(b"\r")[0].decode())
            writer.write(b"HTTP/1.1 302 Found\r\nLocation: /in\r\nContent-Length: 0\r\n\r\n")

        port = await serve(answer, address="::1", ssl=context)
        terms = TlsTerms(trust=True, name=True, roots=authority.root.read_bytes())
        seen = await ask(http, port, HTTPS, address="::1", tls=terms, http=HttpTerms(redirects=1))
        assert (seen.status, seen.location) == (302, f"https://[::1]:{port}/in")
        assert hosts == [f"[::1]:{port}"] * 2

    async def test_asks_for_the_name_that_is_dialled_in_tls(self, ask: Any, site: Any, certified: Any) -> None:
        names: list[str | None] = []
        certified.sni_callback = lambda _socket, name, _context: names.append(name)
        port, _ = await site(ok, ssl_context=certified)
        for terms, more in (
            (TlsTerms(), HttpTerms()),
            (TlsTerms(), HttpTerms(host="b.example:1")),
            (TlsTerms(server_name="c.example"), HttpTerms(host="b.example")),
        ):
            seen = await ask(http, port, HTTPS, tls=terms, http=more)
            assert (seen.status, seen.tls.version) == (200, "1.3")
        assert names == [None, "b.example", "c.example"]


class TestTrust:
    async def test_what_is_trusted(self, ask: Any, site: Any, certified: Any, authority: Any) -> None:
        port, _ = await site(ok, ssl_context=certified)
        terms = TlsTerms(trust=True, name=True, roots=authority.root.read_bytes())
        seen = await ask(http, port, HTTPS, tls=terms)
        assert (seen.status, seen.tls.distrust) == (200, "")

    @pytest.mark.parametrize("protocol", [HTTPS, EITHER], ids=str)
    async def test_no_secret_is_told_to_strangers(self, ask: Any, site: Any, certified: Any, protocol: Any) -> None:
        """Nor is it tried without TLS then."""
        port, requests = await site(ok, ssl_context=certified)
        terms = HttpTerms(secret_headers=(("X-Key", Secret(b"k")),))
        seen = await ask(http, port, protocol, tls=TlsTerms(trust=True), http=terms)
        assert (seen.state, seen.failure, seen.operation) == (State.OPEN, Failure.BAD_ANSWER, Operation.TLS)
        assert "issuer" in seen.tls.distrust
        assert requests == []

    async def test_an_identity_that_is_none(self, ask: Any, site: Any, certified: Any) -> None:
        port, requests = await site(ok, ssl_context=certified)
        seen = await ask(http, port, HTTPS, tls=TlsTerms(identity=Secret(b"x")))
        assert (seen.state, seen.failure, requests) == (State.ERROR, Failure.OTHER, [])

    async def test_our_own_certificate(self, ask: Any, site: Any, certified: Any, authority: Any) -> None:
        certified.load_verify_locations(authority.root)
        certified.verify_mode = ssl.CERT_REQUIRED
        port, _ = await site(ok, ssl_context=certified)
        identity = Secret(authority.issue("client").read_bytes())
        assert (await ask(http, port, HTTPS, tls=TlsTerms(identity=identity))).status == 200
        assert (await ask(http, port, HTTPS)).status is None


class TestHttpOrHttps:
    async def test_is_https(self, ask: Any, site: Any, certified: Any) -> None:
        port, requests = await site(ok, ssl_context=certified)
        seen = await ask(http, port, EITHER)
        assert (seen.status, seen.tls.version, len(requests)) == (200, "1.3", 1)

    async def test_is_http(self, ask: Any, site: Any) -> None:
        port, requests = await site(ok)
        seen = await ask(http, port, EITHER)
        assert (seen.status, seen.failure, seen.tls) == (200, None, None)
        assert [request.method for request in requests if request.method != "UNKNOWN"] == ["GET"]

    async def test_is_a_server_that_waits_for_the_end_of_a_line(self, ask: Any, serve: Any) -> None:
        async def patient(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")

        seen = await ask(http, await serve(patient), EITHER, timeout=1.5)
        assert (seen.status, seen.tls) == (204, None)

    async def test_is_neither(self, ask: Any, serve: Any) -> None:
        async def banner(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"SSH-2.0-OpenSSH_9.2\r\n")
            await reader.read(1)

        seen = await ask(http, await serve(banner), EITHER)
        assert (seen.state, seen.failure) == (State.OPEN, Failure.BAD_ANSWER)
        assert seen.operation is not Operation.TLS

    async def test_is_not_there(self, ask: Any, free_port: int) -> None:
        assert (await ask(http, free_port, EITHER)).state is State.CLOSED


class TestTheBody:
    @pytest.mark.parametrize(
        "terms",
        [{"text": "yellow"}, {"text": "é"}, {"regex": "green|yellow"}, {"text": "who", "regex": r'"status":\s*"y'}],
        ids=str,
    )
    async def test_has_in_it_what_it_should(self, ask: Any, site: Any, terms: Any) -> None:
        port, _ = await site(ok)
        seen = await ask(http, port, HTTP, http=HttpTerms(**terms))
        assert (seen.status, seen.failure) == (200, None)

    @pytest.mark.parametrize("terms", [{"text": "red"}, {"regex": "^red"}, {"text": "yellow", "regex": "red"}], ids=str)
    async def test_has_not(self, ask: Any, site: Any, terms: Any) -> None:
        port, _ = await site(ok)
        seen = await ask(http, port, HTTP, http=HttpTerms(**terms))
        assert (seen.state, seen.failure, seen.status) == (State.OPEN, Failure.UNHEALTHY, 200)
        assert seen.text.startswith("the body begins: {")

    async def test_has_it_too_late(self, ask: Any, site: Any) -> None:
        port, _ = await site(lambda _: web.Response(body=b"x" * 65_536 + b"yellow"))
        assert (await ask(http, port, HTTP, http=HttpTerms(text="yellow"))).failure is Failure.UNHEALTHY

    async def test_is_endless(self, ask: Any, serve: Any) -> None:
        poured = 0

        async def pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal poured
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
            while True:
                writer.write(bytes(65536))
                await writer.drain()
                poured += 65536

        seen = await ask(http, await serve(pour), HTTP, http=HttpTerms(text="yellow"))
        assert seen.failure is Failure.UNHEALTHY
        assert poured < 64 * 1024 * 1024

    @pytest.mark.parametrize(("text", "failure"), [("yel", None), ("yellow", Failure.TIMEOUT)])
    async def test_comes_a_byte_at_a_time(self, ask: Any, serve: Any, text: str, failure: Failure | None) -> None:
        async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
            for byte in b"yell":
                writer.write(bytes([byte]))
                await writer.drain()
            await reader.read(1)

        seen = await ask(http, await serve(drip), HTTP, http=HttpTerms(text=text), timeout=1.5)
        assert (seen.status, seen.failure) == (200, failure)

    async def test_is_cut_off(self, ask: Any, serve: Any) -> None:
        async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nred")

        seen = await ask(http, await serve(cut), HTTP, http=HttpTerms(text="yellow"))
        assert (seen.state, seen.status, seen.failure) == (State.OPEN, 200, Failure.CLOSED)

    async def test_makes_the_expression_take_for_ever(self, ask: Any, site: Any) -> None:
        """Then nothing is known; and the agent goes on."""
        port, _ = await site(lambda _: web.Response(body=b"a" * 60))
        seen = await ask(http, port, HTTP, http=HttpTerms(regex="(a+)+b"))
        assert (seen.state, seen.failure) == (State.ERROR, Failure.OTHER)
        assert "took too long" in seen.text

    async def test_is_compressed_although_nobody_asked(self, ask: Any, site: Any) -> None:
        headers = {"Content-Encoding": "gzip"}
        port, _ = await site(lambda _: web.Response(body=gzip.compress(b"yellow"), headers=headers))
        seen = await ask(http, port, HTTP, http=HttpTerms(text="yellow"))
        assert seen.failure is Failure.UNHEALTHY
        assert seen.text.isprintable()


class TestRedirects:
    async def test_are_not_followed_unasked(self, ask: Any, site: Any) -> None:
        port, requests = await site(lambda _: web.Response(status=302, headers={"Location": "/login?next=%2F"}))
        seen = await ask(http, port, HTTP)
        assert (seen.status, seen.location) == (302, f"http://127.0.0.1:{port}/login")
        assert len(requests) == 1

    async def test_are_followed_as_often_as_asked(self, ask: Any, site: Any) -> None:
        def on(request: web.BaseRequest) -> web.Response:
            number = int(request.path.strip("/") or 0)
            return web.Response(status=301, headers={"Location": f"/{number + 1}?a=b%2Fc"})

        port, requests = await site(on)
        seen = await ask(http, port, HTTP, http=HttpTerms(redirects=3))
        assert (seen.status, seen.location) == (301, f"http://127.0.0.1:{port}/4")
        assert [request.path_qs for request in requests] == ["/", "/1?a=b%2Fc", "/2?a=b%2Fc", "/3?a=b%2Fc"]

    async def test_lead_to_the_answer(self, ask: Any, site: Any) -> None:
        def on(request: web.BaseRequest) -> web.Response:
            if request.path == "/":
                return web.Response(status=307, headers={"Location": f"http://shop.example:{port}/in"})
            return web.Response(text="welcome")

        port, requests = await site(on)
        terms = HttpTerms(host=f"shop.example:{port}", redirects=1, text="welcome")
        seen = await ask(http, port, HTTP, http=terms)
        assert (seen.status, seen.failure, seen.location) == (200, None, f"http://shop.example:{port}/in")
        assert [request.headers["Host"] for request in requests] == [f"shop.example:{port}"] * 2

    @pytest.mark.parametrize(
        "location",
        [
            "http://192.0.2.1/",
            "http://127.0.0.1:1/",
            "https://127.0.0.1:{port}/",
            "http://user:pass@192.0.2.1:{port}/",
            "//192.0.2.1/",
            "ftp://127.0.0.1:{port}/",
            "javascript:alert(1)",
            "http://[::1",
            "",
            "\x01",
        ],
    )
    async def test_lead_to_nobody_else(self, ask: Any, serve: Any, location: str) -> None:
        """An agent goes nowhere but where it was sent."""
        visits = 0

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal visits
            visits += 1
            await reader.readuntil(b"\r\n\r\n")
            leads = location.replace("{port}", str(port)).encode()
            writer.write(b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: " + leads + b"\r\n\r\n")

        port = await serve(answer)
        terms = HttpTerms(redirects=5, secret_headers=(("X-Key", Secret(b"kkkk")),))
        seen = await ask(http, port, HTTP, http=terms)
        assert seen.status in (302, None)
        assert visits == (6 if location in ("", "\x01") else 1)  # these are paths on the same server
        assert seen.location.isprintable() or not seen.location
        assert "pass" not in seen.location


class TestSecrets:
    LOGIN = base64.b64encode(b"user:pa55word-of-ours")

    @pytest.mark.parametrize(
        "answer",
        [
            b"HTTP/1.1 200 OK\r\nServer: %s\r\nContent-Length: 0\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nServer: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx %s\r\n\r\n",
            b"HTTP/1.1 302 OK\r\nLocation: /%s\r\nContent-Length: 0\r\n\r\n",
            b"HTTP/1.1 302 OK\r\nLocation: http://%s.example/\r\nContent-Length: 0\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n%s",
            b"%s\r\n\r\n",
            b"HTTP/1.1 %s OK\r\n\r\n",
            b"HTTP/1.1 200 OK\r\n%s\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: %s\r\n\r\n",
            b"HTTP/1.1 302 OK\r\nLocation: http://%s@[\r\n\r\n",
        ],
        ids=["server", "cut", "location", "host", "body", "noise", "status", "header", "length", "bad-location"],
    )
    @pytest.mark.parametrize("part", [TOKEN.encode(), b"pa55word-of-ours", LOGIN, b"user:pa55word-of-ours"])
    async def test_are_not_repeated(self, ask: Any, serve: Any, answer: bytes, part: bytes) -> None:
        """Whatever a server says back to us."""

        async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer.replace(b"%s", part))

        terms = HttpTerms(
            text="yellow",
            secret_headers=(
                ("X-Key", Secret(TOKEN.encode())),
                ("Authorization", Secret(b"Basic " + self.LOGIN)),
                ("X-Bearer", Secret(b"Bearer " + TOKEN.encode())),
            ),
        )
        seen = await ask(http, await serve(echo), HTTP, http=terms)
        for said in (TOKEN, "pa55word", self.LOGIN.decode()):
            assert said[:8].lower() not in repr(seen).lower()

    def test_do_not_show_in_an_order(self) -> None:
        terms = HttpTerms(secret_headers=(("X-Key", Secret(TOKEN.encode())),))
        tls = TlsTerms(identity=Secret(TOKEN.encode()))
        aim = Aim(task=1, target=1, address="a", ports="1", protocol=HTTP, http=terms, tls=tls)
        order = Walk(id=1, number=1, aims=(aim,))
        assert TOKEN not in f"{order} {order!r} {[order]}"
        assert "X-Key" in repr(order)
