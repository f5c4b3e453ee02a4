"""Where the dashboard listens, and what it asks of those who come."""

from __future__ import annotations

import ssl
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec

from probe.errors import UserError
from probe.text import printable

if TYPE_CHECKING:
    from collections.abc import Mapping

TOKEN = "PORTCHECK_DASHBOARD_TOKEN"  # noqa: S105  (a variable's name)
_SHORTEST, _LONGEST = 16, 512  # characters of a token
_USUAL = {"http": 80, "https": 443}


class Listen(msgspec.Struct, frozen=True, kw_only=True):
    """`address` is a literal. Port 0 takes a free one. `certificate` and `key` are PEM files, the key
    by default in the certificate's. Without `token` everybody who reaches it may look and start runs. `outside` is the
    dashboard's URL as others call it, where a proxy stands before it.
    """

    address: str = "127.0.0.1"
    port: int = 8080
    certificate: str = ""
    key: str = ""
    token: str = ""
    outside: str = ""

    def __repr__(self) -> str:
        """Without the token, which must not get into a log."""
        return f"Listen({self.place})"

    @property
    def place(self) -> str:
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"

    @property
    def url(self) -> str:
        return f"{'https' if self.certificate else 'http'}://{self.place}/"

    @property
    def name_outside(self) -> str:
        """The host name of `outside`."""
        return urlsplit(self.outside).hostname or ""

    @property
    def origin_outside(self) -> str:
        """What browsers call `outside` (RFC 6454, 6.2): without path and usual port."""
        parts = urlsplit(self.outside)
        host = f"[{parts.hostname}]" if ":" in self.name_outside else parts.hostname
        port = "" if parts.port in (None, _USUAL.get(parts.scheme)) else f":{parts.port}"
        return f"{parts.scheme}://{host}{port}" if host else ""

    @property
    def local(self) -> bool:
        """Whether only this machine can reach it."""
        return is_loopback(self.address)

    def tls(self) -> ssl.SSLContext | None:
        """None for plain HTTP. Raises UserError for what cannot be listened on: a place that others can reach without
        TLS and a token, a token that is easily guessed, a certificate that is none.
        """
        try:
            ip_address(self.address)
        except ValueError:
            raise UserError(
                f"dashboard on {printable(self.place)}: {printable(self.address)!r} is no address\n"
                "  hint: name one of this machine, such as 127.0.0.1, or 0.0.0.0 for all"
            ) from None
        if not self.local and not (self.certificate and self.token):
            lacking = "no token" if self.certificate else "no TLS" if self.token else "neither TLS nor a token"
            raise UserError(
                f"dashboard on {self.place}: others can reach this address, and it has {lacking}\n"
                "  hint: name a certificate, a key and a token-file in [audit] of portcheck.toml (the token also as "
                f"${TOKEN}),\n  or listen on 127.0.0.1:{self.port} and come by "
                f"`ssh -L {self.port}:127.0.0.1:{self.port}`"
            )
        if self.token and not _SHORTEST <= len(self.token) <= _LONGEST:
            raise UserError(
                f"dashboard on {self.place}: the token has {len(self.token):,} characters, and must have "
                f"{_SHORTEST} to {_LONGEST}\n  hint: `openssl rand -hex 32` makes a good one"
            )
        if self.key and not self.certificate:
            raise UserError(
                f"dashboard on {self.place}: a key, and no certificate to go with it\n"
                "  hint: name the certificate as well, or leave the key out"
            )
        return self._context() if self.certificate else None

    def _context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["http/1.1"])
        try:
            # A key with a pass phrase would ask for it at the terminal, and a service has none.
            context.load_cert_chain(self.certificate, self.key or None, password=lambda: b"")
        except (OSError, ssl.SSLError, ValueError) as error:
            files = printable(self.certificate) + (f" with {printable(self.key)}" if self.key else "")
            missing = isinstance(error, OSError) and not isinstance(error, ssl.SSLError)
            reason = str(getattr(error, "strerror", "")) if missing else "they do not fit, or are not in PEM"
            raise UserError(
                f"dashboard on {self.place}: {files}: no certificate with its key: {printable(reason)}\n"
                "  hint: both in PEM, the key without a pass phrase, readable by this user"
            ) from None
        return context


def is_loopback(host: str) -> bool:
    """Whether a name or literal, brackets allowed, can only mean this machine."""
    if host.lower().rstrip(".") == "localhost":
        return True
    try:
        return ip_address(host.removeprefix("[").removesuffix("]")).is_loopback
    except ValueError:
        return False


def read_token(file: str, environment: Mapping[str, str]) -> str:
    """The token in the first line of `file`, else that of the environment; empty where there is none. Raises
    UserError.
    """
    if not file:
        return environment.get(TOKEN, "").strip()
    try:
        with Path(file).open("rb") as stream:
            line = stream.readline(4 * _LONGEST + 1).decode("utf-8").strip()
    except (OSError, UnicodeDecodeError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise UserError(
            f"{printable(file)}: the dashboard's token cannot be read: {reason}\n"
            "  hint: the token is the file's first line, such as `openssl rand -hex 32` prints"
        ) from None
    if not line:
        raise UserError(
            f"{printable(file)}: the dashboard's token is empty\n"
            "  hint: the token is the file's first line, such as `openssl rand -hex 32` prints"
        )
    return line
