"""What listens on a host, as its own socket table says."""

from __future__ import annotations

import msgspec

from probe.model.words import Transport


class Listening(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Ports of one bound address that one process holds: TCP that listens, UDP without a peer.

    `address` is as bound: `0.0.0.0` takes all of IPv4, `::` all of IPv6 and, unless `only_ipv6`, IPv4 too. `process`
    and `pid` are empty and 0 where the agent may not read whose socket it is; `user` is the name of whom the process
    runs as, or who made the socket, `uid 1234` where the host's own file of accounts has none. `interface`: only what
    comes in there is taken; empty for any. `agent`: held by a process of portcheck: an agent's own port, or a stand-in
    of another run.
    """

    address: str
    transport: Transport
    ports: str
    process: str = ""
    pid: int = 0
    user: str = ""
    only_ipv6: bool = False
    interface: str = ""
    agent: bool = False
