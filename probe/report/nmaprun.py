"""What a run saw of its targets' ports, as nmap would have written it (nmap.dtd, output version 1.05).

nmap looks from one place, a run from many: a port has the most open state that any source saw. Where they saw different
things, or a verdict has more to say, a script result of the port has each. A name without an address is no host of
nmap's and is left out, and so is what was not measured.
"""

from __future__ import annotations

import ipaddress
from collections import defaultdict
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from probe.model import instant
from probe.model.ports import PortError, PortSet
from probe.model.words import State, Transport, Verdict
from probe.report.nmapxml import MOST_LISTED, document, levels, moment, opened, seconds
from probe.report.text import NAME, count, folded, listed, name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from probe.model.result import CheckResult, Report

# The most open first. What is rejected or unreachable is filtered there, for a reason.
_STATES = {
    State.OPEN: ("open", {Transport.TCP: "syn-ack", Transport.UDP: "udp-response"}),
    State.OPEN_FILTERED: ("open|filtered", dict.fromkeys(Transport, "no-response")),
    State.CLOSED: ("closed", {Transport.TCP: "conn-refused", Transport.UDP: "port-unreach"}),
    State.REJECTED: ("filtered", dict.fromkeys(Transport, "dest-unreach")),
    State.UNREACHABLE: ("filtered", dict.fromkeys(Transport, "host-unreach")),
    State.FILTERED: ("filtered", dict.fromkeys(Transport, "no-response")),
}
# Beyond that something answers for every port, and a list would only be long. nmap itself has no bound for them.
_MOST_OPEN = 5000
_KINDS = {Transport.TCP: "connect", Transport.UDP: "udp"}


def render(report: Report) -> bytes:
    """UTF-8, with the document type that nmap's own readers expect."""
    started, finished = instant.read(report.run.started), instant.read(report.run.finished)
    root = opened(("run", "--inventory", report.run.inventory), started, report.run.version)
    targets, nameless = _targets(report.checks)
    for transport, kind in _KINDS.items():
        asked = PortSet(
            span
            for rows in targets.values()
            for row in rows
            if row.transport is transport
            for span in _ports(row).ranges
        )
        if asked:
            told = {"type": kind, "protocol": transport, "numservices": str(len(asked)), "services": str(asked)}
            ET.SubElement(root, "scaninfo", told)
    levels(root)
    for (target, address), rows in targets.items():
        host = ET.SubElement(root, "host", starttime=seconds(started), endtime=seconds(finished))
        ET.SubElement(host, "status", state="up", reason="user-set", reason_ttl="0")
        ET.SubElement(host, "address", addr=address, addrtype="ipv6" if ":" in address else "ipv4")
        names = ET.SubElement(host, "hostnames")
        if target != address:
            ET.SubElement(names, "hostname", name=name(target, 255), type="user")
        _add_ports(ET.SubElement(host, "ports"), rows)
    _runstats(root, report, len(targets), nameless)
    return document(root)


def _targets(checks: Iterable[CheckResult]) -> tuple[dict[tuple[str, str], list[CheckResult]], list[str]]:
    """Measured rows by name and address of the target, and the targets that have no address."""
    rows: defaultdict[tuple[str, str], list[CheckResult]] = defaultdict(list)
    nameless: dict[str, None] = {}
    for row in checks:
        try:
            address = str(ipaddress.ip_address(row.address))
        except ValueError:
            nameless[row.target] = None
            continue
        if row.state in _STATES:
            rows[row.target, address].append(row)
    return dict(rows), list(nameless)


def _add_ports(ports: ET.Element, rows: Sequence[CheckResult]) -> None:
    """Counts first, then ports in order: the DTD wants it so."""
    shown: list[tuple[Transport, State, PortSet]] = []
    for transport in _KINDS:
        alike = [row for row in rows if row.transport is transport]
        found = list(_most_open(alike))
        for word in dict.fromkeys(_STATES[state][0] for state, _ in found):
            group = [(state, some) for state, some in found if _STATES[state][0] == word]
            total = sum(len(some) for _, some in group)
            if total <= (_MOST_OPEN if word == "open" else MOST_LISTED):
                shown += [(transport, state, some) for state, some in group]
                continue
            extra = ET.SubElement(ports, "extraports", state=word, count=str(total))
            for state, some in group:
                reason = _STATES[state][1][transport]
                told = {"reason": reason, "count": str(len(some)), "proto": transport.value, "ports": str(some)}
                ET.SubElement(extra, "extrareasons", told)
    listing = [(transport, port, state) for transport, state, some in shown for port in some]
    by_port = _by_port(rows, listing)
    for transport, port, state in sorted(listing):
        _add_port(ports, port, state, by_port[transport, port])


