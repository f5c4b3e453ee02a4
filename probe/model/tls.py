"""TLS: what a matrix demands of a service, what an attempt is given to shake hands with, and what it saw."""

from __future__ import annotations

import msgspec

from probe.model.secret import Secret

VERSIONS = ("1.0", "1.1", "1.2", "1.3")
"""The oldest first: https://www.rfc-editor.org/rfc/rfc8446, and those that it replaced."""

NO_TLS = "what came is no TLS"
"""The words for an answer that does not read as TLS."""
HUNG_UP = "it hangs up on a TLS handshake, and not on who says nothing"
"""The words for a peer that answered nothing, and ended the connection because of what it was told."""


class TlsDemand(msgspec.Struct, frozen=True, kw_only=True):
    """As a matrix has it. `name`: the certificate must be made out to `server_name`, or to what is dialled where that
    is empty. `trust`: it must lead to a root, one of those in the file `ca` or of those that the source's system has.
    `minimum` is one of VERSIONS. `certificate` and `key` are files with our own identity; without `key` one has both.
    `days`: so many it must still be valid (0: it must not have expired), None for however many.
    """

    server_name: str = ""
    ca: str = ""
    name: bool = False
    trust: bool = False
    minimum: str = ""
    certificate: str = ""
    key: str = ""
    days: int | None = None


class TlsTerms(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How to shake hands. Travels in an order.

    `server_name` is sent in the handshake (SNI, RFC 6066), empty for the name that is dialled, if it is one. `trust`:
    the certificate must lead to one of `roots` (PEM), or without those to one that the source's own system trusts;
    with `name` it must then be made out to the server name too.
    `identity` is our own certificate with its chain and its private key (PEM), for servers that ask for one.
    """

    server_name: str = ""
    name: bool = False
    trust: bool = False
    roots: bytes = b""
    identity: Secret = Secret()


class TlsFacts(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a handshake told. `version` is one of VERSIONS. `chain` are the certificates as the server sent them, its
    own first, in DER form; a long one is cut. `distrust` is why they were not trusted, where that was demanded.
    """

    version: str = ""
    cipher: str = ""
    chain: tuple[bytes, ...] = ()
    distrust: str = ""
