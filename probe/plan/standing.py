"""What whoever runs the hosts always has there, whatever the matrix says: the agent's own port, SSH from the machine of
portcheck. A list that stands in the inventory (`portcheck_allow`), and in every report.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec

from probe.errors import UserError
from probe.model.ports import PortError, PortSet
from probe.model.words import Transport, Zone

if TYPE_CHECKING:
    from collections.abc import Iterable

    from probe.model.inventory import Host
    from probe.model.matrix import Matrix
    from probe.plan.parties import Party

AGENT, SSH = "agent", "ssh"
DEFAULT = (AGENT, f"{SSH} from coordinator")
ANYBODY, COORDINATOR, NOTHING = "any", "coordinator", "none"
_ZONES = {"every-host": Zone.INSIDE, "outside": Zone.OUTSIDE}


class Standing(msgspec.Struct, frozen=True):
    """Ports of one target that `who` may always reach; `words` as the list has it."""

    words: str
    transport: Transport
    ports: PortSet
    who: str

    def lets(self, source: Party) -> bool:
        if self.who == ANYBODY:
            return True
        if self.who == COORDINATOR:
            return runs_portcheck(source.host)
        if self.who in _ZONES:
            return source.zone is _ZONES[self.who]
        return self.who in source.names or self.who in source.host.roles or self.who == source.host.name


def standing(targets: Iterable[Party], matrix: Matrix, known: Iterable[str]) -> dict[str, tuple[Standing, ...]]:
    """The list of each target, by its name. `known` are the names of hosts and groups of the inventory. Raises
    UserError with all that is wrong.
    """
    names = frozenset(known)
    found: dict[str, tuple[Standing, ...]] = {}
    problems: dict[str, list[str]] = {}
    for target in targets:
        entries = []
        for text in _entries(target.host):
            try:
                entries.append(_entry(text, target.host, matrix, names))
            except ValueError as error:
                problems.setdefault(f"portcheck_allow: {text!r}: {error}", []).append(target.host.name)
        found[target.host.name] = tuple(entries)
    if problems:
        lines = [f"{_hosts(hosts)}: {problem}" for problem, hosts in problems.items()]
        hint = "write for example agent, ssh from coordinator, 161/udp from monitoring, 5666, or none"
        raise UserError("\n".join(lines) + f"\n  hint: {hint}")
    return found


def _entries(host: Host) -> list[str]:
    given = host.vars.get("portcheck_allow")
    words = given if isinstance(given, (list, tuple)) else str(given).split(",") if given is not None else DEFAULT
    entries = [text for word in words if (text := str(word).strip())]
    return [] if entries == [NOTHING] else entries


def _hosts(names: list[str]) -> str:
    """A list is often a group's: one slip is told once."""
    return f"host {names[0]!r}" + (f" and {len(names) - 1:,} more" if len(names) > 1 else "")


def runs_portcheck(host: Host) -> bool:
    """Whether its agent is a process of the machine on which portcheck runs."""
    kind = str(host.vars.get("ansible_connection", "")).rpartition(".")[2]
    return kind == "local" and not host.vars.get("portcheck_exec") and not host.vars.get("portcheck_agent")


def _entry(text: str, host: Host, matrix: Matrix, known: frozenset[str]) -> Standing:
    what, _, who = (part.strip() for part in text.partition(" from "))
    role = matrix.role_named(who)
    if who and who not in {ANYBODY, COORDINATOR, *_ZONES} and role is None and who not in known:
        raise ValueError(
            f"{who!r} is no role, group or host, nor any, every-host, outside or coordinator, whose machine this is"
        )
    transport, ports = Transport.TCP, PortSet()
    if what == AGENT:
        ports = _agent_port(host)
    elif what == SSH:
        ports = PortSet.of([_ssh_port(host)])
    else:
        number, slash, word = what.partition("/")
        if slash and word not in set(Transport):
            raise ValueError(f"{word!r} is neither tcp nor udp")
        transport = Transport(word) if slash else Transport.TCP
        try:
            ports = PortSet.parse(number)
        except PortError as error:
            raise ValueError(str(error)) from None
    return Standing(text, transport, ports, role.name if role is not None else who or ANYBODY)


def _agent_port(host: Host) -> PortSet:
    """Of a daemon; an agent over stdio has none."""
    address = str(host.vars.get("portcheck_agent") or "")
    if not address.startswith("https://"):
        return PortSet()
    try:
        return PortSet.of([urlsplit(address).port or 443])
    except ValueError:
        return PortSet()  # it is told of where the agent is dialled


def _ssh_port(host: Host) -> int:
    text = str(host.vars.get("ansible_ssh_port") or host.vars.get("ansible_port") or 22)
    return int(text) if text.isdecimal() and 0 < int(text) < 65536 else 22
