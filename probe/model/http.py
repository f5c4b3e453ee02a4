"""HTTP: what a matrix demands of a service, and what an attempt is given to ask it with."""

from __future__ import annotations

import base64
import binascii
from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

from probe.model.secret import Secret, SecretSource, without

if TYPE_CHECKING:
    from collections.abc import Iterator


MOST_REDIRECTS = 10


class Method(StrEnum):
    """None of them changes anything (RFC 9110, section 9.2.1): an agent reads no order with another."""

    GET = "GET"
    HEAD = "HEAD"
    OPTIONS = "OPTIONS"


class HttpDemand(msgspec.Struct, frozen=True, kw_only=True):
    """As a matrix has it. `host` is the Host header, empty for the name or address that is dialled. A header's value is
    a text, or where it is found. `basic` (`user:password`) and `bearer` (a token) are credentials: one of them, or
    none. The body must have `text` in it, and match `regex`; empty for whatever it may be. What does not match
    `known_by`, with its headers and its body, is another service. `redirects`: so many are followed.
    """

    method: Method = Method.GET
    host: str = ""
    headers: tuple[tuple[str, str | SecretSource], ...] = ()
    basic: SecretSource | None = None
    bearer: SecretSource | None = None
    text: str = ""
    regex: str = ""
    known_by: str = ""
    redirects: int = 0

    @property
    def secrets(self) -> tuple[SecretSource, ...]:
        found = [value for _, value in self.headers if isinstance(value, SecretSource)]
        return tuple(source for source in (self.basic, self.bearer, *found) if source is not None)


class HttpTerms(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How to ask. Travels in an order: what had to be looked up is in it."""

    method: Method = Method.GET
    host: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    secret_headers: tuple[tuple[str, Secret], ...] = ()
    text: str = ""
    regex: str = ""
    known_by: str = ""
    redirects: int = 0

    def discreet(self, said: str) -> str:
        """What a server said, less what it repeats of our secrets."""
        return without(said, (part for _, value in self.secret_headers for part in _parts(value.value)))


def without_port(host: str) -> str:
    """The name or address of a Host header."""
    name, colon, port = host.rpartition(":")
    return (name if colon and port.isdigit() else host).strip("[]")


def _parts(value: bytes) -> Iterator[bytes]:
    """The forms in which a server may know the secret: the header, what is behind its scheme, user and password."""
    yield value
    _, _, token = value.partition(b" ")
    yield token
    try:
        login = base64.b64decode(token, validate=True)
    except (binascii.Error, ValueError):
        return
    yield login
    yield login.partition(b":")[2]
