"""Passwords, tokens and keys are in no output, whatever the format, and whatever a server says back."""

from __future__ import annotations

import base64
import contextlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from probe.report.formats import FORMATS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

TOKEN, PASSWORD, KEY = "t0ken-that-nobody-sees", "pa55word-that-nobody-sees", "k3y-that-nobody-sees"
SECRETS = (TOKEN, PASSWORD, KEY, base64.b64encode(f"user:{PASSWORD}".encode()).decode(), "BEGIN PRIVATE KEY")
MATRIX = """\
portcheck: 1
name: shop
roles: {{web: {{}}, db: {{}}}}
services:
  token:
    role: db
    port: {port}
    protocol: http
    http: {{credentials: {{bearer: {{env: TOKEN}}}}, body: {{text: never there}}}}
  login:
    role: db
    port: {port}
    protocol: http
    path: /login
    http: {{credentials: {{basic: {{file: login.txt}}}}, headers: {{X-Key: {{env: KEY}}}}, redirects: 2}}
  own:
    role: db
    port: {port}
    protocol: http-or-https
    path: /own
    http: {{headers: {{X-Key: {{env: KEY}}}}, body: {{regex: never}}}}
    tls: {{certificate: client.pem}}
flows:
  - {{from: web, to: [token, login, own]}}
policy: {{inside: ignore, outside: ignore}}
"""


class Echo(BaseHTTPRequestHandler):
    """Says back whatever it is told, in every place that it has."""

    requests: list[dict[str, str]]

    def do_GET(self) -> None:
        self.requests.append(dict(self.headers))
        said = " ".join(value for name, value in self.headers.items() if name in ("Authorization", "X-Key"))
        self.send_response_only(302 if self.path == "/login" else 200, said)
        self.send_header("Server", said)
        self.send_header("Location", f"/{said}?{said}")
        self.end_headers()
        self.wfile.write(said.encode())

    def log_message(self, *words: Any) -> None:
        del words


class Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Callers go away when they please."""
        del request, client_address


@pytest.fixture
def echo() -> Iterator[Callable[[], tuple[int, list[dict[str, str]]]]]:
    with contextlib.ExitStack() as stack:

        def start() -> tuple[int, list[dict[str, str]]]:
            handler = type("Handler", (Echo,), {"requests": []})
            server = stack.enter_context(Server(("127.81.0.2", 0), handler))
            stack.callback(server.shutdown)
            threading.Thread(target=server.serve_forever, daemon=True).start()
            return int(server.server_address[1]), handler.requests

        yield start


@pytest.fixture
def site(shop: Path, echo: Any, authority: Any, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, str]]:
    port, requests = echo()
    (shop / "shop.yaml").write_text(MATRIX.format(port=port))
    (shop / "login.txt").write_text(f"user:{PASSWORD}\n")
    (shop / "client.pem").write_bytes(authority.issue("client").read_bytes())
    monkeypatch.setenv("TOKEN", TOKEN)
    monkeypatch.setenv("KEY", KEY)
    return requests


def nothing_shows(*texts: str) -> None:
    for text in texts:
        assert [secret for secret in SECRETS if secret in text or secret[:9] in text] == []


def test_a_run_in_every_format(portcheck: Any, shop: Path, site: list[dict[str, str]]) -> None:
    outputs = [word for name in FORMATS for word in ("--format", name, "--output", f"out.{name}")]
    code, out, err = portcheck("run", "--inventory", "hosts.txt", "--phase", "live", *outputs)
    assert code == 1, err
    made = {name: (shop / f"out.{name}").read_text() for name in FORMATS}
    assert all(made.values())
    nothing_shows(out, err, *made.values())
    # They were sent, and so there was something to show.
    sent = {request.get("Authorization", "") + request.get("X-Key", "") for request in site}
    assert sent >= {f"Bearer {TOKEN}", f"Basic {SECRETS[3]}{KEY}", KEY}
    assert '"cause":"unhealthy"' in made["json"]


@pytest.mark.parametrize(
    "words",
    [
        ("plan", "--inventory", "hosts.txt"),
        ("plan", "--inventory", "hosts.txt", "--json"),
        ("matrix", "show", "shop.yaml"),
        ("matrix", "show", "shop.yaml", "--json"),
        ("matrix", "show", "shop.yaml", "--markdown"),
        ("matrix", "lint", "shop.yaml"),
        ("matrix", "lint", "shop.yaml", "--inventory", "hosts.txt"),
    ],
    ids=" ".join,
)
def test_whatever_tells_of_a_matrix(portcheck: Any, site: list[dict[str, str]], words: tuple[str, ...]) -> None:
    code, out, err = portcheck(*words)
    assert code in (0, 1), err
    nothing_shows(out, err)
    assert site == []


@pytest.mark.parametrize("more", [(), ("--json", "-")], ids=["text", "json"])
def test_explain(portcheck: Any, shop: Path, site: list[dict[str, str]], more: tuple[str, ...]) -> None:
    port = (shop / "shop.yaml").read_text().partition("port: ")[2].partition("\n")[0]
    words = ("explain", "w1", "d1", port, "--inventory", "hosts.txt", "--phase", "live", *more)
    code, out, err = portcheck(*words)
    assert code == 1, err
    nothing_shows(out, err)
    assert site


def test_one_that_is_missing(portcheck: Any, site: list[dict[str, str]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TOKEN")
    code, out, err = portcheck("run", "--inventory", "hosts.txt", "--phase", "live")
    assert (code, out) == (4, "")
    assert "service 'token' of matrix 'shop': environment variable TOKEN is not set" in err
    nothing_shows(err)
    assert site == []


def test_before_the_installation_none_is_needed(
    portcheck: Any, shop: Path, free_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is no service yet, and so no password of it; a stand-in is told none."""
    monkeypatch.delenv("TOKEN", raising=False)
    (shop / "shop.yaml").write_text(MATRIX.format(port=free_port))
    code, out, err = portcheck("run", "--inventory", "hosts.txt", "--phase", "pre-install")
    assert code == 0, out + err
