"""One thing to try, and what came of it: the values that walk and probers hand to each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable

    from probe.model.observation import Observation
    from probe.wire.messages import Aim


class Attempt:
    """One port of an aim at one numeric address. Mutable on purpose: a walk holds tens of thousands and tries some of
    them again.
    """

    __slots__ = ("address", "aim", "attempts", "elapsed_ms", "port", "rtt_ms", "seen")

    def __init__(self, aim: Aim, address: str, port: int) -> None:
        self.aim = aim
        self.address = address
        self.port = port
        self.attempts = 0
        self.seen: Observation | None = None
        self.elapsed_ms = 0.0
        self.rtt_ms: float | None = None


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """How one round of attempts is made. `number` is the source's in challenges; `bind` the address to dial from,
    empty for the kernel's choice; `timeout` in seconds; `careful`: watch the error queue, send datagrams several
    times (slower, for what failed before).
    """

    number: int
    bind: str = ""
    timeout: float = 1.0
    careful: bool = False

    def bind_for(self, address: str) -> str:
        """The address to dial that one from: our own on the loopback network only reaches the loopback network."""
        return self.bind if address.startswith("127.") else ""


if TYPE_CHECKING:
    Done = Callable[[Attempt, Observation, float | None], None]
