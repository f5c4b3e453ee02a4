"""Packets as a host's interfaces saw them, and which of them somebody wants to see."""

from __future__ import annotations

import msgspec

from probe.model.words import Transport


class Flow(msgspec.Struct, frozen=True):
    """Packets between this host and its peers, of which one end has one of these ports: the target's end.

    `address` is this host's end, numeric, "" for any; `ports` a text as PortSet reads it; `peers` the numeric addresses
    of the other end, none for any. Where both are open, packets that a host forwards are in it too.
    """

    transport: Transport
    address: str
    ports: str
    peers: tuple[str, ...] = ()


class Sight(msgspec.Struct, frozen=True, omit_defaults=True):
    """One packet as it passed an interface of this host; `out`: it left.

    `at` is the wall clock in seconds. `flags` are those of TCP, some of `FSRPAU`; `size` is the payload of this packet
    in bytes. For an ICMP error `icmp` is its type and code, `sender` who sent it, `ttl` its own; source, target, ports
    and `seq` are those of the packet that it quotes.
    """

    at: float
    out: bool
    transport: Transport
    source: str
    source_port: int
    target: str
    target_port: int
    ttl: int
    flags: str = ""
    size: int = 0
    seq: int = 0
    ack: int = 0
    interface: str = ""
    icmp: tuple[int, int] | None = None
    sender: str = ""

    @property
    def opens(self) -> bool:
        """Whether it asks: the first packet of a connection, or a datagram."""
        if self.icmp is not None:
            return False
        return self.transport is Transport.UDP or ("S" in self.flags and "A" not in self.flags)


class Arrived(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Packets from `peer` that came in for `address`, one of this host's own: to which ports they had been sent.

    `ports` is a text as PortSet reads it. `onto`: the one port to which all of them had been translated on the way; 0
    where none was, or where that cannot be known (only marked datagrams say what port they were sent to). Whether
    anybody received them is not said.
    """

    peer: str
    address: str
    transport: Transport
    ports: str
    onto: int = 0
