"""How a service is asked in HTTP and TLS: the keys `http` and `tls` of a service, and what they become."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from probe.model.http import MOST_REDIRECTS, HttpDemand, Method
from probe.model.secret import SecretSource
from probe.model.tls import VERSIONS, TlsDemand
from probe.spec.matrix.kinds import Flag, Text, Whole, Word
from probe.spec.matrix.problems import quoted
from probe.spec.matrix.rows import Key, Row, Table, TrueOr
from probe.spec.matrix.tree import Mapping, Scalar

if TYPE_CHECKING:
    from probe.model.matrix import Service
    from probe.spec.matrix.document import Document
    from probe.spec.matrix.problems import Problems
    from probe.spec.matrix.tree import Node

_FILE = Text("the path of a file", r"[^\u0000-\u001f]{1,1000}", "a path has no control characters")
_NAME = r"[A-Za-z0-9_.-]{1,253}"


class Version(Word):
    """Written as a text, or without quotes, which makes it a number."""

    def schema(self) -> dict[str, Any]:
        return {"enum": [*self.words, *map(float, self.words)]}


SECRET = Row(
    "a secret",
    {
        "env": Key(
            Text("the name of an environment variable", r"[A-Za-z_][A-Za-z0-9_]{0,127}", "letters, digits and '_'"),
            "an environment variable of whoever runs portcheck that holds it",
        ),
        "file": Key(_FILE, "a file that holds it, beside the matrix where the path is relative"),
    },
    instead="a secret is never written here: write {env: NAME} or {file: PATH}",
    either=("env", "file"),
    alone=True,
)


@dataclass(frozen=True)
class HeaderValue:
    """A text, or a secret."""

    text = Text("the value of a header", r"[!-~](?:[ -~]{0,2000}[!-~])?", "printable ASCII, on one line")

    def read(self, node: Node, problems: Problems, owner: Scalar | None = None) -> str | SecretSource | None:
        if isinstance(node, Mapping):
            found = SECRET.read(node, problems, owner)
            return SecretSource(**found) if len(found) == 1 else None
        return self.text.read(node, problems)

    def schema(self) -> dict[str, Any]:
        return {"anyOf": [self.text.schema(), SECRET.schema()]}


@dataclass(frozen=True)
class Regex:
    """A regular expression as Python has it."""

    longest: int = 500

    def read(self, node: Node, problems: Problems) -> str | None:
        text = Text("a regular expression").read(node, problems)
        if text is None:
            return None
        if len(text) > self.longest:
            problems.add(node.place, f"the expression has {len(text)} characters", f"at most {self.longest} are read")
            return None
        try:
            re.compile(text)
        except (re.error, RecursionError, OverflowError) as error:
            problems.add(node.place, f"{quoted(text)} is no regular expression: {error}", "as Python's re reads it")
            return None
        return text

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "minLength": 1}


HTTP = Row(
    "what is asked in HTTP",
    {
        "method": Key(
            Word.of("method", Method, hint="portcheck changes nothing at a service"),
            "GET (where it is not said), HEAD or OPTIONS",
        ),
        "host": Key(
            Text(
                "a host", rf"(?:{_NAME}|\[[0-9A-Fa-f:.]{{2,45}}\])(?::[0-9]{{1,5}})?", "write name.example or name:8443"
            ),
            "the Host header, for a server of several sites; the name or address that is dialled where it is not said",
        ),
        "headers": Key(
            Table(
                "headers",
                HeaderValue(),
                r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}",
                "the name of a header has letters, digits and '-'",
            ),
            "further headers: a text, or {env: NAME} or {file: PATH} for a secret",
        ),
        "credentials": Key(
            Row(
                "credentials",
                {
                    "basic": Key(SECRET, "user:password, sent as RFC 7617 has it"),
                    "bearer": Key(SECRET, "a token, sent as RFC 6750 has it"),
                },
                instead="write {bearer: {env: NAME}}",
                either=("basic", "bearer"),
                alone=True,
            ),
            "who we are",
        ),
        "body": Key(
            Row(
                "what the body has",
                {
                    "text": Key(Text("a text"), "this text stands in it"),
                    "regex": Key(Regex(), "a part of it matches this expression"),
                },
                instead="write {text: a text} or {regex: an expression}",
                either=("text", "regex"),
            ),
            "what the first 64 KiB of a healthy answer have in them",
        ),
        "known_by": Key(
            Regex(),
            "what the answer of this service has in its headers or in the first 64 KiB of its body, and others have "
            "not: an expression on `Name: value` lines, an empty line, and the body",
        ),
        "redirects": Key(
            Whole("a number of redirects", 0, MOST_REDIRECTS),
            "so many are followed, within the same scheme, host and port; none where it is not said",
        ),
    },
    gotchas={
        "path": "the key stands at the service: path, beside http",
        "status": "the key stands at the service: status, beside http",
        "authorization": "write credentials: {bearer: {env: NAME}}",
        "follow": "the key is 'redirects'",
        "auth": "the key is 'credentials'",
    },
)

TLS = Row(
    "what is demanded of TLS",
    {
        "server_name": Key(
            Text("a server name", _NAME, "write name.example"),
            "the name that is asked for in the handshake (SNI); the name that is dialled where it is not said",
        ),
        "name": Key(Flag(), "true: the certificate must be made out to the server name, or else to what is dialled"),
        "trust": Key(
            Flag(), "true: the certificate must lead to a root that the source's system trusts, or to one of 'ca'"
        ),
        "ca": Key(_FILE, "a file with the roots to trust (PEM); it asks for trust"),
        "minimum": Key(Version("version", VERSIONS), "the oldest version that may come of it: 1.0, 1.1, 1.2, 1.3"),
        "expiry": Key(
            TrueOr(
                Row(
                    "an expiry",
                    {"days": Key(Whole("a number of days", 0, 3650), "so many it must still be valid", required=True)},
                    instead="write true or {days: 14}",
                )
            ),
            "true: the certificate must not have expired; or for how many days more it must be valid",
        ),
        "certificate": Key(_FILE, "a file with our own certificate (PEM), for a server that asks for one"),
        "key": Key(_FILE, "a file with its private key (PEM), if that is another"),
    },
    gotchas={
        "sni": "the key is 'server_name'",
        "verify": "the keys are 'trust' (who vouches for it) and 'name' (who it is made out to)",
        "cert": "the key is 'certificate'",
    },
)

# What a connection is made of is not the matrix's to say.
_OURS = frozenset({"connection", "content-length", "expect", "host", "te", "trailer", "transfer-encoding", "upgrade"})
_SECRET_HEADERS = frozenset({"authorization", "cookie", "proxy-authorization"})


def demands(row: dict[str, Any], file: str) -> dict[str, HttpDemand | TlsDemand]:
    """Of the keys of a service those two, as the fields of the model. `file` is the matrix's own path."""
    found: dict[str, HttpDemand | TlsDemand] = {}
    if "http" in row:
        found["http"] = _http(row["http"], file)
    if "tls" in row:
        found["tls"] = _tls(row["tls"], file)
    return found


