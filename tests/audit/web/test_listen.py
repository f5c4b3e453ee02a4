from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import aiohttp
import pytest

from probe.audit.web import Listen, read_token, serve
from probe.errors import UserError

from .desk import Metrics

if TYPE_CHECKING:
    from pathlib import Path

    from tests.authority import Authority

    from .desk import Desk

TOKEN = "a token of some length"


@pytest.mark.parametrize(
    ("listen", "said"),
    [
        (Listen(address="0.0.0.0"), "neither TLS nor a token"),
        (Listen(address="::", token=TOKEN), "no TLS"),
        (Listen(address="10.0.0.1", certificate="cert.pem"), "no token"),
        (Listen(address="example.com"), "is no address"),
        (Listen(token="short"), "16 to 512"),
        (Listen(certificate="/nowhere/cert.pem"), "No such file"),
        (Listen(certificate=__file__), "not in PEM"),
        (Listen(key="key.pem"), "a key, and no certificate"),
    ],
)
def test_what_cannot_be_listened_on(listen: Listen, said: str) -> None:
    with pytest.raises(UserError) as caught:
        listen.tls()
    assert said in str(caught.value)
    assert "hint:" in str(caught.value)


def test_a_listen_does_not_tell_its_token() -> None:
    assert TOKEN not in repr(Listen(token=TOKEN))


async def test_a_port_that_is_taken(desk: Desk) -> None:
    async with serve(desk, Metrics(), Listen(port=0)) as at:
        with pytest.raises(UserError, match=f"127.0.0.1:{at.port}: Address already in use\n  hint: "):
            async with serve(desk, Metrics(), at):
                pass


async def test_an_address_of_another_machine(desk: Desk, authority: Authority) -> None:
    listen = Listen(address="192.0.2.1", port=0, certificate=str(authority.issue("localhost")), token=TOKEN)
    with pytest.raises(UserError, match="\n  hint: name an address of this machine"):
        async with serve(desk, Metrics(), listen):
            pass


async def test_others_come_by_tls(desk: Desk, authority: Authority) -> None:
    listen = Listen(address="0.0.0.0", port=0, certificate=str(authority.issue("localhost")), token=TOKEN)
    trust = ssl.create_default_context(cafile=authority.root)
    async with (
        serve(desk, Metrics(), listen) as at,
        aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as client,
    ):
        place = f"https://localhost:{at.port}"
        async with client.get(f"{place}/metrics", ssl=trust) as answer:
            assert answer.status == 401
        async with client.get(f"{place}/metrics", ssl=trust, headers={"Authorization": f"Bearer {TOKEN}"}) as answer:
            assert answer.status == 200
        async with client.get(f"{place}/login", ssl=trust) as answer:
            form = (await answer.text()).partition('name="form" value="')[2][:64]
        async with client.post(
            f"{place}/login",
            ssl=trust,
            data={"form": form, "token": TOKEN},
            headers={"Origin": place},
            allow_redirects=False,
        ) as answer:
            assert answer.status == 303
            cookie = answer.headers["Set-Cookie"]
            assert cookie.startswith("__Host-portcheck=")
            assert "Secure" in cookie


def test_the_token_comes_from_a_file_or_the_environment(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(f"  {TOKEN}\nmore\n")
    assert read_token(str(file), {"PORTCHECK_DASHBOARD_TOKEN": "other"}) == TOKEN
    assert read_token("", {"PORTCHECK_DASHBOARD_TOKEN": TOKEN}) == TOKEN
    assert read_token("", {}) == ""
    file.write_text("\n")
    for place in (file, tmp_path / "none", tmp_path):
        with pytest.raises(UserError, match="hint:"):
            read_token(str(place), {})
