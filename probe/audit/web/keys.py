"""Who may come in, and which form is ours: sessions, form tokens, and patience with those who guess."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections import OrderedDict
from ipaddress import ip_address
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable

SESSION = 12 * 3600  # seconds
_MOST_GUESSERS, _MOST_ENDED = 1_024, 1_024
_FIRST_WAIT, _LONGEST_WAIT = 0.5, 60.0  # seconds


class Session(msgspec.Struct, frozen=True):
    """`name` is random and stands for the session; `until` is in seconds since 1970."""

    name: str
    until: int


class Keys:
    """`token` is what people log in with; empty: nobody has to. Sessions are signed with a key that lives as long as
    the service: they hold no token, and none outlives a restart.
    """

    def __init__(self, token: str, now: Callable[[], float] = time.time) -> None:
        self._token = hashlib.sha256(token.encode()).digest() if token else b""
        self._key = secrets.token_bytes(32)
        self._now = now
        self._guessers: OrderedDict[str, tuple[int, float]] = OrderedDict()  # wrong guesses, and when the next may come
        self._ended: OrderedDict[str, int] = OrderedDict()

    @property
    def asked(self) -> bool:
        return bool(self._token)

    def wait(self, peer: str) -> float:
        """Seconds until `peer` may try a token again, right or wrong."""
        return max(self._guessers.get(_network(peer), (0, 0.0))[1] - self._now(), 0.0)

    def right(self, token: str, peer: str) -> bool:
        """Whether this is the token. A wrong one makes `peer` wait, longer each time."""
        if hmac.compare_digest(hashlib.sha256(token.encode("utf-8", "replace")).digest(), self._token):
            self._guessers.pop(_network(peer), None)
            return True
        guesses = self._guessers.pop(_network(peer), (0, 0.0))[0] + 1
        self._guessers[_network(peer)] = guesses, self._now() + min(_FIRST_WAIT * 2 ** min(guesses, 16), _LONGEST_WAIT)
        if len(self._guessers) > _MOST_GUESSERS:
            self._guessers.popitem(last=False)
        return False

    def begin(self) -> str:
        """A new session, as its cookie says it."""
        text = f"{secrets.token_urlsafe(16)}.{int(self._now()) + SESSION}"
        return f"{text}.{self._sign('session', text)}"

    def session(self, cookie: str) -> Session | None:
        """The session of a cookie; None if it is not ours, over, or ended."""
        text, _, signature = cookie[:256].rpartition(".")
        name, _, until = text.partition(".")
        if not hmac.compare_digest(self._sign("session", text).encode(), signature.encode("utf-8", "replace")):
            return None
        found = Session(name, int(until))
        return found if found.until > self._now() and name not in self._ended else None

    def end(self, session: Session) -> None:
        self._ended[session.name] = session.until
        if len(self._ended) > _MOST_ENDED:
            self._ended.popitem(last=False)

    def form(self, session: Session | None) -> str:
        """What our forms carry. Other sites cannot read our pages, so they cannot know it."""
        return self._sign("form", session.name if session else "")

    def is_form(self, text: str, session: Session | None) -> bool:
        return hmac.compare_digest(self.form(session).encode(), text.encode("utf-8", "replace"))

    def _sign(self, what: str, text: str) -> str:
        return hmac.new(self._key, f"{what}:{text}".encode("utf-8", "replace"), hashlib.sha256).hexdigest()


def _network(peer: str) -> str:
    """One guesser is one address, or in IPv6 the network of 64 bits that a single host may have."""
    try:
        address = ip_address(peer.partition("%")[0])
    except ValueError:
        return ""
    return str(address) if address.version == 4 else address.exploded[:19]
