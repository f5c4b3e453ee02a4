"""`[alerts.NAME]` of portcheck.toml. URLs and secrets are read once, here, and shown nowhere."""

from __future__ import annotations

import os
import re
import ssl
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

from probe.audit.alerts.news import Least, Word
from probe.model.secret import Secret
from probe.spec.diagnostics import Diagnostic, SpecError
from probe.text import printable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from probe.spec.toml import Table

_Words = TypeVar("_Words", bound=StrEnum)

_KEYS = (
    *("type", "url", "url-env", "url-file", "secret-env", "secret-file"),
    *("audits", "on", "least", "timeout", "ca", "proxy"),
)
_NO_SECRET = Secret()
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_LARGEST = 16 * 1024
_SHORTEST_SECRET = 16
_DEFAULT = frozenset(Word) - {Word.GONE}


class Type(StrEnum):
    WEBHOOK = "webhook"
    SLACK = "slack"
    ALERTMANAGER = "alertmanager"


@dataclass(frozen=True, kw_only=True)
class Alert:
    """`audits` are those that it is about, none meaning all. `timeout` is of one attempt, in seconds. `tls` is there if
    a CA of its own is trusted. `proxy`: what the environment says of proxies holds.
    """

    name: str
    type: Type
    url: Secret
    secret: Secret = _NO_SECRET
    audits: frozenset[str] = frozenset()
    on: frozenset[Word] = _DEFAULT
    least: Least = Least.DEVIATION
    timeout: float = 10.0
    tls: ssl.SSLContext | None = None
    proxy: bool = False

    def wants(self, audit: str) -> bool:
        return not self.audits or audit in self.audits


def read_all(tables: Mapping[str, Table]) -> list[Alert]:
    """Those of all tables, by name. Raises SpecError with everything that is wrong in any."""
    alerts: list[Alert] = []
    problems: list[Diagnostic] = []
    for name, table in tables.items():
        try:
            alerts.append(read(name, table))
        except SpecError as error:
            problems += error.diagnostics
    if problems:
        raise SpecError(problems)
    return alerts


def read(name: str, table: Table) -> Alert:
    """The alert of a table. Raises SpecError with everything that is wrong."""
    return _Reader(name, table).alert()


