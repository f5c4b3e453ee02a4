from __future__ import annotations

import asyncio
import contextlib
import re
from typing import TYPE_CHECKING

import pytest

from probe.audit.web import door, guard, headers
from probe.errors import UserError

if TYPE_CHECKING:
    import aiohttp

    from .conftest import Opened
    from .desk import Desk

TOKEN = "a token of some length"
RUN = "/audits/nightly/run"


def form_of(page: str) -> str:
    found = re.search(r'name="form" value="([0-9a-f]{64})"', page)
    assert found is not None
    return found[1]


def own(client: aiohttp.ClientSession) -> str:
    return str(client._base_url).rstrip("/")


async def test_every_answer_has_the_headers_and_errors_say_nothing_of_the_inside(opened: Opened, desk: Desk) -> None:
    def fails(_: object) -> None:
        raise ZeroDivisionError("an inner secret")

    async with opened() as client:
        pages = {
            "/": 200, "/audits/nightly": 200, "/audits/nightly/live": 200, "/audits/nightly/diff": 200,
            "/audits/nightly/checks": 200, "/audits/nightly/runs/2.json": 200, "/metrics": 200, "/healthz": 200,
            "/assets/board.js": 200, "/assets/secret.js": 404, "/audits/elsewhere": 404, "/audits/nightly/runs/99": 404,
            "/audits/nightly/runs/0": 404, "/audits/nightly/checks/none": 404, "/audits/nightly/diff?new=x": 400,
            "/audits/nightly/run": 405, "/%2e%2e/%2e%2e/etc/passwd": 404, "/audits/%00": 404,
        }  # fmt: skip
        for path, status in pages.items():
            async with client.get(path, allow_redirects=False) as answer:
                assert answer.status == status, path
                assert answer.headers["Content-Security-Policy"] == headers.POLICY
                assert answer.headers["X-Content-Type-Options"] == "nosniff"
                assert answer.headers["Server"] == "portcheck"
                assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin"
                assert ("immutable" if path == "/assets/board.js" else "no-store") in answer.headers["Cache-Control"]
        desk.states = fails  # type: ignore[method-assign, assignment]
        desk.history.audits = fails  # type: ignore[method-assign, assignment]
        async with client.get("/") as answer:
            text = await answer.text()
            assert answer.status == 500
            assert "Something went wrong" in text
            assert "secret" not in text
            assert "Zero" not in text


async def test_a_run_has_the_policy_of_its_report(opened: Opened) -> None:
    async with opened() as client, client.get("/audits/nightly/runs/2") as answer:
        policy = answer.headers["Content-Security-Policy"]
        assert "'sha256-" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert b'href="/audits/nightly/diff?new=2"' in await answer.read()


async def test_a_history_that_fails_is_no_news_for_strangers(opened: Opened, desk: Desk) -> None:
    def fails() -> None:
        raise UserError("/var/lib/portcheck/history.db: no permission")

    desk.history.audits = fails  # type: ignore[method-assign, assignment]
    async with opened() as client, client.get("/") as answer:
        assert answer.status == 503
        assert "history.db" not in await answer.text()


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8080", "127.0.0.1.evil.example", "10.0.0.1", "[::2]", "a b"]
)
async def test_a_page_elsewhere_whose_name_leads_here_gets_nothing(opened: Opened, host: str) -> None:
    async with opened() as client:
        for path in ("/", "/healthz", "/metrics", "/audits/nightly/runs/1.json"):
            async with client.get(path, headers={"Host": host}) as answer:
                assert answer.status == 421
                assert "nightly" not in await answer.text()


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:9", "127.0.0.1:8080", "127.1.2.3", "[::1]:8080", "::1"])
async def test_loopback_has_many_names(opened: Opened, host: str) -> None:
    async with opened() as client, client.get("/healthz", headers={"Host": host}) as answer:
        # Without its brackets a literal of IPv6 is no host of a URL.
        assert answer.status == (421 if host == "::1" else 200)


async def test_only_our_own_form_starts_a_run(opened: Opened, desk: Desk) -> None:
    async with opened() as client:
        async with client.get("/audits/nightly") as answer:
            form = form_of(await answer.text())
        here = own(client)
        for said, fields in (
            ({"Origin": here}, {}),
            ({"Origin": here}, {"form": "0" * 64}),
            ({"Origin": "https://evil.example"}, {"form": form}),
            ({"Origin": "null"}, {"form": form}),
            ({"Sec-Fetch-Site": "cross-site"}, {"form": form}),
            ({"Sec-Fetch-Site": "same-site", "Origin": here}, {"form": form}),
            ({"Sec-Fetch-Site": "none"}, {"form": form}),
            ({}, {"form": form}),
        ):
            async with client.post(RUN, data=fields, headers=said, allow_redirects=False) as answer:
                assert answer.status == 403, (said, fields)
        assert desk.started == []
        async with client.post(RUN, data={"form": form}, headers={"Origin": here}, allow_redirects=False) as answer:
            assert (answer.status, answer.headers["Location"]) == (303, "/audits/nightly/live?started=3")
        assert desk.started == ["nightly"]


