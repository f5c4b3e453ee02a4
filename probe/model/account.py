"""One way under the glass: the packets of a fresh attempt as both ends' interfaces saw them, and the path. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from probe.model.ends import Ends, Packets
from probe.model.path import Path
from probe.model.words import Transport

if TYPE_CHECKING:
    from collections.abc import Collection


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """Of the check with this `id`, at one address and port. `source` and `target` hold the packets of this way alone;
    None where nobody looked.
    """

    id: str
    address: str
    port: int
    source: Packets | None = None
    target: Packets | None = None
    ends: Ends = Ends()
    path: Path | None = None


def of_one_way(
    source: Packets | None,
    target: Packets | None,
    *,
    transport: Transport,
    address: str,
    port: int,
    source_addresses: Collection[str],
    translated: bool = False,
) -> tuple[Packets | None, Packets | None]:
    """Of what both ends saw, what belongs to the attempts of this source on this port of the address that it dialled.
    Other clients of the same port are none of ours, nor are its attempts at another address. `translated`: the target
    does not carry the one that is dialled. None: nobody looked there.
    """
    address = address.partition("%")[0]  # packets carry no zone
    here = _begun(_with_peers(source, transport, {(address, port)})) if source is not None else None
    if target is None:
        return here, None
    sequences = {sight.seq for sight in here.sights if sight.opens} if here and transport is Transport.TCP else set()
    came = (sight for sight in target.sights if sight.opens and not sight.out and sight.target_port == port)
    ours = (
        sight
        for sight in came
        if sight.seq in sequences or (sight.source in source_addresses and (translated or sight.target == address))
    )
    return here, _with_peers(target, transport, {(sight.source, sight.source_port) for sight in ours})


def _begun(packets: Packets) -> Packets:
    """Without what an older connection still had to say, to which the target's part of the story has no beginning."""
    began = {sight.source_port for sight in packets.sights if sight.opens and sight.out}
    kept = tuple(
        sight
        for sight in packets.sights
        if not began or sight.icmp is not None or (sight.source_port if sight.out else sight.target_port) in began
    )
    return msgspec.structs.replace(packets, sights=kept)


def _with_peers(packets: Packets, transport: Transport, peers: set[tuple[str, int]]) -> Packets:
    """What passed between this host and these, address and port; not the other half of what it sends to itself."""
    kept = []
    for sight in packets.sights:
        sender, receiver = (sight.source, sight.source_port), (sight.target, sight.target_port)
        # An ICMP error goes to whoever sent what it quotes.
        leaves = (receiver in peers) is (sight.icmp is None)
        if sight.transport is transport and {sender, receiver} & peers and sight.out is leaves:
            kept.append(sight)
    return msgspec.structs.replace(packets, sights=tuple(kept))