class _Reader:
    def __init__(self, name: str, table: Table) -> None:
        self._name = name
        self._origin = table
        self._spelt = {key.replace("_", "-"): key for key in table.content}
        self._table = {key: table.content[spelt] for key, spelt in self._spelt.items()}
        self._problems: list[Diagnostic] = []

    def alert(self) -> Alert:
        if not _NAME.fullmatch(self._name):
            self._wrong("the name may have letters, digits, - and _, at most 64 of them", "it names a file, too")
        for key in self._table:
            if key not in _KEYS:
                close = get_close_matches(key, _KEYS, 1)
                hint = f"did you mean {close[0]!r}?" if close else f"there is: {', '.join(_KEYS)}"
                said = f"unknown key {printable(self._spelt[key])!r}"
                self._problems.append(self._origin.wrong(said, hint, self._spelt[key], value=False))
        kind = self._word("type", Type, None)
        if kind is Type.ALERTMANAGER and "on" in self._table:
            self._wrong("Alertmanager is told what fails and when it ends, so it takes no 'on'", "leave it out", "on")
        if kind is not Type.WEBHOOK:
            for key in {"secret-env", "secret-file"} & self._table.keys():
                self._wrong("only a webhook is signed, so there is no use for a secret", "leave it out", key)
        alert = Alert(
            name=self._name,
            type=kind or Type.WEBHOOK,
            url=self._url(),
            secret=self._secret(),
            audits=frozenset(self._texts("audits")),
            on=self._on(),
            least=self._word("least", Least, Least.DEVIATION) or Least.DEVIATION,
            timeout=self._timeout(),
            tls=self._tls(),
            proxy=self._flag("proxy"),
        )
        if self._problems:
            raise SpecError(self._problems)
        return alert

    def _wrong(self, what: str, hint: str, key: str = "", *inside: int) -> None:
        """With what a key says, where it is there, or with the table."""
        keys: tuple[str | int, ...] = (self._spelt[key], *inside) if key in self._spelt else ()
        self._problems.append(self._origin.wrong(what, hint, *keys))

    def _word(self, key: str, words: type[_Words], default: _Words | None) -> _Words | None:
        value = self._table.get(key, default)
        if value in list(words):
            return words(value)
        said = "is missing" if value is None else f"cannot be {printable(str(value))!r}"
        self._wrong(f"'{key}' {said}", f"it is one of {', '.join(words)}", key)
        return default

    def _texts(self, key: str) -> list[str]:
        value = self._table.get(key, [])
        if isinstance(value, list) and all(isinstance(item, str) for item in value):
            return value
        self._wrong(f"'{key}' must be a list of words", f'{key} = ["…"]', key)
        return []

    def _on(self) -> frozenset[Word]:
        if "on" not in self._table:
            return _DEFAULT
        said = self._texts("on")
        for number, word in enumerate(said):
            if word not in list(Word):
                self._wrong(f"'on' cannot have {printable(word)!r}", f"there is: {', '.join(Word)}", "on", number)
        return frozenset(Word(word) for word in said if word in list(Word))

    def _timeout(self) -> float:
        value = self._table.get("timeout", 10.0)
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= 60:
            return float(value)
        said = "'timeout' is a number of seconds, at most 60"
        self._wrong(said, "it bounds one attempt, and there are several", "timeout")
        return 10.0

    def _flag(self, key: str) -> bool:
        value = self._table.get(key, False)
        if not isinstance(value, bool):
            self._wrong(f"'{key}' is neither true nor false", f"{key} = true", key)
        return value is True

    def _url(self) -> Secret:
        given = [key for key in ("url", "url-env", "url-file") if key in self._table]
        if len(given) != 1:
            said = "'url' is missing" if not given else f"{' and '.join(map(repr, given))} exclude each other"
            hint = "say one of 'url', 'url-env' (a variable that has it) and 'url-file'"
            self._wrong(said, hint, given[-1] if given else "")
            return _NO_SECRET
        value = self._found(given[0])
        if value is None:
            return _NO_SECRET
        try:
            parts = urlsplit(value)
            usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            usable = False
        if not usable or not value.isascii() or re.search(r"[\x00-\x20\x7f]", value):
            # Not shown: it may be a secret.
            said, hint = f"what '{given[0]}' says is no URL", "it begins with https:// (or http://) and a host"
            self._wrong(said, hint, given[0])
            return _NO_SECRET
        return Secret(value.encode())

    def _secret(self) -> Secret:
        given = [key for key in ("secret-env", "secret-file") if key in self._table]
        if len(given) > 1:
            self._wrong("'secret-env' and 'secret-file' exclude each other", "say one of them", given[1])
        value = self._found(given[0]) if len(given) == 1 else ""
        if given and value is not None and len(value) < _SHORTEST_SECRET:
            said = f"the secret is shorter than {_SHORTEST_SECRET} characters"
            self._wrong(said, "make one: openssl rand -hex 32", given[0])
        return Secret((value or "").encode(errors="surrogateescape"))

    def _found(self, key: str) -> str | None:
        """The value itself, or what the variable or the file has that it names; None if there is a problem."""
        value = self._table[key]
        if not isinstance(value, str) or not value:
            self._wrong(f"'{key}' must be a text", f'{key} = "…"', key)
            return None
        if key.endswith("-env"):
            held = os.environ.get(value)
            if held is None:
                self._wrong(f"environment variable {printable(value)} is not set", f"'{key}' names it", key)
                return None
            return held.strip()
        if key.endswith("-file"):
            data = self._file(key, value)
            return data.decode(errors="surrogateescape").strip() if data is not None else None
        return value.strip()

    def _file(self, key: str, path: str) -> bytes | None:
        try:
            with Path(path).open("rb") as file:
                data = file.read(_LARGEST + 1)
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or str(error)
            self._wrong(f"{printable(path)} cannot be read: {why}", f"'{key}' names it", key)
            return None
        if len(data) > _LARGEST:
            self._wrong(f"{printable(path)} has more than {_LARGEST:,} bytes", f"'{key}' names it", key)
            return None
        return data

    def _tls(self) -> ssl.SSLContext | None:
        path = self._table.get("ca")
        if path is None:
            return None
        if not isinstance(path, str) or not path:
            self._wrong("'ca' must be a text", "the path of a PEM file", "ca")
            return None
        try:
            return ssl.create_default_context(cafile=path)
        except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
            bad = isinstance(error, ssl.SSLError)
            why = "it has no certificate in PEM" if bad else getattr(error, "strerror", None) or str(error)
            self._wrong(f"{printable(path)} cannot be read: {why}", "'ca' names a PEM file", "ca")
            return None