def _most_open(rows: Sequence[CheckResult]) -> Iterator[tuple[State, PortSet]]:
    """Each port under one state."""
    left = PortSet(span for row in rows for span in _ports(row).ranges)
    for state in _STATES:
        here = left & PortSet(span for row in rows if row.state is state for span in _ports(row).ranges)
        if here:
            yield state, here
            left -= here


def _by_port(
    rows: Sequence[CheckResult], listing: Iterable[tuple[Transport, int, State]]
) -> dict[tuple[Transport, int], list[CheckResult]]:
    wanted: dict[tuple[Transport, int], list[CheckResult]] = {(transport, port): [] for transport, port, _ in listing}
    ports = {transport: PortSet.of(port for one, port in wanted if one is transport) for transport in _KINDS}
    for row in rows:
        for port in _ports(row) & ports[row.transport]:
            wanted[row.transport, port].append(row)
    return wanted


def _add_port(ports: ET.Element, port: int, state: State, rows: Sequence[CheckResult]) -> None:
    transport = rows[0].transport
    word, reasons = _STATES[state]
    element = ET.SubElement(ports, "port", protocol=transport, portid=str(port))
    told = {"state": word, "reason": reasons[transport], "reason_ttl": "0"}
    senders = {row.where.address for row in rows if row.state is state and row.where and row.where.side == "at"}
    if state is State.REJECTED and len(senders) == 1 and (sender := senders.pop()):
        told["reason_ip"] = name(sender)
    ET.SubElement(element, "state", told)
    known = next((row.service for row in rows if row.service), "")
    if known:
        secure = {"tunnel": "ssl"} if any(row.tls for row in rows) else {}
        ET.SubElement(element, "service", {"name": name(known), **secure, "method": "table", "conf": "3"})
    views = list(_views(rows))
    if len(views) > 1 or any(row.verdict is not Verdict.PASS for row in rows):
        ET.SubElement(element, "script", id="portcheck", output="; ".join(views))


def _views(rows: Iterable[CheckResult]) -> Iterator[str]:
    """`svc-[1:2]: filtered, blocked by network`, what was seen alike together."""
    seen: defaultdict[tuple[object, ...], set[str]] = defaultdict(set)
    for row in rows:
        seen[row.state, row.verdict, row.cause].add(row.source)
    for (state, verdict, cause), sources in seen.items():
        said = f"{verdict} ({cause})" if cause else str(verdict)
        yield f"{listed(folded(sources))}: {state}, {said}"


def _runstats(root: ET.Element, report: Report, targets: int, nameless: Sequence[str]) -> None:
    stats = ET.SubElement(root, "runstats")
    started, finished = instant.read(report.run.started), instant.read(report.run.finished)
    elapsed = f"{max((finished - started).total_seconds(), 0):.2f}"
    left = f"; left out, for they have no address: {listed(name(one, NAME) for one in nameless)}" if nameless else ""
    told = {
        "time": seconds(finished),
        "timestr": moment(finished),
        "summary": f"portcheck done at {moment(finished)}; {count(targets, 'target')} in {elapsed} seconds{left}",
        "elapsed": elapsed,
        "exit": "error" if report.run.interrupted else "success",
    }
    if report.run.interrupted:
        told["errormsg"] = "interrupted"
    ET.SubElement(stats, "finished", told)
    ET.SubElement(stats, "hosts", up=str(targets), down="0", total=str(targets))


def _ports(row: CheckResult) -> PortSet:
    try:
        return PortSet.parse(row.ports)
    except PortError:
        return PortSet()