async def test_behind_a_proxy_it_has_the_name_that_others_call_it(opened: Opened, desk: Desk) -> None:
    """TLS ends at the proxy: the browser says https, and the proxy may pass on its own name or say ours."""
    outside = "https://Audit.Example:443/"
    async with opened(token=TOKEN, outside=outside) as client:
        for host in ("audit.example", "localhost", "127.0.0.1:8080"):
            passed = {"Host": host, "Origin": "https://audit.example", "Sec-Fetch-Site": "same-origin"}
            async with client.get("/login", headers=passed) as answer:
                form = form_of(await answer.text())
            async with client.post(
                "/login", data={"form": form, "token": TOKEN}, headers=passed, allow_redirects=False
            ) as answer:
                assert answer.status == 303
                cookie = answer.headers["Set-Cookie"]
                assert "Secure" in cookie
            kept = passed | {"Cookie": cookie.partition(";")[0]}
            async with client.get("/audits/nightly", headers=kept) as answer:
                form = form_of(await answer.text())
            for said in (
                {"Origin": "https://audit.example:8443"}, {"Origin": "https://audit.example.evil.example"},
                {"Origin": "https://evil.example"}, {"Origin": "https://audit.example/"}, {"Origin": "null"},
                {"Origin": ""}, {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"},
            ):  # fmt: skip
                async with client.post(RUN, data={"form": form}, headers=kept | said) as answer:
                    assert answer.status == 403, said
            desk.started.clear()
            async with client.post(RUN, data={"form": form}, headers=kept, allow_redirects=False) as answer:
                assert answer.status == 303
            assert desk.started == ["nightly"]
        for host in ("evil.example", "audit.example.evil.example", "xaudit.example"):
            async with client.get("/healthz", headers={"Host": host}) as answer:
                assert answer.status == 421


async def test_without_an_address_outside_no_stranger_is_ours(opened: Opened, desk: Desk) -> None:
    async with opened() as client:
        async with client.get("/audits/nightly") as answer:
            form = form_of(await answer.text())
        for origin in ("https://audit.example", ""):
            async with client.post(RUN, data={"form": form}, headers={"Origin": origin}) as answer:
                assert answer.status == 403
                assert "`url` in portcheck.toml" in await answer.text()
        async with client.get("/healthz", headers={"Host": ""}) as answer:
            assert answer.status == 421
    assert desk.started == []


async def test_without_the_token_there_is_nothing_but_the_login(opened: Opened) -> None:
    async with opened(token=TOKEN) as client:
        for path in (
            "/",
            "/audits/nightly",
            "/audits/nightly/runs/1",
            "/metrics",
            "/audits/nightly/live/events",
            "/no",
        ):
            async with client.get(path, allow_redirects=False) as answer:
                assert answer.status == 401
                assert answer.headers["WWW-Authenticate"] == "Bearer"
                assert "nightly" not in (await answer.text()).replace(path, "")
            async with client.get(path, headers={"Accept": "text/html"}, allow_redirects=False) as answer:
                assert answer.status == 303
                assert answer.headers["Location"].startswith("/login?to=")
        for path in ("/healthz", "/login", "/assets/board.css"):
            async with client.get(path) as answer:
                assert answer.status == 200


async def test_a_program_shows_the_token_itself(opened: Opened, desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    async with opened(token=TOKEN) as client:
        right = {"Authorization": f"Bearer {TOKEN}"}
        async with client.get("/metrics", headers=right) as answer:
            assert await answer.text() == "portcheck_up 1\n"
        async with client.post(RUN, headers=right, allow_redirects=False) as answer:
            assert answer.status == 303
        assert desk.started == ["nightly"]
        async with client.get("/metrics", headers={"Authorization": "Bearer wrong"}) as answer:
            assert answer.status == 401
        assert "event=wrong-token peer=127.0.0.1" in caplog.text
        async with client.get("/metrics", headers=right) as answer:
            # Who has just guessed waits, even if the next is right: else guessing would cost nothing.
            assert answer.status == 429
            assert int(answer.headers["Retry-After"]) >= 1


async def test_people_log_in_and_out(opened: Opened) -> None:
    async with opened(token=TOKEN) as client:
        here = {"Origin": own(client)}
        async with client.get("/login?to=/audits/nightly") as answer:
            fields = {"form": form_of(await answer.text()), "to": "/audits/nightly", "token": TOKEN}
        async with client.post("/login", data=fields, headers=here, allow_redirects=False) as answer:
            assert (answer.status, answer.headers["Location"]) == (303, "/audits/nightly")
            cookie = answer.headers["Set-Cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=Strict" in cookie
        assert TOKEN not in cookie
        kept = {"Cookie": cookie.partition(";")[0], **here}
        async with client.get("/audits/nightly", headers=kept) as answer:
            page = await answer.text()
            assert answer.status == 200
        async with client.post("/logout", data={"form": fields["form"]}, headers=kept, allow_redirects=False) as answer:
            assert answer.status == 403, "the form of another session"
        async with client.post("/logout", data={"form": form_of(page)}, headers=kept, allow_redirects=False) as answer:
            assert answer.status == 303
        async with client.get("/audits/nightly", headers=kept) as answer:
            assert answer.status == 401, "a session that is over stays over"


@pytest.mark.parametrize(
    "to", ["//evil.example", "/\\evil.example", "https://evil.example", "/\nSet-Cookie: a=b", "x", ""]
)
async def test_a_login_leads_nowhere_else(opened: Opened, to: str) -> None:
    async with opened(token=TOKEN) as client:
        async with client.get("/login", params={"to": to}) as answer:
            page = await answer.text()
            assert "evil" not in page
        fields = {"form": form_of(page), "to": to, "token": TOKEN}
        async with client.post("/login", data=fields, headers={"Origin": own(client)}, allow_redirects=False) as answer:
            assert (answer.status, answer.headers["Location"]) == (303, "/")


async def test_a_link_from_elsewhere_takes_one_step_more(opened: Opened) -> None:
    """The cookie is not sent with it, so the login leads there from a page of our own."""
    async with opened(token=TOKEN) as client:
        async with client.get("/login?to=/audits/nightly", headers={"Sec-Fetch-Site": "cross-site"}) as answer:
            assert '<meta http-equiv="refresh" content="1; url=/audits/nightly">' in await answer.text()
        async with client.get("/login?to=/audits/nightly", headers={"Sec-Fetch-Site": "same-origin"}) as answer:
            assert "refresh" not in await answer.text()


async def test_what_is_too_large_is_not_read(opened: Opened) -> None:
    async with opened() as client:
        async with client.get("/", headers={"X": "a" * 9000}) as answer:
            assert answer.status == 400
            assert answer.headers["Content-Security-Policy"] == headers.POLICY
            assert answer.headers["Server"] == "portcheck"
        body = {"form": "a" * (guard.LARGEST + 1)}
        async with client.post(RUN, data=body, headers={"Origin": own(client)}) as answer:
            assert answer.status == 413


FORM = "application/x-www-form-urlencoded"


@pytest.mark.parametrize(
    ("said", "body", "status"),
    [
        ({"Content-Type": FORM}, b"form=%ff\xff", 403),
        ({"Content-Type": f"{FORM}; charset=nonsense"}, b"form=x", 403),
        ({"Content-Type": "multipart/form-data; boundary=x"}, b"--x\r\nnonsense", 403),
        ({"Content-Type": "multipart/form-data"}, b"--x", 403),
        ({"Content-Type": FORM, "Content-Encoding": "gzip"}, b"form=x", 400),
    ],
    ids=("text", "charset", "piece", "boundary", "compressed"),
)
async def test_a_form_that_makes_no_sense_is_the_senders_fault(
    opened: Opened, caplog: pytest.LogCaptureFixture, said: dict[str, str], body: bytes, status: int
) -> None:
    async with opened(token=TOKEN) as client:
        for path in ("/login", RUN):
            sent = {"Origin": own(client), **said}
            async with client.post(path, data=body, headers=sent, allow_redirects=False) as answer:
                assert answer.status == (401 if path == RUN else status)
    # Who has no token cannot fill the log.
    assert not caplog.records


async def test_what_takes_too_long_is_given_up(opened: Opened, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(_: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(guard, "_LONGEST", 0.05)
    desk.ask = never  # type: ignore[method-assign, assignment]
    async with opened() as client, client.get("/") as answer:
        assert answer.status == 503


async def test_what_is_no_http_gets_one_line(opened: Opened) -> None:
    async with opened() as client:
        port = client._base_url.port
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"\x16\x03\x01<script>alert(1)</script>\r\n\r\n")
        async with asyncio.timeout(5):
            said = await reader.read()
        writer.close()
        assert said.startswith((b"HTTP/1.0 400", b"HTTP/1.1 400"))
        assert b"script>" not in said
        assert b"Content-Security-Policy" in said
        assert b"aiohttp" not in said


async def test_who_finds_the_house_full_waits(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "MOST", 2)
    async with opened() as client:
        port = client._base_url.port
        guests = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]
        answers = []
        for _, writer in guests:
            writer.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        for reader, _ in guests[:2]:
            answers.append(await reader.readline())
        assert answers == [b"HTTP/1.1 200 OK\r\n"] * 2
        waiting = asyncio.create_task(guests[2][0].readline())
        await asyncio.sleep(0.05)
        assert not waiting.done()
        guests[0][1].close()
        async with asyncio.timeout(5):
            assert await waiting == b"HTTP/1.1 200 OK\r\n"
        for _, writer in guests[1:]:
            writer.close()


async def test_who_says_nothing_is_sent_away(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "_SILENCE", 0.1)
    async with opened() as client:
        reader, writer = await asyncio.open_connection("127.0.0.1", client._base_url.port)
        writer.write(b"GET / HTTP/1.1\r\nHost: loc")
        # It may be sent away before it was heard: then the kernel resets the connection.
        async with asyncio.timeout(5):
            with contextlib.suppress(ConnectionResetError):
                assert await reader.read() == b""
        writer.close()
