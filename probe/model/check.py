"""One thing to find out."""

from __future__ import annotations

import msgspec

from probe.model.ports import PortSet
from probe.model.words import Expect, Listen, Need, Policy, Protocol, Transport


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """From one source host to one address of one target host, over one set of ports that one rule speaks of.

    `id` holds from run to run. `rule` names the row of the matrix (`flows[3]`) or, for what no flow allows,
    `policy.inside` or `policy.outside`; `also` are further rows that ask for the same. `policy` says what a deviation
    is worth.
    """

    id: str
    source: str
    source_role: str
    target: str
    target_role: str
    address: str
    transport: Transport
    ports: PortSet
    protocol: Protocol
    service: str
    matrix: str
    rule: str
    expect: Expect
    policy: Policy
    also: tuple[str, ...] = ()
    need: Need = Need.REQUIRED
    listen: Listen = Listen.ALL
    local: bool = False
    path: str = "/"
    status: tuple[int, ...] = ()
    cite: str = ""

    @property
    def same_host(self) -> bool:
        """Checked for a listener, not for a firewall."""
        return self.source == self.target
