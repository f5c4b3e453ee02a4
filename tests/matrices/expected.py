"""The rows of a document as a table in a test, laid over an inventory and held against the plan.

A table is text, a row a line; what stands behind `#` is a remark:

    SOURCES > TARGETS  PORTS/PROTOCOL[/TRANSPORT]  [OPTION ...]

    every-host    > controller     9000/http
    web, app      > db             5432/postgresql          need=optional
    storage       > storage        6800-7568/tcp            hosts=other address=10.2.0.0/16 listen=some
    db            > db             53/dns/udp               local

Sources and targets are groups of the inventory (as it says them: this module knows no matrix), names of hosts,
`every-host` (all inside), `outside` or `any`; a target `@files.example.com` is an endpoint outside the inventory. The
transport is told where the protocol leaves it open; `udp` and what `_DATAGRAMS` has are UDP, all else is TCP. A row is
one for each source, target and address of the target:

    hosts=any|other|same      a host and itself too (`any`, where it is not said), without itself, only with itself
    address=NETWORK           only the target's addresses in it; without it all of them
    same=VAR, different=VAR   only pairs whose values of this host variable are the same, or differ
    need=, listen=            where they are not `required` and `all`
    alternative               it is enough that one of several such ways is free
    local                     the service is bound to loopback, where its own host reaches it

A row that no pair of hosts fits proves nothing, so it fails.
"""

from __future__ import annotations

import ipaddress
import shlex
from typing import TYPE_CHECKING, NamedTuple

from probe.model.ports import PortSet
from probe.model.words import Expect, Listen, Need, Transport, Zone
from probe.plan import Plan, Wishes
from probe.spec import inventory, matrix

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from probe.model.check import Check
    from probe.model.inventory import Host, Inventory

_DATAGRAMS = frozenset({"udp", "ntp", "chrony", "dhcp", "tftp", "snmp", "syslog", "vxlan", "geneve", "wireguard"})
_OPTIONS = frozenset({"hosts", "address", "same", "different", "need", "listen", "alternative", "local"})
_LOOPBACK = "127.0.0.1"
_STRONGEST_FIRST = tuple(need.value for need in Need)


class Way(NamedTuple):
    """From a source host to one address of a target host, with all that a document says of it but ports and need."""

    source: str
    target: str
    address: str
    protocol: str
    transport: str
    listen: str
    alternative: bool
    local: bool


Ways = dict[tuple[Way, str], PortSet]  # by way and need


class _Row(NamedTuple):
    text: str
    sources: tuple[str, ...]
    targets: tuple[str, ...]
    ports: PortSet
    protocol: str
    transport: str
    options: dict[str, str]


def plan(names: Sequence[str], hosts: str, folder: Path, **values: str) -> Plan:
    """The plan of these matrices over an INI inventory given as text; `values` are `--set`."""
    path = folder / "hosts.txt"
    path.write_text(hosts, encoding="utf-8")
    return Plan(matrix.load(list(names)), inventory.load(str(path)), Wishes(values=values))


def compare(plan: Plan, table: str) -> None:
    """The rows that the plan expects to reach are those of the table: none is missing, none is more."""
    wanted = _settled(_expanded(table, plan.inventory))
    found = _settled(_planned(check for check in plan.all_checks() if check.expect is Expect.REACH))
    missing, more = _minus(wanted, found), _minus(found, wanted)
    lines = [f"missing from the plan: {line}" for line in missing] + [f"not in the document:  {line}" for line in more]
    assert not lines, "\n".join(["", *lines])


def unchecked(plan: Plan) -> set[tuple[str, str, str]]:
    """Rule, service and reason of what the plan carries without being able to ask for it."""
    return {(row.rule, row.service, row.reason) for row in plan.unchecked}


def expand(table: str, inventory: Inventory) -> Ways:
    """What `compare` expects, for tests that need it otherwise."""
    return _settled(_expanded(table, inventory))


def planned(checks: Iterable[Check]) -> Ways:
    """The same of checks."""
    return _settled(_planned(checks))


def _planned(checks: Iterable[Check]) -> Iterator[tuple[Way, str, PortSet]]:
    for check in checks:
        way = Way(
            check.source,
            check.target,
            check.address,
            check.application or check.protocol.value,
            check.transport.value,
            check.listen.value,
            bool(check.alternatives),
            check.local,
        )
        yield way, check.need.value, check.ports


