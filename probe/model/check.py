"""One thing to find out."""

from __future__ import annotations

import msgspec

from probe.model.dialogue import Dialogue
from probe.model.http import HttpDemand
from probe.model.ports import PortSet
from probe.model.tls import TlsDemand
from probe.model.words import Expect, Listen, Need, Policy, Protocol, Severity, Transport


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """From one source host to one address of one target host, over one set of ports that one rule speaks of.

    `id` holds from run to run. `undeclared`: no service of the matrix has these ports there; `service` is then the word
    of that name. `rule` names the row of the matrix (`flows[3]`) or, for what no flow allows,
    `policy.inside` or `policy.outside`; `also` are further rows that ask for the same. `policy` says what a deviation
    is worth. `application` is the matrix's word for what is spoken where `protocol` does not say it, `dialogue` how
    that is asked. `way_of` are groups of checks of which it is enough that one passes; of each of its `alternatives`,
    which are some of them, one must, and without any it must pass itself. `itself`: the host dials its own address.
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
    http: HttpDemand | None = None
    tls: TlsDemand | None = None
    cite: str = ""
    application: str = ""
    dialogue: Dialogue | None = None
    alternatives: tuple[str, ...] = ()
    way_of: tuple[str, ...] = ()
    itself: bool = False
    severity: Severity | None = None
    remedy: str = ""
    undeclared: bool = False

    @property
    def same_host(self) -> bool:
        """Checked for a listener, not for a firewall."""
        return self.source == self.target and not self.itself

    @property
    def shares_ports(self) -> bool:
        """Whether others may listen on some of these ports: it takes those that it finds free."""
        return self.listen is Listen.SOME


class Unchecked(msgspec.Struct, frozen=True, kw_only=True):
    """A row of the matrix, or a service of one, that is in force between hosts of the inventory and cannot be probed,
    with the reason. `sources` and `targets` are roles or parties as the row has them, `protocol` and `ports` the
    matrix's own words.
    """

    rule: str
    matrix: str
    service: str
    sources: tuple[str, ...]
    targets: tuple[str, ...]
    protocol: str
    ports: str
    reason: str
    need: Need = Need.REQUIRED
    help: str = ""
    cite: str = ""
