"""What is asked in HTTP: the request that the matrix wants, or of a stand-in the challenge, which rides in a header as
its answer does.

No proxy is used, and no redirect is followed unless the matrix says so, and then not to another server. Of a body no
more is read than is looked at.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING
from urllib.parse import unquote

import aiohttp
import msgspec
from yarl import URL

from probe.model.http import MOST_REDIRECTS, HttpTerms, without_port
from probe.model.observation import Failure, Observation, Operation, Proof
from probe.model.words import State
from probe.probes.met import met
from probe.probes.pattern import TooSlow, search
from probe.probes.tls import context, server_name
from probe.text import excerpt, printable
from probe.wire.challenge import NONCE_SIZE, make_ask, read_answer

if TYPE_CHECKING:
    from collections.abc import Callable

    from probe.probes.attempt import Attempt

ASK_HEADER, ANSWER_HEADER = "Portcheck-Ask", "Portcheck-Answer"
_MOST_BODY = 64 * 1024
_REDIRECTS = frozenset({301, 302, 303, 307, 308})  # RFC 9110, section 15.4


class Asking:
    """The requests of one attempt. Their errors are aiohttp's."""

    def __init__(
        self, session: aiohttp.ClientSession, attempt: Attempt, local: Callable[[], str], *, secured: bool
    ) -> None:
        """`local` tells our own address, as long as the connection of a response stands."""
        self._session = session
        self._attempt = attempt
        self._aim = attempt.aim
        self._local = local
        self._scheme = "https" if secured else "http"
        self._address = f"[{attempt.address}]" if ":" in attempt.address else attempt.address

    async def stand_in(self, number: int) -> Observation:
        """The challenge in one header, its answer in another. Nothing else of the service's is said to it."""
        aim, nonce = self._aim, os.urandom(NONCE_SIZE)
        headers = {ASK_HEADER: make_ask(aim.key, number, nonce, meant=self._attempt.address).hex()}
        # Its very certificate is demanded.
        trust = aiohttp.Fingerprint(bytes.fromhex(aim.fingerprint)) if aim.fingerprint else False
        response = await self._session.get(self._url(aim.path), headers=headers, allow_redirects=False, ssl=trust)
        local = self._local()
        response.close()
        try:
            reply = read_answer(aim.key, nonce, bytes.fromhex(response.headers.get(ANSWER_HEADER, "")))
        except ValueError:
            reply = None
        said = f"HTTP {response.status} {_server(response, HttpTerms())}".strip()
        return met(reply, (self._attempt.address, self._attempt.port), Operation.HTTP, local, said, response.status)

    async def service(self) -> Observation:
        """The request that the matrix wants, and the redirects that it wants followed."""
        http, path, leads = self._aim.http, self._aim.path, ""
        for left in range(min(http.redirects, MOST_REDIRECTS), -1, -1):
            response = await self._request(path)
            try:
                to = _location(response)
                leads = _shown(to) if to is not None else leads
                onward = self._onward(to) if to is not None and left else None
                if onward is None:
                    return await self._answer(response, leads)
            finally:
                response.close()
            path = onward
        raise AssertionError

    async def _answer(self, response: aiohttp.ClientResponse, leads: str) -> Observation:
        http = self._aim.http
        seen = Observation(
            state=State.OPEN,
            operation=Operation.HTTP,
            proof=Proof.ANSWERED,
            status=response.status,
            text=_server(response, http),
            location=printable(leads)[:120] if http.discreet(unquote(leads)) == unquote(leads) else "…",
            local=self._local(),
        )
        if not (http.text or http.regex or http.known_by):
            return seen
        body, end = await _body(response)
        return self._judged(response, seen, body, end)

    async def _request(self, path: str) -> aiohttp.ClientResponse:
        http, aim = self._aim.http, self._aim
        headers = dict(http.headers) | {name: value.value.decode() for name, value in http.secret_headers}
        if host := http.host or self._name:
            headers["Host"] = host
        if self._scheme == "http":
            return await self._session.request(
                http.method.value, self._url(path), headers=headers, allow_redirects=False
            )
        name = server_name(aim.tls, without_port(http.host) or aim.address)
        return await self._session.request(
            http.method.value,
            self._url(path),
            headers=headers,
            allow_redirects=False,
            ssl=context(aim.tls),
            server_hostname=name,
        )

    @property
    def _name(self) -> str:
        """The name that was dialled, with the port where that is not the scheme's own; empty for an address."""
        if self._aim.address == self._attempt.address:
            return ""
        usual = self._attempt.port == (443 if self._scheme == "https" else 80)
        return self._aim.address if usual else f"{self._aim.address}:{self._attempt.port}"

    def _url(self, path: str) -> URL:
        path = path if path.startswith("/") else "/" + path
        return _as_it_is(f"{self._scheme}://{self._address}:{self._attempt.port}{path}")

    def _onward(self, leads: URL) -> str | None:
        """The path that a redirect leads to, if that is on the same server: an agent goes nowhere but where it was
        sent.
        """
        known = {without_port(self._aim.http.host), self._aim.address, self._address.strip("[]")}
        same = (leads.scheme, leads.port) == (self._scheme, self._attempt.port) and leads.host in known
        return leads.raw_path_qs if same else None

    def _judged(self, response: aiohttp.ClientResponse, seen: Observation, data: bytes, end: Failure) -> Observation:
        """The same, or that it is another service's answer, or that the body has not in it what it should."""
        http = self._aim.http
        text = data.decode(errors="replace")
        try:
            # Who is in its place while it is away (a balancer, with 502 to 504) need not be known.
            if http.known_by and response.status < 500 and not search(http.known_by, _whole(response, text)):
                failure = Failure.BAD_ANSWER if end is Failure.UNHEALTHY else end
                said = f"HTTP {response.status} {seen.text}".strip()
                return msgspec.structs.replace(seen, failure=failure, text=said)
            healthy = http.text in text and (not http.regex or search(http.regex, text))
        except (TooSlow, re.error):
            return msgspec.structs.replace(
                seen, state=State.ERROR, failure=Failure.OTHER, text="the expression took too long on this body"
            )
        if healthy:
            return seen
        # Where a secret was sent, what comes back may have it in it.
        said = f"the body begins: {excerpt(data)}" if data and not http.secret_headers else f"{len(data)} bytes of body"
        return msgspec.structs.replace(seen, failure=end, text=said)


