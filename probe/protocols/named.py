"""What a protocol with a name is: how it is asked, and what people want to know of that."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from probe.model.words import Transport

Steps = list[dict[str, Any]]
"""A dialogue in the words of the matrix language (docs/matrix.md), as its YAML reads."""


@dataclass(frozen=True, kw_only=True)
class Named:
    """It has `tcp` or `udp`, or both, or `web`: the keys of a service that is asked in HTTP.

    `port` is its usual one, 0 for none. `sends`, `healthy`, `proves` and `logs` are for people: what goes out, what
    must come back, what that proves, what the server writes into its log; `verified`: which real servers were asked,
    empty where only peers were that are written from the documents. `programs` are names of processes that speak it,
    as the kernel has them (15 characters at most), or of what a machine for programs runs (`Kafka` of `java`, `rabbit`
    of `beam.smp`), with spaces between. `tell` puts an answer into words: the first bytes of what came over a
    transport.
    """

    port: int = 0
    sends: str
    healthy: str
    proves: str
    logs: str
    verified: str = ""
    programs: str = ""
    tcp: Steps = field(default_factory=list)
    udp: Steps = field(default_factory=list)
    web: dict[str, Any] = field(default_factory=dict)
    tell: Callable[[bytes, Transport], str] | None = None
