"""TLS on the node: one complete handshake, what it told, and the stream that comes of it.

By default no certificate is trusted or distrusted and every version is taken that OpenSSL still speaks: what is asked
is whether TLS is spoken there. What the terms demand is asked of OpenSSL in the same handshake.
"""

from __future__ import annotations

import asyncio
import os
import ssl
from contextvars import ContextVar
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from probe.model.observation import Failure
from probe.model.tls import NO_TLS, TlsFacts, TlsTerms
from probe.text import printable

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

# A chain is kept up to so many certificates and bytes; the server's own is never longer than OpenSSL takes (100 KB).
_MOST_CERTIFICATES, _MOST_BYTES = 8, 32 * 1024
_PIECE = 16 * 1024
_MOST_LAST_WORDS = 64 * 1024
# Old versions need the lowest level of security that OpenSSL has; which one came of it is among the facts.
_CIPHERS = "DEFAULT:@SECLEVEL=0"
_WORDS = {
    "NO_PROTOCOLS_AVAILABLE": "this host speaks no version of TLS that could be offered",
    "UNSUPPORTED_PROTOCOL": "it speaks a version of TLS that this host does not",
    "TLSV1_ALERT_PROTOCOL_VERSION": "it speaks none of the versions of TLS that were offered",
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "it demands a client certificate",
    "TLSV1_UNRECOGNIZED_NAME": "it does not know the server name",
    "TLSV1_ALERT_UNKNOWN_CA": "it does not trust the client certificate",
    "SSLV3_ALERT_BAD_CERTIFICATE": "it refuses the client certificate",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": "it refuses the client certificate, which has expired",
    "SSLV3_ALERT_CERTIFICATE_REVOKED": "it refuses the client certificate, which was revoked",
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": "it refuses the client certificate",
    "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE": "it refuses the client certificate",
    "TLSV1_ALERT_ACCESS_DENIED": "it refuses the client certificate",
    "SSLV3_ALERT_HANDSHAKE_FAILURE": "it refuses the handshake: no common cipher, or it demands a client certificate",
}
_OTHER_NAME = frozenset({62, 64})  # X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH
# What OpenSSL says of bytes that are no TLS.
_NO_TLS = frozenset(
    {
        "WRONG_VERSION_NUMBER", "UNKNOWN_PROTOCOL", "HTTP_REQUEST", "HTTPS_PROXY_REQUEST", "PACKET_LENGTH_TOO_LONG",
        "ENCRYPTED_LENGTH_TOO_LONG", "DATA_LENGTH_TOO_LONG", "BAD_RECORD_TYPE", "UNEXPECTED_MESSAGE",
        "UNEXPECTED_RECORD", "RECORD_LAYER_FAILURE", "INVALID_ALERT", "RECORD_TOO_SMALL", "BAD_PROTOCOL_VERSION_NUMBER",
    }
)  # fmt: skip

shaken: ContextVar[list[TlsFacts]] = ContextVar("shaken")
"""Where it is set, every handshake under a context of `context` leaves its facts, however it ends: for callers that
hand the context to somebody else.
"""


class TlsFailed(Exception):
    """The handshake came to no good end. `failure` is BAD_ANSWER, CLOSED, RESET or TIMEOUT; `facts` are what it told by
    then, None for nothing.
    """

    def __init__(self, failure: Failure, text: str = "", facts: TlsFacts | None = None) -> None:
        super().__init__(text)
        self.failure = failure
        self.text = text
        self.facts = facts


class _Told(ssl.SSLObject):
    """Leaves its facts in `shaken`."""

    def do_handshake(self) -> None:
        try:
            super().do_handshake()
        except ssl.SSLCertVerificationError as error:
            self._tell(error.verify_message or "it does not verify")
            raise
        self._tell("")

    def _tell(self, distrust: str) -> None:
        found = shaken.get(None)
        if found is not None:
            found.append(facts(self, distrust))


def facts(secured: ssl.SSLObject, distrust: str = "") -> TlsFacts:
    """What a handshake that has ended told, for good or with a certificate that is not trusted."""
    cipher = secured.cipher()
    version = (secured.version() or "").removeprefix("TLSv")
    return TlsFacts(
        version="1.0" if version == "1" else version,
        cipher=cipher[0] if cipher else "",
        chain=_chain(secured),
        distrust=printable(distrust)[:120],
    )


def _chain(secured: ssl.SSLObject) -> tuple[bytes, ...]:
    # Public from Python 3.13 on, there in bytes; before that in the object within, as certificates.
    get: Callable[[], Any] | None = getattr(secured, "get_unverified_chain", None)
    if get is None:
        get = getattr(getattr(secured, "_sslobj", None), "get_unverified_chain", None)
    if get is None:
        own = secured.getpeercert(binary_form=True)
        return (own,) if own else ()
    found: list[bytes] = []
    for certificate in get() or ():
        der = certificate if isinstance(certificate, bytes) else ssl.PEM_cert_to_DER_cert(certificate.public_bytes())
        if found and (len(found) >= _MOST_CERTIFICATES or sum(map(len, found)) + len(der) > _MOST_BYTES):
            break
        found.append(der)
    return tuple(found)