async def _body(response: aiohttp.ClientResponse) -> tuple[bytes, Failure]:
    """Its beginning, and what is amiss if that is not what it should be."""
    data = b""
    try:
        while piece := await response.content.read(_MOST_BODY - len(data)):
            data += piece
    except TimeoutError:
        return data, Failure.TIMEOUT  # what came until then may do
    except (aiohttp.ClientError, OSError):
        return data, Failure.CLOSED
    return data, Failure.UNHEALTHY


def _whole(response: aiohttp.ClientResponse, body: str) -> str:
    """Headers and body, as `known_by` reads them."""
    headers = "".join(f"{name}: {value}\n" for name, value in response.headers.items())
    return f"{headers}\n{body}"


def _server(response: aiohttp.ClientResponse, http: HttpTerms) -> str:
    return excerpt(http.discreet(response.headers.get("Server", "")).encode(errors="surrogateescape"))


def _location(response: aiohttp.ClientResponse) -> URL | None:
    if response.status not in _REDIRECTS or "Location" not in response.headers:
        return None
    try:
        return response.url.join(_as_it_is(response.headers["Location"]))
    except ValueError:
        return None


def _as_it_is(text: str) -> URL:
    """Quoted only where it has to be: `%2F` in it is not `/`."""
    return URL(text, encoded=text.isascii() and text.isprintable() and " " not in text)


def _shown(leads: URL) -> str:
    """Without user, password and query, which may be nobody's business."""
    return str(leads.with_query(None).with_fragment(None).with_user(None))
