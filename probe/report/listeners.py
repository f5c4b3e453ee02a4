"""What is exposed, told by who listens; and how it was looked for. The same sentences in every format."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from probe.model.exposed import Listener, named, permission
from probe.model.ports import PortSet
from probe.model.words import Exposure, State, Zone
from probe.report.text import count, folded, listed, name, sentence
from probe.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from probe.model.exposed import Exposed, Standing, Sweeping, Unnamed
    from probe.model.result import CheckResult

_FEW = 3
_MOST_PLACES, _MOST_PORTS = 4, 6


def exposed(rows: Sequence[CheckResult]) -> str:
    """`redis-server (pid 812, user redis) on db-1 listens on 0.0.0.0:6379; reachable from outside (o1) and role engine
    (8 hosts); the matrix allows controller and services`. The rows are about one listener on one port.
    """
    one = rows[0]
    hosts = listed(folded({row.target for row in rows}), _MOST_PLACES)
    why = permission(one.allowed, undeclared=one.undeclared, local=one.rule.startswith("services."))
    listeners = list(dict.fromkeys(row.listener for row in rows if row.listener is not None))
    if listeners:
        who = f"{_holders(listeners)} on {hosts} listens on"
        told = f"{who} {listed(sorted({each.at(one.ports, one.transport) for each in listeners}), _MOST_PLACES)}"
    else:
        told = f"{one.transport} {name(one.ports)} of {hosts} answers"
        why = f"{why}; nobody there is known to listen on it"
    return sentence(f"{told}; reachable from {sources(rows)}; {why}", 600)


def _holders(listeners: Sequence[Listener]) -> str:
    """Of several hosts or processes the name alone, with the user where it is one."""
    processes = {each.process for each in listeners}
    users = {each.user for each in listeners}
    pids = {each.pid for each in listeners}
    one = listeners[0]
    user, pid = one.user if len(users) == 1 else "", one.pid if len(pids) == 1 else 0
    return name(named(one.process, pid, user) if len(processes) == 1 else listed(sorted(filter(None, processes))), 120)


def sources(rows: Iterable[CheckResult]) -> str:
    """`outside (o1), role db (d1, d2) and role engine (8 hosts)`."""
    roles: defaultdict[str, set[str]] = defaultdict(set)
    for row in rows:
        roles[row.source_role].add(row.source)
    said = []
    for role, hosts in sorted(roles.items(), key=lambda item: (item[0] != Zone.OUTSIDE, item[0])):
        some = ", ".join(map(name, sorted(hosts))) if len(hosts) <= _FEW else count(len(hosts), "host")
        said.append(f"{name(role)} ({some})" if role == Zone.OUTSIDE else f"role {name(role)} ({some})")
    return " and ".join(filter(None, (", ".join(said[:-1]), said[-1]))) if said else ""


# --- how it was looked for --------------------------------------------------------------------------------------------


def searched(found: Exposed) -> str:
    """What was looked for, from where, and at what cost."""
    what = {
        Exposure.KNOWN: "what services of the matrix name",
        Exposure.LISTENING: "what listens at the targets",
        Exposure.ALL: "every port",
    }[found.scope]
    kinds = listed((kind(one.zone, one.role, one.sources) for one in found.kinds), 8)
    cost = f"{found.sent:,} packets and attempts sent"
    return f"{what} (--exposure {found.scope}), from one host of each kind first: {kinds}; {cost}"


def kind(zone: Zone, role: str, sources: Sequence[str]) -> str:
    """`engine (8 hosts)`, `partner, outside (p1)`."""
    where = "" if zone is Zone.INSIDE or role == zone else f", {zone}"
    return f"{name(role)}{where} ({name(sources[0]) if len(sources) == 1 else count(len(sources), 'host')})"


def allowed(entries: Sequence[Standing]) -> str:
    """The list of what is allowed beside the matrix."""
    told = [
        f"{one.transport} {name(one.ports)} from {name(one.who)} on {listed(folded(one.targets), _FEW)} "
        f"(“{name(one.entry)}”)"
        for one in entries
    ]
    return listed(told, 8) or "nothing"


def unreached(found: Exposed) -> tuple[Unnamed, ...]:
    """What listens, is in no row of the matrix, and that nobody who tried got through to."""
    return tuple(one for one in found.unnamed if one.asked and not one.reached and not one.unsure)


def untried(found: Exposed) -> int:
    """How many more ports nobody had to try: bound to loopback, always allowed, ignored by policy."""
    return sum(len(PortSet.parse(one.ports)) for one in found.unnamed if not one.asked)


def unnamed(one: Unnamed) -> str:
    """`redis-server (pid 812, user redis) on db-1, tcp 0.0.0.0:6379 (tried from a1, x1)`."""
    who = printable(named(one.process, one.pid, one.user))
    places = listed((Listener(address=address).at(one.ports) for address in one.addresses), _MOST_PLACES)
    return f"{name(who, 120)} on {name(one.target)}, {one.transport} {name(places, 120)}"


def hosts(names: Sequence[str]) -> str:
    """`engine-[1:8], x1`; a dash for none."""
    return listed(folded(names)) or "-"


def closed(one: Unnamed) -> tuple[str, ...]:
    """Those that tried and did not get through."""
    return tuple(host for host in one.asked if host not in one.reached and host not in one.unsure)


def swept(one: Sweeping) -> str:
    """`b1 (10.0.0.1) tcp from a1: 4 open (22, 80), 65,531 closed; 65,600 packets in 33 s`."""
    parts = []
    for state, text in one.states.items():
        number = len(PortSet.parse(text)) if text else 0
        if number:
            which = f" ({listed(name(text, 255).split(','), _MOST_PORTS)})" if state is State.OPEN else ""
            parts.append(f"{number:,} {state}{which if not one.everything else ''}")
    told = "something answers on every port" if one.everything else ", ".join(parts) or "nothing settled"
    came = f", datagrams for {count(len(PortSet.parse(one.arrived)), 'port')} arrived" if one.arrived else ""
    doubt = f", residual error {one.residual:.0e} a port" if one.residual else ""
    ended = f"; ended early: {sentence(one.problem, 120)}" if one.problem else ""
    return (
        f"{name(one.target)} ({name(one.address)}) {one.transport} from {name(one.source)}: {told}{came}; "
        f"{one.sent:,} packets in {one.seconds:.0f} s{doubt}{ended}"
    )
