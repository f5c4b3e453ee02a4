"""What is open that no flow allows: who listens there, who reached it, what was swept for it. Values of the report, and
the sentences of one row.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING

import msgspec

from probe.model.ports import PortSet
from probe.model.swept import Rejection
from probe.model.words import Exposure, State, Transport, Zone
from probe.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from probe.model.listening import Listening


class Listener(msgspec.Struct, frozen=True, kw_only=True):
    """Who holds a port: the address as bound, the process and its number, and the user that it runs as; empty and 0
    where the agent may not read it.
    """

    address: str
    process: str = ""
    pid: int = 0
    user: str = ""

    @property
    def name(self) -> str:
        return named(self.process, self.pid, self.user)

    def at(self, ports: str, transport: Transport = Transport.TCP) -> str:
        """`0.0.0.0:6379`, `udp [::]:53`."""
        place = f"[{self.address}]:{ports}" if ":" in self.address else f"{self.address}:{ports}"
        return place if transport is Transport.TCP else f"{transport} {place}"


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """What is allowed beside the matrix: an entry of the list, its ports, whom it lets in, at which targets."""

    entry: str
    transport: Transport
    ports: str
    who: str
    targets: tuple[str, ...]


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """Sources of one zone with the same roles; one of them was asked first."""

    zone: Zone
    role: str
    roles: tuple[str, ...]
    sources: tuple[str, ...]


class Unnamed(msgspec.Struct, frozen=True, kw_only=True):
    """Ports on which something listens at a target and that no service of the matrix names there; bound to these
    `addresses`. `asked` are the sources that tried, `reached` those that got through, `unsure` those of which it is not
    known. Nobody is asked for what is bound to loopback, ignored by policy, or always allowed.
    """

    target: str
    transport: Transport
    ports: str
    addresses: tuple[str, ...]
    process: str = ""
    pid: int = 0
    user: str = ""
    asked: tuple[str, ...] = ()
    reached: tuple[str, ...] = ()
    unsure: tuple[str, ...] = ()


class Sweeping(msgspec.Struct, frozen=True, kw_only=True):
    """One sweep of one address by one source. `states` has each port asked once; `arrived` are UDP ports whose
    datagrams the target's witness saw, None where it could not look; `translated` those that the target let in at
    another port, by that. The rest as in probe.model.swept.
    """

    source: str
    target: str
    address: str
    transport: Transport
    ports: str
    states: dict[State, str] = {}
    rejections: tuple[Rejection, ...] = ()
    sometimes: str = ""
    everything: bool = False
    arrived: str | None = None
    translated: dict[int, str] = {}
    sent: int = 0
    answers: int = 0
    loss: float = 0.0
    residual: float = 0.0
    seconds: float = 0.0
    engine: str = ""
    problem: str = ""


def with_survey(found: Sweeping, sockets: Sockets) -> Sweeping:
    """A sweep of UDP whose datagrams were seen to arrive: where nothing listens they are refused, whether or not the
    host's limit on ICMP errors let it say so. What was translated to a port where somebody listens is open.
    """
    if found.arrived is None:
        return found
    states = {state: PortSet.parse(text) for state, text in found.states.items() if text}
    silent = states.get(State.OPEN_FILTERED, PortSet())
    arrived = PortSet.parse(found.arrived) if found.arrived else PortSet()
    listening = sockets.ports(found.address, found.transport)
    reached = PortSet(
        span
        for port, ports in found.translated.items()
        if port in listening
        for span in (PortSet.parse(ports) & (silent | states.get(State.CLOSED, PortSet()))).ranges
    )
    nobody = (silent & arrived) - listening - reached
    states[State.OPEN] = states.get(State.OPEN, PortSet()) | reached
    states[State.CLOSED] = (states.get(State.CLOSED, PortSet()) | nobody) - reached
    states[State.OPEN_FILTERED] = silent - nobody - reached
    return msgspec.structs.replace(found, states={state: str(ports) for state, ports in states.items() if ports})


class Exposed(msgspec.Struct, frozen=True, kw_only=True):
    """How it was looked for, and what no row of the report says. `sent`: packets of sweeps, and attempts."""

    scope: Exposure
    standing: tuple[Standing, ...] = ()
    kinds: tuple[Kind, ...] = ()
    unnamed: tuple[Unnamed, ...] = ()
    sweeps: tuple[Sweeping, ...] = ()
    sent: int = 0


class Sockets:
    """The listening sockets of one host, as its agent told them. Raises PortError for ports that are none."""

    def __init__(self, rows: Iterable[Listening]) -> None:
        self.rows = [(row, PortSet.parse(row.ports)) for row in rows]

    def ports(self, address: str, transport: Transport) -> PortSet:
        """What may take packets that others send to this address of the host."""
        taken = (ports for row, ports in self.rows if row.transport is transport and may_take(row, address))
        return PortSet(span for ports in taken for span in ports.ranges)

    def elsewhere(self, address: str, transport: Transport, port: int) -> bool:
        """Whether all that may take it listen to one interface alone, which need not be the one where it comes in."""
        rows = [row for row, ports in self.rows if row.transport is transport and port in ports]
        taking = [row for row in rows if may_take(row, address)]
        return bool(taking) and all(row.interface for row in taking)

    def holder(self, address: str, transport: Transport, port: int) -> Listener | None:
        """Who takes what is sent there; one bound to the very address before one bound to all, that before others."""
        rows = (row for row, ports in self.rows if row.transport is transport and port in ports)
        found = [row for row in rows if may_take(row, address)]
        found.sort(key=lambda row: (row.address != address, row.address not in _ALL, not row.process))
        return told_of(found[0]) if found else None


_ALL = ("0.0.0.0", "::")


def named(process: str, pid: int, user: str) -> str:
    """`redis-server (pid 812, user redis)`."""
    said = ", ".join(part for part in (f"pid {pid}" if pid else "", f"user {user}" if user else "") if part)
    return (process or "a process") + (f" ({said})" if said else "")


def told_of(row: Listening) -> Listener:
    return Listener(address=row.address, process=row.process, pid=row.pid, user=row.user)


def may_take(row: Listening, address: str) -> bool:
    """Whether what others send to this address may arrive at the socket: the address may be translated on the way, so
    one bound to another address of the host may be meant, but not one on loopback. Several hosts may share a machine by
    addresses of the loopback network: there only a socket bound to the very address is the host's own.
    """
    if row.interface == "lo" and not is_loopback(address):
        return False
    if is_loopback(address) or is_loopback(row.address):
        return row.address == address
    if not is_numeric(address) or (row.address == "::" and not row.only_ipv6):
        return True
    return (":" in row.address) == (":" in address)


def is_loopback(address: str) -> bool:
    """Of a numeric address; a name is none."""
    try:
        return ip_address(address.partition("%")[0]).is_loopback
    except ValueError:
        return False


def is_numeric(address: str) -> bool:
    try:
        ip_address(address.partition("%")[0])
    except ValueError:
        return False
    return True


def sentence(source: str, target: str, transport: Transport, ports: str, listener: Listener | None, why: str) -> str:
    """One exposed row in words; `why` says what of it is not allowed."""
    if listener is None:
        return printable(f"{source} gets an answer on {transport} {ports} of {target}; {why}")
    return printable(
        f"{listener.name} on {target} listens on {listener.at(ports, transport)}, and {source} reaches it; {why}"
    )


def permission(allowed: tuple[str, ...], *, undeclared: bool, local: bool) -> str:
    """Whom the matrix allows, in words: `the matrix allows controller and services`."""
    if local:
        return "the matrix has it for loopback alone (bind: local)"
    if undeclared and not allowed:
        return "no service of the matrix has this port here"
    if not allowed:
        return "no flow of the matrix allows anybody"
    return f"the matrix allows {joined(allowed)}"


def joined(words: Iterable[str]) -> str:
    """`a, b and c`."""
    every = list(words)
    return every[0] if len(every) == 1 else f"{', '.join(every[:-1])} and {every[-1]}" if every else ""
