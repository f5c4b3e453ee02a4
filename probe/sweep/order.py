"""What is to be swept, how fast at most, and how far it has got."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from probe.model.ports import PortSet
from probe.model.words import Transport


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """One address, numeric; a link-local one names its interface (`fe80::1%eth0`)."""

    address: str
    ports: PortSet


class Sweep(msgspec.Struct, frozen=True, kw_only=True):
    """Ports of several targets, in one pass.

    `rate`: most attempts a second in all; 0 is the engine's own gentle default, `math.inf` as fast as the path bears.
    `timeout`: the longest patience for one answer, in seconds. `deadline`: for the whole sweep, in seconds; what is
    left then is State.ERROR with a `problem`. `seed`: the order of the ports, and the source ports. `bind`: the address
    to send from, empty for the kernel's choice. `most`: files that the connect engine may hold; 0 what the limit
    allows. `mark`: each datagram carries it and then its port in two bytes, big-endian, in place of what that port
    would understand: a witness at the target knows it by that, whatever became of its header on the way. `rounds`: no
    more than so many; 0 as many as it takes to believe in silence.
    """

    targets: tuple[Target, ...]
    transport: Transport
    rate: float = 0.0
    timeout: float = 1.0
    deadline: float = 600.0
    seed: int = 0
    bind: str = ""
    most: int = 0
    mark: bytes = b""
    rounds: int = 0


class Progress(msgspec.Struct, frozen=True):
    """Ports asked for, ports whose state is settled, attempts sent so far."""

    asked: int
    settled: int
    sent: int


Tick = Callable[[Progress], bool | None]
"""Is called now and then; True ends the sweep."""