def _http(row: dict[str, Any], file: str) -> HttpDemand:
    headers = ((name, value) for name, value in row.get("headers", {}).items() if value is not None)
    fields: dict[str, Any] = {key: row[key] for key in ("method", "host", "known_by", "redirects") if key in row}
    for kind, said in row.get("credentials", {}).items():
        fields[kind] = _secret(SecretSource(**said), file)
    return HttpDemand(
        **fields,
        **row.get("body", {}),
        headers=tuple((name, value if isinstance(value, str) else _secret(value, file)) for name, value in headers),
    )


def _tls(row: dict[str, Any], file: str) -> TlsDemand:
    fields: dict[str, Any] = {key: row[key] for key in ("server_name", "name", "minimum") if key in row}
    for key in ("ca", "certificate", "key"):
        if key in row:
            fields[key] = _beside(row[key], file)
    days = row["expiry"].get("days", 0) if "expiry" in row else None
    return TlsDemand(**fields, trust=row.get("trust", "ca" in row), days=days)


def _secret(source: SecretSource, file: str) -> SecretSource:
    return SecretSource(file=_beside(source.file, file)) if source.file else source


def _beside(path: str, file: str) -> str:
    """A relative path counts from the folder of the matrix."""
    return str(Path(file).parent / path)


def check_asked(document: Document, service: Service, path: tuple[str | int, ...]) -> None:
    """Write down which keys of `http` and `tls` do not go together."""

    def add(key: tuple[str, ...], message: str, hint: str) -> None:
        document.problems.add(document.key(*path, *key), message, hint)

    http, tls = service.http, service.tls
    if http is not None and document.has(*path, "http"):
        if http.method is Method.HEAD and (http.text or http.regex):
            add(("http", "body"), "the answer to HEAD has no body", "remove it, or the method")
        for name, value in http.headers:
            if name.lower() in _OURS:
                hint = "write http: {host: …}" if name.lower() == "host" else "remove it"
                add(("http", "headers", name), f"portcheck itself sets the header {quoted(name)}", hint)
            elif name.lower() in _SECRET_HEADERS and isinstance(value, str):
                hint = "a secret is never written here: take 'credentials', or write {env: NAME} or {file: PATH}"
                add(("http", "headers", name), f"{quoted(name)} is a secret", hint)
        if (http.basic or http.bearer) and "authorization" in (name.lower() for name, _ in http.headers):
            add(("http", "credentials"), "'credentials' and the header Authorization say the same", "keep one of them")
    if tls is not None and document.has(*path, "tls"):
        if tls.key and not tls.certificate:
            add(("tls", "key"), "'key' goes with 'certificate'", "add the certificate, or remove it")
        if tls.ca and not tls.trust:
            add(("tls", "ca"), "'ca' says whom to trust, and trust is false", "remove one of the two")
