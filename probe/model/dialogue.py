"""A conversation with a service, as data: what is sent, what must come back. It travels to the node as bytes; only the
ids are filled in there, fresh for every attempt.
"""

from __future__ import annotations

import msgspec

MOST_STEPS, MOST_SENT, MOST_READ = 32, 16_384, 65_536
MOST_ID = 64
MOST = 1024
"""Bytes of an answer, where a step does not say."""
LONGEST_WAIT, LONGEST = 30.0, 60.0
"""Seconds: of one answer, and of a dialogue as a whole."""
OWN_ADDRESS = "own-address"
"""The id that is not random: the address that the source sends from, four bytes (IPv4)."""


class Known(msgspec.Struct, frozen=True, tag="known", omit_defaults=True):
    """Bytes as they are. `mask` says which bits count, empty for all."""

    value: bytes
    mask: bytes = b""


class Id(msgspec.Struct, frozen=True, tag="id", omit_defaults=True):
    """Random bytes, the same wherever a dialogue has the name. `digits`: they stand there as hexadecimal digits."""

    name: str
    size: int
    digits: bool = False


Part = Known | Id
Parts = tuple[Part, ...]


class Pattern(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What an answer looks like from its first byte on; all that is said must hold. `expression` is a regular
    expression on the answer as ISO 8859-1, `least` how many bytes there must be; `whole`: none come behind `start`.
    """

    start: Parts = ()
    expression: Parts = ()
    least: int = 0
    whole: bool = False


class Send(msgspec.Struct, frozen=True, tag="send"):
    """Over UDP, a datagram."""

    parts: Parts


class Expect(msgspec.Struct, frozen=True, kw_only=True, tag="expect", omit_defaults=True):
    """Wait for an answer: one of `patterns`, or one of `unhealthy`, in which the service says that it is not well. What
    has come by then is used up. `within` is in seconds, 0 for the default: over UDP the attempt's own patience.
    """

    patterns: tuple[Pattern, ...]
    unhealthy: tuple[Pattern, ...] = ()
    most: int = MOST
    within: float = 0.0


class Secure(msgspec.Struct, frozen=True, kw_only=True, tag="secure", omit_defaults=True):
    """Shake hands for TLS, on the terms of the service, and speak inside it from then on. With `ask` the service is
    asked first, and must say one of `yes`; if it says one of `no`, the dialogue goes on as it is, and with one of
    `unhealthy` it says that it is not well.
    """

    ask: Parts = ()
    yes: tuple[Pattern, ...] = ()
    no: tuple[Pattern, ...] = ()
    unhealthy: tuple[Pattern, ...] = ()
    within: float = 0.0


Step = Send | Expect | Secure


class Dialogue(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`source_port` is the one that the service answers to, 0 for any. `any_port`: the service may answer from a port
    of its choice (UDP).
    """

    steps: tuple[Step, ...]
    source_port: int = 0
    any_port: bool = False

    @property
    def begins_tls(self) -> bool:
        return any(isinstance(step, Secure) for step in self.steps)