@lru_cache(maxsize=128)
def context(terms: TlsTerms) -> ssl.SSLContext:
    """A client's context. Raises ValueError where the roots or the identity of the terms cannot be used."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.sslobject_class = _Told
    # Whoever trusts nobody is told by the facts what the certificate is made out to.
    made.check_hostname = terms.name and terms.trust
    made.verify_mode = ssl.CERT_REQUIRED if terms.trust else ssl.CERT_NONE
    made.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    made.set_ciphers(_CIPHERS)
    try:
        if terms.trust and terms.roots:
            made.load_verify_locations(cadata=terms.roots.decode("ascii", "replace"))
        elif terms.trust:
            made.set_default_verify_paths()
        if terms.identity:
            load_identity(made, terms.identity.value)
    except (ssl.SSLError, OSError, ValueError) as error:
        raise ValueError(f"the roots or the client certificate cannot be used: {words(error)}") from None
    return made


def load_identity(context: ssl.SSLContext, pem: bytes) -> None:
    """Certificate, chain and private key. ssl reads them from files only; a file in memory never reaches a disk."""
    number = os.memfd_create("identity", os.MFD_CLOEXEC)
    try:
        os.write(number, pem)
        context.load_cert_chain(f"/proc/self/fd/{number}", password=_no_password)
    finally:
        os.close(number)


def _no_password() -> str:
    """Without this OpenSSL would ask the terminal for the password of an encrypted key."""
    raise ValueError("the private key is encrypted")


def words(error: Exception) -> str:
    """What a failed handshake was about, for people."""
    if isinstance(error, ssl.SSLCertVerificationError):
        if error.verify_code in _OTHER_NAME:
            return "the certificate is made out to another name"
        return printable(f"the certificate is not trusted: {error.verify_message}")[:120]
    reason = getattr(error, "reason", None) or str(error) or type(error).__name__
    if reason in _NO_TLS:
        return NO_TLS
    return _WORDS.get(reason) or printable(reason.lower().replace("_", " "))[:80]


class Secured:
    """TLS over a connected, non-blocking socket that stays the caller's. `facts` are known once `shake` has returned.

    Nothing here keeps time: put `asyncio.timeout` around it.
    """

    def __init__(self, sock: socket.socket, terms: TlsTerms, dialled: str) -> None:
        """`dialled` is the name or address that was, for where the terms have no server name. Raises ValueError as
        `context` does.
        """
        self._sock = sock
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        name = server_name(terms, dialled)
        self._tls = context(terms).wrap_bio(self._in, self._out, server_hostname=name)
        self.facts: TlsFacts | None = None

    async def shake(self) -> TlsFacts:
        """Shake hands; raises TlsFailed."""
        try:
            await self._do(self._tls.do_handshake)
        except ssl.SSLCertVerificationError as error:
            distrust = error.verify_message or "it does not verify"
            raise TlsFailed(Failure.BAD_ANSWER, words(error), facts(self._tls, distrust)) from None
        self.facts = found = facts(self._tls)
        return found

    async def send(self, data: bytes) -> None:
        """Raises TlsFailed."""
        sent = 0
        while sent < len(data):
            sent += await self._do(self._tls.write, data[sent : sent + _PIECE])

    async def receive(self, most: int = _PIECE) -> bytes:
        """Some bytes, none once the peer has ended the stream in good order. Raises TlsFailed, CLOSED where it ended
        the connection instead.
        """
        try:
            return bytes(await self._do(self._tls.read, most))
        except ssl.SSLZeroReturnError:
            return b""

    async def farewell(self) -> None:
        """Say that we are going, and hear what was still to be said: a server that wants a client certificate complains
        only after the handshake (RFC 8446, section 4.4.2.4). Raises TlsFailed for such a complaint; a peer that just
        hangs up has nothing to say.
        """
        try:
            self._tls.unwrap()  # writes our last word; the peer's is read below
        except ssl.SSLError:
            pass
        await self._flush()
        heard = 0
        try:
            while heard < _MOST_LAST_WORDS and (data := await self.receive()):
                heard += len(data)
        except TlsFailed as error:
            if error.failure is Failure.BAD_ANSWER and "client certificate" in error.text:
                raise

    async def _do(self, step: Callable[..., Any], *what: Any) -> Any:
        loop = asyncio.get_running_loop()
        while True:
            try:
                result = step(*what)
            except ssl.SSLWantReadError:
                await self._flush()
                try:
                    data = await loop.sock_recv(self._sock, _PIECE)
                except OSError:
                    raise TlsFailed(Failure.RESET, facts=self.facts) from None
                if not data:
                    raise TlsFailed(Failure.CLOSED, facts=self.facts) from None
                self._in.write(data)
            except (ssl.SSLCertVerificationError, ssl.SSLZeroReturnError):
                await self._flush()
                raise
            except ssl.SSLError as error:
                await self._flush()
                raise TlsFailed(Failure.BAD_ANSWER, words(error), self.facts) from None
            else:
                await self._flush()
                return result

    async def _flush(self) -> None:
        if data := self._out.read():
            try:
                await asyncio.get_running_loop().sock_sendall(self._sock, data)
            except OSError:
                pass  # what the peer said before it went is still to be read, and tells more


def server_name(terms: TlsTerms, dialled: str) -> str:
    """The name for the handshake, or the address: ssl does not send those (RFC 6066, section 3)."""
    return terms.server_name or dialled.partition("%")[0]
