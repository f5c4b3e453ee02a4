"""What a matrix keeps elsewhere: passwords, tokens, keys and roots, read once, when a run begins. They go to the agents
that ask with them, and nowhere else.
"""

from __future__ import annotations

import base64
import os
from pathlib import Path
from typing import TYPE_CHECKING

from probe.errors import UserError
from probe.model.http import HttpDemand, HttpTerms
from probe.model.secret import Secret, SecretSource
from probe.model.tls import TlsDemand, TlsTerms
from probe.probes.tls import context
from probe.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import TypeVar

    from probe.model.check import Check

    _Demand = TypeVar("_Demand", HttpDemand, TlsDemand)
    _Terms = TypeVar("_Terms", HttpTerms, TlsTerms)

_MOST_BYTES = 1024 * 1024
_LONGEST_SECRET = 16 * 1024
_NO_HTTP, _NO_TLS = HttpTerms(), TlsTerms()


class Secrets:
    """The terms of all these checks. Raises UserError with everything that is missing or unusable."""

    def __init__(self, checks: Iterable[Check]) -> None:
        self._http: dict[HttpDemand, HttpTerms] = {}
        self._tls: dict[TlsDemand, TlsTerms] = {}
        problems: dict[str, None] = {}
        for check in checks:
            where = f"service {check.service!r} of matrix {check.matrix!r}"
            for problem in (
                _learn(self._http, check.http, _http_terms),
                _learn(self._tls, check.tls, _tls_terms),
            ):
                if problem:
                    problems[f"{where}: {problem}"] = None
        if problems:
            raise UserError("\n".join(problems))

    def http(self, demand: HttpDemand | None) -> HttpTerms:
        return self._http[demand] if demand is not None else _NO_HTTP

    def tls(self, demand: TlsDemand | None) -> TlsTerms:
        return self._tls[demand] if demand is not None else _NO_TLS


def _learn(known: dict[_Demand, _Terms], demand: _Demand | None, learn: Callable[[_Demand], _Terms]) -> str:
    """What is wrong, if anything is."""
    if demand is not None and demand not in known:
        try:
            known[demand] = learn(demand)
        except UserError as error:
            return str(error)
    return ""


def _http_terms(demand: HttpDemand) -> HttpTerms:
    secret = [(name, _header(said)) for name, said in demand.headers if isinstance(said, SecretSource)]
    if demand.basic is not None:
        login = _header(demand.basic).value
        if b":" not in login:
            raise UserError(f"{demand.basic} has no user:password\n  hint: basic credentials are written user:password")
        secret.append(("Authorization", Secret(b"Basic " + base64.b64encode(login))))
    if demand.bearer is not None:
        secret.append(("Authorization", Secret(b"Bearer " + _header(demand.bearer).value)))
    return HttpTerms(
        method=demand.method,
        host=demand.host,
        headers=tuple((name, said) for name, said in demand.headers if isinstance(said, str)),
        secret_headers=tuple(secret),
        text=demand.text,
        regex=demand.regex,
        known_by=demand.known_by,
        redirects=demand.redirects,
    )


def _header(source: SecretSource) -> Secret:
    """As a header may have it: one line of printable ASCII."""
    if source.env:
        text = os.environ.get(source.env)
        if text is None:
            raise UserError(f"{source} is not set\n  hint: it holds a secret, and belongs to whoever runs portcheck")
        value = text.encode(errors="surrogateescape")
    else:
        value = _file(source.file)
    value = value.strip(b"\r\n")
    if not value or len(value) > _LONGEST_SECRET or not all(0x20 <= byte < 0x7F for byte in value):
        raise UserError(f"{source} is empty, or is not one line of printable ASCII")
    return Secret(value)


def _tls_terms(demand: TlsDemand) -> TlsTerms:
    identity = b"\n".join(_file(path) for path in (demand.certificate, demand.key) if path)
    terms = TlsTerms(
        server_name=demand.server_name,
        name=demand.name,
        trust=demand.trust,
        roots=_file(demand.ca) if demand.ca else b"",
        identity=Secret(identity),
    )
    try:
        context(terms)
    except ValueError as error:
        files = ", ".join(filter(None, (demand.ca, demand.certificate, demand.key)))
        raise UserError(f"{files}: {error}\n  hint: they are PEM files, the private key without a password") from None
    return terms


def _file(path: str) -> bytes:
    try:
        with Path(path).open("rb") as file:
            data = file.read(_MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        hint = "" if Path(path).is_absolute() else "\n  hint: a relative path counts from the matrix's own folder"
        raise UserError(f"{printable(path)} cannot be read: {why}{hint}") from None
    if len(data) > _MOST_BYTES:
        raise UserError(f"{printable(path)} has more than {_MOST_BYTES:,} bytes")
    return data
