"""How a request is tried: by receivers that fail, are silent, talk too much, send us away or are not who they say."""

from __future__ import annotations

import asyncio
import ssl
import time
from email.utils import formatdate
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web

from probe.audit.alerts.config import Alert, Type
from probe.audit.alerts.delivery import ATTEMPTS, SECONDS, Request, Result, deliver
from probe.model.secret import Secret

from .receivers import Receiver, Time

if TYPE_CHECKING:
    from tests.authority import Authority

HUGE = 10 * 1024 * 1024


async def attempt(url: str, spent: Time | None = None, chance: float = 1.0, **given: Any) -> tuple[Result, str]:
    alert = Alert(name="ops", type=Type.WEBHOOK, url=Secret(url.encode()), **given)
    request = Request(url=url, body=b"{}", headers={"Content-Type": "application/json"})
    return await deliver(lambda: request, alert, (spent or Time()).clock(chance))


async def test_it_is_tried_until_it_is_accepted():
    spent = Time()
    async with Receiver([503, 500]).listening() as receiver:
        assert await attempt(receiver.url, spent) == (Result.DELIVERED, "HTTP 200")
        assert len(receiver.got) == 3
    assert spent.slept == [2.0, 4.0]


async def test_half_of_the_wait_is_chance():
    spent = Time()
    async with Receiver([503, 500]).listening() as receiver:
        await attempt(receiver.url, spent, chance=0.0)
    assert spent.slept == [1.0, 2.0]


async def test_tries_are_bounded_in_number():
    spent = Time()
    async with Receiver([500] * 99).listening() as receiver:
        assert await attempt(receiver.url, spent) == (Result.FAILED, "HTTP 500")
        assert len(receiver.got) == ATTEMPTS
    assert sum(spent.slept) < SECONDS


@pytest.mark.parametrize(
    ("said", "waited"), [("30", [30.0]), ("1", [2.0]), ("soon", [2.0]), ("301", []), ("9" * 70, [])]
)
async def test_what_the_receiver_says_of_waiting_holds_within_the_time(said: str, waited: list[float]):
    spent = Time()
    async with Receiver([429], {"Retry-After": said}).listening() as receiver:
        result, _ = await attempt(receiver.url, spent)
        assert len(receiver.got) == len(waited) + 1
    assert spent.slept == waited
    assert (result is Result.DELIVERED) == bool(waited)


async def test_it_may_say_a_date():
    spent = Time()
    spent.now = time.time()
    async with Receiver([503], {"Retry-After": formatdate(spent.now + 60, usegmt=True)}).listening() as receiver:
        assert (await attempt(receiver.url, spent))[0] is Result.DELIVERED
    assert 55 < spent.slept[0] <= 60


@pytest.mark.parametrize("status", [400, 401, 404, 410, 413])
async def test_what_is_refused_is_not_tried_again(status: int):
    async with Receiver([status]).listening() as receiver:
        assert await attempt(receiver.url) == (Result.REFUSED, f"HTTP {status}")
        assert len(receiver.got) == 1


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 599])
async def test_what_may_pass_is_tried_again(status: int):
    async with Receiver([status]).listening() as receiver:
        assert (await attempt(receiver.url))[0] is Result.DELIVERED


async def test_a_redirect_is_not_followed():
    async with Receiver().listening() as elsewhere:
        async with Receiver([307], {"Location": elsewhere.url}).listening() as receiver:
            result, said = await attempt(receiver.url)
        assert (result, said) == (Result.REFUSED, "HTTP 307: a redirect, which is not followed")
        assert elsewhere.got == []


async def test_a_silent_receiver_does_not_hold_us():
    over = asyncio.Event()

    async def silent(_: web.BaseRequest) -> None:
        await over.wait()

    async with asyncio.timeout(5), Receiver(before=silent).listening() as receiver:
        assert await attempt(receiver.url, timeout=0.05) == (Result.FAILED, "no answer in time")
        assert len(receiver.got) == ATTEMPTS
        over.set()


async def test_a_receiver_that_never_ends_is_not_listened_to():
    sent = 0

    async def endless(request: web.BaseRequest) -> web.StreamResponse:
        nonlocal sent
        response = web.StreamResponse()
        await response.prepare(request)
        while sent < HUGE:
            await response.write(b"x" * 65536)
            sent += 65536
        return response

    async with Receiver(before=endless).listening() as receiver:
        assert (await attempt(receiver.url))[0] is Result.DELIVERED
    assert sent < HUGE


async def test_a_certificate_must_be_good(authority: Authority):
    other, good = (ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER) for _ in range(2))
    other.load_cert_chain(authority.issue("elsewhere.example"))
    good.load_cert_chain(authority.issue("127.0.0.1", file="alerts-good"))
    trusting = ssl.create_default_context(cafile=str(authority.root))
    refused = (Result.FAILED, "its certificate is not trusted")
    async with Receiver().listening(good) as receiver:
        assert await attempt(receiver.url) == refused
        assert (await attempt(receiver.url, tls=trusting))[0] is Result.DELIVERED
    async with Receiver().listening(other) as receiver:
        assert await attempt(receiver.url, tls=trusting) == refused
        assert receiver.got == []


async def test_what_is_not_there_is_told_without_its_address(free_port: int):
    result, said = await attempt(f"http://127.0.0.1:{free_port}/services/SECRET")
    assert (result, said) == (Result.FAILED, "cannot connect: Connection refused")


async def test_a_proxy_is_used_only_if_asked(monkeypatch: pytest.MonkeyPatch):
    async with Receiver().listening() as proxy, Receiver().listening() as receiver:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        await attempt(receiver.url)
        assert (len(receiver.got), len(proxy.got)) == (1, 0)
        await attempt(receiver.url, proxy=True)
        assert (len(receiver.got), len(proxy.got)) == (1, 1)
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        await attempt(receiver.url, proxy=True)
        assert (len(receiver.got), len(proxy.got)) == (2, 1)