def _expanded(table: str, inventory: Inventory) -> Iterator[tuple[Way, str, PortSet]]:
    for line in table.splitlines():
        text = line.partition("#")[0].strip()
        if not text:
            continue
        row = _row(text)
        ways = list(_ways(row, inventory))
        assert ways, f"no pair of hosts fits the row: {text}"
        for way in ways:
            yield way, row.options.get("need", Need.REQUIRED.value), row.ports


def _row(text: str) -> _Row:
    sources, arrow, rest = text.partition(" > ")
    words = shlex.split(rest)
    at = next((number for number, word in enumerate(words) if "/" in word and "=" not in word), -1)
    assert arrow, f"a row has the form SOURCES > TARGETS PORTS/PROTOCOL: {text}"
    assert at > 0, f"a row has the form SOURCES > TARGETS PORTS/PROTOCOL: {text}"
    ports, protocol, *transport = words[at].removesuffix("/tls").split("/")
    options = dict(word.partition("=")[::2] for word in words[at + 1 :])
    assert set(options) <= _OPTIONS, f"unknown option: {text}"
    usual = Transport.UDP if protocol in _DATAGRAMS else Transport.TCP
    return _Row(
        text=text,
        sources=_names(sources),
        targets=_names(" ".join(words[:at])),
        ports=PortSet.parse(ports),
        protocol=f"{protocol}/tls" if words[at].endswith("/tls") else protocol,
        transport=Transport(transport[0]).value if transport else usual.value,
        options=options,
    )


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(","))


def _ways(row: _Row, inventory: Inventory) -> Iterator[Way]:
    for source in inventory.hosts.values():
        if _is_one_of(source, row.sources) and source.vars.get("portcheck_agent") != "none":
            for target, address in _ends(row, source, inventory):
                yield Way(
                    source.name,
                    target,
                    address,
                    row.protocol,
                    row.transport,
                    row.options.get("listen", Listen.ALL.value),
                    "alternative" in row.options,
                    "local" in row.options,
                )


def _ends(row: _Row, source: Host, inventory: Inventory) -> Iterator[tuple[str, str]]:
    """The targets of one source, by name and address."""
    for name in row.targets:
        if name.startswith("@"):
            yield name[1:], name[1:]
    for target in inventory.hosts.values():
        if _is_one_of(target, row.targets) and _belong_together(source, target, row.options):
            for address in _addresses(target, row.options):
                yield target.name, address


def _is_one_of(host: Host, names: tuple[str, ...]) -> bool:
    zone = "outside" if host.zone is Zone.OUTSIDE else "every-host"
    return not {*host.roles, host.name, zone, "any"}.isdisjoint(names)


def _belong_together(source: Host, target: Host, options: dict[str, str]) -> bool:
    hosts = "same" if "local" in options else options.get("hosts", "any")
    assert hosts in {"any", "other", "same"}, hosts
    if (hosts == "other" and source is target) or (hosts == "same" and source is not target):
        return False
    for key, alike in (("same", True), ("different", False)):
        if key in options:
            values = (source.vars.get(options[key]), target.vars.get(options[key]))
            if None in values or (values[0] == values[1]) is not alike:
                return False
    return True


def _addresses(target: Host, options: dict[str, str]) -> tuple[str, ...]:
    if "local" in options:
        return (_LOOPBACK,)
    if "address" not in options:
        return target.addresses
    inside = ipaddress.ip_network(options["address"])
    return tuple(address for address in target.addresses if ipaddress.ip_address(address) in inside)


def _settled(rows: Iterable[tuple[Way, str, PortSet]]) -> Ways:
    """Where several rows ask for the same port, the strongest need counts, as in the plan."""
    asked: Ways = {}
    for way, need, ports in rows:
        asked[way, need] = asked.get((way, need), PortSet()) | ports
    settled: Ways = {}
    for way in dict.fromkeys(way for way, _ in asked):
        stronger = PortSet()
        for need in _STRONGEST_FIRST:
            ports = asked.get((way, need), PortSet()) - stronger
            stronger |= ports
            if ports:
                settled[way, need] = ports
    return settled


def _minus(one: Ways, other: Ways) -> list[str]:
    left = {key: ports - other.get(key, PortSet()) for key, ports in one.items()}
    return sorted(_told(way, need, ports) for (way, need), ports in left.items() if ports)


def _told(way: Way, need: str, ports: PortSet) -> str:
    spoken = way.protocol if way.protocol == way.transport else f"{way.protocol}/{way.transport}"
    more = (" alternative" if way.alternative else "") + (" local" if way.local else "")
    return f"{way.source} > {way.target} ({way.address})  {ports}/{spoken} need={need} listen={way.listen}{more}"
